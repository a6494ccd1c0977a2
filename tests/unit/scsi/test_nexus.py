"""I_T nexuses: the order of the checks, task management, and any sequence of it all."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lunaport.blockdev.filters import Call, DelayFilter, TraceFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import ReserveOut, Status
from lunaport.scsi.nexus import Nexus

from .persistent import basic_list, reserve_out_cdb
from .support import SIZE, Bench, FakeTask

TEST_UNIT_READY = "00 00 00 00 00 00"
READ = "28 00 00000000 00 0001 00"
WRITE = "2A 00 00000008 00 0001 00"
REGISTER_AND_IGNORE = ReserveOut.REGISTER_AND_IGNORE_EXISTING_KEY
PREEMPT_AND_ABORT = ReserveOut.PREEMPT_AND_ABORT


def grown() -> Bench:
    bench = Bench()
    bench.memory.grow(2 * SIZE)
    bench.unit.grow()
    return bench


def test_a_unit_attention_hides_everything_but_three_commands() -> None:
    for cdb in ("12 00 00 00 FF 00", "A0 00 00 000000 00000100 00 00"):
        bench = grown()
        assert bench.run(cdb).status == Status.GOOD
        assert bench.run(READ).sense_code == 0x2A09
    for cdb in ("FF 00 00 00 00 00", "9E 10 0000000000000000 00000020 00 00", "28 FF 00000000 00 0001 00"):
        bench = grown()
        assert bench.run(cdb).sense_code == 0x2A09
        assert bench.run(READ).status == Status.GOOD


def test_attentions_come_in_order_and_are_each_nexus_own() -> None:
    bench = grown()
    bench.unit.reset(lambda: None)
    assert [bench.run(TEST_UNIT_READY).sense_code for _ in range(2)] == [0x2A09, 0x2903]
    assert bench.run(TEST_UNIT_READY).status == Status.GOOD
    assert bench.run(TEST_UNIT_READY, nexus=bench.other).sense_code == 0x2A09


def test_fields_are_checked_on_the_careful_way_too() -> None:
    bench = Bench()
    bench.run("1B 00 00 00 04 00")
    assert bench.run("12 02 00 00 FF 00").sense_code == 0x2400
    assert bench.run("28 FF 00000000 00 0001 00").sense_code == 0x2400
    assert bench.run("12 02 00 00 FF 00", lun=1 << 48).sense_code == 0x2400


def test_service_actions() -> None:
    bench = Bench()
    assert bench.run("9E 11 0000000000000000 00000020 00 00").field_pointer == (1, 4)
    assert bench.run("9E 30 0000000000000000 00000020 00 00").field_pointer == (1, 5)


def test_a_long_cdb_is_of_no_command() -> None:
    bench = Bench()
    assert bench.run(bytes.fromhex("7F") + bytes(31)).sense_code == 0x2000
    assert bench.run(bytes.fromhex("7E") + b"\xff" * 200).sense_code == 0x2000


def test_task_management_of_a_lun_that_does_not_exist() -> None:
    nexus = Bench().nexus
    task = FakeTask(b"")
    assert not nexus.reset_unit(1 << 48, never)
    assert not nexus.abort_task(1 << 48, task, never)
    assert not nexus.abort_task_set(1 << 48, never)
    assert not nexus.clear_task_set(1 << 48, never)


def never() -> None:
    raise AssertionError("not called")


def slow() -> Bench:
    return Bench(DelayFilter(MemoryDevice(SIZE), lambda: None))


def test_abort_task_of_a_task_that_is_not_there_is_done() -> None:
    done: list[int] = []
    assert Bench().nexus.abort_task(0, FakeTask(b""), lambda: done.append(1))
    assert done == [1]


def test_abort_task_set_spares_the_others() -> None:
    bench = slow()
    mine = bench.start(READ, expected_length=512)
    theirs = bench.start(READ, expected_length=512, nexus=bench.other)
    done: list[int] = []
    bench.nexus.abort_task_set(0, lambda: done.append(1))
    bench.background.drain()
    assert (mine.status, theirs.status, done) == (Status.TASK_ABORTED, Status.GOOD, [1])
    assert bench.start(TEST_UNIT_READY, nexus=bench.other).status == Status.GOOD


def test_clear_task_set_tells_those_who_lost_tasks() -> None:
    bench = slow()
    third = bench.target.attach("third")
    mine = bench.start(READ, expected_length=512)
    theirs = bench.start(WRITE, data_out=bytes(512), nexus=bench.other)
    let_go = bench.background.hang(1)
    done: list[int] = []
    bench.nexus.clear_task_set(0, lambda: done.append(1))
    assert done == []
    let_go()
    assert (mine.status, theirs.status, done) == (Status.TASK_ABORTED, Status.TASK_ABORTED, [1])
    assert bench.start(TEST_UNIT_READY).status == Status.GOOD
    assert bench.start(TEST_UNIT_READY, nexus=bench.other).sense_code == 0x2F00
    assert bench.start(TEST_UNIT_READY, nexus=third).status == Status.GOOD


def test_close_waits_for_its_own_tasks_only() -> None:
    bench = slow()
    mine = bench.start(WRITE, data_out=bytes(512))
    let_go = bench.background.hang()
    theirs = bench.start(READ, expected_length=512, nexus=bench.other)
    done: list[int] = []
    bench.nexus.close(lambda: done.append(1))
    assert bench.target.nexuses == bench.unit.nexuses == {bench.other}
    assert done == []
    let_go()
    bench.background.drain()
    assert (mine.status, theirs.status, done) == (Status.TASK_ABORTED, Status.GOOD, [1])


def test_what_a_gone_nexus_left_under_way_keeps_others_from_overtaking_it() -> None:
    bench = slow()
    bench.start(WRITE, data_out=bytes(512))
    let_go = bench.background.hang()
    bench.nexus.close(lambda: None)
    again = bench.target.attach("iqn.2026-11.test:i,i,0x000000000001")
    early = bench.start(READ, expected_length=512, nexus=again)
    assert early.status == Status.BUSY
    inquiry = bench.start(bytes([0x12, 0, 0, 0, 36, 0]), expected_length=36, nexus=again)
    assert inquiry.status == Status.GOOD
    let_go()
    late = bench.start(READ, expected_length=512, nexus=again)
    bench.background.drain()
    assert late.status == Status.GOOD


class TaskSet(RuleBasedStateMachine):
    """Commands of two nexuses in every state, and everything that ends them.

    The invariant: each task ends once; whoever ends tasks is told once, and after that none of them touches the disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stale: list[int] = []
        self.bench = Bench(DelayFilter(TraceFilter(MemoryDevice(SIZE), self.record), lambda: None))
        self.nexuses = [self.bench.nexus, self.bench.other]
        self.tasks: list[tuple[Nexus, FakeTask]] = []
        self.forbidden: set[int] = set()
        self.preempting: list[tuple[FakeTask, set[int]]] = []
        self.told = 0
        self.asked = 0

    def record(self, call: Call) -> None:
        if call.operation == "write":
            index = call.offset // 8192
            preempted = (victims for task, victims in self.preempting if task.status == Status.GOOD)
            if index in self.forbidden.union(*preempted):
                self.stale.append(index)

    @precondition(lambda self: len(self.tasks) < 100)
    @rule(which=st.integers(0, 1), immediate=st.sampled_from([0, 4096, 8192]), flags=st.sampled_from(["00", "08"]))
    def write(self, which: int, immediate: int, flags: str) -> None:
        nexus = self.nexuses[which]
        cdb = bytes.fromhex("2A" + flags) + (len(self.tasks) * 16).to_bytes(4) + bytes.fromhex("00 0010 00")
        task = self.bench.start(cdb, nexus=nexus, data_out=b"x" * 8192, immediate=immediate, piece=4096)
        self.tasks.append((nexus, task))

    @precondition(lambda self: self.tasks)
    @rule(pick=st.integers(0, 1000))
    def deliver(self, pick: int) -> None:
        task = self.tasks[pick % len(self.tasks)][1]
        if task.waits_for_data:
            task.deliver()

    @precondition(lambda self: self.bench.background.queue)
    @rule(pick=st.integers(0, 1000))
    def work(self, pick: int) -> None:
        self.bench.background.step(pick % len(self.bench.background.queue))

    def teller(self, affected: set[int]) -> None:
        self.told += 1
        self.forbidden |= affected

    def live(self, nexus: Nexus | None) -> set[int]:
        return {
            index
            for index, (owner, task) in enumerate(self.tasks)
            if not task.finishes and (nexus is None or owner is nexus)
        }

    @rule(which=st.integers(0, 1), how=st.sampled_from(["abort", "clear", "reset", "close"]))
    def end_many(self, which: int, how: str) -> None:
        nexus = self.nexuses[which]
        affected = self.live(nexus if how in ("abort", "close") else None)
        self.asked += 1

        def done() -> None:
            self.teller(affected)

        match how:
            case "abort":
                nexus.abort_task_set(0, done)
            case "clear":
                nexus.clear_task_set(0, done)
            case "reset":
                nexus.reset_unit(0, done)
            case _:
                nexus.close(done)
                self.nexuses[which] = self.bench.target.attach("again")

    @rule(which=st.integers(0, 1))
    def preempt_and_abort(self, which: int) -> None:
        nexus, victim = self.nexuses[which], self.nexuses[1 - which]
        for each, key in ((nexus, which + 1), (victim, 2 - which)):
            while each.take_attention(self.bench.unit):
                pass
            data = basic_list(0, key)
            registering = self.bench.start(reserve_out_cdb(REGISTER_AND_IGNORE), nexus=each, data_out=data)
            if registering.status != Status.GOOD:
                assert registering.status == Status.BUSY  # a nexus that is gone has tasks under way
                return
        affected = self.live(victim)
        data = basic_list(which + 1, 2 - which)
        task = self.bench.start(reserve_out_cdb(PREEMPT_AND_ABORT), nexus=nexus, data_out=data)
        self.tasks.append((nexus, task))
        self.preempting.append((task, affected))

    @precondition(lambda self: self.tasks)
    @rule(pick=st.integers(0, 1000))
    def end_one(self, pick: int) -> None:
        index = pick % len(self.tasks)
        nexus, task = self.tasks[index]
        self.asked += 1
        nexus.abort_task(0, task, lambda: self.teller({index}))

    @invariant()
    def counts_agree(self) -> None:
        unit = self.bench.unit
        assert set(unit.task_set) == {task for _, task in self.tasks if not task.finishes}
        assert self.told <= self.asked
        assert self.stale == []

    def teardown(self) -> None:
        for _, task in self.tasks:
            while task.waits_for_data:
                task.deliver()
        self.bench.background.drain()
        assert all(task.finishes == 1 for _, task in self.tasks)
        assert self.stale == []
        assert (self.told, self.bench.unit.task_set, self.bench.unit.waiting_bytes) == (self.asked, {}, 0)


TestTaskSet = TaskSet.TestCase
TestTaskSet.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
