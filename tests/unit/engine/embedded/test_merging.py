"""The reports of several data processes as one."""

from dataclasses import fields, replace

from lunaport.engine.embedded.merging import (
    Totals,
    add_counters,
    merge_counters,
    merge_refused,
    merge_status,
    merge_work,
)
from lunaport.engine.interface import (
    TROUBLES_MAX,
    Counters,
    EngineCounters,
    EngineStatus,
    MemoryUse,
    PortalReport,
    RefusedLogin,
    Trouble,
)
from lunaport.engine.unit_state import WORK_MAX, WorkReport

ONE = Counters(
    reads=1, writes=2, others=3, bytes_read=4, bytes_written=5, latency=(1, 2), latency_s=0.5,
    failures={"busy": 1}, digest_errors=6, task_management={"abort_task": 1}, ping_timeouts=7, logins=8,
    refused_logins={"blocked": 2}, sessions=9, outstanding=10,
)  # fmt: skip
TWO = replace(ONE, latency=(1, 2, 3), failures={"busy": 2, "task_set_full": 1}, refused_logins={})


def test_every_counter_is_added_up() -> None:
    both = add_counters([ONE, TWO])
    assert both.latency == (2, 4, 3)
    assert both.failures == {"busy": 3, "task_set_full": 1}
    assert both.refused_logins == {"blocked": 2}
    assert both.task_management == {"abort_task": 2}
    for each in fields(Counters):
        value = getattr(both, each.name)
        assert not isinstance(value, int | float) or value == 2 * getattr(ONE, each.name), each.name
    assert add_counters([]) == Counters()


def test_targets_stand_side_by_side() -> None:
    use = MemoryUse(held_bytes=1, peak_bytes=2, limit_bytes=3)
    merged = merge_counters(
        [
            EngineCounters(total=ONE, targets={"a": ONE}, pids={"data": 1}, memory={"data": use}),
            EngineCounters(total=TWO, targets={"b": TWO, "a": TWO}, pids={"data-1": 2}, memory={"data-1": use}),
        ]
    )
    assert merged.total == add_counters([ONE, TWO])
    assert merged.targets == {"a": add_counters([ONE, TWO]), "b": add_counters([TWO])}
    assert merged.pids == {"data": 1, "data-1": 2}
    assert merged.memory == {"data": use, "data-1": use}


def test_the_total_does_not_fall_when_one_process_begins_anew() -> None:
    totals = Totals()

    def seen(first: int, second: int, pid: int) -> Counters:
        return totals.merge(
            [
                EngineCounters(total=Counters(reads=first, sessions=1), pids={"data": 1}),
                EngineCounters(total=Counters(reads=second, sessions=2), pids={"data-1": pid}),
            ]
        ).total

    assert seen(10, 20, 2).reads == 30
    assert seen(11, 1, 3).reads == 32
    assert seen(12, 2, 3).reads == 34
    assert seen(12, 0, 4) == Counters(reads=34, sessions=3), "and the sessions are those of now"


def test_a_single_process_counts_from_0_when_it_begins_anew() -> None:
    totals = Totals()
    assert totals.merge([EngineCounters(total=ONE, pids={"data": 1})]).total == ONE
    assert totals.merge([EngineCounters(total=Counters(), pids={"data": 2})]).total == Counters()


def trouble(kind: str, subject: str, since: float) -> Trouble:
    return Trouble(kind=kind, subject=subject, reason="r", since=since)


def test_the_status_of_all() -> None:
    portal = PortalReport(host="::1", port=1, listening=True)
    first = EngineStatus(
        available=True, pid=1, since=1, targets=1, sessions=2, portals=(portal,),
        troubles=(trouble("storage", "", 5), trouble("portal", "x", 1)), troubles_count=2,
    )  # fmt: skip
    second = EngineStatus(
        available=True,
        pid=2,
        since=3,
        targets=10,
        sessions=20,
        troubles=(trouble("storage", "", 4),),
        troubles_count=300,
    )
    merged = merge_status([first, second])
    assert merged == EngineStatus(
        available=True, pid=1, since=3, targets=11, sessions=22, portals=(portal,),
        troubles=(trouble("storage", "", 4), trouble("portal", "x", 1)), troubles_count=301,
    )  # fmt: skip
    assert not merge_status([first, EngineStatus(available=False)]).available
    assert merge_status([first]) is first


def test_no_more_troubles_are_told_than_of_one_process() -> None:
    many = [
        EngineStatus(
            available=True,
            troubles=tuple(trouble("disk", f"{each}-{number}", 0) for number in range(TROUBLES_MAX)),
            troubles_count=TROUBLES_MAX,
        )
        for each in range(2)
    ]
    merged = merge_status(many)
    assert (len(merged.troubles), merged.troubles_count) == (TROUBLES_MAX, 2 * TROUBLES_MAX)


def test_refused_logins_are_in_order() -> None:
    first, second, third = (
        RefusedLogin(at=at, reason="r", detail="", initiator="", target="", address="", portal="") for at in (1, 2, 3)
    )
    assert merge_refused([[third, first], [second]]) == [third, second, first]


def test_draining_the_nas_is_one_piece_of_work() -> None:
    copy, sanitize = WorkReport(kind="copy", target="a", lun=0), WorkReport(kind="sanitize", target="b", lun=1)
    one = WorkReport(kind="drain", target="a", sessions=1)
    merged = merge_work(
        [[WorkReport(kind="drain", sessions=2), copy, one], [WorkReport(kind="drain", sessions=3), sanitize]]
    )
    assert merged == [WorkReport(kind="drain", sessions=5), copy, one, sanitize]
    assert merge_work([[copy], [sanitize]]) == [copy, sanitize]
    assert len(merge_work([[copy] * WORK_MAX, [sanitize]])) == WORK_MAX
