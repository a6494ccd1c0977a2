"""Erasing a whole logical unit: what SANITIZE and FORMAT UNIT have in common (SBC-3 4.11 and 4.33).

An erasure is first put down in a journal that survives the loss of power, and only then begun: whatever happens from
then on, it goes on, or the unit says that it failed. Meanwhile the unit is not ready, for everybody. It is the unit's,
not a command's: an abort or a reset ends the command that waits for it, never the erasure.

Invariants: no write of an earlier command lands after the first byte was erased; the journal is cleared only when all
is erased and flushed; a failure is never passed over.
"""

import json
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Protocol

from lunaport.blockdev.copying import fill_with_zeros
from lunaport.blockdev.device import BlockDevice, DeviceError
from lunaport.scsi.limits import (
    ERASE_CHUNK_BYTES,
    ERASE_DISCARD_FACTOR,
    ERASE_FLUSH_BYTES,
    ERASE_PATTERN_BYTES_MAX,
    WORK_BYTES,
)
from lunaport.scsi.logical_unit import LogicalUnit
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.ranges import Span
from lunaport.scsi.reply import conclude
from lunaport.scsi.sense import (
    ScsiError,
    Sense,
    commands_cleared_by_another_initiator,
    format_corrupted,
    format_in_progress,
    sanitize_failed,
    sanitize_in_progress,
)
from lunaport.scsi.task import Task

PASSES_MAX = 31
_PROGRESS_SCALE = 65536


class Method(StrEnum):
    """How the data goes."""

    OVERWRITE = "overwrite"
    """Every block is written with a pattern."""
    DISCARD = "discard"
    """Every block reads as zeros, and its space is given back where that is possible."""
    KEY = "key"
    """The key that the data is encrypted with is destroyed; then as DISCARD."""


class Journal(Protocol):
    """A place for one document that survives the loss of power. Everything blocks and raises DeviceError."""

    def load(self) -> bytes | None:
        """The document put there last; None: there is none."""

    def save(self, document: bytes | None) -> None:
        """Put a document there, or (None) take it away: whole, and durable when this returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasePlan:
    """What is to be done, and how far it is."""

    method: Method
    sanitize: bool
    """Of SANITIZE; else of FORMAT UNIT."""
    pattern: bytes = b"\0"
    """Of OVERWRITE, repeated to fill each block anew."""
    passes: int = 1
    invert: bool = False
    """Each second pass writes the complement."""
    may_exit: bool = False
    """After a failure, EXIT FAILURE MODE makes the unit usable (AUSE)."""
    size_bytes: int = 0
    """Of the device, when it began; one that has grown since is erased from the start."""
    done_bytes: int = 0
    """Over all passes."""
    failed: bool = False


UNREADABLE = ErasePlan(method=Method.DISCARD, sanitize=True, failed=True)
"""Stands for a journal that cannot be read: something was being erased, so what is left of it is not served."""


def serialize_plan(plan: ErasePlan) -> bytes:
    return json.dumps(asdict(plan) | {"pattern": plan.pattern.hex()}).encode()


def parse_plan(document: bytes) -> ErasePlan:
    """The opposite; UNREADABLE for what `serialize_plan` cannot have made."""
    try:
        found = json.loads(document)
        if not isinstance(found, dict) or found.keys() != {field.name for field in fields(ErasePlan)}:
            return UNREADABLE
        plan = ErasePlan(**found | {"method": Method(found["method"]), "pattern": bytes.fromhex(found["pattern"])})
        flags = (plan.sanitize, plan.invert, plan.may_exit, plan.failed)
        right = (
            all(isinstance(flag, bool) for flag in flags)
            and 0 < len(plan.pattern) <= ERASE_PATTERN_BYTES_MAX
            and plan.passes in range(1, PASSES_MAX + 1)
            and all(isinstance(count, int) and count >= 0 for count in (plan.size_bytes, plan.done_bytes))
        )
    except (ValueError, TypeError):
        return UNREADABLE
    return plan if right else UNREADABLE


class Erasure:
    """A unit's erasure: under way, or failed. Made by `start_erasure` and `resume_erasure`."""

    def __init__(self, unit: LogicalUnit, plan: ErasePlan) -> None:
        size_bytes = unit.device.size_bytes
        self.unit = unit
        self.plan = plan if plan.size_bytes == size_bytes else replace(plan, size_bytes=size_bytes, done_bytes=0)
        self.done_bytes = self.saved_bytes = self.plan.done_bytes
        self.size_bytes = size_bytes
        self.waiting: tuple[Nexus, Task] | None = None
        """The command that is answered at the end."""

    @property
    def total_bytes(self) -> int:
        return self.size_bytes * self.plan.passes

    @property
    def refusal(self) -> Sense:
        """What commands are told that cannot run now."""
        if self.plan.failed:
            return sanitize_failed() if self.plan.sanitize else format_corrupted()
        progress = min(_PROGRESS_SCALE - 1, self.done_bytes * _PROGRESS_SCALE // max(1, self.total_bytes))
        return sanitize_in_progress(progress) if self.plan.sanitize else format_in_progress(progress)

    def begin(self, nexus: Nexus, task: Task, *, immediate: bool) -> None:
        """Put it down, answer at once if `immediate`, and start. Called with the task in the task set."""

        def saved(error: BaseException | None) -> None:
            if error is not None or self.unit.closing:
                self.unit.set_erasure(None)
                self._finish(nexus, task, error)
                return
            if immediate:
                self._finish(nexus, task, None)
            else:
                self.waiting = (nexus, task)
            self.step()

        if self.unit.closing:
            saved(None)
        else:
            self.unit.background.submit(lambda: self._save(self.plan), saved)

    def step(self) -> None:
        """Erase the next chunk; after the last, end."""
        self._tell_who_waits_no_longer()
        if self.unit.closing:  # the journal is there: it goes on when the unit is opened again
            return
        if self.done_bytes >= self.total_bytes:
            self.unit.background.submit(self._complete, self._completed)
            return
        at = self.done_bytes % self.size_bytes
        writes = self.plan.method is Method.OVERWRITE or not self.unit.device.can_unmap
        factor = 1 if writes else ERASE_DISCARD_FACTOR
        length = min(ERASE_CHUNK_BYTES * factor, self.size_bytes - at)
        complement = self.plan.invert and self.done_bytes // self.size_bytes % 2 == 1
        save = self.done_bytes + length - self.saved_bytes >= ERASE_FLUSH_BYTES * factor

        span = Span(at, length, writes=True)

        def work() -> None:
            device = self.unit.device_in_turn
            if self.done_bytes == 0 and self.plan.method is Method.KEY and self.unit.erase_key is not None:
                self.unit.erase_key()
            if self.plan.method is Method.OVERWRITE:
                _write_pattern(device, at, length, self._block(complement=complement))
            else:
                fill_with_zeros(device, at, length)
            if save:
                device.flush()
                self._save(replace(self.plan, done_bytes=self.done_bytes + length))

        def done(error: BaseException | None) -> None:
            self.unit.ranges.leave(span)
            if error is not None:
                self._fail(error)
                return
            self.done_bytes += length
            if save:
                self.saved_bytes = self.done_bytes
            self.step()

        self.unit.ranges.enter(span, lambda: self.unit.background.submit(work, done), bounded=False)

    def _block(self, *, complement: bool) -> bytes:
        pattern, size = self.plan.pattern, self.unit.block_size_bytes
        block = (pattern * (size // len(pattern) + 1))[:size]
        return bytes(byte ^ 0xFF for byte in block) if complement else block

    def _complete(self) -> None:
        self.unit.device.flush()
        if self.unit.erase_journal is not None:
            self.unit.erase_journal.save(None)

    def _completed(self, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)
            return
        self.unit.set_erasure(None)
        self._answer(None)

    def _fail(self, error: BaseException) -> None:
        """The unit stays closed until it is erased or, where that is allowed, let out of this state."""
        if self.unit.closing:
            return
        plan = replace(self.plan, failed=True, done_bytes=0)

        def saved(_: BaseException | None) -> None:
            # Should this have failed as well, the journal says "under way", and a restart tries the erasure again.
            self.plan = plan
            self._answer(ScsiError(self.refusal))

        self.unit.background.submit(lambda: self._save(plan), saved)
        if not isinstance(error, DeviceError):
            raise error

    def _save(self, plan: ErasePlan) -> None:
        if self.unit.erase_journal is not None:
            self.unit.erase_journal.save(serialize_plan(plan))

    def _answer(self, error: BaseException | None) -> None:
        if self.waiting is not None:
            nexus, task = self.waiting
            self.waiting = None
            self._finish(nexus, task, error)

    def _tell_who_waits_no_longer(self) -> None:
        if self.waiting is not None and self.waiting[1].aborted:
            self._answer(None)

    def _finish(self, nexus: Nexus, task: Task, error: BaseException | None) -> None:
        try:
            conclude(self.unit, task, error)
        finally:
            self.unit.end(task)


def _write_pattern(device: BlockDevice, offset: int, length: int, block: bytes) -> None:
    data = memoryview(block * (min(length, WORK_BYTES) // len(block)))
    for start in range(offset, offset + length, len(data)):
        device.write(start, [data[: offset + length - start]])


def start_erasure(nexus: Nexus, unit: LogicalUnit, task: Task, plan: ErasePlan, *, immediate: bool) -> None:
    """Begin an erasure when everything else has ended on the unit; other commands that wait are aborted for that."""
    others = [each for each in unit.task_set if each is not task]
    for other in {unit.task_set[each] for each in others} - {nexus}:
        other.raise_attention(unit, commands_cleared_by_another_initiator())
    erasure = Erasure(unit, plan)
    unit.set_erasure(erasure)
    unit.begin(nexus, task)

    def begin() -> None:
        erasure.begin(nexus, task, immediate=immediate)

    unit.abort(others, lambda: unit.when_left_alone(begin))


def resume_erasure(unit: LogicalUnit, plan: ErasePlan) -> None:
    """Take up an erasure after a restart, or the state that it failed."""
    erasure = Erasure(unit, plan)
    unit.set_erasure(erasure)
    if not plan.failed:
        erasure.step()


def exit_failure(unit: LogicalUnit, task: Task, nexus: Nexus) -> None:
    """Leave the failed state; the medium is as it is."""

    failed = unit.erasure

    def work() -> None:
        if unit.erase_journal is not None:
            unit.erase_journal.save(None)

    def done(error: BaseException | None) -> None:
        if error is None and unit.erasure is failed:
            unit.set_erasure(None)
        try:
            conclude(unit, task, error)
        finally:
            unit.end(task)

    unit.begin(nexus, task)
    unit.background.submit(work, done)
