"""Which sessions there are, and what a login replaces (RFC 7143 section 6.3.5)."""

from dataclasses import dataclass, replace

import pytest

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
