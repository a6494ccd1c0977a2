"""What all sessions did, those that have ended too: their own counters are added up here when they end.

Nothing is counted twice: a running session keeps its numbers itself (`iscsi.connection`), a command pays for no more
than that. Per target there is one sum as long as the target is there; what belongs to none of them is in the total
only. That bounds it, whatever strangers ask for.
"""

import os
from collections.abc import Container, Iterable

from lunaport.engine.embedded.meter import CLASSES
from lunaport.engine.embedded.session import Session
from lunaport.engine.interface import Counters, EngineCounters, MemoryUse
from lunaport.iscsi.enums import TaskFunction
from lunaport.scsi.enums import Status

NS: float = 1e-9
_STATUS = {each.value: each.name.lower() for each in Status}
_FUNCTION = {each.value: each.name.lower() for each in TaskFunction}


class Sum:
    """Counters that grow."""

    __slots__ = (
        "bytes_read",
        "bytes_written",
        "digest_errors",
        "failures",
        "latency",
        "latency_ns",
        "logins",
        "others",
        "outstanding",
        "ping_timeouts",
        "reads",
        "refused",
        "sessions",
        "task_management",
        "writes",
    )

    def __init__(self) -> None:
        self.reads = self.writes = self.others = self.bytes_read = self.bytes_written = 0
        self.latency = [0] * CLASSES
        self.latency_ns = 0
        self.failures: dict[str, int] = {}
        self.digest_errors = 0
        self.task_management: dict[str, int] = {}
        self.ping_timeouts = 0
        self.logins = 0
        self.refused: dict[str, int] = {}
        self.sessions = self.outstanding = 0

    def add(self, session: Session) -> None:
        """What a session did until now."""
        connection = session.connection
        assert connection is not None
        self.reads += connection.reads
        self.writes += connection.writes
        self.others += connection.others
        self.bytes_read += connection.bytes_read
        self.bytes_written += connection.bytes_written
        self.digest_errors += connection.digest_errors
        _add(self.failures, {_STATUS.get(status, "other"): n for status, n in connection.failures.items()})
        asked = connection.requests.task_management
        _add(self.task_management, {_FUNCTION.get(function, "other"): n for function, n in asked.items()})
        if session.sampler is not None:
            self.latency_ns += session.sampler.total_ns
            self.latency = [before + count for before, count in zip(self.latency, session.sampler.counts, strict=True)]

    def add_sum(self, other: "Sum") -> None:
        """Another sum."""
        for name in ("reads", "writes", "others", "bytes_read", "bytes_written", "latency_ns", "digest_errors",
                     "ping_timeouts", "logins", "sessions", "outstanding"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("failures", "task_management", "refused"):
            _add(getattr(self, name), getattr(other, name))
        self.latency = [before + count for before, count in zip(self.latency, other.latency, strict=True)]

    def report(self) -> Counters:
        """The counters as they are."""
        return Counters(
            reads=self.reads,
            writes=self.writes,
            others=self.others,
            bytes_read=self.bytes_read,
            bytes_written=self.bytes_written,
            latency=tuple(self.latency),
            latency_s=self.latency_ns * NS,
            failures=dict(self.failures),
            digest_errors=self.digest_errors,
            task_management=dict(self.task_management),
            ping_timeouts=self.ping_timeouts,
            logins=self.logins,
            refused_logins=dict(self.refused),
            sessions=self.sessions,
            outstanding=self.outstanding,
        )


class Counting:
    """The sums of the data process `name`. `targets`: those that are there, by name; it changes under way."""

    def __init__(self, targets: Container[str], name: str = "data") -> None:
        self._targets = targets
        self._name = name
        self._of: dict[str, Sum] = {}
        self._rest = Sum()

    def login(self, target: str) -> None:
        """A login succeeded; empty: for discovery."""
        self._sum(target).logins += 1

    def refused(self, target: str, reason: str) -> None:
        """A login was refused."""
        _add(self._sum(target).refused, {reason: 1})

    def ping_timed_out(self, session: Session | None) -> None:
        """An initiator did not answer a ping."""
        self._sum(session.outcome.target_name if session is not None else "").ping_timeouts += 1

    def ended(self, session: Session) -> None:
        """A session has ended: its numbers would be lost."""
        if session.connection is not None:
            self._sum(session.outcome.target_name).add(session)

    def report(self, sessions: Iterable[Session], memory: MemoryUse) -> EngineCounters:
        """Everything, with the sessions that run, and what they hold."""
        for name in [name for name in self._of if name not in self._targets]:
            self._rest.add_sum(self._of.pop(name))
        now: dict[str, Sum] = {}
        for name, ended in self._of.items():
            now[name] = Sum()
            now[name].add_sum(ended)
        rest = Sum()
        rest.add_sum(self._rest)
        for session in sessions:
            if session.connection is None:
                continue
            name = session.outcome.target_name
            sum_ = now.setdefault(name, Sum()) if name in self._targets else rest
            sum_.add(session)
            sum_.sessions += 1
            sum_.outstanding += len(session.connection.tasks)
        for each in now.values():
            rest.add_sum(each)
        return EngineCounters(
            total=rest.report(),
            targets={name: each.report() for name, each in now.items()},
            pids={self._name: os.getpid()},
            memory={self._name: memory},
        )

    def _sum(self, target: str) -> Sum:
        if target not in self._targets:
            return self._rest
        return self._of.setdefault(target, Sum())


def _add(counts: dict[str, int], more: dict[str, int]) -> None:
    for word, count in more.items():
        counts[word] = counts.get(word, 0) + count
