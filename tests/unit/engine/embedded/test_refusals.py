"""A flood of refusals is not a flood in the log."""

import pytest
from structlog.testing import capture_logs

from lunaport.engine.embedded import refusals
from lunaport.engine.embedded.limits import REFUSAL_PAUSE_S, REFUSALS_KEPT_MAX
from lunaport.engine.embedded.refusals import Refusals


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_same_refusal_is_logged_once_and_counted() -> None:
    clock = Clock()
    noted = Refusals(clock)
    with capture_logs() as lines:
        for port in range(1000):
            noted.note("connection refused", "192.0.2.1", f"192.0.2.1:{port}", "too many")
        noted.note("connection refused", "192.0.2.2", "192.0.2.2:1", "too many")
        noted.note("connection refused", "192.0.2.1", "192.0.2.1:1", "another reason")
    assert [(line["address"], line["reason"]) for line in lines] == [
        ("192.0.2.1:0", "too many"),
        ("192.0.2.2:1", "too many"),
        ("192.0.2.1:1", "another reason"),
    ]


@pytest.mark.parametrize(("later", "logged"), [(-0.5, []), (0.0, [1000]), (0.5, [1000])])
def test_it_is_logged_again_later_with_how_often_it_came(later: float, logged: list[int]) -> None:
    clock = Clock()
    noted = Refusals(clock)
    for _ in range(1000):
        noted.note("connection refused", "192.0.2.1", "192.0.2.1:1", "too many")
    clock.now += REFUSAL_PAUSE_S + later
    with capture_logs() as lines:
        noted.note("connection refused", "192.0.2.1", "192.0.2.1:1", "too many")
    assert [line["times_since_logged"] for line in lines] == logged


def test_refusals_of_many_peers_take_bounded_memory_and_lines() -> None:
    clock = Clock()
    noted = Refusals(clock)
    with capture_logs() as lines:
        for number in range(10 * REFUSALS_KEPT_MAX):
            noted.note("login refused", f"host {number}", f"host {number}:1", "unknown target")
    assert len(noted.recent) == len(lines) == REFUSALS_KEPT_MAX + 1
    assert lines[-1]["reason"] == refusals.OTHERS[1]
    clock.now += REFUSAL_PAUSE_S
    with capture_logs() as lines:
        noted.note("login refused", "one more", "one more:1", "unknown target")
    assert [line["address"] for line in lines] == ["several", "one more:1"]
    assert lines[0]["times"] == 9 * REFUSALS_KEPT_MAX - 1
    assert len(noted.recent) == 1
