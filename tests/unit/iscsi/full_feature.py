"""A connection in full feature phase with a small disk behind it and a shell that keeps what is sent."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from lunaport.iscsi import pdu
from lunaport.iscsi.connection import IDLE_OUTPUT, Connection
from lunaport.iscsi.digest import add_digests
from lunaport.iscsi.enums import TaskResponse
from lunaport.iscsi.login import LoginOutcome
from lunaport.iscsi.negotiation import SessionParameters
from lunaport.iscsi.output import Output
from lunaport.iscsi.task import Task

READ = 0x40
WRITE = 0x20
FINAL = 0x80
LIST_ALL = b"SendTargets=All\0"
PARAMETERS = SessionParameters(
    initial_r2t=False,
    max_recv_data_segment_length=262144,
    peer_max_recv_data_segment_length=8192,
    max_burst_length=16384,
    first_burst_length=8192,
)


class Disk:
    """A device server: READ(10) and WRITE(10) of 512-byte blocks, UNMAP-like collection of parameters, a slow read."""

    def __init__(self, size_bytes: int = 1 << 20) -> None:
        self.data = bytearray(size_bytes)
        self.slow: list[Callable[[], None]] = []
        self.managed: list[tuple[int, int]] = []
        self.executed: list[bytes] = []

    def execute(self, task: Task) -> None:
        self.executed.append(task.cdb)
        offset = int.from_bytes(task.cdb[2:6], "big") * 512
        length = int.from_bytes(task.cdb[7:9], "big") * 512
        if offset + length > len(self.data):
            task.finish(2, b"\x70" + bytes(17))
        elif task.cdb[0] == 0x28:
            self.fill(task.reserve_data_in(length), offset)
            task.good()
        elif task.cdb[0] == 0xA8:
            task.borrow_data_in(length, lambda views: self.slow.append(partial(self.read_slowly, task, views, offset)))
        elif task.cdb[0] == 0x2A:
            whole = task.take_immediate(length)
            if whole is not None:
                self.data[offset : offset + length] = whole
                task.good()
                return
            task.state = offset
            task.want_data_out(length, self.piece, self.end)
        elif task.cdb[0] == 0x00:
            task.good()
        else:
            task.finish(2, b"\x70" + bytes(17))

    def read_slowly(self, task: Task, views: list[memoryview], offset: int) -> None:
        self.fill(views, offset)
        task.good()

    def fill(self, views: list[memoryview], offset: int) -> None:
        for view in views:
            view[:] = self.data[offset : offset + len(view)]
            offset += len(view)

    def piece(self, task: Task, offset: int, view: memoryview) -> None:
        start = task.state + offset
        self.data[start : start + len(view)] = view

    def end(self, task: Task) -> None:
        task.finish(0)

    def manage(self, function: int, lun: int, done: Callable[[TaskResponse], None]) -> None:
        self.managed.append((function, lun))
        done(TaskResponse.FUNCTION_COMPLETE)


class Echo:
    """A text server that answers SendTargets with the request, many times over."""

    def __init__(self, times: int = 1) -> None:
        self.times = times

    def send_targets(self, query: str) -> bytes:
        return f"SendTargets={query}\0".encode() * self.times


class Plenty:
    """The part of a shell that lends memory: as much as is asked for."""

    lent = 0
    deferred: tuple[Callable[[], None], ...] = ()

    def defer(self, connection: Connection, call: Callable[[], None]) -> None:
        self.deferred += (call,)

    def catch_up(self) -> None:
        """Do what was deferred."""
        calls, self.deferred = self.deferred, ()
        for call in calls:
            call()

    def lend(self, connection: Connection, task: Task, size_bytes: int) -> None:
        self.lent += size_bytes
        task.take_loan()

    def hold(self, connection: Connection, size_bytes: int, *, crowded: bool) -> bool:
        self.lent += size_bytes
        return True

    def release(self, connection: Connection, size_bytes: int) -> None:
        self.lent -= size_bytes

    def keep(self, connection: Connection, size_bytes: int) -> bool:
        self.lent += size_bytes
        return True

    def drop(self, connection: Connection, size_bytes: int) -> None:
        self.lent -= size_bytes


class Peer(Plenty):
    """The other side: sends PDUs into the connection and takes apart what comes back. It is also the shell."""

    def __init__(
        self, parameters: SessionParameters = PARAMETERS, *, disk: Disk | None = None, room: int = 65536
    ) -> None:
        self.disk = disk if disk is not None else Disk()
        self.outputs: list[Output] = []
        self.room = room
        self.woken = 0
        self.cmd_sn = 1
        self.connection = Connection(
            LoginOutcome(
                session_type="Normal",
                initiator_name="iqn.2026-11.test:i",
                initiator_alias="",
                target_name="iqn.2026-11.test:t",
                isid=bytes(6),
                tsih=0,
                cid=0,
                parameters=parameters,
                exp_cmd_sn=1,
                stat_sn=100,
            ),
            tsih=1,
            device_server=self.disk,
            text=Echo(),
            shell=self,
        )

    def make_room(self, connection: Connection, room_bytes: int) -> Output:
        output = Output(max(self.room, room_bytes))
        self.outputs.append(output)
        connection.output = output
        return output

    def send_output(self, connection: Connection, output: Output) -> None:
        connection.output = IDLE_OUTPUT
        self.outputs.append(output)

    def wake(self, connection: Connection) -> None:
        assert connection is self.connection
        self.woken += 1

    def send(self, *messages: bytes) -> None:
        """Hand PDUs over in one piece."""
        parameters = self.connection.parameters
        stream = b"".join(add_digests(m, parameters.header_digest, parameters.data_digest) for m in messages)
        self.send_raw(stream)

    def send_raw(self, stream: bytes) -> int:
        return self.connection.receive(memoryview(bytearray(stream)), 0, len(stream))

    def raw(self) -> bytes:
        """All that was sent since the last look."""
        self.catch_up()
        sent = b"".join(bytes(output.view[: output.filled]) for output in self.outputs)
        self.outputs.clear()
        self.connection.output = IDLE_OUTPUT
        return sent

    def received(self) -> list[tuple[bytes, bytes]]:
        """What was sent since the last look, as headers and data (digests checked by length only)."""
        stream = self.raw()
        parameters = self.connection.parameters
        found = []
        while stream:
            header = stream[:48]
            length = int.from_bytes(header[5:8], "big")
            start = 48 + (4 if parameters.header_digest else 0)
            end = start + pdu.pad4(length)
            found.append((header, stream[start : start + length]))
            stream = stream[end + (4 if parameters.data_digest and length else 0) :]
        return found

    def command(
        self,
        cdb: bytes,
        *,
        flags: int = FINAL,
        tag: int = 1,
        length: int = 0,
        data: bytes = b"",
        immediate: bool = False,
    ) -> bytes:
        message = pdu.ScsiCommand(
            immediate=immediate,
            flags=flags,
            initiator_task_tag=tag,
            expected_length=length,
            cmd_sn=self.cmd_sn,
            exp_stat_sn=0,
            cdb=cdb.ljust(16, b"\0"),
            data=data,
        )
        if not immediate:
            self.cmd_sn += 1
        return message.serialize()

    def read(self, lba: int, blocks: int, *, tag: int = 1, expected: int | None = None, slow: bool = False) -> bytes:
        cdb = bytes([0xA8 if slow else 0x28, 0]) + lba.to_bytes(4, "big") + b"\0" + blocks.to_bytes(2, "big")
        return self.command(cdb, flags=FINAL | READ, tag=tag, length=blocks * 512 if expected is None else expected)

    def write(
        self, lba: int, blocks: int, data: bytes, *, tag: int = 1, final: bool = True, expected: int | None = None
    ) -> bytes:
        cdb = bytes([0x2A, 0]) + lba.to_bytes(4, "big") + b"\0" + blocks.to_bytes(2, "big")
        flags = WRITE | (FINAL if final else 0)
        length = blocks * 512 if expected is None else expected
        return self.command(cdb, flags=flags, tag=tag, length=length, data=data)


def data_out(tag: int, ttt: int, data_sn: int, offset: int, data: bytes, *, final: bool) -> bytes:
    return pdu.DataOut(
        final=final,
        initiator_task_tag=tag,
        target_transfer_tag=ttt,
        exp_stat_sn=0,
        data_sn=data_sn,
        offset=offset,
        data=data,
    ).serialize()


def with_digests(*, header: bool, data: bool) -> SessionParameters:
    return replace(PARAMETERS, header_digest=header, data_digest=data)
