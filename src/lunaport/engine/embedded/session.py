"""A session of a data process: what runs between a login and its end, and how it is seen from outside."""

import time
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from lunaport.engine.embedded.loop import Loop
from lunaport.engine.embedded.meter import LatencySampler, RateMeter
from lunaport.engine.embedded.targets import Target
from lunaport.engine.embedded.throttle import Throttle
from lunaport.engine.embedded.transport import Transport
from lunaport.engine.interface import SessionReport
from lunaport.iscsi.announcements import announce_session_drop
from lunaport.iscsi.connection import Connection
from lunaport.iscsi.enums import TaskFunction, TaskResponse
from lunaport.iscsi.login import LoginOutcome
from lunaport.iscsi.task import Task
from lunaport.scsi.management import FUNCTIONS, TaskManagement
from lunaport.scsi.nexus import Nexus

_FUNCTIONS: Final[Mapping[int, TaskManagement]] = {
    TaskFunction.ABORT_TASK_SET: TaskManagement.ABORT_TASK_SET,
    TaskFunction.CLEAR_TASK_SET: TaskManagement.CLEAR_TASK_SET,
    TaskFunction.LOGICAL_UNIT_RESET: TaskManagement.LOGICAL_UNIT_RESET,
    TaskFunction.TARGET_WARM_RESET: TaskManagement.TARGET_RESET,
    TaskFunction.TARGET_COLD_RESET: TaskManagement.TARGET_RESET,
}
"""What iSCSI calls the functions of SCSI; ABORT TASK does not come here."""


def refuse(task: Task) -> None:
    """Execute nothing: a discovery session has no device server."""
    raise AssertionError("a discovery session hands out no commands")


class Session:
    """A session with its one connection."""

    __slots__ = (
        "connection",
        "end_all",
        "execute",
        "meter",
        "nexus",
        "outcome",
        "sampler",
        "since",
        "target",
        "throttle",
        "transport",
        "tsih",
    )

    def __init__(
        self,
        transport: Transport,
        outcome: LoginOutcome,
        tsih: int,
        target: Target | None,
        nexus: Nexus | None,
        end_all: Callable[[], None],
    ) -> None:
        self.transport = transport
        self.outcome = outcome
        self.tsih = tsih
        self.target = target
        self.nexus = nexus
        # Ends every session of the target, this one too, after what is laid down.
        self.end_all = end_all
        self.since = time.time()
        self.connection: Connection | None = None
        # See `iscsi.connection.DeviceServer.execute`: the nexus's own, without a call in between.
        self.execute: Callable[[Task], None] = refuse
        self.meter = RateMeter(monotonic())
        self.sampler: LatencySampler | None = None
        self.throttle: Throttle | None = None
        if nexus is not None:
            self.execute = nexus.execute

    def measure(self, loop: Loop) -> None:
        """Begin to sample how long commands take."""
        if self.nexus is not None:
            self.sampler = LatencySampler(loop, self.nexus.execute, self._set_execute)
            self.sampler.arm()

    def _set_execute(self, execute: Callable[[Task], None]) -> None:
        self.execute = execute

    @property
    def id(self) -> str:
        """What it is called outside."""
        return f"{self.tsih}-{self.outcome.isid.hex()}"

    def report(self) -> SessionReport:
        """The session as it is now."""
        connection = self.connection
        outcome = self.outcome
        assert connection is not None
        return SessionReport(
            id=self.id,
            target=outcome.target_name,
            initiator=outcome.initiator_name,
            initiator_alias=connection.parameters.initiator_alias,
            address=self.transport.address,
            portal=self.transport.portal,
            portal_group=outcome.portal_group_tag,
            since=self.since,
            isid=outcome.isid.hex(),
            tsih=self.tsih,
            chap_user=outcome.chap_user,
            read_only=self.nexus is not None and self.nexus.rights.read_only,
            luns=tuple(self.nexus.units) if self.nexus is not None else (),
            negotiated=connection.parameters.negotiated(),
            commands=connection.commands,
            outstanding=len(connection.tasks),
            bytes_read=connection.bytes_read,
            bytes_written=connection.bytes_written,
            rates=self.meter.rates,
            latency=tuple(self.sampler.counts) if self.sampler is not None else (),
        )

    def facts(self) -> dict[str, str]:
        """The session in an event."""
        return {
            "session": self.id,
            "initiator": self.outcome.initiator_name,
            "target": self.outcome.target_name,
            "address": self.transport.address,
        }

    def manage(self, function: int, lun: int, done: Callable[[TaskResponse], None]) -> None:
        """See `iscsi.connection.DeviceServer.manage`."""
        nexus = self.nexus
        assert nexus is not None
        wanted = _FUNCTIONS.get(function)

        def complete() -> None:
            done(TaskResponse.FUNCTION_COMPLETE)
            if function == TaskFunction.TARGET_COLD_RESET:
                self.end_all()  # RFC 7143 section 11.5.1

        if wanted is None:
            done(TaskResponse.FUNCTION_NOT_SUPPORTED)
        elif not FUNCTIONS[wanted](nexus, lun, complete):
            done(TaskResponse.LUN_DOES_NOT_EXIST)


def end_session(transport: Transport, reason: str) -> None:
    """Tell the initiator that its session ends, and end it."""
    if transport.connection is not None and not transport.ending:
        announce_session_drop(transport.connection)
    transport.end(reason)
