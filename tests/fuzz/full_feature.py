"""Full feature phase: sequences of PDUs with plausible numbers, a disk that is slow when the input says so."""

from collections import deque
from collections.abc import Callable
from functools import partial

from lunaport.iscsi import limits, pdu
from lunaport.iscsi.announcements import request_negotiation
from lunaport.iscsi.digest import add_digests
from lunaport.iscsi.enums import Opcode, TaskFunction, TaskResponse
from lunaport.iscsi.negotiation import SessionParameters
from lunaport.iscsi.task import Task
from tests.fuzz.source import Source
from tests.unit.iscsi.full_feature import FINAL, LIST_ALL, READ, WRITE, Disk, Echo, Peer

STEPS_MAX = 200
TAGS = 6
TASKS_MAX = limits.COMMAND_WINDOW + limits.IMMEDIATE_COMMANDS_MAX
ANSWERS_WITHOUT_STAT_SN = (Opcode.R2T, Opcode.DATA_IN, Opcode.NOP_IN)
TEXTS = (
    LIST_ALL,
    b"MaxRecvDataSegmentLength=512\0",
    b"MaxRecvDataSegmentLength=65536\0InitiatorAlias=a\0",
    b"MaxRecvDataSegmentLength=0x3ff\0X-a=1\0",
    b"MaxRecvDataSegmentLength=9\0",
    b"HeaderDigest=None\0",
    b"MaxBurstLength=Reject\0",
    b"SendTar",
    b"gets=\0",
)
FUNCTIONS = (*(int(function) for function in TaskFunction), 0, 0x7F)


class SlowDisk(Disk):
    """Also takes its time for writes (at their end) and for task management, when the input wants it."""

    def __init__(self, source: Source) -> None:
        super().__init__(1 << 16)
        self.source = source

    def end(self, task: Task) -> None:
        if self.source.flag():
            self.slow.append(partial(task.finish, 0))
        else:
            task.finish(0)

    def manage(self, function: int, lun: int, done: Callable[[TaskResponse], None]) -> None:
        if self.source.flag():
            self.slow.append(partial(done, TaskResponse.FUNCTION_COMPLETE))
        else:
            done(TaskResponse.FUNCTION_COMPLETE)


def parameters_of(source: Source) -> SessionParameters:
    switches = source.number()
    max_burst = source.pick((16384, 512, 4096, 262144))
    return SessionParameters(
        header_digest=switches & 1 != 0,
        data_digest=switches & 2 != 0,
        initial_r2t=switches & 4 != 0,
        immediate_data=switches & 8 == 0,
        max_outstanding_r2t=1 + (switches >> 4 & 7),
        max_recv_data_segment_length=limits.DATA_SEGMENT_BYTES_MAX,
        peer_max_recv_data_segment_length=source.pick((8192, 512, 65536)),
        max_burst_length=max_burst,
        first_burst_length=min(max_burst, source.pick((8192, 512, 65536))),
    )


class Session:
    """An initiator that follows the rules more often than not."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.peer = Peer(parameters_of(source), disk=SlowDisk(source), room=4096)
        self.connection = self.peer.connection
        self.connection.text = Echo(times=1 + source.number())
        first = source.pick((1, 0, 0xFFFFFFF0, 0x7FFFFFFF))
        self.connection.exp_cmd_sn = self.peer.cmd_sn = first
        self.connection.max_cmd_sn = first + limits.COMMAND_WINDOW - 1 & 0xFFFFFFFF
        # R2Ts that were not answered: task tag, transfer tag, next DataSN, next offset, end of the burst.
        self.asked: list[list[int]] = []
        self.text_tag = pdu.RESERVED_TAG
        self.stat_sn = self.connection.stat_sn
        # What we take; and what we will, each from the last answer of its exchange on.
        self.segment_bytes = self.connection.parameters.peer_max_recv_data_segment_length
        self.declared: deque[int] = deque()
        self.set_parameters = self.connection.set_parameters
        self.connection.set_parameters = self.declare  # type: ignore[method-assign]  # to see each exchange end
        self.unread = bytearray()
        self.steps = (
            self.command,
            self.command,
            self.data_out,
            self.data_out,
            self.unsolicited,
            self.manage,
            self.text,
            self.nop,
            self.slow,
            self.slow,
            self.rarely,
            self.damaged,
            self.stall,
        )

    def step(self) -> None:
        self.source.pick(self.steps)()
        self.look()

    # What is sent

    def number(self) -> tuple[bool, int]:
        """Immediate delivery, and a CmdSN: the next one mostly."""
        kind = self.source.number()
        cmd_sn = self.peer.cmd_sn
        if kind < 16:
            return False, cmd_sn + kind - 8 & 0xFFFFFFFF
        if kind < 32:
            self.peer.cmd_sn = self.connection.exp_cmd_sn
            return False, self.connection.max_cmd_sn
        if kind < 64:
            return True, cmd_sn
        self.peer.cmd_sn = cmd_sn + 1 & 0xFFFFFFFF
        return False, cmd_sn

    def tag(self) -> int:
        return self.source.number() % TAGS

    def filling(self, length: int) -> bytes:
        return bytes([length & 0xFF]) * length

    def command(self) -> None:
        source = self.source
        immediate, cmd_sn = self.number()
        opcode = source.pick((0x28, 0x2A, 0xA8, 0x2A, 0x00, 0xFF))
        blocks = source.pick((1, 8, 0, 40, 120, 129))
        shape = source.number()
        flags = (FINAL if shape & 1 else 0) | {0x28: READ, 0xA8: READ, 0x2A: WRITE}.get(opcode, shape & 0x60)
        expected = blocks * 512
        if shape & 14 == 2:
            expected = source.number(2)
        elif shape & 14 == 4:
            flags ^= shape & 0x60
        data = b""
        if flags & WRITE and shape & 16 and self.connection.parameters.immediate_data:
            data = self.filling(min(expected, self.connection.parameters.first_burst_length, source.number() * 64))
        ahs = source.take(source.number() & 60) if shape & 0x80 else b""
        self.send(
            pdu.ScsiCommand(
                immediate=immediate,
                flags=flags,
                initiator_task_tag=self.tag(),
                expected_length=expected,
                cmd_sn=cmd_sn,
                exp_stat_sn=0,
                cdb=(bytes([opcode]) + bytes(6) + blocks.to_bytes(2, "big")).ljust(16, b"\0"),
                ahs=ahs.ljust(len(ahs) + 3 & ~3, b"\0"),
                data=data,
            ).serialize()
        )

    def data_out(self) -> None:
        """Part of what an R2T asked for, or all."""
        if not self.asked:
            return
        burst = self.asked[self.source.number() % len(self.asked) if self.source.flag() else 0]
        tag, transfer_tag, data_sn, offset, end = burst
        size = end - offset if self.source.flag() else min(end - offset, self.source.number() * 64)
        final = offset + size == end
        burst[2:4] = data_sn + 1, offset + size
        if final:
            self.asked.remove(burst)
        twist = self.source.number()
        if twist < 8:
            data_sn, offset, final = data_sn ^ twist & 1, offset ^ twist & 2, final ^ (twist & 4 != 0)
        self.send_data(tag, transfer_tag, data_sn, offset, size, final)

    def unsolicited(self) -> None:
        source = self.source
        size = source.number() * 64
        self.send_data(self.tag(), pdu.RESERVED_TAG, source.number() & 3, source.number() * 64, size, source.flag())

    def send_data(self, tag: int, transfer_tag: int, data_sn: int, offset: int, size: int, final: bool) -> None:
        self.send(
            pdu.DataOut(
                final=final,
                initiator_task_tag=tag,
                target_transfer_tag=transfer_tag,
                exp_stat_sn=0,
                data_sn=data_sn,
                offset=offset,
                data=self.filling(size),
            ).serialize()
        )

    def manage(self) -> None:
        immediate, cmd_sn = self.number()
        self.send(
            pdu.TaskManagementRequest(
                immediate=immediate or self.source.flag(),
                function=self.source.pick(FUNCTIONS),
                lun=self.source.number() >> 7,
                initiator_task_tag=0x100 + self.source.number(),
                referenced_task_tag=self.tag(),
                cmd_sn=cmd_sn,
                exp_stat_sn=0,
                ref_cmd_sn=self.connection.exp_cmd_sn + self.source.number() - 16 & 0xFFFFFFFF,
            ).serialize()
        )

    def text(self) -> None:
        immediate, cmd_sn = self.number()
        shape = self.source.number()
        self.send(
            pdu.TextRequest(
                immediate=immediate,
                final=shape & 1 == 0,
                continues=shape & 6 == 6,
                initiator_task_tag=0x200,
                target_transfer_tag=self.text_tag if shape & 8 else pdu.RESERVED_TAG,
                cmd_sn=cmd_sn,
                exp_stat_sn=0,
                data=self.words() if shape & 16 else b"",
            ).serialize()
        )

    def declare(self, parameters: SessionParameters) -> None:
        """An exchange ends, and its last answer is on its way or will be."""
        self.declared.append(parameters.peer_max_recv_data_segment_length)
        self.set_parameters(parameters)

    def words(self) -> bytes:
        """Keys mostly, or any text."""
        kind = self.source.number()
        return TEXTS[kind % len(TEXTS)] if kind < 192 else self.filling(self.source.number() * 32)

    def nop(self) -> None:
        immediate, cmd_sn = self.number()
        tag = pdu.RESERVED_TAG if self.source.flag() else 0x300
        data = self.filling(self.source.number())
        self.send(
            pdu.NopOut(immediate=immediate, initiator_task_tag=tag, cmd_sn=cmd_sn, exp_stat_sn=0, data=data).serialize()
        )

    def slow(self) -> None:
        """Something slow is done."""
        slow = self.peer.disk.slow
        if slow:
            slow.pop(self.source.number() % len(slow))()

    def rarely(self) -> None:
        what = self.source.number()
        if what < 4:
            immediate, cmd_sn = self.number()
            self.send(
                pdu.LogoutRequest(
                    immediate=immediate, reason=what, initiator_task_tag=0x400, cid=0, cmd_sn=cmd_sn, exp_stat_sn=0
                ).serialize()
            )
        elif what < 48:
            self.connection.ping()
        elif what < 64:
            request_negotiation(self.connection, 1)
        elif what < 128:
            self.flood()
        else:
            self.connection.request_logout(1)

    def flood(self) -> None:
        """Slow commands without end, each with a tag of its own."""
        immediate = self.source.flag()
        for tag in range(0x1000, 0x1000 + self.source.number()):
            message = self.peer.read(0, 1, tag=tag, slow=True)
            self.send(bytes([message[0] | 0x40]) + message[1:] if immediate else message)
            self.peer.cmd_sn &= 0xFFFFFFFF

    def damaged(self) -> None:
        """Any header with lengths that fit, or one that is damaged on its way."""
        header = bytearray(self.source.take(48).ljust(48, b"\0"))
        data = self.filling(self.source.number())
        header[4] = 0
        header[5:8] = len(data).to_bytes(3, "big")
        if self.source.flag():
            header[24:28] = self.connection.exp_cmd_sn.to_bytes(4, "big")
        self.send(bytes(header) + data + bytes(-len(data) % 4), damage=self.source.number() >= 250)

    def send(self, message: bytes, *, damage: bool = False) -> None:
        parameters = self.connection.parameters
        wire = bytearray(add_digests(message, parameters.header_digest, parameters.data_digest))
        if damage:
            wire[-1] ^= 1
        self.unread += wire
        self.receive()

    def receive(self) -> None:
        """Hand over what has come, as the shell does."""
        del self.unread[: self.peer.send_raw(bytes(self.unread))]
        assert not self.unread or self.connection.blocked, "a whole PDU is handled whole"

    def stall(self) -> None:
        """The peer takes nothing for a while."""
        self.connection.blocked = not self.connection.blocked
        self.receive()

    # What comes back

    def look(self) -> None:
        connection = self.connection
        assert len(connection.tasks) <= TASKS_MAX
        assert len(self.peer.disk.slow) <= TASKS_MAX + limits.IMMEDIATE_COMMANDS_MAX
        assert len(connection.waiting) <= len(connection.tasks)
        assert 0 <= connection.holding.bytes <= limits.HELD_BYTES_MAX
        assert len(connection.held) <= limits.COMMAND_WINDOW + 1  # and what was postponed
        assert connection.holding.bytes == sum(map(len, connection.held.values()))
        assert len(connection.requests.text.gathered) <= limits.TEXT_REQUEST_BYTES_MAX
        assert len(connection.requests.managing) <= limits.IMMEDIATE_COMMANDS_MAX
        assert (connection.max_cmd_sn - connection.exp_cmd_sn + 1 & 0xFFFFFFFF) <= limits.COMMAND_WINDOW
        for header, data in self.peer.received():
            opcode = header[0]
            stat_sn = int.from_bytes(header[24:28], "big")
            if opcode == Opcode.R2T:
                r2t = pdu.parse_r2t(header)
                end = r2t.offset + r2t.length
                assert 0 < r2t.length <= connection.parameters.max_burst_length
                self.asked.append([r2t.initiator_task_tag, r2t.target_transfer_tag, 0, r2t.offset, end])
                del self.asked[:-64]
            assert len(data) <= self.segment_bytes
            if opcode == Opcode.TEXT_RESPONSE:
                self.text_tag = int.from_bytes(header[20:24], "big")
                if header[1] & FINAL:
                    self.segment_bytes = self.declared.popleft()
            if opcode not in ANSWERS_WITHOUT_STAT_SN or (opcode == Opcode.DATA_IN and header[1] & 1):
                assert stat_sn == self.stat_sn, "each response has the next StatSN"
            if opcode not in ANSWERS_WITHOUT_STAT_SN or (
                (opcode == Opcode.DATA_IN and header[1] & 1)
                or (opcode == Opcode.NOP_IN and header[16:20] != b"\xff\xff\xff\xff")
            ):
                self.stat_sn = self.stat_sn + 1 & 0xFFFFFFFF

    def end(self) -> None:
        """Everything comes to its end, nothing stays behind."""
        connection = self.connection
        connection.blocked = False
        if not connection.closing:
            self.receive()
            waits = connection.exp_cmd_sn in connection.held
            assert connection.closing or not waits, "a command whose turn has come waits"
        connection.abort_tasks()
        while self.peer.disk.slow:
            self.peer.disk.slow.pop(0)()
        self.look()
        assert not connection.tasks
        assert not connection.waiting
        assert not connection.requests.text.answering, "text that is never answered"
        waiting = len(connection.holding.postponed)
        assert len(connection.requests.managing) == waiting, "task management that is never answered"
        if not connection.closing:
            open_now = connection.max_cmd_sn - connection.exp_cmd_sn + 1 & 0xFFFFFFFF
            assert open_now == limits.COMMAND_WINDOW, "the command window has shrunk for good"


def run(data: bytes) -> None:
    """Any sequence of PDUs gives legal answers or ends the connection, holds bounded state, and leaves none behind."""
    source = Source(data)
    session = Session(source)
    for _ in range(STEPS_MAX):
        if not source or session.connection.closing:
            break
        session.step()
    session.end()
