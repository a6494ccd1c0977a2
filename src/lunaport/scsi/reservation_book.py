"""The reservations of one logical unit as they count now, changed one at a time.

Invariants: what shall survive a loss of power is durable before it counts, so before the command is answered; a change
that could not be made durable has not happened. Commands that change nothing never wait for a disk.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

from lunaport.scsi.reservation_changes import Change
from lunaport.scsi.reservation_store import ReservationStore, serialize_reservations
from lunaport.scsi.reservations import Reservations
from lunaport.scsi.sense import ScsiError
from lunaport.scsi.task import Background

Decide = Callable[[Reservations], Change | None]
"""Works the change out from what counts when its turn comes; None: RESERVATION CONFLICT. May raise ScsiError."""
Decided = Callable[[Change | None, BaseException | None], None]
"""Told once the change counts (or is None), or what prevented it."""


class ReservationBook:
    """`store`: where to keep what shall survive a loss of power; without one nothing does (PTPL_C is 0)."""

    __slots__ = ("_busy", "_unsure", "_waiting", "now", "store")

    def __init__(self, store: ReservationStore | None = None, now: Reservations | None = None) -> None:
        self.store = store
        self.now = now or Reservations()
        self._waiting: deque[tuple[Decide, Decided]] = deque()
        self._busy = False
        self._unsure = False
        """A save has failed: either document may lie there."""

    @property
    def busy(self) -> bool:
        """Whether a change is on its way to the disk."""
        return self._busy

    def change(self, background: Background, decide: Decide, done: Decided) -> None:
        """Make a change after those before it. `done` may run at once."""
        self._waiting.append((decide, done))
        if not self._busy:
            self._proceed(background)

    def _proceed(self, background: Background) -> None:
        self._busy = True
        saving = False
        try:
            while self._waiting and not saving:
                decide, done = self._waiting.popleft()
                try:
                    change = decide(self.now)
                except ScsiError as error:
                    done(None, error)
                    continue
                if change is not None and self._has_to_save(change.after):
                    self._save(background, change, done)
                    saving = True
                    continue
                if change is not None:
                    self.now = change.after
                done(change, None)
        finally:
            # A mistake of ours that gets out of here must not keep later changes waiting for ever.
            self._busy = saving

    def _save(self, background: Background, change: Change, done: Decided) -> None:
        assert self.store is not None
        save = partial(self.store.save, serialize_reservations(change.after))
        background.submit(save, partial(self._saved, background, change, done))

    def _has_to_save(self, after: Reservations) -> bool:
        if self.store is None:
            return False
        return self._unsure or self.now.lost or serialize_reservations(after) != serialize_reservations(self.now)

    def _saved(self, background: Background, change: Change, done: Decided, error: BaseException | None) -> None:
        self._unsure = error is not None
        try:
            if error is None:
                self.now = change.after
                done(change, None)
            else:
                done(None, error)
        finally:
            self._proceed(background)
