"""What the SCSI layer asks of a transport: one command on its way (SAM-5 clause 5), and a place for work that blocks.

The transport (iSCSI) implements `Task`; nothing here knows which transport it is. A handler finishes a task exactly
once, by `good`, `send` or `finish`, at once or later from a callback on the same event loop.
"""

from collections.abc import Callable
from typing import Any, Protocol

PieceHandler = Callable[["Task", int, memoryview], None]
"""(task, offset within the data-out, bytes): one run of data-out is here; the view is valid during the call only."""

EndHandler = Callable[["Task"], None]
"""(task): all data-out has arrived, or the task was aborted (`task.aborted`)."""


class Task(Protocol):
    """One SCSI command of one I_T nexus."""

    cdb: bytes
    """The CDB, padded with zeros to 16 bytes. Longer ones have the operation code 7Eh or 7Fh (SPC-4 4.2.3)."""
    lun: int
    """The 8-byte LUN of the request as a big-endian integer (SAM-5 4.7)."""
    expected_length: int
    """Bytes the initiator expects to move (0: none)."""
    immediate: memoryview
    """Data-out that came with the command; valid until the first handler call for this task returns."""
    data_in_length: int
    """Bytes that `reserve_data_in` reserved: what a read has to fill."""
    aborted: bool
    """Set when the task was aborted; finishing it then sends nothing."""
    state: Any
    """The handler's own; the transport never looks at it."""
    attribute: int
    """`enums.TaskAttribute`, or a number that is none."""
    abandon: Callable[[], None]
    """Called when the task is aborted while it has work in the background; not set where it has none."""
    is_answered: bool
    """Nobody waits for it: a stand-in for what goes on after its command was answered."""

    def defer(self, ready: Callable[["Task"], None]) -> bool:
        """Keep the command, none of whose other methods was called yet, until `resume`.

        `ready` is called once all of its data-out is here that comes unasked (perhaps at once), or when it is aborted
        meanwhile. False: there is no room for that data, and `ready` is never called.
        """

    def resume(self, execute: Callable[["Task"], None]) -> None:
        """Execute a command that was deferred and is ready, as if it came now."""

    def reserve_data_in(self, length: int) -> list[memoryview]:
        """Reserve room in the output for `length` bytes of data-in, at most what the initiator expects.

        The views, in order, add up to `data_in_length`; a shortfall or excess becomes a residual by itself.
        The room belongs to this task until it is finished, which must happen before the handler returns; a handler
        that has to wait calls `borrow_data_in`.
        """

    def borrow_data_in(self, length: int, begin: Callable[[list[memoryview]], None]) -> None:
        """Ask for memory that outlives the call, for `length` bytes of data-in: `reserve_data_in` for slow disks.

        `begin` is called once, with the views as soon as there is memory for them (perhaps at once), or without any
        when the task is aborted before. What was reserved is forgotten.
        """

    def hold(self, size_bytes: int, *, crowded: bool) -> bool:
        """Count data-out that was copied to wait for the disk; `release` it when it is there.

        False: there is no room. `crowded`: nothing more of the initiator's is handled until some of its is released.
        """

    def release(self, size_bytes: int) -> None:
        """Data-out that was held is on the disk, or dropped."""

    def keep(self, size_bytes: int) -> bool:
        """Count data-out that is gathered until it is whole; `let_go` of it at the end. False: there is no room.

        Unlike `hold`, it never stops the initiator from sending on.
        """

    def let_go(self, size_bytes: int) -> None:
        """Data-out that was kept is not needed any more."""

    def take_immediate(self, length: int) -> memoryview | None:
        """All the data-out of a command that moves `length` bytes, when it came along whole; None: `want_data_out`.

        Valid during the call only.
        """

    def want_data_out(self, length: int, piece: PieceHandler, end: EndHandler) -> None:
        """Take `length` bytes of data-out (at most what the initiator expects to send), piece by piece, in order.

        `piece` runs at once for immediate data, later for what follows; `end` once after the last, or on abort.
        When the initiator sends less than `length` (a residual), `end` still runs after what there is:
        `expected_length` tells.
        """

    def send(self, data: bytes) -> None:
        """Finish with GOOD and `data` as data-in, cut to what the initiator expects.

        The handler has cut it to the allocation length.
        """

    def good(self) -> None:
        """Finish with GOOD and whatever data-in was reserved."""

    def finish(self, status: int, sense: bytes = b"") -> None:
        """Finish with another status; reserved data-in is taken back."""

    def abort(self) -> None:
        """Give the task up: set `aborted`, and call its `end` if it waits for data-out. A second call changes nothing.

        Then `abandon` is called, where it is set and the task is not finished yet: it ends what need not be waited for.
        A task whose work goes on in the background is finished, silently, when that has ended.
        """

    def leave(self, *, working: bool) -> Callable[[], None]:
        """Finish a task that was aborted before its work has ended; call what is returned when that has ended too.

        `working`: the work still uses the memory that was borrowed, which counts until then.
        """


class Background(Protocol):
    """Runs work that blocks; one per logical unit, so that one slow disk stalls no other."""

    def submit(self, work: Callable[[], None], done: Callable[[BaseException | None], None]) -> None:
        """Run `work` in a worker thread, then `done` (with what it raised) on the event loop."""

    def hold(self) -> None:
        """Work of another unit begins to use this one's device: it stays open until `release`."""

    def release(self) -> None:
        """That work has ended."""
