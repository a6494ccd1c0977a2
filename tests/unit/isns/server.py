"""An iSNS server in memory, as strict as RFC 4171 lets it be: what a request asks for is checked against what is there.

It says no by its own rules, or when a test tells it to. `TcpServer` is the same behind a socket.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from lunaport.isns.attribute import DELIMITER, Attribute, address, as_address, as_number, as_text, number, text
from lunaport.isns.client import Conversation, Request
from lunaport.isns.entity import Entity
from lunaport.isns.enums import RESPONSE, Function, Status, Tag
from lunaport.isns.message import Message, MessageReader, serialize_message

RESPONSE_BYTES_MAX = 8192
"""As open-isns has it."""


@dataclass(slots=True)
class Registered:
    """One entity."""

    portals: dict[tuple[str, int], dict[int, int]] = field(default_factory=dict)
    """By key: the numbers registered with it."""
    nodes: dict[str, str] = field(default_factory=dict)
    """Name to alias."""
    groups: dict[tuple[str, tuple[str, int]], int] = field(default_factory=dict)
    """By target and portal; 0 where the tag is null."""


@dataclass(slots=True)
class ModelServer:
    """What it has, and what it was asked."""

    entities: dict[str, Registered] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    listeners: set[str] = field(default_factory=set)
    """Nodes that registered for change notifications."""
    period_s: int = 90
    has_esi: bool = True
    has_scn: bool = True
    refuses: dict[Function, Status] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All targets, with repetitions."""
        return sorted(name for each in self.entities.values() for name in each.nodes)

    def holds(self, entity: Entity) -> bool:
        """Whether it has exactly this of the entity."""
        found = self.entities.get(entity.identifier)
        if entity.is_empty or found is None:
            return entity.is_empty and found is None
        groups = {
            (node.name, portal.key): portal.group if node.is_reached(portal) else 0
            for node in entity.nodes
            for portal in entity.portals
        }
        return (
            found.nodes == {node.name: node.alias for node in entity.nodes}
            and set(found.portals) == {portal.key for portal in entity.portals}
            and found.groups == groups
        )

    def answer(self, request: Request) -> Message:
        """Carry a request out."""
        self.requests.append(request)
        attributes = request.attributes
        assert attributes[0].tag == Tag.ISCSI_NAME, "a source comes first"
        middle = attributes.index(DELIMITER)
        source, key, operating = as_text(attributes[0]), attributes[1:middle], attributes[middle + 1 :]
        handlers = {
            Function.DEV_ATTR_REG: self._register,
            Function.DEV_ATTR_QRY: self._query,
            Function.DEV_DEREG: self._deregister,
            Function.SCN_REG: self._listen,
        }
        status = self.refuses.get(request.function, Status.SUCCESSFUL)
        echo: tuple[Attribute, ...] = ()
        if status is Status.SUCCESSFUL:
            status, echo = handlers[request.function](source, key, operating, replaces=request.replace)
        response = Message(
            function=request.function | RESPONSE,
            transaction_id=1,
            status=status,
            attributes=(*key, DELIMITER, *echo) if status is Status.SUCCESSFUL else (),
            from_server=True,
        )
        assert len(serialize_message(response)) <= RESPONSE_BYTES_MAX
        return response

    def _entity_of(self, source: str) -> Registered | None:
        return next((each for each in self.entities.values() if source in each.nodes), None)

    def _register(
        self, source: str, key: tuple[Attribute, ...], operating: tuple[Attribute, ...], *, replaces: bool
    ) -> tuple[Status, tuple[Attribute, ...]]:
        assert [each.tag for each in key] == [Tag.ENTITY_IDENTIFIER]
        assert operating[0] == key[0], "the key stands among the operating attributes too"
        identifier = as_text(key[0])
        if not self.has_esi and any(each.tag == Tag.ESI_PORT for each in operating):
            return Status.ESI_NOT_AVAILABLE, ()
        if identifier in self.entities and not replaces and self._entity_of(source) is not self.entities[identifier]:
            return Status.SOURCE_UNAUTHORIZED, ()
        others = [each for name, each in self.entities.items() if name != identifier]
        if replaces:
            self.entities.pop(identifier, None)
        if any(each.tag == Tag.ISCSI_NAME and as_text(each) in other.nodes for each in operating for other in others):
            return Status.INVALID_REGISTRATION, ()
        entity = self.entities.setdefault(identifier, Registered())
        self._take(entity, operating)
        assert source in entity.nodes, "the source is a node of the entity"
        self._group(entity)
        indexes = tuple(number(1000, 0) for _ in operating)
        granted = number(Tag.REGISTRATION_PERIOD, self.period_s)
        echo = tuple(granted if each.tag == granted.tag else each for each in operating)
        return Status.SUCCESSFUL, echo + indexes

    def _take(self, entity: Registered, operating: tuple[Attribute, ...]) -> None:
        """Objects in the order of the message."""
        portal: dict[int, int] = {}
        name = host = ""
        tag = 0
        for each in operating:
            if each.tag in (Tag.PORTAL_ADDRESS, Tag.GROUP_PORTAL_ADDRESS):
                host = as_address(each)
            elif each.tag == Tag.PORTAL_PORT:
                assert not name, "portals come before targets"
                portal = entity.portals[host, as_number(each)] = {}
            elif each.tag in (Tag.ESI_INTERVAL, Tag.ESI_PORT, Tag.SCN_PORT):
                portal[each.tag] = as_number(each)
            elif each.tag == Tag.ISCSI_NAME:
                name = as_text(each)
                entity.nodes[name] = ""
            elif each.tag == Tag.ISCSI_NODE_TYPE:
                assert as_number(each) == 1
            elif each.tag == Tag.ISCSI_ALIAS:
                entity.nodes[name] = as_text(each)
            elif each.tag == Tag.GROUP_TAG:
                tag = as_number(each) if each.value else 0
            elif each.tag == Tag.GROUP_PORTAL_PORT:
                key = (host, as_number(each))
                assert key in entity.portals, "a group is with a portal that is there"
                entity.groups[name, key] = tag

    def _group(self, entity: Registered) -> None:
        """Every target has a group with every portal, with the tag 1 where none was given (section 5.6.5.1)."""
        for name in entity.nodes:
            for key in entity.portals:
                entity.groups.setdefault((name, key), 1)

    def _query(
        self, source: str, key: tuple[Attribute, ...], operating: tuple[Attribute, ...], *, replaces: bool
    ) -> tuple[Status, tuple[Attribute, ...]]:
        assert not replaces
        assert not any(each.value for each in operating)
        entity = self._entity_of(source)
        if entity is None:
            return Status.SOURCE_UNKNOWN, ()
        wanted = {each.tag for each in operating}
        if key[0].tag == Tag.ISCSI_NAME:
            name = as_text(key[0])
            return Status.SUCCESSFUL, (text(Tag.ISCSI_NAME, name),) if name in entity.nodes else ()
        found: list[Attribute] = []
        for host, port in entity.portals if Tag.PORTAL_ADDRESS in wanted else ():
            found += (address(Tag.PORTAL_ADDRESS, host), number(Tag.PORTAL_PORT, port))
        found += (text(Tag.ISCSI_NAME, name) for name in entity.nodes if Tag.ISCSI_NAME in wanted)
        return Status.SUCCESSFUL, tuple(found)

    def _deregister(
        self, source: str, key: tuple[Attribute, ...], operating: tuple[Attribute, ...], *, replaces: bool
    ) -> tuple[Status, tuple[Attribute, ...]]:
        assert not key
        assert not replaces
        entity = self._entity_of(source)
        if entity is None:
            return Status.SOURCE_UNKNOWN, ()
        host = ""
        for each in operating:
            if each.tag == Tag.ENTITY_IDENTIFIER:
                del self.entities[as_text(each)]
            elif each.tag == Tag.ISCSI_NAME:
                entity.nodes.pop(as_text(each), None)
                self.listeners.discard(as_text(each))
            elif each.tag == Tag.PORTAL_ADDRESS:
                host = as_address(each)
            elif each.tag == Tag.PORTAL_PORT:
                entity.portals.pop((host, as_number(each)), None)
        entity.groups = {
            (name, portal): tag
            for (name, portal), tag in entity.groups.items()
            if name in entity.nodes and portal in entity.portals
        }
        return Status.SUCCESSFUL, ()

    def _listen(
        self, source: str, key: tuple[Attribute, ...], operating: tuple[Attribute, ...], *, replaces: bool
    ) -> tuple[Status, tuple[Attribute, ...]]:
        assert not replaces
        assert [each.tag for each in operating] == [Tag.ISCSI_SCN_BITMAP]
        assert self._entity_of(source) is not None
        if not self.has_scn:
            return Status.SCN_REGISTRATION_REJECTED, ()
        self.listeners.add(as_text(key[0]))
        return Status.SUCCESSFUL, ()


async def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def talk(server: ModelServer, conversation: Conversation, *, breaks_after: int = -1, is_heard: bool = False) -> bool:
    """Carry a conversation to its end; False when it broke, after so many requests, the last one heard or not."""
    request = next(conversation, None)
    count = 0
    while request is not None:
        if count == breaks_after:
            if is_heard:
                server.answer(request)
            conversation.close()
            return False
        count += 1
        try:
            request = conversation.send(server.answer(request))
        except StopIteration:
            request = None
    return True


@dataclass(slots=True)
class TcpServer:
    """A ModelServer on 127.0.0.1. `spoil` changes what it sends; None: nothing is sent."""

    model: ModelServer = field(default_factory=ModelServer)
    spoil: Callable[[bytes], bytes | None] = bytes
    port: int = 0
    connections: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        """Take connections, on the same port each time."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End every connection, take no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            await _abort(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        messages = MessageReader()
        try:
            while data := await reader.read(65536):
                for message in messages.receive(data):
                    await self._respond(message, writer)
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            await _abort(writer)

    async def _respond(self, message: Message, writer: asyncio.StreamWriter) -> None:
        request = Request(function=Function(message.function), attributes=message.attributes, replace=message.replace)
        answer = self.model.answer(request)
        raw = self.spoil(
            serialize_message(
                Message(
                    function=answer.function,
                    transaction_id=message.transaction_id,
                    attributes=answer.attributes,
                    status=answer.status,
                    from_server=True,
                )
            )
        )
        if raw is not None:
            writer.write(raw)
            await writer.drain()
