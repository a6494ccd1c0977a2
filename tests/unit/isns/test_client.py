"""Conversations with a server in memory: whatever happens in between, at the end it holds what is wanted."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lunaport.isns.attribute import DELIMITER, number
from lunaport.isns.client import PERIOD_WANTED_S, Account, bring, check, deregister, synchronise
from lunaport.isns.entity import Entity, Portal
from lunaport.isns.enums import Function, Status, Tag
from lunaport.isns.errors import FormatError, RefusedError
from lunaport.isns.limits import CHECKED_NODES_MAX
from tests.unit.isns.server import ModelServer, talk
from tests.unit.isns.strategies import ENTITY, entity, node

REG, QRY, DEREG, SCN = Function.DEV_ATTR_REG, Function.DEV_ATTR_QRY, Function.DEV_DEREG, Function.SCN_REG
LISTENING = Portal(address="192.0.2.1", port=3260, listener_port=4000)
SECOND = Portal(address="2001:db8::1", port=3260)


@pytest.fixture
def server() -> ModelServer:
    return ModelServer()


@pytest.fixture
def account() -> Account:
    return Account()


def functions(server: ModelServer) -> list[Function]:
    """What was asked since the last time."""
    asked = [each.function for each in server.requests]
    server.requests.clear()
    return asked


def test_the_first_registration_replaces_what_was_left_from_an_earlier_life(server: ModelServer) -> None:
    talk(server, synchronise(Account(), entity("old", "kept", portals=(LISTENING, SECOND))))
    wanted = entity("kept", "new")
    talk(server, synchronise(Account(), wanted))
    assert server.holds(wanted)
    assert server.requests[-1].replace


def test_later_only_differences_are_sent_new_ones_first(server: ModelServer, account: Account) -> None:
    talk(server, synchronise(account, entity("a", "b")))
    assert functions(server) == [REG]
    wanted = entity("b", "c")
    talk(server, synchronise(account, wanted))
    assert [each.replace for each in server.requests] == [False, False]
    assert functions(server) == [REG, DEREG]
    assert server.holds(wanted)
    talk(server, synchronise(account, wanted))
    assert functions(server) == []


def test_the_only_target_gets_another_name(server: ModelServer, account: Account) -> None:
    for name in ("a", "b"):
        talk(server, synchronise(account, entity(name)))
        assert server.holds(entity(name))
    assert functions(server) == [REG, REG, DEREG]


def test_a_portal_moves(server: ModelServer, account: Account) -> None:
    talk(server, synchronise(account, entity("a", "b", portals=(LISTENING,))))
    wanted = entity("a", "b", portals=(replace(LISTENING, port=860), SECOND))
    talk(server, synchronise(account, wanted))
    assert server.holds(wanted)


def test_a_listener_moves(server: ModelServer, account: Account) -> None:
    talk(server, synchronise(account, entity("a", portals=(LISTENING,))))
    talk(server, synchronise(account, entity("a", portals=(replace(LISTENING, listener_port=4001),))))
    assert server.entities[ENTITY].portals == {LISTENING.key: {19: 60, 20: 4001, 23: 4001}}


def test_another_alias_and_another_group(server: ModelServer, account: Account) -> None:
    talk(server, synchronise(account, entity("a", "b")))
    nodes = (replace(node("a"), alias="other"), replace(node("b"), groups=(1,)))
    wanted = replace(entity("a"), nodes=nodes, portals=(replace(LISTENING, group=2),))
    talk(server, synchronise(account, wanted))
    assert server.holds(wanted)


def test_nothing_left_is_deregistered_as_a_whole(server: ModelServer, account: Account) -> None:
    for empty in (entity(), entity("a", portals=())):
        talk(server, synchronise(account, entity("a", "b")))
        talk(server, synchronise(account, empty))
        assert server.entities == {}
        assert account.registered is None
    functions(server)
    talk(server, synchronise(account, entity()))
    assert functions(server) == []


def test_deregistration(server: ModelServer, account: Account) -> None:
    talk(server, deregister(account))
    assert functions(server) == []
    talk(server, synchronise(account, entity("a", "b")))
    talk(server, deregister(account))
    assert server.entities == {}
    talk(server, synchronise(account, entity("a")))
    server.entities.clear()
    talk(server, deregister(account))
    assert (account.registered, account.is_certain) == (None, True)


def test_the_server_grants_the_period(server: ModelServer, account: Account) -> None:
    talk(server, synchronise(account, entity("a")))
    assert account.period_s == 90
    wanted = [each for each in server.requests[0].attributes if each.tag == Tag.REGISTRATION_PERIOD]
    assert [int.from_bytes(each.value, "big") for each in wanted] == [PERIOD_WANTED_S]


def test_a_server_without_status_inquiries(server: ModelServer, account: Account) -> None:
    server.has_esi = False
    wanted = entity("a", portals=(LISTENING,))
    talk(server, synchronise(account, wanted))
    assert server.holds(wanted)
    assert server.entities[ENTITY].portals == {LISTENING.key: {23: 4000}}
    assert functions(server) == [REG, REG, SCN]


def test_a_server_without_change_notifications(server: ModelServer, account: Account) -> None:
    server.has_scn = False
    wanted = entity("a", portals=(LISTENING,))
    talk(server, synchronise(account, wanted))
    talk(server, synchronise(account, wanted))
    assert functions(server) == [REG, SCN]


def test_one_target_listens_for_all_and_another_takes_its_place(server: ModelServer, account: Account) -> None:
    talk(server, synchronise(account, entity("a", "b", portals=(LISTENING,))))
    assert server.listeners == {node("a").name}
    talk(server, synchronise(account, entity("b", portals=(LISTENING,))))
    assert server.listeners == {node("b").name}


def test_status_inquiries_that_do_not_reach_us_are_given_up(server: ModelServer, account: Account) -> None:
    wanted = entity("a", portals=(LISTENING,))
    for with_esi in (True, True, False):
        talk(server, synchronise(account, wanted))
        assert (20 in server.entities[ENTITY].portals[LISTENING.key]) == with_esi
        server.entities.clear()
        talk(server, check(account))
        assert not account.is_certain


def test_a_server_whose_inquiries_come_keeps_them(server: ModelServer, account: Account) -> None:
    wanted = entity("a", portals=(LISTENING,))
    for _ in range(4):
        talk(server, synchronise(account, wanted))
        account.heard_esi = True
        server.entities.clear()
        talk(server, check(account))
    assert account.wants_esi


def test_a_check_finds_what_is_lost_or_too_much(server: ModelServer, account: Account) -> None:
    wanted = entity("a", "b", portals=(LISTENING, SECOND))
    damages = (
        lambda: server.entities.clear(),
        lambda: server.entities[ENTITY].nodes.pop(node("b").name),
        lambda: server.entities[ENTITY].nodes.update(stranger=""),
        lambda: server.entities[ENTITY].portals.pop(SECOND.key),
    )
    for damage in damages:
        talk(server, synchronise(account, wanted))
        talk(server, check(account))
        assert account.is_certain
        damage()
        talk(server, check(account))
        assert not account.is_certain
        talk(server, synchronise(account, wanted))
        assert server.holds(wanted)


def test_many_targets_go_in_portions_and_are_checked_in_portions(server: ModelServer, account: Account) -> None:
    wanted = entity(*(f"a-target-with-a-name-{n:04}" for n in range(300)), portals=(LISTENING, SECOND))
    talk(server, synchronise(account, wanted))
    assert server.holds(wanted)
    functions(server)
    talk(server, check(account))
    assert functions(server) == [QRY] * (1 + CHECKED_NODES_MAX)
    del server.entities[ENTITY].nodes[wanted.nodes[250].name]
    rounds = 0
    while account.is_certain:
        talk(server, check(account))
        rounds += 1
    assert rounds <= 300 / CHECKED_NODES_MAX + 1
    talk(server, synchronise(account, entity()))
    assert server.entities == {}


def test_another_entity_in_place_of_ours(server: ModelServer, account: Account) -> None:
    talk(server, synchronise(account, entity("a")))
    wanted = replace(entity("a"), identifier="other")
    talk(server, synchronise(account, wanted))
    assert list(server.entities) == ["other"]


@pytest.mark.parametrize(
    ("function", "what"),
    [(REG, "a change of the registration"), (DEREG, "the deregistration of what is gone")],
)
def test_a_refused_change_is_told_and_leads_to_a_new_registration(
    server: ModelServer, account: Account, function: Function, what: str
) -> None:
    talk(server, synchronise(account, entity("a")))
    server.refuses[function] = Status.BUSY
    with pytest.raises(RefusedError, match=f"refused {what}: busy"):
        talk(server, synchronise(account, entity("b")))
    server.refuses.clear()
    talk(server, synchronise(account, entity("b")))
    assert server.requests[-1].replace
    assert server.holds(entity("b"))


def somebody_has(server: ModelServer, *shorts: str) -> None:
    """Another entity with these targets."""
    talk(server, synchronise(Account(), replace(entity(*shorts), identifier="other")))


@pytest.mark.parametrize("before", [(), ("a", "e"), ("b",)])
def test_targets_that_another_entity_has_do_not_take_the_others_with_them(
    server: ModelServer, account: Account, before: tuple[str, ...]
) -> None:
    talk(server, synchronise(account, entity(*before)))
    somebody_has(server, "c", "d")
    for _ in range(2):
        talk(server, bring(account, entity("c", "a", "b", "d", "e")))
        assert account.refused == (node("c").name, node("d").name)
        assert server.holds(entity("a", "b", "e"))
    server.entities.pop("other")
    talk(server, bring(account, entity("c", "a", "b", "d", "e")))
    assert (account.refused, account.is_careful) == ((), False)
    assert server.holds(entity("a", "b", "c", "d", "e"))


@pytest.mark.parametrize("before", [(), ("a",), ("a", "b")])
def test_when_another_entity_has_all_of_them_nothing_is_registered(
    server: ModelServer, account: Account, before: tuple[str, ...]
) -> None:
    talk(server, synchronise(account, entity(*before)))
    somebody_has(server, "c", "d")
    for _ in range(2):
        with pytest.raises(RefusedError, match="refused the registration: invalid registration"):
            talk(server, bring(account, entity("c", "d")))
        assert list(server.entities) == ["other"]
        assert account.registered is None


def test_a_query_that_is_refused_otherwise_is_told(server: ModelServer, account: Account) -> None:
    talk(server, synchronise(account, entity("a")))
    server.refuses[QRY] = Status.BUSY
    with pytest.raises(RefusedError, match="refused a query of our registration: busy"):
        talk(server, check(account))
    assert account.registered == entity("a")


def test_a_listing_that_is_none_is_told(server: ModelServer, account: Account) -> None:
    talk(server, synchronise(account, entity("a")))
    conversation = check(account)
    answer = server.answer(next(conversation))
    with pytest.raises(FormatError, match="before its address"):
        conversation.send(replace(answer, attributes=(DELIMITER, number(Tag.PORTAL_PORT, 3260))))


entities = st.builds(
    lambda shorts, ports, group: entity(
        *shorts,
        portals=tuple(
            Portal(address="192.0.2.1", port=p, listener_port=p % 2, group=group if p % 3 else 3) for p in ports
        ),
    ),
    st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6),
    st.lists(st.integers(1, 4), unique=True, max_size=3),
    st.integers(1, 2),
)


class Life(RuleBasedStateMachine):
    """Changes, lost connections, restarts on either side; a check and a synchronisation mend everything."""

    @initialize()
    def begin(self) -> None:
        self.server = ModelServer()
        self.account = Account()
        self.wanted = entity("a")

    @rule(wanted=entities)
    def change(self, wanted: Entity) -> None:
        self.wanted = wanted

    @rule(after=st.integers(0, 4), is_heard=st.booleans())
    def break_off(self, after: int, is_heard: bool) -> None:
        talk(self.server, bring(self.account, self.wanted), breaks_after=after, is_heard=is_heard)

    @rule()
    def forget(self) -> None:
        self.server.entities.clear()

    @rule()
    def restart(self) -> None:
        """SIGKILL. What is not wanted any more is replaced by the first registration, so there has to be one."""
        self.account = Account()
        self.wanted = self.wanted if not self.wanted.is_empty else entity("a")
        self.succeed()

    @rule()
    def succeed(self) -> None:
        talk(self.server, bring(self.account, self.wanted))
        assert self.server.holds(self.wanted)

    @invariant()
    def nothing_is_there_twice(self) -> None:
        if hasattr(self, "server"):
            names = self.server.names()
            assert len(names) == len(set(names))


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLife = Life.TestCase


@given(entities, entities)
@settings(max_examples=150, deadline=None)
def test_from_anything_to_anything(first: Entity, second: Entity) -> None:
    server, account = ModelServer(), Account()
    for wanted in (first, second):
        talk(server, synchronise(account, wanted))
        assert server.holds(wanted)
        talk(server, check(account))
        assert (account.registered is None, account.losses) == (wanted.is_empty, 0)
