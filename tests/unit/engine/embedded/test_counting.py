"""What all sessions did: each counts once, be it running or over, and nothing is kept for targets that are gone."""

from types import SimpleNamespace
from typing import Any, cast

from lunaport.engine.embedded.counting import Counting
from lunaport.engine.embedded.meter import CLASSES
from lunaport.engine.embedded.session import Session
from lunaport.engine.interface import MemoryUse


def session(target: str, **numbers: Any) -> Session:
    """A session with these numbers."""
    connection = {"reads": 0, "writes": 0, "others": 0, "bytes_read": 0, "bytes_written": 0, "digest_errors": 0,
                  "failures": {}, "tasks": {}, "requests": SimpleNamespace(task_management={})} | numbers  # fmt: skip
    sampler = SimpleNamespace(counts=[1] + [0] * (CLASSES - 1), total_ns=5000)
    return cast(
        "Session",
        SimpleNamespace(
            outcome=SimpleNamespace(target_name=target), connection=SimpleNamespace(**connection), sampler=sampler
        ),
    )


def test_a_session_counts_once_when_it_ends() -> None:
    targets = {"a", "b"}
    counting = Counting(targets)
    running = session("a", reads=3, bytes_read=300, tasks={1: None})
    counting.login("a")
    before = counting.report([running], MemoryUse(held_bytes=7))
    assert before.memory == {"data": MemoryUse(held_bytes=7)}
    counting.ended(running)
    after = counting.report([], MemoryUse())
    assert (before.targets["a"].reads, before.targets["a"].sessions, before.targets["a"].outstanding) == (3, 1, 1)
    assert (after.targets["a"].reads, after.targets["a"].sessions, after.targets["a"].outstanding) == (3, 0, 0)
    assert (after.total.bytes_read, after.total.logins) == (300, 1)
    assert after.targets["a"].latency_s == 5e-6
    assert "b" not in after.targets, "a target that nobody used is left out"


def test_what_belongs_to_no_target_is_in_the_total_only() -> None:
    targets = {"a"}
    counting = Counting(targets)
    for number in range(1000):
        counting.refused(f"stranger-{number}", "unknown_target")
    counting.ended(session("", others=2))
    counting.ping_timed_out(None)
    report = counting.report([], MemoryUse())
    assert report.targets == {}
    assert (report.total.refused_logins, report.total.others) == ({"unknown_target": 1000}, 2)
    assert report.total.ping_timeouts == 1


def test_the_total_never_falls_when_a_target_goes() -> None:
    targets = {"a"}
    counting = Counting(targets)
    counting.ended(session("a", writes=4, bytes_written=40, digest_errors=1, failures={0x18: 2, 0x99: 1}))
    assert counting.report([], MemoryUse()).targets["a"].failures == {"reservation_conflict": 2, "other": 1}
    targets.clear()
    for _ in range(2):
        report = counting.report([], MemoryUse())
        assert report.targets == {}
        assert (report.total.writes, report.total.bytes_written, report.total.digest_errors) == (4, 40, 1)


def test_task_management_counts_by_function() -> None:
    counting = Counting({"a"})
    asked = SimpleNamespace(task_management={1: 2, 5: 1, 99: 1})
    found = counting.report([session("a", requests=asked)], MemoryUse()).targets["a"].task_management
    assert found == {"abort_task": 2, "logical_unit_reset": 1, "other": 1}
