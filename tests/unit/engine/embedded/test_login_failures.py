"""Refused logins are kept in bounded memory, whatever names strangers think of."""

from dataclasses import replace

from lunaport.engine.embedded import login_failures
from lunaport.engine.embedded.login_failures import LoginFailures, printable
from lunaport.engine.interface import RefusedLogin

ONE = RefusedLogin(
    at=1.0,
    reason="unknown_target",
    detail="asked for an unknown target",
    initiator="iqn.2026-11.test:a",
    target="iqn.2026-11.test:t",
    address="192.0.2.1:5000",
    portal="192.0.2.9:3260",
)


def test_the_newest_come_first() -> None:
    kept = LoginFailures()
    for at in (1.0, 3.0, 2.0):
        kept.add(replace(ONE, at=at, initiator=f"iqn.2026-11.test:{at}"))
    assert [each.at for each in kept.newest()] == [3.0, 2.0, 1.0]


def test_of_one_initiator_the_last_ones_are_kept() -> None:
    kept = LoginFailures()
    for at in range(login_failures.PER_INITIATOR_MAX + 1):
        kept.add(replace(ONE, at=float(at)))
    assert [each.at for each in kept.newest()] == [float(at) for at in range(login_failures.PER_INITIATOR_MAX, 0, -1)]


def test_the_initiator_refused_longest_ago_is_forgotten() -> None:
    kept = LoginFailures()
    for number in range(login_failures.INITIATORS_MAX):
        kept.add(replace(ONE, at=float(number), initiator=f"iqn.2026-11.test:{number}"))
    kept.add(replace(ONE, at=1e6, initiator="iqn.2026-11.test:0"))
    kept.add(replace(ONE, at=2e6, initiator="iqn.2026-11.test:new"))
    names = {each.initiator for each in kept.newest()}
    assert len(names) == login_failures.INITIATORS_MAX
    assert "iqn.2026-11.test:0" in names
    assert "iqn.2026-11.test:1" not in names


def test_those_without_a_name_share_what_their_address_has() -> None:
    kept = LoginFailures()
    for port in range(100):
        kept.add(replace(ONE, initiator="", address=f"192.0.2.1:{port}"))
    assert len(kept.newest()) == login_failures.PER_INITIATOR_MAX


def test_control_characters_of_strangers_are_taken_out() -> None:
    assert printable("a\x1b[31mb\nc") == "a?[31mb?c"
    assert len(printable("x" * 10_000)) == login_failures.TEXT_CHARS_MAX
