"""Which connections are taken, at n - 1, n and n + 1 of every bound; and that the count is always right."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.engine.embedded.admission import Admission
from lunaport.engine.embedded.limits import DESCRIPTORS_KEPT_MAX, ConnectionBounds

BOUNDS = ConnectionBounds(in_all=6, per_address=4, before_login=5, before_login_per_address=3)


def arrive(admission: Admission[int], number: int, address: str = "a") -> int | None:
    """A connection comes; returns who had to go for it."""
    assert admission.refusal(address) == ""
    gone = admission.crowded_out(address)
    if gone is not None:
        admission.remove(gone)
    admission.add(number, address)
    return gone


def log_in(admission: Admission[int], number: int, address: str = "a") -> None:
    arrive(admission, number, address)
    admission.end_login(number)


def test_one_address_crowds_out_its_own_oldest_login_only() -> None:
    admission: Admission[int] = Admission(BOUNDS)
    assert arrive(admission, 0, "b") is None
    assert [arrive(admission, number) for number in (1, 2, 3, 4, 5)] == [None, None, None, 1, 2]
    assert list(admission.before_login) == [0, 3, 4, 5]


def test_too_many_logins_in_all_crowd_out_the_oldest() -> None:
    admission: Admission[int] = Admission(BOUNDS)
    gone = [arrive(admission, number, f"address {number}") for number in range(7)]
    assert gone == [None, None, None, None, None, 0, 1]


def test_an_address_with_all_its_sessions_gets_no_connection_more() -> None:
    admission: Admission[int] = Admission(BOUNDS)
    for number in range(3):
        log_in(admission, number)
    assert admission.refusal("a") == ""
    log_in(admission, 3)
    assert "4 connections from this address" in admission.refusal("a")
    assert admission.refusal("b") == ""
    admission.remove(0)
    assert admission.refusal("a") == ""


def test_a_login_goes_before_a_session_of_the_same_address_is_refused() -> None:
    admission: Admission[int] = Admission(BOUNDS)
    for number in range(3):
        log_in(admission, number)
    assert arrive(admission, 3) is None
    assert arrive(admission, 4) == 3


def test_when_all_are_sessions_nobody_is_taken() -> None:
    admission: Admission[int] = Admission(BOUNDS)
    for number in range(5):
        log_in(admission, number, f"address {number}")
    assert arrive(admission, 5, "x") is None
    assert arrive(admission, 6, "y") == 5, "a session is never crowded out"
    admission.end_login(6)
    assert "6 connections already" in admission.refusal("z")
    admission.remove(6)
    assert admission.refusal("z") == ""


@pytest.mark.parametrize(
    ("descriptors", "in_all"),
    [(256, 128), (2 * DESCRIPTORS_KEPT_MAX, DESCRIPTORS_KEPT_MAX), (4096, 3072), (9215, 8191), (9217, 8192)],
)
def test_few_descriptors_are_few_connections(descriptors: int, in_all: int) -> None:
    assert ConnectionBounds().within(descriptors).in_all == in_all


@given(st.lists(st.tuples(st.sampled_from("ald"), st.sampled_from("xyz"), st.integers(0, 20))))
def test_whatever_happens_every_bound_holds(steps: list[tuple[str, str, int]]) -> None:
    """Arrivals, logins and departures in any order."""
    admission: Admission[int] = Admission(BOUNDS)
    numbers = count()
    for step, address, choice in steps:
        there = list(admission.connections)
        if step == "a" and not admission.refusal(address):
            arrive(admission, next(numbers), address)
        elif step == "l" and there:
            admission.end_login(there[choice % len(there)])
        elif step == "d" and there:
            admission.remove(there[choice % len(there)])
        assert len(admission.connections) <= BOUNDS.in_all
        assert len(admission.before_login) <= BOUNDS.before_login
        assert sum(admission.per_address.values()) == len(admission.connections)
        for address_there, held in admission.per_address.items():
            assert 0 < held <= BOUNDS.per_address
            own = admission.before_login_from.get(address_there, {})
            assert len(own) <= BOUNDS.before_login_per_address
    for connection in list(admission.connections):
        admission.remove(connection)
    assert (admission.per_address, admission.before_login, admission.before_login_from) == ({}, {}, {})


def test_connections_of_other_processes_count_for_their_address_and_in_all() -> None:
    admission: Admission[int] = Admission(BOUNDS)
    for number in range(4):
        log_in(admission, number)
    assert admission.leave(0) == "a"
    assert (admission.count, admission.per_address["a"]) == (4, 4)
    assert "from this address" in admission.refusal("a")
    admission.count_away("b")
    admission.count_away("b")
    assert "6 connections already" in admission.refusal("c")
    arriving = admission.crowded_out("c")
    assert arriving is None, "no login is there that could go"
    admission.end_away("b")
    assert admission.refusal("c") == ""
    admission.end_away("b")
    admission.end_away("a")
    for number in (1, 2, 3):
        admission.remove(number)
    assert (admission.count, admission.per_address, admission.before_login) == (0, {}, {})


def test_a_login_that_is_handed_over_waits_no_more() -> None:
    admission: Admission[int] = Admission(BOUNDS)
    arrive(admission, 0)
    admission.leave(0)
    assert (admission.before_login, admission.before_login_from, admission.away_count) == ({}, {}, 1)
