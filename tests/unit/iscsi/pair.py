"""Our initiator and our target joined in memory: a login, then the test disk. Nothing here waits or draws by itself."""

from collections.abc import Callable
from dataclasses import replace

from lunaport.iscsi import pdu
from lunaport.iscsi.connection import IDLE_OUTPUT, Connection
from lunaport.iscsi.discovery import Portal, send_targets
from lunaport.iscsi.initiator import Initiator
from lunaport.iscsi.initiator_events import CommandResult, Event
from lunaport.iscsi.initiator_options import Options
from lunaport.iscsi.initiator_stream import PduReader
from lunaport.iscsi.initiator_task import CommandRequest
from lunaport.iscsi.limits import LOGIN_DATA_SEGMENT_BYTES_MAX
from lunaport.iscsi.login import LoginPhase
from lunaport.iscsi.output import Output
from lunaport.iscsi.task import Task
from tests.unit.iscsi.full_feature import Disk, Plenty
from tests.unit.iscsi.initiator import INITIATOR, TARGET, Directory, counting

BLOCK_BYTES = 512
READ_CAPACITY = 0x25
OPTIONS = Options(initiator_name=INITIATOR, target_name=TARGET)
PORTALS = [Portal(host="192.0.2.1", port=3260), Portal(host="2001:db8::1", port=3260)]


def counting_down(length: int) -> bytes:
    """The initiator's source of random bytes: another than the target's, which would be its own challenge returned."""
    return bytes(-number & 0xFF for number in range(1, length + 1))


class SizedDisk(Disk):
    """The test disk, which also tells how large it is."""

    def execute(self, task: Task) -> None:
        if task.cdb[0] == READ_CAPACITY:
            task.send((len(self.data) // BLOCK_BYTES - 1).to_bytes(4, "big") + BLOCK_BYTES.to_bytes(4, "big"))
        else:
            super().execute(task)


class Target(Plenty):
    """The target's side of one connection: bytes in, bytes out. It is the shell of its connection."""

    def __init__(self, directory: Directory, disk: Disk, names: int = 1) -> None:
        self.disk = disk
        self.names = names
        self.login: LoginPhase | None = LoginPhase(directory, counting)
        self.connection: Connection | None = None
        self.failed = ""
        self.woken: Callable[[], None] = lambda: None
        self._reader = PduReader(LOGIN_DATA_SEGMENT_BYTES_MAX)
        self._buffer = bytearray()
        self._output: list[bytes] = []
        self._pending: list[Output] = []

    @property
    def closing(self) -> str:
        return self.failed or (self.connection.closing if self.connection else "")

    def receive(self, data: bytes) -> bytes:
        """Take a piece of the stream; returns what there is to send."""
        if self.closing:
            return b""
        if self.login is not None:
            self._receive_login(data)
            return b"".join(self._take())
        self._buffer += data
        assert self.connection is not None
        whole = bytes(self._buffer)
        self._buffer = self._buffer[self.connection.receive(memoryview(whole), 0, len(whole)) :]
        return self.take_output()

    def take_output(self) -> bytes:
        assert self.connection is not None
        self.catch_up()
        self._pending.append(self.connection.output)
        self.connection.output = IDLE_OUTPUT
        self._output += [bytes(output.view[: output.filled]) for output in self._pending]
        self._pending.clear()
        return b"".join(self._take())

    def _take(self) -> list[bytes]:
        taken, self._output = self._output, []
        return taken

    def _receive_login(self, data: bytes) -> None:
        assert self.login is not None
        self._reader.feed(data)
        login = self.login
        while not self.failed and self.connection is None and (found := self._reader.next_pdu()) is not None:
            step = login.receive(*found)
            self._output += step.responses
            self.failed = step.failed
            if step.outcome is not None:
                target = step.outcome.target_name
                self.connection = Connection(
                    step.outcome,
                    tsih=step.tsih,
                    device_server=self.disk if target else None,
                    text=self,
                    shell=self,
                )
                self.login = None

    def send_targets(self, query: str) -> bytes:
        assert self.connection is not None
        listed = [(f"{TARGET}{number or ''}", PORTALS) for number in range(self.names)]
        return send_targets(query, self.connection.outcome.target_name, listed)

    def make_room(self, connection: Connection, room_bytes: int) -> Output:
        if connection.output is not IDLE_OUTPUT:
            self._pending.append(connection.output)
        connection.output = Output(max(8192, room_bytes))
        return connection.output

    def send_output(self, connection: Connection, output: Output) -> None:
        if connection.output is not IDLE_OUTPUT:
            self._pending.append(connection.output)
            connection.output = IDLE_OUTPUT
        self._pending.append(output)

    def wake(self, _connection: Connection) -> None:
        self.woken()


Cut = Callable[[bytes], list[bytes]]


def whole(stream: bytes) -> list[bytes]:
    return [stream]


def every_byte(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


class Pair:
    """Both sides, and the PDUs that went each way (without digests). `cut` takes the streams apart."""

    def __init__(
        self,
        options: Options = OPTIONS,
        *,
        directory: Directory | None = None,
        disk: Disk | None = None,
        cut: Cut = whole,
        names: int = 1,
    ) -> None:
        self.directory = directory if directory is not None else Directory()
        self.disk = disk if disk is not None else SizedDisk()
        self.cut = cut
        self.received: list[tuple[bytes, bytes]] = []
        options = replace(options, observer=lambda header, data: self.received.append((header, data)))
        self.initiator = Initiator(options, counting_down)
        self.target = Target(self.directory, self.disk, names)
        self.events: list[Event] = []

    def log_in(self) -> "Pair":
        self.initiator.start()
        self.run()
        return self

    def run(self) -> list[Event]:
        """Carry bytes both ways until neither side has more to say; returns the events since the last run."""
        if self.target.connection is not None:
            self._to_initiator(self.target.take_output())
        while chunks := self.initiator.take_output():
            for chunk in chunks:
                assert isinstance(chunk, bytes), "time stands still here"
                for piece in self.cut(chunk):
                    self._to_initiator(self.target.receive(piece))
        events, self.events = self.events, []
        return events

    def _to_initiator(self, stream: bytes) -> None:
        for piece in self.cut(stream):
            if piece and not self.initiator.closing:
                self.events += self.initiator.receive(piece)

    def results(self) -> dict[int, CommandResult]:
        """Run, and return how the commands ended by their tag."""
        return {event.initiator_task_tag: event for event in self.run() if isinstance(event, CommandResult)}

    def command(self, request: CommandRequest) -> CommandResult:
        tag = self.initiator.command(request)
        return self.results()[tag]

    def opcodes(self) -> list[int]:
        """What the target sent since the last look."""
        opcodes = [pdu.opcode_of(header) for header, _ in self.received]
        self.received.clear()
        return opcodes


def cdb(opcode: int, lba: int, blocks: int) -> bytes:
    return bytes((opcode, 0)) + lba.to_bytes(4, "big") + b"\0" + blocks.to_bytes(2, "big") + b"\0"


def read(lba: int, blocks: int, expected: int | None = None, *, slow: bool = False) -> CommandRequest:
    length = blocks * BLOCK_BYTES if expected is None else expected
    return CommandRequest(cdb=cdb(0xA8 if slow else 0x28, lba, blocks), read_length=length)


def write(lba: int, blocks: int, data: bytes) -> CommandRequest:
    return CommandRequest(cdb=cdb(0x2A, lba, blocks), data_out=data)
