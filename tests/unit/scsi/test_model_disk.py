"""Reservations and data against the model: any sequence of commands of several nexuses, with what befalls them.

The invariant: status, sense and data of every command are the model's, whatever happened before; and so are the bytes
on the disk and everything that PERSISTENT RESERVE IN tells.
"""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import ReservationType, ReserveIn, ReserveOut
from lunaport.scsi.nexus import Nexus
from lunaport.scsi.reservation_book import ReservationBook
from lunaport.scsi.reservation_store import load_reservations

from .model_disk import Answer, ModelDisk
from .persistent import (
    APTPL,
    SPEC_I_PT,
    FullStatus,
    MemoryStore,
    basic_list,
    full_status,
    generation,
    move_list,
    port_id,
    port_list,
    reservation,
    reserve_in,
    reserve_out_cdb,
)
from .support import SIZE, Bench, FakeTask

PORTS = [f"iqn.2026-01.example:{name},i,0x00000000000{isid}" for name, isid in (("a", 1), ("a", 2), ("b", 1), ("c", 3))]
nexuses = st.integers(0, len(PORTS) - 1)
picks = st.integers(0, 2 * len(PORTS) - 1)
"""A nexus that is logged in; the upper half of the numbers: after it has heard its unit attentions."""
keys = st.integers(0, 3)
victims = keys | st.just(-1)
"""A key, or (-1) that of the holder."""
new_keys = st.sampled_from([1, 1, 2, 2, 3, 3, 0])
rights = st.sampled_from([True, True, True, True, False])
"""Whether nexus and key are right ones, which makes things happen."""
rarely = st.sampled_from([True, False, False, False, False])
"""Whether to do at all what undoes what was built up."""
types = st.sampled_from(list(ReservationType))
blocks = st.integers(0, 7)


class Reserved(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.device = MemoryDevice(SIZE)
        self.store = MemoryStore()
        self.model = ModelDisk(bytearray(8 * 512))
        self.power_on()
        for number in range(len(PORTS)):
            self.log_in(number)

    def power_on(self) -> None:
        book = ReservationBook(self.store, load_reservations(self.store)[0])
        self.bench = Bench(self.device, reservations=book)
        for own in (self.bench.nexus, self.bench.other):
            own.close(lambda: None)
        self.nexuses: dict[int, Nexus] = {}

    def log_in(self, number: int) -> None:
        self.nexuses[number] = self.bench.target.attach(PORTS[number])
        self.model.log_in(number)

    def here(self, pick: int, *, registered: bool = False) -> int:
        """A nexus that is logged in, see `picks`; a registered one where there is one."""
        there = sorted(self.nexuses)
        if registered:
            there = [number for number in there if number in self.model.keys] or there
        number = there[pick % len(there)]
        if pick >= len(PORTS):
            while self.model.attentions[number]:
                assert answer_of(self.run_command(number, bytes(6))) == self.model.ready(number)
        return number

    def run_command(self, number: int, cdb: bytes, data_out: bytes | None = None) -> FakeTask:
        return self.bench.run(cdb, nexus=self.nexuses[number], data_out=data_out)

    def reserve_out(self, number: int, action: ReserveOut, kind: int, data: bytes) -> Answer:
        return answer_of(self.run_command(number, reserve_out_cdb(action, kind, len(data)), data))

    # What befalls nexuses and unit

    @precondition(lambda self: len(self.nexuses) > 1)
    @rule(pick=picks, now=rarely)
    def lose(self, pick: int, now: bool) -> None:
        if not now:
            return
        number = self.here(pick)
        self.nexuses.pop(number).close(lambda: None)
        self.model.lose(number)

    @rule(number=nexuses)
    def come_back(self, number: int) -> None:
        if number not in self.nexuses:
            self.log_in(number)

    @rule(pick=picks, now=rarely)
    def reset(self, pick: int, now: bool) -> None:
        if not now:
            return
        self.nexuses[self.here(pick)].reset_unit(0, lambda: None)
        self.model.reset()

    @rule(now=rarely)
    def lose_power(self, now: bool) -> None:
        if not now:
            return
        there = sorted(self.nexuses)
        self.power_on()
        for number in there:
            self.nexuses[number] = self.bench.target.attach(PORTS[number])
        self.model.lose_power()

    # Data

    @rule(pick=picks, lba=blocks, fill=st.integers(0, 255))
    def write(self, pick: int, lba: int, fill: int) -> None:
        number = self.here(pick)
        data = bytes([fill]) * 512
        task = self.run_command(number, bytes((0x2A, 0, 0, 0, 0, lba, 0, 0, 1, 0)), data)
        assert answer_of(task) == self.model.write(number, lba * 512, data)

    @rule(pick=picks, lba=blocks)
    def read(self, pick: int, lba: int) -> None:
        number = self.here(pick)
        task = self.run_command(number, bytes((0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0)))
        expected = self.model.read(number)
        assert answer_of(task) == expected
        if expected == (0, 0):
            assert task.data == self.model.data[lba * 512 : (lba + 1) * 512]

    @rule(pick=picks)
    def ready(self, pick: int) -> None:
        number = self.here(pick)
        assert answer_of(self.run_command(number, bytes(6))) == self.model.ready(number)

    # Reservations

    @rule(pick=picks, now=rarely)
    def reserve_6(self, pick: int, now: bool) -> None:
        if not now and not self.model.keys:
            return
        number = self.here(pick)
        assert answer_of(self.run_command(number, bytes((0x16, 0, 0, 0, 0, 0)))) == self.model.reserve_6(number)

    @rule(pick=picks)
    def release_6(self, pick: int) -> None:
        number = self.here(pick)
        assert answer_of(self.run_command(number, bytes((0x17, 0, 0, 0, 0, 0)))) == self.model.release_6(number)

    @rule(
        pick=picks,
        right=rights,
        key=st.none() | keys,
        new=new_keys,
        aptpl=st.booleans(),
        named=st.none() | st.none() | st.lists(nexuses, max_size=2),
    )
    def register(self, pick: int, right: bool, key: int | None, new: int, aptpl: bool, named: list[int] | None) -> None:
        number = self.here(pick)
        if key is not None and right:
            key = self.model.keys.get(number, 0)
        if key is None:
            action, named = ReserveOut.REGISTER_AND_IGNORE_EXISTING_KEY, None
        else:
            action = ReserveOut.REGISTER
        flags = APTPL * aptpl | SPEC_I_PT * (named is not None)
        additional = b"" if named is None else port_list(*(port_id(PORTS[other]) for other in named))
        answer = self.reserve_out(number, action, 0, basic_list(key or 0, new, flags, additional))
        assert answer == self.model.register(number, key, new, aptpl=aptpl, named=named)

    @rule(pick=picks, right=rights, key=keys, kind=types)
    def reserve(self, pick: int, right: bool, key: int, kind: int) -> None:
        number = self.here(pick, registered=right)
        key = self.model.keys.get(number, key) if right else key
        answer = self.reserve_out(number, ReserveOut.RESERVE, kind, basic_list(key))
        assert answer == self.model.reserve(number, key, kind)

    @rule(pick=picks, right=rights, key=keys, kind=types)
    def release(self, pick: int, right: bool, key: int, kind: int) -> None:
        number = self.here(pick, registered=right)
        key = self.model.keys.get(number, key) if right else key
        kind = self.model.type or kind if right else kind
        answer = self.reserve_out(number, ReserveOut.RELEASE, kind, basic_list(key))
        assert answer == self.model.release(number, key, kind)

    @rule(pick=picks, key=st.integers(0, 9))  # most keys are wrong: it ends what others began
    def clear(self, pick: int, key: int) -> None:
        number = self.here(pick)
        assert self.reserve_out(number, ReserveOut.CLEAR, 0, basic_list(key)) == self.model.clear(number, key)

    @rule(pick=picks, right=rights, key=keys, victim=victims, kind=types, abort=st.booleans())
    def preempt(self, pick: int, right: bool, key: int, victim: int, kind: int, abort: bool) -> None:
        number = self.here(pick, registered=right)
        key = self.model.keys.get(number, key) if right else key
        if victim == -1:
            victim = 0 if self.model.holder is None else self.model.keys[self.model.holder]
        action = ReserveOut.PREEMPT_AND_ABORT if abort else ReserveOut.PREEMPT
        answer = self.reserve_out(number, action, kind, basic_list(key, victim))
        assert answer == self.model.preempt(number, key, victim, kind)

    @rule(pick=picks, right=rights, key=keys, new=new_keys, to=nexuses, unregister=st.booleans(), aptpl=st.booleans())
    def move(self, pick: int, right: bool, key: int, new: int, to: int, unregister: bool, aptpl: bool) -> None:
        number = self.here(pick)
        if right and self.model.holder in self.nexuses:
            number = self.model.holder or 0
            key = self.model.keys[number]
        data = move_list(key, new, port_id(PORTS[to]), 2 * unregister | aptpl)
        answer = self.reserve_out(number, ReserveOut.REGISTER_AND_MOVE, 0, data)
        assert answer == self.model.move(number, key, new, to, unregister=unregister, aptpl=aptpl)

    # What has to be the same all the time

    @invariant()
    def same_bytes(self) -> None:
        view = memoryview(bytearray(8 * 512))
        self.device.read(0, [view])
        assert view == self.model.data

    @invariant()
    def same_attentions(self) -> None:
        for number, nexus in self.nexuses.items():
            pending = nexus._attentions[self.bench.unit]
            assert [sense.code for sense in pending] == self.model.attentions[number]

    @invariant()
    def same_reservations(self) -> None:
        if self.model.reserved_by is not None:
            return
        watcher = self.bench.target.attach("iqn.2026-01.example:watcher,i,0x000000000009")
        before, self.bench.nexus = self.bench.nexus, watcher
        try:
            model = self.model
            assert generation(self.bench) == model.generation
            assert reserve_in(self.bench, ReserveIn.REPORT_CAPABILITIES).data[3] & 1 == model.aptpl
            key = 0 if model.holder is None else model.keys[model.holder]
            assert reservation(self.bench) == ((key, model.type) if model.type else None)
            assert {row.transport_id: row for row in full_status(self.bench)} == {
                port_id(PORTS[number]): FullStatus(
                    key=key,
                    holder=model.holds(number),
                    scope_and_type=model.type if model.holds(number) else 0,
                    target_port=1,
                    transport_id=port_id(PORTS[number]),
                )
                for number, key in model.keys.items()
            }
        finally:
            self.bench.nexus = before
            watcher.close(lambda: None)


def answer_of(task: FakeTask) -> Answer:
    assert task.status is not None
    return task.status, task.sense_code if task.sense else 0


TestReserved = Reserved.TestCase
TestReserved.settings = settings(
    max_examples=300, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
