"""What came before its turn (RFC 7143 section 4.2.2.1): commands beyond a gap in CmdSN, and the data-out behind them.

Invariants: what is held is bounded in number by the command window and in bytes by `HELD_BYTES_MAX`; it is handled in
the order of CmdSN, the data-out of a command behind it in the order in which it came; while the connection is blocked
it waits on.
"""

from typing import TYPE_CHECKING

from lunaport.iscsi import pdu
from lunaport.iscsi.digest import add_digests
from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.limits import HELD_BYTES_MAX

if TYPE_CHECKING:  # the connection makes it
    from lunaport.iscsi.connection import Connection

TASK_TAG = slice(16, 20)


class Held:
    """PDUs as they came, digests and all. `streams`: by CmdSN a PDU, and where it is a command, its data-out."""

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self.streams: dict[int, bytearray] = {}
        self.bytes = 0
        # Streams whose command has been handled, and that go on when the connection is not blocked any more.
        self._begun: list[int] = []

    def hold(self, cmd_sn: int, whole: memoryview) -> None:
        """Keep a PDU that lies in the window; drop one that is old, doubled or beyond it."""
        connection = self.connection
        if (cmd_sn - connection.exp_cmd_sn & 0xFFFFFFFF) >= connection.window() or cmd_sn in self.streams:
            return
        if self._may_keep(whole):
            self.streams[cmd_sn] = bytearray(whole)

    def hold_data_out(self, whole: memoryview) -> bool:
        """Keep a Data-Out PDU behind its command, where that is held; False: it is not."""
        tag = whole[TASK_TAG]
        for stream in self.streams.values():
            if stream[TASK_TAG] == tag and stream[0] & pdu.OPCODE_MASK == Opcode.SCSI_COMMAND:
                if self._may_keep(whole):
                    stream += whole
                return True
        return False

    def release(self) -> None:
        """Handle what waits for its turn, as far as that has come."""
        connection = self.connection
        while not (connection.blocked or connection.closing):
            cmd_sn = self._begun.pop(0) if self._begun else connection.exp_cmd_sn
            stream = self.streams.pop(cmd_sn, None)
            if stream is None:
                return
            self.bytes -= len(stream)
            end = connection.receive(memoryview(stream), 0, len(stream))
            if end < len(stream):  # blocked on the way
                self.streams[cmd_sn] = stream[end:]
                self.bytes += len(stream) - end
                self._begun.append(cmd_sn)

    def skip(self, cmd_sn: int) -> bool:
        """Let a command that has not come count as come and aborted: it is never executed. False: out of the window."""
        connection = self.connection
        if (cmd_sn - connection.exp_cmd_sn & 0xFFFFFFFF) >= connection.window():
            return False
        self.bytes -= len(self.streams.pop(cmd_sn, b""))
        skipped = pdu.NopOut(cmd_sn=cmd_sn, exp_stat_sn=0).serialize()
        self.hold(cmd_sn, memoryview(add_digests(skipped, connection.header_digest, connection.data_digest)))
        self.release()
        return True

    def clear(self) -> None:
        """Let go of everything."""
        self.streams.clear()
        self._begun.clear()
        self.bytes = 0

    def _may_keep(self, whole: memoryview) -> bool:
        if self.bytes + len(whole) > HELD_BYTES_MAX:
            self.connection.closing = "too much received out of order"
            return False
        self.bytes += len(whole)
        self.connection.shell.wake(self.connection)
        return True
