"""A transport for tests: one task, a background that runs when it is told to, and helpers around both."""

from collections.abc import Callable
from typing import Any

from lunaport.blockdev.device import BlockDevice
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status, TaskAttribute
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.mode_pages import Modes
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reservation_book import ReservationBook
from lunaport.scsi.target import ScsiTarget
from lunaport.scsi.task import EndHandler, PieceHandler, Task

UUID = "00112233445546678899aabbccddeeff"
SIZE = 1 << 20
BLOCKS = SIZE // 512


class FakeTask:
    """A `Task` that collects what it is finished with. `data_out` is what the initiator sends."""

    def __init__(
        self,
        cdb: bytes,
        *,
        lun: int = 0,
        expected_length: int = 0,
        data_out: bytes = b"",
        immediate: int | None = None,
        piece: int = 8192,
        attribute: int = TaskAttribute.SIMPLE,
    ) -> None:
        self.cdb = cdb.ljust(16, b"\0")
        self.lun = lun
        self.attribute = attribute
        self.is_answered = False
        self.abandon: Callable[[], None] = lambda: None
        self.left: list[bool] = []
        """How it was left, and then that its work has ended too."""
        self._ready: Callable[[Task], None] | None = None
        self.expected_length = max(expected_length, len(data_out))
        self.data_out = data_out
        self.immediate = memoryview(data_out)[: len(data_out) if immediate is None else immediate]
        self.data_in_length = 0
        self.aborted = False
        self.state: Any = None
        self.status: int | None = None
        self.sense = b""
        self.data = b""
        self.finishes = 0
        self._piece = piece
        self._room = bytearray()
        self._wanted: tuple[int, PieceHandler, EndHandler] | None = None
        self._sent = 0
        self.has_memory = True
        self.held = 0
        self.crowded = False
        self._borrowing: Callable[[list[memoryview]], None] | None = None

    def reserve_data_in(self, length: int) -> list[memoryview]:
        self.data_in_length = min(length, self.expected_length)
        self._room = bytearray(self.data_in_length)
        half = self.data_in_length // 2
        view = memoryview(self._room)
        return [view[:half], view[half:]] if half else [view]

    def borrow_data_in(self, length: int, begin: Callable[[list[memoryview]], None]) -> None:
        self.data_in_length = min(length, self.expected_length)
        self._borrowing = begin
        if self.has_memory:
            self.take_loan()

    def take_loan(self) -> None:
        """There is memory now."""
        assert self._borrowing is not None
        begin, self._borrowing = self._borrowing, None
        self._room = bytearray(self.data_in_length)
        begin([memoryview(self._room)])

    def defer(self, ready: Callable[[Task], None]) -> bool:
        if not self.has_memory:
            return False
        self.immediate = memoryview(bytes(self.immediate))
        self._ready = ready
        ready(self)
        return True

    def resume(self, execute: Callable[[Task], None]) -> None:
        self._ready = None
        execute(self)

    def hold(self, size_bytes: int, *, crowded: bool) -> bool:
        self.crowded = crowded
        self.held += size_bytes if self.has_memory else 0
        return self.has_memory

    def release(self, size_bytes: int) -> None:
        self.held -= size_bytes

    def keep(self, size_bytes: int) -> bool:
        self.held += size_bytes if self.has_memory else 0
        return self.has_memory

    def let_go(self, size_bytes: int) -> None:
        self.held -= size_bytes

    def take_immediate(self, length: int) -> memoryview | None:
        return None if len(self.immediate) < length else self.immediate[:length]

    def want_data_out(self, length: int, piece: PieceHandler, end: EndHandler) -> None:
        assert self._wanted is None
        self._wanted = (min(length, self.expected_length), piece, end)
        if self.immediate or not self._wanted[0]:
            self._give(len(self.immediate))

    def _give(self, size: int) -> None:
        """Hand the next `size` bytes over."""
        assert self._wanted is not None
        length, piece, end = self._wanted
        size = min(size, length - self._sent)
        if size:
            copy = bytearray(self.data_out[self._sent : self._sent + size])
            offset, self._sent = self._sent, self._sent + size
            piece(self, offset, memoryview(copy))
            copy[:] = bytes(len(copy))  # the view is valid during the call only
        if self._sent == length:
            self._wanted = None
            end(self)

    @property
    def waits_for_data(self) -> bool:
        return self._wanted is not None

    def deliver(self) -> None:
        """The next piece of data-out arrives."""
        self._give(self._piece)

    def send(self, data: bytes) -> None:
        self._finish(Status.GOOD)
        self.data = data[: self.expected_length]

    def good(self) -> None:
        self._finish(Status.GOOD)
        self.data = bytes(self._room)

    def finish(self, status: int, sense: bytes = b"") -> None:
        self._finish(status)
        self.sense = sense

    def _finish(self, status: int) -> None:
        self.finishes += 1
        assert self.finishes == 1, "a task is finished exactly once"
        self.status = status

    def abort(self) -> None:
        if self.aborted:
            return
        self.aborted = True
        if self._wanted is not None:
            end = self._wanted[2]
            self._wanted = None
            end(self)
        elif self._borrowing is not None:
            begin, self._borrowing = self._borrowing, None
            begin([])
        elif self._ready is not None:
            ready, self._ready = self._ready, None
            ready(self)
        if not self.finishes:
            self.abandon()

    def leave(self, *, working: bool) -> Callable[[], None]:
        self.finish(Status.TASK_ABORTED)
        self.left.append(working)
        return lambda: self.left.append(True)

    @property
    def sense_code(self) -> int:
        """Additional sense code and qualifier of fixed format sense."""
        return int.from_bytes(self.sense[12:14])

    @property
    def sense_key(self) -> int:
        return self.sense[2] & 0x0F

    @property
    def field_pointer(self) -> tuple[int, int | None]:
        """Byte and bit of the field in error in a CDB."""
        assert self.sense[15] & 0xC0 == 0xC0
        return int.from_bytes(self.sense[16:18]), self.sense[15] & 7 if self.sense[15] & 8 else None


class FakeBackground:
    """A `Background` that does its work when a test says so."""

    def __init__(self) -> None:
        self.queue: list[tuple[Callable[[], None], Callable[[BaseException | None], None]]] = []
        self.held = 0

    def submit(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        self.queue.append((work, done))

    def hold(self) -> None:
        self.held += 1

    def release(self) -> None:
        self.held -= 1

    def step(self, index: int = 0) -> None:
        """Do one piece of work."""
        work, done = self.queue.pop(index)
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for `done`
            done(error)
        else:
            done(None)

    def hang(self, index: int = 0) -> Callable[[], None]:
        """Begin a piece of work, which the disk does not let go of until what is returned is called."""
        work, done = self.queue.pop(index)
        # What it does it has done, and what it found out is not known yet: to others it is as if it were under way.
        work()
        return lambda: done(None)

    def drain(self) -> None:
        while self.queue:
            self.step()


class Bench:
    """A target with one unit at LUN 0 and two nexuses."""

    def __init__(
        self,
        device: BlockDevice | None = None,
        *,
        block_size_bytes: int = 512,
        thin: bool = True,
        reservations: ReservationBook | None = None,
        ports: tuple[int, ...] = (1,),
        read_only: bool = False,
        removable: bool = False,
        saved_modes: Modes | None = None,
        save_modes: Callable[[Modes], None] | None = None,
    ) -> None:
        self.memory = MemoryDevice(SIZE)
        self.device = device or self.memory
        self.background = FakeBackground()
        self.unit = LogicalUnit(
            self.device,
            self.background,
            uuid=UUID,
            serial=UUID,
            block_size_bytes=block_size_bytes,
            thin=thin,
            reservations=reservations,
            read_only=read_only,
            removable=removable,
            saved_modes=saved_modes,
            save_modes=save_modes,
        )
        self.target = ScsiTarget({0: self.unit}, name="iqn.2026-01.example:disk", ports=ports)
        self.nexus = self.target.attach("iqn.2026-01.example:host,i,0x000000000001")
        self.other = self.target.attach("iqn.2026-01.example:other,i,0x000000000002")

    def start(
        self,
        cdb: str | bytes,
        *,
        nexus: Nexus | None = None,
        lun: int = 0,
        expected_length: int = 0,
        data_out: bytes = b"",
        immediate: int | None = None,
        piece: int = 8192,
        attribute: int = TaskAttribute.SIMPLE,
    ) -> FakeTask:
        """Execute a command, and leave it where it waits."""
        task = FakeTask(
            bytes.fromhex(cdb) if isinstance(cdb, str) else cdb,
            lun=lun,
            expected_length=expected_length,
            data_out=data_out,
            immediate=immediate,
            piece=piece,
            attribute=attribute,
        )
        (nexus or self.nexus).execute(task)
        return task

    def run(
        self,
        cdb: str | bytes,
        *,
        nexus: Nexus | None = None,
        lun: int = 0,
        expected_length: int = 65536,
        data_out: bytes | None = None,
        immediate: int | None = None,
        piece: int = 8192,
    ) -> FakeTask:
        """Execute a command to its end."""
        task = self.start(
            cdb,
            nexus=nexus,
            lun=lun,
            expected_length=expected_length if data_out is None else len(data_out),
            data_out=data_out or b"",
            immediate=immediate,
            piece=piece,
        )
        while task.waits_for_data:
            task.deliver()
        self.background.drain()
        assert task.finishes == 1
        assert not self.unit.task_set
        assert self.unit.waiting_bytes == 0
        return task
