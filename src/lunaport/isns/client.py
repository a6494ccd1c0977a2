"""Conversations with one server: registering, following changes, looking, deregistering (RFC 4171 section 5.6.5).

No I/O and no clock: a conversation is a generator that yields requests and is sent their responses. `Account` is what
is known of our registration at the server. A conversation that breaks off leaves it uncertain, for the server may have
carried out what it did not answer; the next one then registers anew.

The first registration replaces what the server may hold of our entity from an earlier life: nothing is there twice.
After it only differences are sent, new things before old ones are removed, so that the source of a request is always a
node of the entity (section 5.6.1) and other targets cause no change notifications.
"""

from collections.abc import Collection, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from lunaport.isns.attribute import (
    DELIMITER,
    Attribute,
    as_number,
    empty,
    number,
    serialize_attributes,
    text,
)
from lunaport.isns.entity import (
    Entity,
    Listing,
    Node,
    Portal,
    entity_attributes,
    node_attributes,
    operating_attributes,
    parse_listing,
    portal_attributes,
    portal_key_attributes,
)
from lunaport.isns.enums import Function, ScnBitmap, Status, Tag
from lunaport.isns.errors import RefusedError
from lunaport.isns.limits import (
    CHECKED_NODES_MAX,
    LISTING_BYTES_MAX,
    NODES_BYTES_PER_REQUEST_MAX,
    OBJECTS_PER_DEREGISTRATION_MAX,
)
from lunaport.isns.message import Message

PERIOD_WANTED_S: Final = 120
ESI_INTERVAL_S: Final = 60
UNHEARD_LOSSES_MAX: Final = 2
"""So often a server may lose us without having asked for our status before we do without status inquiries."""
_FORGOTTEN: Final = frozenset(
    {Status.INVALID_QUERY, Status.SOURCE_UNKNOWN, Status.SOURCE_UNAUTHORIZED, Status.NO_SUCH_ENTRY}
)
"""Answers to a query that mean: the server does not know us."""
_MENDED: Final = frozenset({Status.ESI_NOT_AVAILABLE, Status.INVALID_REGISTRATION})
"""Refusals of a registration that another registration may mend."""
_SCN_BITMAP: Final = ScnBitmap.TARGET_AND_SELF | ScnBitmap.OBJECT_REMOVED | ScnBitmap.DD_MEMBER_REMOVED
"""Only what we would have to mend: every notification costs the server work, and our own changes cause some too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the server."""

    function: Function
    attributes: tuple[Attribute, ...]
    replace: bool = False


Conversation = Generator[Request, Message, None]


@dataclass(slots=True, kw_only=True)
class Account:
    """Our registration at one server, as far as it has answered."""

    registered: Entity | None = None
    """What the server has, or may have of what we sent."""
    is_certain: bool = True
    """False: a change was sent and not confirmed, or the server has lost something."""
    period_s: int = PERIOD_WANTED_S
    """How long the server keeps us without a sign of life; 0: for ever."""
    wants_esi: bool = True
    heard_esi: bool = False
    unheard_losses: int = 0
    wants_scn: bool = True
    scn_node: str = ""
    """The target in whose name change notifications are registered."""
    losses: int = 0
    """How often the server had lost us."""
    refused: tuple[str, ...] = ()
    """Targets that the server did not take, in the last synchronisation."""
    is_careful: bool = False
    """Targets go one by one, to find those that the server does not take."""
    checked: int = 0
    """Where the next check of a long list of targets goes on."""

    def lose(self) -> None:
        """The server has not what it had."""
        known = self.registered
        self.losses += 1
        self.is_certain = False
        self.scn_node = ""
        if self.wants_esi and known is not None and any(portal.listener_port for portal in known.portals):
            self.unheard_losses = 0 if self.heard_esi else self.unheard_losses + 1
            self.wants_esi = self.unheard_losses < UNHEARD_LOSSES_MAX


def bring(account: Account, wanted: Entity) -> Conversation:
    """Look what the server still has, and make it hold `wanted`. Raises RefusedError and FormatError.

    The look comes first at every change too: a difference means nothing to a server that was restarted meanwhile.
    """
    yield from check(account)
    yield from synchronise(account, wanted)


def synchronise(account: Account, wanted: Entity) -> Conversation:
    """Make the server, which has what `account` says, hold `wanted`. Raises RefusedError.

    A target whose name another entity has is left out and noted as refused: it shall not take the others with it.
    """
    if account.registered is not None and account.registered.identifier != wanted.identifier:
        yield from deregister(account)
    if wanted.is_empty:
        yield from deregister(account)
        return
    if account.registered is None or not account.is_certain:
        yield from _register_anew(account, wanted)
    else:
        account.refused = ()
    yield from _add(account, wanted)
    taken = replace(wanted, nodes=tuple(node for node in wanted.nodes if node.name not in account.refused))
    account.is_careful = taken != wanted
    if taken.is_empty:
        yield from deregister(account)
        raise RefusedError("the registration", Status.INVALID_REGISTRATION)
    yield from _remove(account, taken)
    yield from _listen(account)


def check(account: Account) -> Conversation:
    """Look whether the server still holds what it has confirmed, which also is our sign of life.

    When it does not, nothing is certain any more: `synchronise` registers anew. Raises RefusedError and FormatError.
    """
    known = account.registered
    if known is None or not account.is_certain:
        return
    for key, asked, expected in _questions(account, known):
        answer = yield _request(Function.DEV_ATTR_QRY, known, key, asked)
        if answer.status not in _FORGOTTEN:
            _expect(answer, "a query of our registration")
            if parse_listing(answer.attributes) == expected:
                continue
        account.lose()
        return


_Question = tuple[tuple[Attribute, ...], tuple[Attribute, ...], Listing]
"""Message key, what is asked for, and what the answer shall be."""


def _questions(account: Account, known: Entity) -> Iterator[_Question]:
    """One question about everything where the answer is short; else the targets one by one, some in each check."""
    portals = frozenset(portal.key for portal in known.portals)
    asked = (empty(Tag.PORTAL_ADDRESS), empty(Tag.PORTAL_PORT))
    names = [node.name for node in known.nodes]
    if len(serialize_attributes(text(Tag.ISCSI_NAME, name) for name in names)) <= LISTING_BYTES_MAX:
        yield _key(known), (*asked, empty(Tag.ISCSI_NAME)), Listing(portals=portals, names=frozenset(names))
        return
    yield _key(known), asked, Listing(portals=portals, names=frozenset())
    start = account.checked % len(names)
    for name in (names[start:] + names[:start])[:CHECKED_NODES_MAX]:
        listing = Listing(portals=frozenset(), names=frozenset({name}))
        yield (text(Tag.ISCSI_NAME, name),), (empty(Tag.ISCSI_NAME),), listing
        account.checked = start = start + 1


def deregister(account: Account) -> Conversation:
    """Take everything of us from the server. Raises RefusedError."""
    known = account.registered
    if known is None:
        return
    request = _request(Function.DEV_DEREG, known, (), _key(known))
    yield from _change(account, request, "the deregistration", fine=_FORGOTTEN)
    account.registered = None
    account.scn_node = ""


def _register_anew(account: Account, wanted: Entity) -> Conversation:
    """Replace the entity by one with the first targets that the server takes."""
    account.refused = ()
    attributes = entity_attributes(wanted.identifier, PERIOD_WANTED_S)
    for nodes in _batches(account, wanted, wanted.nodes):
        first = replace(wanted, nodes=nodes)
        account.registered = first
        request = _registration(account, first, attributes, wanted.portals, replaces=True)
        answer = yield from _change(account, request, "the registration", fine=_MENDED)
        if answer.status == Status.ESI_NOT_AVAILABLE and account.wants_esi:
            account.wants_esi = False
            yield from _register_anew(account, wanted)
            return
        if answer.status == Status.INVALID_REGISTRATION:
            account.registered = None
            if _refuse(account, nodes):
                continue
            yield from _register_anew(account, wanted)
            return
        _expect(answer, "the registration")
        account.period_s = _period_s(answer)
        account.heard_esi = False
        account.scn_node = ""
        return
    raise RefusedError("the registration", Status.INVALID_REGISTRATION)


def _refuse(account: Account, nodes: tuple[Node, ...]) -> bool:
    """Note that the server does not take these; False when it has to be found out which."""
    if len(nodes) > 1:
        account.is_careful = True
        return False
    account.refused += (nodes[0].name,)
    return True


def _add(account: Account, wanted: Entity) -> Conversation:
    """Register what is new or has changed. New portals need a group with every target, so those come again too."""
    known = account.registered
    assert known is not None
    old = set(known.portals)
    portals = tuple(portal for portal in wanted.portals if portal not in old)
    there = set(known.nodes)
    nodes = tuple(node for node in wanted.nodes if node.name not in account.refused and (portals or node not in there))
    for batch in _batches(account, wanted, nodes):
        part = replace(known, nodes=batch, portals=wanted.portals)
        # The identifier stands among the operating attributes too, as it is the key of the object that changes.
        request = _registration(account, part, _key(known), portals, source=known)
        answer = yield from _change(
            account, request, "a change of the registration", fine={Status.INVALID_REGISTRATION}
        )
        if answer.status == Status.INVALID_REGISTRATION:
            if _refuse(account, batch):
                continue
            yield from _add(account, wanted)
            return
        names = {node.name for node in batch}
        keys = {portal.key for portal in portals}
        known = replace(
            known,
            nodes=(*(node for node in known.nodes if node.name not in names), *batch),
            portals=(*(portal for portal in known.portals if portal.key not in keys), *portals),
        )
        account.registered = known
        portals = ()


def _remove(account: Account, wanted: Entity) -> Conversation:
    """Deregister what is not wanted any more."""
    known = account.registered
    assert known is not None
    wanted_names = {node.name for node in wanted.nodes}
    wanted_keys = {portal.key for portal in wanted.portals}
    names = [node.name for node in known.nodes if node.name not in wanted_names]
    keys = [portal.key for portal in known.portals if portal.key not in wanted_keys]
    gone = [(text(Tag.ISCSI_NAME, name),) for name in names] + [portal_key_attributes(key) for key in keys]
    for start in range(0, len(gone), OBJECTS_PER_DEREGISTRATION_MAX):
        objects = tuple(chain.from_iterable(gone[start : start + OBJECTS_PER_DEREGISTRATION_MAX]))
        request = _request(Function.DEV_DEREG, wanted, (), objects)
        yield from _change(account, request, "the deregistration of what is gone")
    account.registered = wanted
    if account.scn_node not in wanted_names:
        account.scn_node = ""


def _listen(account: Account) -> Conversation:
    """Register for change notifications; a server that does not have them is as good."""
    known = account.registered
    assert known is not None
    if not account.wants_scn or account.scn_node or not any(portal.listener_port for portal in known.portals):
        return
    name = text(Tag.ISCSI_NAME, known.nodes[0].name)
    answer = yield _request(Function.SCN_REG, known, (name,), (number(Tag.ISCSI_SCN_BITMAP, _SCN_BITMAP),))
    if answer.status == Status.SUCCESSFUL:
        account.scn_node = known.nodes[0].name
    else:
        account.wants_scn = False


def _change(
    account: Account, request: Request, what: str, *, fine: Collection[int] = ()
) -> Generator[Request, Message, Message]:
    """Send a request that changes something; until it is confirmed nothing is certain."""
    account.is_certain = False
    answer = yield request
    if answer.status not in fine:
        _expect(answer, what)
    account.is_certain = True
    return answer


def _registration(
    account: Account,
    part: Entity,
    attributes: tuple[Attribute, ...],
    portals: Iterable[Portal],
    *,
    source: Entity | None = None,
    replaces: bool = False,
) -> Request:
    """DevAttrReg of these portals, and of the nodes of `part` with its groups."""
    esi_interval_s = ESI_INTERVAL_S if account.wants_esi else 0
    for portal in portals:
        attributes += portal_attributes(portal, esi_interval_s)
    for node in part.nodes:
        attributes += node_attributes(node, part.portals)
    return _request(Function.DEV_ATTR_REG, source or part, _key(part), attributes, replaces=replaces)


def _request(
    function: Function,
    source: Entity,
    key: tuple[Attribute, ...],
    operating: tuple[Attribute, ...],
    *,
    replaces: bool = False,
) -> Request:
    """A request in the name of the first target of `source`."""
    name = text(Tag.ISCSI_NAME, source.nodes[0].name)
    return Request(function=function, attributes=(name, *key, DELIMITER, *operating), replace=replaces)


def _key(entity: Entity) -> tuple[Attribute, ...]:
    return (text(Tag.ENTITY_IDENTIFIER, entity.identifier),)


def _batches(account: Account, wanted: Entity, nodes: Iterable[Node]) -> Iterator[tuple[Node, ...]]:
    """Nodes in portions of bounded requests."""
    batch: list[Node] = []
    size = 0
    for node in nodes:
        length = len(serialize_attributes(node_attributes(node, wanted.portals)))
        if batch and (account.is_careful or size + length > NODES_BYTES_PER_REQUEST_MAX):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(node)
        size += length
    if batch:
        yield tuple(batch)


def _expect(answer: Message, what: str) -> None:
    if answer.status != Status.SUCCESSFUL:
        raise RefusedError(what, answer.status or 0)


def _period_s(answer: Message) -> int:
    """The registration period that the server grants; what we asked for when it does not say."""
    for each in operating_attributes(answer.attributes):
        if each.tag == Tag.REGISTRATION_PERIOD and len(each.value) == 4:
            return as_number(each)
    return PERIOD_WANTED_S
