"""Tickets: only ours count, only in their time, only until somebody ends them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.web.tickets import ENDED_COUNT_MAX, LIFE_S, Tickets

KEY = bytes(32)


class Clock:
    """Time by hand."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_ticket_says_who_and_is_bound_to_the_password() -> None:
    tickets = Tickets(KEY, Clock())
    ticket = tickets.read(tickets.issue("alice", "hash-1"))
    assert ticket is not None
    assert ticket.user == "alice"
    assert ticket.proof == tickets.proof("hash-1") != tickets.proof("hash-2")
    assert b"hash-1" not in base64.urlsafe_b64decode(tickets.issue("alice", "hash-1") + "==")


def test_it_is_over_at_its_end() -> None:
    clock = Clock()
    tickets = Tickets(KEY, clock)
    text = tickets.issue("alice", "hash")
    clock.now += LIFE_S - 1
    assert tickets.read(text) is not None
    clock.now += 1
    assert tickets.read(text) is None


def test_who_logs_out_is_out_and_others_are_not() -> None:
    tickets = Tickets(KEY, Clock())
    mine, other = tickets.issue("alice", "hash"), tickets.issue("alice", "hash")
    ticket = tickets.read(mine)
    assert ticket is not None
    tickets.end(ticket)
    assert tickets.is_over(ticket)
    assert tickets.read(mine) is None
    assert tickets.read(other) is not None


def test_another_key_makes_other_tickets() -> None:
    assert Tickets(bytes(31) + b"\1", Clock()).read(Tickets(KEY, Clock()).issue("alice", "hash")) is None


def test_what_was_ended_is_kept_within_bounds() -> None:
    tickets = Tickets(KEY, Clock())
    for _ in range(ENDED_COUNT_MAX + 5):
        ticket = tickets.read(tickets.issue("a", "h"))
        assert ticket is not None
        tickets.end(ticket)
    assert len(tickets._ended) == ENDED_COUNT_MAX


@given(st.text(max_size=2000))
def test_any_text_is_no_ticket(text: str) -> None:
    assert Tickets(KEY, Clock()).read(text) is None


@pytest.mark.parametrize("place", [0, 16, 33, 40, -1])
def test_a_changed_bit_makes_it_worthless(place: int) -> None:
    tickets = Tickets(KEY, Clock())
    text = tickets.issue("alice", "hash")
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    raw[place] ^= 1
    assert tickets.read(base64.urlsafe_b64encode(raw).decode().rstrip("=")) is None
