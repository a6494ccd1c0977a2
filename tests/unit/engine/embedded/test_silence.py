"""Peers that say nothing, take nothing, or never finish what they began."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lunaport.engine.embedded.silence import Silence
from lunaport.engine.embedded.transport import Transport
from lunaport.iscsi.enums import AsyncEvent


@dataclass(eq=False)
class Peer:
    """A transport as the look sees it."""

    receives: int = 1
    moved_bytes: int = 0
    partial: int = 0
    is_kept_waiting: bool = False
    pings: int = 0
    closed: list[str] = field(default_factory=list)
    announced: int = 0
    outcome: Any = field(default_factory=lambda: SimpleNamespace(cid=1))
    parameters: Any = field(default_factory=lambda: SimpleNamespace(default_time2wait=2))

    @property
    def connection(self) -> Any:
        return self

    def announce(self, event: int, parameters: tuple[int, ...]) -> None:
        self.announced = event

    def ping(self) -> None:
        self.pings += 1

    def end(self, reason: str) -> None:
        self.closed.append(reason)


class Sweep:
    def __init__(self, peer: Peer) -> None:
        self.silence = Silence()
        self.peer = peer

    def look(self, **changes: object) -> None:
        for name, value in changes.items():
            setattr(self.peer, name, value)
        if not self.peer.closed:
            self.silence.look([cast("Transport", self.peer)])


def test_who_is_silent_is_pinged_then_closed() -> None:
    peer = Peer()
    sweep = Sweep(peer)
    sweep.look()
    sweep.look()
    assert (peer.pings, peer.closed) == (1, [])
    sweep.look()
    assert "silent for 60 s" in peer.closed[0]
    assert peer.announced == AsyncEvent.CONNECTION_DROP


@pytest.mark.parametrize("sign", [{"receives": 2}, {"moved_bytes": 1}])
def test_a_sign_of_life_counts(sign: dict[str, object]) -> None:
    """A byte sent, or a byte taken."""
    peer = Peer()
    sweep = Sweep(peer)
    sweep.look()
    sweep.look()
    sweep.look(**sign)
    sweep.look()
    assert (peer.pings, peer.closed) == (2, [])


def test_a_pdu_that_is_never_finished_ends_its_session_however_alive_it_is() -> None:
    """A byte a second."""
    peer = Peer(partial=7)
    sweep = Sweep(peer)
    for number in range(2):
        sweep.look(receives=number)
    assert (peer.pings, peer.closed) == (0, [])
    sweep.look(receives=9)
    assert "not finished within 60 s" in peer.closed[0]


def test_pdus_that_are_finished_may_follow_each_other_for_ever() -> None:
    peer = Peer()
    sweep = Sweep(peer)
    for number in range(1, 20):
        sweep.look(receives=number, partial=number // 2)
    assert peer.closed == []


def test_who_is_kept_waiting_by_us_is_not_blamed() -> None:
    peer = Peer(partial=7)
    sweep = Sweep(peer)
    for _ in range(10):
        sweep.look(is_kept_waiting=True)
    assert (peer.pings, peer.closed) == (0, [])
