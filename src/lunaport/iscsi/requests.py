"""What initiators request besides commands and text: task management, ping, logout (RFC 7143 11.5, 11.18, 11.14).

Off the data path, so everything here goes through the PDU values. Each handler gets the header and the data of one PDU
whose turn it is; it answers through the connection, and raises RemoteProtocolError for what a Reject answers.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from lunaport.iscsi import pdu
from lunaport.iscsi.enums import LogoutReason, LogoutResponse, Opcode, RejectReason, TaskFunction, TaskResponse
from lunaport.iscsi.errors import RemoteProtocolError
from lunaport.iscsi.held import HALF
from lunaport.iscsi.limits import IMMEDIATE_COMMANDS_MAX
from lunaport.iscsi.text_exchange import TextExchange

if TYPE_CHECKING:  # the connection makes its handlers
    from lunaport.iscsi.connection import Connection

TASK_SETS: Final = frozenset(
    (
        TaskFunction.ABORT_TASK_SET,
        TaskFunction.CLEAR_TASK_SET,
        TaskFunction.LOGICAL_UNIT_RESET,
        TaskFunction.TARGET_WARM_RESET,
        TaskFunction.TARGET_COLD_RESET,
    )
)
"""Functions that end every task numbered before them (section 4.2.3.3)."""


class Requests:
    """The handlers of one connection, with what they remember between PDUs."""

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        # The tags of task management under way.
        self.managing: list[int] = []
        # All that were asked for, by function.
        self.task_management: dict[int, int] = {}
        self.text = TextExchange(connection)
        self.handlers: dict[int, Callable[[memoryview, memoryview], None]] = {
            Opcode.NOP_OUT: self._handle_nop_out,
            Opcode.TASK_MANAGEMENT_REQUEST: self._handle_task_management,
            Opcode.TEXT_REQUEST: self.text.handle,
            Opcode.LOGOUT_REQUEST: self._handle_logout,
        }

    def _handle_task_management(self, header: memoryview, _data: memoryview) -> None:
        """Section 11.5. The answer comes when every task that is hit has ended: no write of theirs lands after it."""
        request = pdu.parse_task_management_request(header)
        device_server = self.connection.device_server
        if device_server is None:
            raise _not_in_discovery("task management")
        if len(self.managing) >= IMMEDIATE_COMMANDS_MAX:
            reason = "too much task management at once"
            raise RemoteProtocolError(reason, reject_reason=RejectReason.IMMEDIATE_COMMAND_REJECT)
        self.managing.append(request.initiator_task_tag)
        self.task_management[request.function] = self.task_management.get(request.function, 0) + 1

        def answer(response: TaskResponse) -> None:
            self.managing.remove(request.initiator_task_tag)
            self.connection.send(
                pdu.TaskManagementResponse(
                    response=response,
                    initiator_task_tag=request.initiator_task_tag,
                    stat_sn=self.connection.next_stat_sn(),
                    exp_cmd_sn=self.connection.exp_cmd_sn,
                    max_cmd_sn=self.connection.max_cmd_sn,
                ).serialize()
            )
            self.connection.shell.wake(self.connection)

        if request.function == TaskFunction.ABORT_TASK:
            self._abort_task(request, answer)
        elif request.function == TaskFunction.TASK_REASSIGN:
            answer(TaskResponse.REASSIGNMENT_NOT_SUPPORTED)
        elif request.function in TASK_SETS:
            act = partial(device_server.manage, request.function, request.lun, answer)
            self.connection.holding.postpone(request.cmd_sn, act)
        else:
            device_server.manage(request.function, request.lun, answer)

    def _abort_task(self, request: pdu.TaskManagementRequest, answer: Callable[[TaskResponse], None]) -> None:
        connection = self.connection
        task = connection.tasks.get(request.referenced_task_tag)
        if task is not None and task.lun == request.lun:
            task.abort()
            if task.finished:
                answer(TaskResponse.FUNCTION_COMPLETE)
            else:
                task.when_finished(lambda: answer(TaskResponse.FUNCTION_COMPLETE))
            return
        if task is None and request.referenced_task_tag in self.managing:
            answer(TaskResponse.FUNCTION_REJECTED)  # section 11.5.1
            return
        # A command from before this request that has not come yet counts as come and aborted (section 11.6.1).
        before = 0 < (request.cmd_sn - request.ref_cmd_sn & 0xFFFFFFFF) < HALF
        if task is None and before and connection.holding.skip(request.ref_cmd_sn):
            answer(TaskResponse.FUNCTION_COMPLETE)
        else:
            answer(TaskResponse.TASK_DOES_NOT_EXIST)

    def _handle_nop_out(self, header: memoryview, data: memoryview) -> None:
        """A ping is answered with its own data (section 11.18); an answer to a ping of ours is not answered."""
        request = pdu.parse_nop_out(header, data)
        if request.initiator_task_tag == pdu.RESERVED_TAG:
            return
        if self.connection.device_server is None:
            raise _not_in_discovery("a ping")
        self.connection.send(
            pdu.NopIn(
                lun=request.lun,
                initiator_task_tag=request.initiator_task_tag,
                stat_sn=self.connection.next_stat_sn(),
                exp_cmd_sn=self.connection.exp_cmd_sn,
                max_cmd_sn=self.connection.max_cmd_sn,
                data=request.data[: self.connection.parameters.peer_max_recv_data_segment_length],
            ).serialize()
        )

    def _handle_logout(self, header: memoryview, _data: memoryview) -> None:
        """Section 11.14. With one connection a session, closing either closes both."""
        request = pdu.parse_logout_request(header)
        response = LogoutResponse.SUCCESS
        if request.reason == LogoutReason.REMOVE_FOR_RECOVERY:
            response = LogoutResponse.RECOVERY_NOT_SUPPORTED
        elif request.reason == LogoutReason.CLOSE_CONNECTION and request.cid != self.connection.outcome.cid:
            response = LogoutResponse.CID_NOT_FOUND
        elif request.reason not in (LogoutReason.CLOSE_SESSION, LogoutReason.CLOSE_CONNECTION):
            # Section 7.7: an illegal code is a format error, after which nothing of the peer can be trusted.
            self.connection.closing = "a logout for a reason that is none"
            raise RemoteProtocolError(self.connection.closing, reject_reason=RejectReason.INVALID_PDU_FIELD)
        if response is LogoutResponse.SUCCESS:
            self.connection.abort_tasks()
            self.connection.closing = "logout"
        self.connection.send(
            pdu.LogoutResponse(
                response=response,
                initiator_task_tag=request.initiator_task_tag,
                stat_sn=self.connection.next_stat_sn(),
                exp_cmd_sn=self.connection.exp_cmd_sn,
                max_cmd_sn=self.connection.max_cmd_sn,
                time2wait=self.connection.parameters.default_time2wait,
            ).serialize()
        )


def _not_in_discovery(what: str) -> RemoteProtocolError:
    """Section 4.3: a discovery session takes SendTargets and logout, nothing else."""
    return RemoteProtocolError(f"{what} in a discovery session", reject_reason=RejectReason.COMMAND_NOT_SUPPORTED)
