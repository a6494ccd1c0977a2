"""A logical unit (SAM-5 4.6): a block device, what identifies it, and its state shared by all I_T nexuses.

State: the SPC-2 reservation holder, persistent reservations, stopped or not, the medium in or out, the mode parameters,
the tasks that wait, how much data-out waits with them, and the byte ranges that are worked on. Unit attentions are kept
by the nexus they are for. Everything here runs on the event loop.

Invariants: a task is in the task set from its first wait until it is finished; whoever aborts tasks is told once all
of them have ended, so nothing they wrote lands later.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from lunaport.blockdev.device import BlockDevice, Space
from lunaport.blockdev.modes import ReadOnlyDevice, WriteThroughDevice
from lunaport.scsi.limits import READ_NOW_BYTES_MAX, TRANSFER_BYTES_MAX
from lunaport.scsi.mode_pages import Modes
from lunaport.scsi.optical_drive import OpticalDrive
from lunaport.scsi.ordering import Order
from lunaport.scsi.ranges import Guarded, Ranges
from lunaport.scsi.reservation_book import ReservationBook
from lunaport.scsi.sense import (
    ScsiError,
    Sense,
    bus_device_reset,
    capacity_data_has_changed,
    initializing_command_required,
    medium_not_present,
    mode_parameters_changed,
    soft_threshold_reached,
    write_protected,
)
from lunaport.scsi.task import Background, Task
from lunaport.scsi.threshold import SoftThreshold

if TYPE_CHECKING:  # these need this module
    from lunaport.scsi.copy_domain import TokenGuard
    from lunaport.scsi.copy_operation import CopyRecord
    from lunaport.scsi.erasure import Erasure, Journal
    from lunaport.scsi.nexus import Nexus

Done = Callable[[], None]

_BLOCK_SIZES = (512, 1024, 2048, 4096)


class _Wait:
    """Somebody who wants to know when tasks have ended."""

    __slots__ = ("done", "tasks")

    def __init__(self, tasks: set[Task], done: Done) -> None:
        self.tasks = tasks
        self.done = done


class LogicalUnit:
    """The device server's view of one disk."""

    __slots__ = (
        "_waits",
        "_waits_alone",
        "background",
        "bare_device",
        "block_count",
        "block_mask",
        "block_size_bytes",
        "closing",
        "copies",
        "default_modes",
        "device",
        "draining",
        "drive",
        "echo",
        "ejected",
        "erase_journal",
        "erase_key",
        "erasure",
        "gathered",
        "holder",
        "keep_ejected",
        "modes",
        "nexuses",
        "order",
        "physical_block_size_bytes",
        "preventing",
        "product",
        "ranges",
        "read_now_blocks_max",
        "read_only",
        "removable",
        "reservations",
        "revision",
        "save_modes",
        "saved_modes",
        "serial",
        "shift",
        "stopped",
        "strays",
        "task_set",
        "thin",
        "threshold",
        "token_guard",
        "transfer_blocks_max",
        "uuid",
        "vendor",
        "visitors",
        "waiting_bytes",
    )

    def __init__(
        self,
        device: BlockDevice,
        background: Background,
        *,
        uuid: str,
        serial: str,
        block_size_bytes: int = 512,
        physical_block_size_bytes: int = 4096,
        vendor: str = "LUNAPORT",
        product: str = "DISK",
        revision: str = "0001",
        thin: bool = True,
        reservations: ReservationBook | None = None,
        read_only: bool = False,
        removable: bool = False,
        default_modes: Modes | None = None,
        saved_modes: Modes | None = None,
        save_modes: Callable[[Modes], None] | None = None,
        erase_journal: "Journal | None" = None,
        erase_key: Callable[[], None] | None = None,
        ejected: bool = False,
        keep_ejected: Callable[[Callable[[], bool]], None] | None = None,
        drive: OpticalDrive | None = None,
        low_space_percent: int = 0,
    ) -> None:
        """`uuid`: 32 hexadecimal digits. `thin`: offer UNMAP, when the device can give space back; a
        read-only unit then says that it is write protected.

        Without `reservations` there are none yet, and none will survive the loss of power.
        `save_modes`: keeps mode parameters over a restart (blocks; raises DeviceError); None: they cannot be saved.
        `erase_journal`: where SANITIZE puts down what it has to go on with after a restart. `erase_key`: makes all data
        unreadable, durably, by destroying the key it is encrypted with (blocks; raises DeviceError); None: it is not
        encrypted.
        `ejected`: the medium is out. `keep_ejected`: keeps it over a restart (blocks; raises DeviceError).
        `drive`: it is an optical drive, whose blocks are those of a CD.
        `low_space_percent`: initiators of a thin unit are told when no more than this of the space is free; 0: never.
        """
        if block_size_bytes not in _BLOCK_SIZES:
            raise ValueError(f"block size {block_size_bytes} is not one of {_BLOCK_SIZES}")
        if device.size_bytes < block_size_bytes and drive is None:
            raise ValueError(f"{device.size_bytes} bytes are less than one block")
        self.bare_device = device
        """The device without what stands before it for a while."""
        self.device = device
        """The device as it is run now: through filters for what its mode and the background work demand."""
        self.background = background
        self.uuid = uuid
        self.serial = serial
        self.vendor = vendor
        self.product = product
        self.revision = revision
        self.read_only = read_only
        self.removable = removable
        self.thin = thin and (device.can_unmap or read_only)
        self.block_size_bytes = block_size_bytes
        self.physical_block_size_bytes = max(block_size_bytes, physical_block_size_bytes)
        self.shift = block_size_bytes.bit_length() - 1
        self.block_mask = block_size_bytes - 1
        self.block_count = device.size_bytes >> self.shift
        self.transfer_blocks_max = TRANSFER_BYTES_MAX >> self.shift
        self.read_now_blocks_max = READ_NOW_BYTES_MAX >> self.shift
        self.stopped = False
        self.drive = drive
        """What it has beyond a disk where it is an optical drive."""
        self.ejected = ejected if drive is None else not drive.loaded
        """The medium is out; only of a removable one."""
        self.keep_ejected = keep_ejected
        self.preventing: set[Nexus] = set()
        """Nexuses that keep the medium in (PREVENT ALLOW MEDIUM REMOVAL)."""
        self.draining = 0
        """Nexuses that are gone and whose tasks have not all ended."""
        self.holder: Nexus | None = None
        """Of the SPC-2 reservation (RESERVE); `reservations` are the persistent ones. Never both."""
        self.reservations = reservations or ReservationBook()
        self.echo: dict[Nexus, bytes] = {}
        """What WRITE BUFFER left for READ BUFFER."""
        self.nexuses: set[Nexus] = set()
        self.task_set: dict[Task, Nexus] = {}
        # Tasks that were aborted, whose work has not ended yet: it changes nothing.
        self.strays: set[Task] = set()
        self.order = Order(self)
        """Which of them wait for others."""
        self.waiting_bytes = 0
        self.gathered: dict[Task, int] = {}
        """Data-out that was gathered whole, of tasks that work on it now."""
        self.ranges = Ranges(self._guard)
        """What is worked on in the background."""
        self.closing = False
        """The device is about to be closed: what works on it in chunks ends."""
        self.erase_journal = erase_journal
        self.erase_key = erase_key
        self.erasure: Erasure | None = None
        """SANITIZE or FORMAT UNIT, under way or failed: hardly any command runs."""
        self.visitors = 0
        """Pieces of other units' copies that work on the device now."""
        self.copies: dict[tuple[Nexus, int], CopyRecord] = {}
        """Third-party copies by the nexus that asked and its list identifier; negative: it gave none."""
        self.token_guard: TokenGuard | None = None
        self.threshold = SoftThreshold(low_space_percent)
        self._waits: list[_Wait] = []
        self._waits_alone: list[Done] = []
        self.default_modes = default_modes or Modes()
        self.saved_modes = saved_modes
        self.save_modes = save_modes
        self.modes = saved_modes or self.default_modes
        self._run_device()

    @property
    def device_in_turn(self) -> BlockDevice:
        """The device for work in the background whose turn it is (`ranges`)."""
        return self.device.behind if isinstance(self.device, Guarded) else self.device

    @property
    def write_protected(self) -> bool:
        """Whether commands that change the medium are refused."""
        return self.read_only or self.modes.write_protect

    @property
    def can_anchor(self) -> bool:
        """Whether space can be kept for blocks that hold no data (ANC_SUP)."""
        return self.thin and self.bare_device.can_anchor

    @property
    def tray_open(self) -> bool:
        """Whether somebody took the medium out, or opened the tray of the drive."""
        return self.ejected if self.drive is None else self.drive.tray_open

    @property
    def absence(self) -> Sense:
        """What is told while the medium is out."""
        return medium_not_present() if self.drive is None else self.drive.absence

    @property
    def ready(self) -> bool:
        """Whether commands that need the medium can run."""
        return not (self.stopped or self.ejected)

    def check_ready(self) -> None:
        """Raises ScsiError with the reason when the unit is not ready."""
        if self.ejected:
            raise ScsiError(self.absence)
        if self.stopped:
            raise ScsiError(initializing_command_required())

    def check_writable(self) -> None:
        """Raises ScsiError when the medium is write protected. WRITE needs not ask: its device refuses."""
        if self.write_protected:
            raise ScsiError(write_protected())

    def sense_data(self, sense: Sense) -> bytes:
        """A condition in the format that the control mode page asks for (D_SENSE)."""
        return sense.descriptor() if self.modes.descriptor_sense else sense.fixed()

    def set_modes(self, modes: Modes) -> None:
        """Run by these mode parameters from now on."""
        self.modes = modes
        self._run_device()

    def set_read_only(self, read_only: bool, *, thin: bool) -> None:
        """Take no more writes, or take them again; every nexus is told. `thin`: as at the beginning."""
        self.read_only = read_only
        self.thin = thin and (self.bare_device.can_unmap or read_only)
        self._run_device()
        self.raise_attention(mode_parameters_changed())

    def set_write_cache(self, write_cache: bool) -> None:
        """Write back or through from now on, after a reset too; every nexus is told."""
        self.default_modes = replace(self.default_modes, write_cache=write_cache)
        if self.saved_modes is not None:
            self.saved_modes = replace(self.saved_modes, write_cache=write_cache)
        self.set_modes(replace(self.modes, write_cache=write_cache))
        self.raise_attention(mode_parameters_changed())

    def set_medium(self, *, ejected: bool) -> None:
        """Take the medium out or put it in."""
        self.ejected = ejected
        self.refresh()

    def stand_on(self, device: BlockDevice) -> None:
        """Take another device, which stands on the one before."""
        self.bare_device = device
        self._run_device()

    def _run_device(self) -> None:
        device: BlockDevice = self.bare_device
        if self.write_protected:
            device = ReadOnlyDevice(device)
        elif not self.modes.write_cache:
            device = WriteThroughDevice(device)
        self.device = Guarded(device, self.ranges) if isinstance(self.device, Guarded) else device

    def grow(self) -> None:
        """Take over the device's new size and tell every nexus (SBC-3 4.5.2)."""
        block_count = self.device.size_bytes >> self.shift
        if block_count != self.block_count:
            self.block_count = block_count
            self.raise_attention(capacity_data_has_changed())

    def look_at_space(self, space: Space) -> None:
        """Tell every nexus of a thin unit when the space behind it has become scarce."""
        if self.thin and self.threshold.look(space):
            self.raise_attention(soft_threshold_reached())

    def reset(self, done: Done) -> None:
        """Logical unit reset (SAM-5 6.3.3): abort every task, drop an SPC-2 reservation, tell every nexus."""
        self.preventing.clear()
        self.set_modes(self.saved_modes or self.default_modes)
        self.set_state(holder=None, stopped=False)
        self.raise_attention(bus_device_reset())
        self.abort(list(self.task_set), done)

    def raise_attention(self, sense: Sense, *, but: "Nexus | None" = None) -> None:
        """Establish a unit attention condition for every nexus but one."""
        for nexus in self.nexuses:
            if nexus is not but:
                nexus.raise_attention(self, sense)

    def set_state(self, *, holder: "Nexus | None", stopped: bool) -> None:
        """Change reservation or readiness, and with it what each nexus may do without a question."""
        self.holder = holder
        self.stopped = stopped
        self.refresh()

    def set_erasure(self, erasure: "Erasure | None") -> None:
        """Close the unit for an erasure, or (None) open it again."""
        self.erasure = erasure
        self.refresh()

    def hold(self) -> None:
        """Work of another unit begins to use the device."""
        self.visitors += 1
        self.background.hold()

    def release(self) -> None:
        """That work has ended."""
        self.visitors -= 1
        if not self.visitors:
            waiting, self._waits_alone = self._waits_alone, []
            for done in waiting:
                done()
        self.background.release()

    def when_left_alone(self, done: Done) -> None:
        """Call `done` when no other unit's work uses the device, perhaps at once."""
        if self.visitors:
            self._waits_alone.append(done)
        else:
            done()

    def drain(self, change: int) -> None:
        """One nexus more (1) or less (-1) is gone and has tasks under way."""
        self.draining += change
        self.refresh()

    def refresh(self) -> None:
        """What each nexus may do without a question has changed."""
        for nexus in self.nexuses:
            nexus.reconsider(self)

    def _guard(self, needed: bool) -> None:
        device = self.device
        if needed:
            self.device = Guarded(device, self.ranges)
        elif isinstance(device, Guarded):
            self.device = device.behind

    def begin(self, nexus: "Nexus", task: Task) -> None:
        """`task` starts to wait: for data-out, or for work in the background."""
        self.task_set[task] = nexus

    def end(self, task: Task) -> None:
        """`task` waits no longer. The last one that somebody waits for lets him go on."""
        self.task_set.pop(task, None)
        if self.gathered:
            self.let_go(task, self.gathered.pop(task, 0))
        for wait in tuple(self._waits):
            if task in wait.tasks:
                wait.tasks.remove(task)
                if not wait.tasks:
                    self._waits.remove(wait)
                    wait.done()
        if self.order.engaged:
            self.order.proceed()

    def when_ended(self, done: Done) -> None:
        """Call `done` when every task that waits now has ended, and what strays of theirs are left; perhaps at once."""
        if self.task_set or self.strays:
            self._waits.append(_Wait({*self.task_set, *self.strays}, done))
        else:
            done()

    def let_go(self, task: Task, size_bytes: int) -> None:
        """Gathered data-out is not needed any more."""
        if size_bytes:
            self.waiting_bytes -= size_bytes
            task.let_go(size_bytes)

    def abort(self, tasks: Iterable[Task], done: Done) -> None:
        """Abort those of `tasks` that are in the task set; `done` when every one has ended, perhaps at once."""
        aborted = {task for task in tasks if task in self.task_set}
        if not aborted:
            done()
            return
        self._waits.append(_Wait(set(aborted), done))
        # None of those that wait for their turn gets it by the end of another one of them.
        with self.order.undisturbed():
            for task in aborted:
                task.abort()
