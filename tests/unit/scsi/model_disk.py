"""A disk with reservations as simple as it can be told: what any sequence of commands of several nexuses must give.

Written from the tables of SPC-4 5.12 a second time, without a look at `lunaport.scsi`; nothing is optimised, nothing
waits. An answer is a status and, with CHECK CONDITION, its additional sense code.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

Answer = tuple[int, int]
GOOD, CONFLICT = (0x00, 0), (0x18, 0)
PARAMETERS, CDB, RELEASE_REFUSED = (0x02, 0x2600), (0x02, 0x2400), (0x02, 0x2604)
RESERVATIONS_PREEMPTED, RESERVATIONS_RELEASED, REGISTRATIONS_PREEMPTED = 0x2A03, 0x2A04, 0x2A05
RESET = 0x2903

MAY_READ = {1: True, 3: False, 5: True, 6: False, 7: True, 8: False}
"""Whether others may read, by type."""
SHARED = {5, 6, 7, 8}
"""Types with access for whoever is registered."""
ALL_HOLD = {7, 8}


@dataclass
class ModelDisk:
    """Nexuses are numbers."""

    data: bytearray
    keys: dict[int, int] = field(default_factory=dict)
    type: int = 0
    holder: int | None = None
    generation: int = 0
    aptpl: bool = False
    reserved_by: int | None = None
    """RESERVE(6)."""
    attentions: dict[int, list[int]] = field(default_factory=dict)
    """Of the nexuses that are logged in."""

    # Events

    def log_in(self, nexus: int) -> None:
        self.attentions[nexus] = []

    def lose(self, nexus: int) -> None:
        del self.attentions[nexus]
        if self.reserved_by == nexus:
            self.reserved_by = None

    def reset(self) -> None:
        self.reserved_by = None
        self.tell(self.attentions, RESET)

    def lose_power(self) -> None:
        self.generation = 0
        self.reserved_by = None
        self.attentions = {nexus: [] for nexus in self.attentions}
        if not self.aptpl or not self.keys:
            self.keys, self.type, self.holder, self.aptpl = {}, 0, None, False

    # Who may do what

    def holds(self, nexus: int) -> bool:
        return self.type != 0 and (nexus in self.keys if self.type in ALL_HOLD else nexus == self.holder)

    def has_access(self, nexus: int) -> bool:
        return self.type == 0 or self.holds(nexus) or (self.type in SHARED and nexus in self.keys)

    def tell(self, nexuses: Iterable[int], attention: int) -> None:
        for nexus in nexuses:
            if nexus in self.attentions and attention not in self.attentions[nexus]:
                self.attentions[nexus].append(attention)

    def others(self, nexus: int) -> list[int]:
        return [other for other in self.keys if other != nexus]

    def attention(self, nexus: int) -> Answer | None:
        return (0x02, self.attentions[nexus].pop(0)) if self.attentions[nexus] else None

    # Commands

    def read(self, nexus: int) -> Answer:
        if answer := self.attention(nexus):
            return answer
        if self.reserved_by not in (None, nexus):
            return CONFLICT
        return GOOD if self.has_access(nexus) or MAY_READ[self.type] else CONFLICT

    def write(self, nexus: int, offset: int, data: bytes) -> Answer:
        if answer := self.attention(nexus):
            return answer
        if self.reserved_by not in (None, nexus) or not self.has_access(nexus):
            return CONFLICT
        self.data[offset : offset + len(data)] = data
        return GOOD

    def ready(self, nexus: int) -> Answer:
        if answer := self.attention(nexus):
            return answer
        return CONFLICT if self.reserved_by not in (None, nexus) else GOOD

    def reserve_6(self, nexus: int) -> Answer:
        if answer := self.attention(nexus):
            return answer
        if self.keys:
            return GOOD if self.type and self.has_access(nexus) else CONFLICT
        if self.reserved_by not in (None, nexus):
            return CONFLICT
        self.reserved_by = nexus
        return GOOD

    def release_6(self, nexus: int) -> Answer:
        if answer := self.attention(nexus):
            return answer
        if self.keys:
            return GOOD if self.type and self.has_access(nexus) else CONFLICT
        if self.reserved_by == nexus:
            self.reserved_by = None
        return GOOD

    def reserve_in(self, nexus: int) -> Answer:
        return self.attention(nexus) or (GOOD if self.reserved_by is None else CONFLICT)

    def register(self, nexus: int, key: int | None, new: int, *, aptpl: bool, named: list[int] | None) -> Answer:
        """`key` is None with REGISTER AND IGNORE EXISTING KEY, `named` with SPEC_I_PT clear."""
        answer = self.reserve_in(nexus)
        if answer != GOOD:
            return answer
        if key is not None and key != self.keys.get(nexus, 0):
            return CONFLICT
        if nexus in self.keys and named is not None:
            return PARAMETERS
        if new == 0 and nexus not in self.keys:
            return GOOD
        if new and any(other in self.keys for other in named or () if other != nexus):
            return PARAMETERS
        self.generation += 1
        self.aptpl = aptpl
        if new:
            for each in (nexus, *(named or ())):
                self.keys[each] = new
        else:
            self.remove({nexus})
        return GOOD

    def remove(self, nexuses: set[int]) -> None:
        for nexus in nexuses:
            del self.keys[nexus]
        if self.holder in nexuses:
            if self.type in SHARED:
                self.tell(self.keys, RESERVATIONS_RELEASED)
            self.type, self.holder = 0, None
        if not self.keys:
            self.type, self.holder = 0, None

    def establish(self, nexus: int, kind: int) -> None:
        self.type, self.holder = kind, None if kind in ALL_HOLD else nexus

    def knows(self, nexus: int, key: int) -> Answer:
        answer = self.reserve_in(nexus)
        if answer != GOOD:
            return answer
        return GOOD if self.keys.get(nexus) == key else CONFLICT

    def reserve(self, nexus: int, key: int, kind: int) -> Answer:
        answer = self.knows(nexus, key)
        if answer != GOOD:
            return answer
        if self.type:
            return GOOD if self.holds(nexus) and kind == self.type else CONFLICT
        self.establish(nexus, kind)
        return GOOD

    def release(self, nexus: int, key: int, kind: int) -> Answer:
        answer = self.knows(nexus, key)
        if answer != GOOD or not self.holds(nexus):
            return answer
        if kind != self.type:
            return RELEASE_REFUSED
        if self.type in SHARED:
            self.tell(self.others(nexus), RESERVATIONS_RELEASED)
        self.type, self.holder = 0, None
        return GOOD

    def clear(self, nexus: int, key: int) -> Answer:
        answer = self.knows(nexus, key)
        if answer == GOOD:
            self.generation += 1
            self.tell(self.others(nexus), RESERVATIONS_PREEMPTED)
            self.keys, self.type, self.holder = {}, 0, None
        return answer

    def preempt(self, nexus: int, key: int, victim: int, kind: int) -> Answer:
        answer = self.knows(nexus, key)
        if answer != GOOD:
            return answer
        if victim == 0 and self.type not in ALL_HOLD:
            return PARAMETERS
        if victim == 0 or (self.holder is not None and self.keys[self.holder] == victim):
            gone = {other for other in self.others(nexus) if victim in (0, self.keys[other])}
            for other in gone:
                del self.keys[other]
            self.tell(gone, REGISTRATIONS_PREEMPTED)
            if kind != self.type:
                self.tell(self.others(nexus), RESERVATIONS_RELEASED)
            self.establish(nexus, kind)
        else:
            gone = {other for other, its_key in self.keys.items() if its_key == victim}
            if not gone:
                return CONFLICT
            self.remove(gone)
            self.tell(gone - {nexus}, REGISTRATIONS_PREEMPTED)
        self.generation += 1
        return GOOD

    def move(self, nexus: int, key: int, new: int, to: int, *, unregister: bool, aptpl: bool) -> Answer:
        answer = self.reserve_in(nexus)
        if answer != GOOD:
            return answer
        if nexus not in self.keys:
            return CONFLICT
        if not self.type:
            return CDB
        if self.holder != nexus or self.keys[nexus] != key:
            return CONFLICT
        if new == 0 or to == nexus:
            return PARAMETERS
        self.generation += 1
        self.keys[to], self.holder, self.aptpl = new, to, aptpl
        if unregister:
            del self.keys[nexus]
        return GOOD
