"""What several data processes report, as one report. Pure.

A target is in one of them, so what is told of targets is put side by side; what is told of the whole is added up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest

from lunaport.engine.interface import (
    TROUBLES_MAX,
    Counters,
    EngineCounters,
    EngineStatus,
    RefusedLogin,
    Trouble,
)
from lunaport.engine.unit_state import WORK_MAX, WorkReport


def add_counters(all_of: Iterable[Counters]) -> Counters:
    """The sum."""
    found = list(all_of)
    return Counters(
        reads=sum(each.reads for each in found),
        writes=sum(each.writes for each in found),
        others=sum(each.others for each in found),
        bytes_read=sum(each.bytes_read for each in found),
        bytes_written=sum(each.bytes_written for each in found),
        latency=tuple(map(sum, zip_longest(*(each.latency for each in found), fillvalue=0))),
        latency_s=sum(each.latency_s for each in found),
        failures=_add_words(each.failures for each in found),
        digest_errors=sum(each.digest_errors for each in found),
        task_management=_add_words(each.task_management for each in found),
        ping_timeouts=sum(each.ping_timeouts for each in found),
        logins=sum(each.logins for each in found),
        refused_logins=_add_words(each.refused_logins for each in found),
        sessions=sum(each.sessions for each in found),
        outstanding=sum(each.outstanding for each in found),
    )


def merge_counters(all_of: Sequence[EngineCounters]) -> EngineCounters:
    """The total is the sum. A refused login may be counted for a target by another process than its own."""
    if len(all_of) == 1:
        return all_of[0]
    by_name: dict[str, list[Counters]] = {}
    for each in all_of:
        for name, counters in each.targets.items():
            by_name.setdefault(name, []).append(counters)
    return EngineCounters(
        total=add_counters(each.total for each in all_of),
        targets={name: add_counters(found) for name, found in by_name.items()},
        pids={name: pid for each in all_of for name, pid in each.pids.items()},
        memory={name: memory for each in all_of for name, memory in each.memory.items()},
    )


class Totals:
    """Keeps the total from falling when one of several processes begins anew at 0: what it had counted is added."""

    def __init__(self) -> None:
        self._past = Counters()
        self._last: dict[str, tuple[int, Counters]] = {}

    def merge(self, all_of: Sequence[EngineCounters]) -> EngineCounters:
        """See `merge_counters`."""
        for each in all_of:
            for name, pid in each.pids.items():
                before, counters = self._last.get(name, (pid, Counters()))
                if before != pid:
                    self._past = add_counters([self._past, replace(counters, sessions=0, outstanding=0)])
                self._last[name] = pid, each.total
        merged = merge_counters(all_of)
        return replace(merged, total=add_counters([self._past, merged.total])) if len(all_of) > 1 else merged


def merge_status(all_of: Sequence[EngineStatus]) -> EngineStatus:
    """The first is that of process 0, which has the portals. Available: all are."""
    if len(all_of) == 1:
        return all_of[0]
    troubles: dict[tuple[str, str], Trouble] = {}
    for each in all_of:
        for trouble in each.troubles:
            known = troubles.setdefault((trouble.kind, trouble.subject), trouble)
            if trouble.since < known.since:
                troubles[trouble.kind, trouble.subject] = trouble
    doubled = sum(len(each.troubles) for each in all_of) - len(troubles)
    return EngineStatus(
        available=all(each.available for each in all_of),
        pid=all_of[0].pid,
        since=max(each.since for each in all_of),
        targets=sum(each.targets for each in all_of),
        sessions=sum(each.sessions for each in all_of),
        portals=all_of[0].portals,
        troubles=tuple(troubles.values())[:TROUBLES_MAX],
        troubles_count=sum(each.troubles_count for each in all_of) - doubled,
    )


def merge_refused(all_of: Iterable[Iterable[RefusedLogin]]) -> list[RefusedLogin]:
    """All of them, the newest first."""
    return sorted((refused for each in all_of for refused in each), key=lambda refused: refused.at, reverse=True)


def merge_work(all_of: Sequence[Sequence[WorkReport]]) -> list[WorkReport]:
    """Draining the NAS is one piece of work, with the sessions of all."""
    drains = [work for each in all_of for work in each if work.kind == "drain" and not work.target]
    others = [work for each in all_of for work in each if work.kind != "drain" or work.target]
    whole = [replace(drains[0], sessions=sum(drain.sessions for drain in drains))] if drains else []
    return [*whole, *others][:WORK_MAX]


def _add_words(all_of: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in all_of:
        for word, count in each.items():
            found[word] = found.get(word, 0) + count
    return found
