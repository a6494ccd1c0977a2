"""Which sessions there are, and what a login replaces (RFC 7143 section 6.3.5)."""

from dataclasses import dataclass, replace

import pytest

from lunaport.iscsi.chap import ChapCredential
from lunaport.iscsi.enums import LoginStatus
from lunaport.iscsi.errors import LoginRefused
from lunaport.iscsi.login import LoginOutcome
from lunaport.iscsi.session import SessionTable
from tests.unit.iscsi.full_feature import Peer

OUTCOME = Peer().connection.outcome


@dataclass(slots=True)
class Session:
    name: str


def log_in(table: SessionTable[Session], outcome: LoginOutcome, name: str) -> tuple[int, Session | None]:
    tsih, replaced = table.admit(outcome)
    table.add(outcome, tsih, Session(name))
    return tsih, replaced


def test_each_session_gets_its_own_handle() -> None:
    table: SessionTable[Session] = SessionTable(10)
    handles = [log_in(table, replace(OUTCOME, isid=bytes([number] * 6)), "s")[0] for number in range(5)]
    assert len(set(handles)) == 5
    assert 0 not in handles


def test_a_new_login_of_the_same_nexus_replaces_the_session() -> None:
    table: SessionTable[Session] = SessionTable(1)
    log_in(table, OUTCOME, "old")
    _, replaced = log_in(table, OUTCOME, "new")
    assert replaced == Session("old")
    table.remove(OUTCOME, replaced)
    assert len(table.sessions) == 1


def test_another_initiator_target_or_isid_is_another_session() -> None:
    table: SessionTable[Session] = SessionTable(10)
    log_in(table, OUTCOME, "a")
    for other in (
        replace(OUTCOME, isid=b"\1" * 6),
        replace(OUTCOME, initiator_name="iqn.2026-11.test:other"),
        replace(OUTCOME, target_name="iqn.2026-11.test:other"),
    ):
        assert log_in(table, other, "b")[1] is None


def test_a_connection_for_a_session_that_exists_takes_its_place() -> None:
    table: SessionTable[Session] = SessionTable(10)
    tsih, _ = log_in(table, OUTCOME, "old")
    assert table.admit(replace(OUTCOME, tsih=tsih)) == (tsih, Session("old"))


@pytest.mark.parametrize("tsih", [2, 0xFFFF])
def test_a_connection_for_a_session_that_does_not_exist(tsih: int) -> None:
    table: SessionTable[Session] = SessionTable(10)
    log_in(table, OUTCOME, "old")
    with pytest.raises(LoginRefused) as refused:
        table.admit(replace(OUTCOME, tsih=tsih))
    assert refused.value.status == LoginStatus.SESSION_DOES_NOT_EXIST


def test_sessions_are_bounded() -> None:
    table: SessionTable[Session] = SessionTable(2)
    for number in range(2):
        log_in(table, replace(OUTCOME, isid=bytes([number] * 6)), "s")
    with pytest.raises(LoginRefused) as refused:
        table.admit(replace(OUTCOME, isid=b"\7" * 6))
    assert refused.value.status == LoginStatus.OUT_OF_RESOURCES
    assert table.admit(replace(OUTCOME, isid=bytes(6)))[1] == Session("s")


def test_handles_wrap_around_and_skip_those_in_use() -> None:
    table: SessionTable[Session] = SessionTable(10)
    first, _ = log_in(table, OUTCOME, "a")
    table.last_tsih = 0xFFFF
    second, _ = log_in(table, replace(OUTCOME, isid=b"\2" * 6), "b")
    assert (first, second) == (1, 2)


def test_what_has_ended_is_counted_no_more() -> None:
    table: SessionTable[Session] = SessionTable(2, target_sessions_max=1, initiator_sessions_max=1)
    for _ in range(3):
        tsih, _ = table.admit(OUTCOME)
        session = Session("s")
        table.add(OUTCOME, tsih, session)
        with pytest.raises(LoginRefused):
            table.admit(replace(OUTCOME, isid=b"\7" * 6))
        table.remove(OUTCOME, Session("another"))
        table.remove(OUTCOME, session)
    assert (table.sessions, table.tsihs, table.per_target, table.per_initiator) == ({}, set(), {}, {})


def test_another_connection_of_a_session_is_refused() -> None:
    """Section 6.3.1: one with the CID that there is takes its place, one with a new CID would be a second."""
    table: SessionTable[Session] = SessionTable(10)
    tsih, _ = log_in(table, OUTCOME, "old")
    with pytest.raises(LoginRefused) as caught:
        table.admit(replace(OUTCOME, tsih=tsih, cid=OUTCOME.cid + 1))
    assert caught.value.status == LoginStatus.TOO_MANY_CONNECTIONS


def test_a_connection_for_the_session_of_another_chap_name_is_refused() -> None:
    """Section 9.2: all connections of a session, one after the other too, prove the same name."""
    table: SessionTable[Session] = SessionTable(10)
    alice = replace(OUTCOME, proven=ChapCredential(user="alice", secret=b"alice-secret-1"))
    tsih, _ = log_in(table, alice, "old")
    with pytest.raises(LoginRefused) as caught:
        table.admit(replace(alice, tsih=tsih, proven=ChapCredential(user="bob", secret=b"bob-secret-123")))
    assert caught.value.status == LoginStatus.AUTHENTICATION_FAILURE
    assert table.admit(replace(alice, tsih=tsih)) == (tsih, Session("old"))


def test_discovery_sessions_are_told_apart_by_portal_and_by_target() -> None:
    """Section 7.4.2: one for each portal, or for each target named; none ends a session of a target."""
    table: SessionTable[Session] = SessionTable(10)
    log_in(table, OUTCOME, "normal")
    discovery = replace(OUTCOME, session_type="Discovery", target_name="")
    for about in ("192.0.2.1:3260", "192.0.2.2:3260", OUTCOME.target_name):
        assert log_in(table, replace(discovery, discovery_of=about), about)[1] is None
    assert log_in(table, replace(discovery, discovery_of="192.0.2.1:3260"), "new")[1] == Session("192.0.2.1:3260")
    assert log_in(table, OUTCOME, "again")[1] == Session("normal")


def test_tables_of_several_processes_give_no_handle_twice() -> None:
    given: list[int] = []
    for first in (1, 2, 3):
        table: SessionTable[Session] = SessionTable(10, tsih_first=first, tsih_step=3)
        given += [log_in(table, replace(OUTCOME, isid=bytes([number] * 6)), "s")[0] for number in range(10)]
    assert sorted(given) == list(range(1, 31))


@pytest.mark.parametrize(("first", "step", "sessions"), [(1, 8192, 7), (8192, 8192, 6), (1, 32767, 2), (2, 32767, 1)])
def test_handles_of_a_process_that_run_out_are_sessions_that_are_not_taken(
    first: int, step: int, sessions: int
) -> None:
    """One is left for a session that takes the place of another; handles begin again where they ended."""
    table: SessionTable[Session] = SessionTable(32768, tsih_first=first, tsih_step=step)
    outcomes = [replace(OUTCOME, isid=number.to_bytes(6, "big")) for number in range(sessions + 1)]
    for outcome in outcomes[:-1]:
        log_in(table, outcome, "s")
    with pytest.raises(LoginRefused) as refused:
        table.admit(outcomes[-1])
    assert refused.value.status == LoginStatus.OUT_OF_RESOURCES
    for _ in range(2 * sessions):
        tsih, replaced = table.admit(outcomes[0])
        assert replaced is not None
        assert tsih % step == first % step
        table.remove(outcomes[0], replaced)
        table.add(outcomes[0], tsih, Session("again"))
    assert len(table.tsihs) == sessions


@pytest.mark.parametrize(("elsewhere", "taken"), [(7, True), (8, False), (9, False)])
def test_sessions_of_other_processes_count(elsewhere: int, taken: bool) -> None:
    table: SessionTable[Session] = SessionTable(10)
    for number in range(2):
        log_in(table, replace(OUTCOME, isid=bytes([number] * 6)), "s")
    table.elsewhere_count = elsewhere
    another = replace(OUTCOME, isid=b"another"[:6])
    if taken:
        table.admit(another)
    else:
        with pytest.raises(LoginRefused, match="10 sessions already"):
            table.admit(another)
    assert table.admit(replace(OUTCOME, isid=bytes(6)))[1] == Session("s"), "one that takes its own place"
