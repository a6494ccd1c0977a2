"""The requests of an initiator that have no answer yet, by their initiator task tag (RFC 7143 section 11.2.1.8).

Invariant: a tag names one request at a time, and is never the reserved one. An answer that nobody asked for raises
RemoteProtocolError.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lunaport.iscsi import pdu
from lunaport.iscsi.enums import Opcode, RejectReason, TaskFunction
from lunaport.iscsi.errors import RemoteProtocolError
from lunaport.iscsi.initiator_task import InitiatorTask
from lunaport.iscsi.limits import BHS_BYTES

SET_FUNCTIONS = (TaskFunction.ABORT_TASK_SET, TaskFunction.CLEAR_TASK_SET, TaskFunction.LOGICAL_UNIT_RESET)
TARGET_FUNCTIONS = (TaskFunction.TARGET_WARM_RESET, TaskFunction.TARGET_COLD_RESET, TaskFunction.I_T_NEXUS_RESET)
NUMBERED = (
    Opcode.NOP_OUT,
    Opcode.SCSI_COMMAND,
    Opcode.TASK_MANAGEMENT_REQUEST,
    Opcode.TEXT_REQUEST,
    Opcode.LOGOUT_REQUEST,
)
"""What has a CmdSN of its own, unless it is immediate: then its first byte is another."""


@dataclass(slots=True)
class TextExchange:
    """What is left to send of a text request, what has come of its answer, and what it negotiates, if it does."""

    rest: bytes = b""
    offers: Mapping[str, str] = field(default_factory=dict)
    gathered: bytes = b""


@dataclass(slots=True)
class OpenRequest:
    """A request under way."""

    opcode: Opcode
    task: InitiatorTask | None = None
    text: TextExchange = field(default_factory=TextExchange)
    affected: tuple[int, ...] = ()
    """Commands that a task management function ends, if it is carried out."""


class OpenRequests:
    """All requests of one connection."""

    def __init__(self) -> None:
        self._by_tag: dict[int, OpenRequest] = {}
        self._last_tag = 0

    def add(self, opcode: Opcode) -> tuple[int, OpenRequest]:
        """A new request, and its tag."""
        while True:
            self._last_tag = (self._last_tag + 1) % pdu.RESERVED_TAG
            if self._last_tag not in self._by_tag:
                request = self._by_tag[self._last_tag] = OpenRequest(opcode=opcode)
                return self._last_tag, request

    def find(self, tag: int, opcode: Opcode) -> OpenRequest:
        """The request that something of the target answers."""
        request = self._by_tag.get(tag)
        if request is None or request.opcode != opcode:
            raise RemoteProtocolError(f"an answer to {opcode.name} {tag}, which nobody asked for")
        return request

    def find_task(self, tag: int) -> InitiatorTask:
        """The command that something of the target belongs to."""
        task = self.find(tag, Opcode.SCSI_COMMAND).task
        assert task is not None, "every command has its task"
        return task

    def end(self, tag: int, opcode: Opcode) -> OpenRequest:
        """The request has its answer."""
        request = self.find(tag, opcode)
        del self._by_tag[tag]
        return request

    def end_management(self, tag: int, response: int) -> tuple[int, ...]:
        """A task management function has its answer; returns the commands that have ended by it.

        What they had to say came before this answer (section 4.2.3.3): those without a status by now get none.
        """
        affected = self.end(tag, Opcode.TASK_MANAGEMENT_REQUEST).affected
        ended = tuple(tag for tag in affected if tag in self._by_tag) if not response else ()
        for command in ended:
            del self._by_tag[command]
        return ended

    def end_rejected(self, message: pdu.Reject) -> int | None:
        """The tag of the request that has ended by a Reject, if one has (section 11.17).

        Data-out that is rejected leaves the end to the status of its command.
        """
        if len(message.header) < BHS_BYTES:
            raise RemoteProtocolError("a Reject without the header of what it rejects")
        tag = int.from_bytes(message.header[16:20], "big")
        request = self._by_tag.get(tag)
        # A task in progress is the other one, which goes on under this tag.
        if request is None or message.reason == RejectReason.TASK_IN_PROGRESS:
            return None
        if pdu.opcode_of(message.header) != request.opcode:
            return None
        del self._by_tag[tag]
        return tag

    def affected_by(self, function: TaskFunction, lun: int, referenced_task_tag: int) -> tuple[int, ...]:
        """The commands under way that `function` ends (section 11.5.1)."""
        commands = {tag: request.task for tag, request in self._by_tag.items() if request.task is not None}
        if function == TaskFunction.ABORT_TASK:
            return (referenced_task_tag,) if referenced_task_tag in commands else ()
        if function in SET_FUNCTIONS:
            return tuple(tag for tag, task in commands.items() if task.request.lun == lun)
        return tuple(commands) if function in TARGET_FUNCTIONS else ()


def rejected_number(message: pdu.Reject) -> tuple[int, int | None]:
    """The task tag of what was rejected, and its CmdSN if it used one."""
    header = message.header
    cmd_sn = int.from_bytes(header[24:28], "big") if header[0] in NUMBERED else None
    return int.from_bytes(header[16:20], "big"), cmd_sn
