"""What came before its turn (RFC 7143 section 4.2.2.1): commands beyond a gap in CmdSN, and the data-out behind them.

Task management for whole task sets that came before what it is about waits here too (section 4.2.3.3).

Invariants: what is held is bounded in number by the command window and in bytes by `HELD_BYTES_MAX`; it is handled in
the order of CmdSN, the data-out of a command behind it in the order in which it came; while the connection is blocked
it waits on.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from lunaport.iscsi import pdu
from lunaport.iscsi.digest import add_digests
from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.limits import HELD_BYTES_MAX

if TYPE_CHECKING:  # the connection makes it
    from lunaport.iscsi.connection import Connection

TASK_TAG = slice(16, 20)
POSTPONED = -1
"""Where a CmdSN stands otherwise: no PDU, but that something waits for those that are missing."""
HALF = 0x80000000
"""Serial numbers compare by halves of their circle (RFC 1982)."""


class Held:
    """PDUs as they came, digests and all. `streams`: by CmdSN a PDU, and where it is a command, its data-out."""

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self.streams: dict[int, bytearray] = {}
        self.bytes = 0
        # Streams whose command has been handled, and that go on when the connection is not blocked any more.
        self._begun: list[int] = []
        # What is to be done when every command before a CmdSN has come.
        self.postponed: list[tuple[int, Callable[[], None]]] = []

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

    def postpone(self, cmd_sn: int, act: Callable[[], None]) -> None:
        """Call `act` when every command before `cmd_sn` has come: at once, where none is missing or it is no number.

        How many may wait is for the caller to bound.
        """
        connection = self.connection
        if not 0 < (cmd_sn - connection.exp_cmd_sn & 0xFFFFFFFF) <= connection.window():
            act()
            return
        self.postponed.append((cmd_sn, act))
        # Something is held: whoever looks for that only looks there.
        self.streams[POSTPONED] = bytearray()

    def _act(self) -> None:
        """Do what was postponed until now."""
        exp_cmd_sn = self.connection.exp_cmd_sn
        due = [act for cmd_sn, act in self.postponed if not 0 < (cmd_sn - exp_cmd_sn & 0xFFFFFFFF) < HALF]
        if not due:
            return
        self.postponed = [each for each in self.postponed if each[1] not in due]
        if not self.postponed:
            del self.streams[POSTPONED]
        for act in due:
            act()

    def release(self) -> None:
        """Handle what waits for its turn, as far as that has come."""
        connection = self.connection
        while not (connection.blocked or connection.closing):
            if self.postponed:
                self._act()
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
        self.postponed.clear()
        self.bytes = 0

    def _may_keep(self, whole: memoryview) -> bool:
        if self.bytes + len(whole) > HELD_BYTES_MAX:
            self.connection.closing = "too much received out of order"
            return False
        self.bytes += len(whole)
        self.connection.shell.wake(self.connection)
        return True
