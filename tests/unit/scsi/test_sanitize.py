"""SANITIZE and what the unit is while it is erased, over a restart and after a failure."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.blockdev.device import DeviceError, DeviceFault
from lunaport.blockdev.filters import FaultFilter, FaultRule
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status
from lunaport.scsi.erasure import UNREADABLE, ErasePlan, Method, parse_plan, resume_erasure, serialize_plan
from lunaport.scsi.limits import ERASE_CHUNK_BYTES, ERASE_FLUSH_BYTES

from .support import BLOCKS, SIZE, Bench, FakeTask

BLOCK_ERASE = "48 02 00 00 00 00 00 0000 00"
BLOCK_ERASE_AT_ONCE = "48 82 00 00 00 00 00 0000 00"
CRYPTO_ERASE = "48 03 00 00 00 00 00 0000 00"
EXIT = "48 1F 00 00 00 00 00 0000 00"
READY = "00 00 00 00 00 00"
WRITE = "2A 00 00000000 00 0001 00"
READ = "28 00 00000000 00 0001 00"
SENSE = "03 00 00 00 FF 00"


class MemoryJournal:
    """A journal that can be made to fail."""

    def __init__(self) -> None:
        self.document: bytes | None = None
        self.saves: list[bytes | None] = []
        self.bad = False

    def load(self) -> bytes | None:
        return self.document

    def save(self, document: bytes | None) -> None:
        if self.bad:
            raise DeviceError(DeviceFault.NO_SPACE, "full")
        self.saves.append(document)
        self.document = document


def bench(device: MemoryDevice | FaultFilter | None = None, *, encrypted: bool = False) -> tuple[Bench, MemoryJournal]:
    made = Bench(device)
    journal = MemoryJournal()
    made.unit.erase_journal = journal
    if encrypted:
        made.unit.erase_key = lambda: journal.saves.append(b"key")
    return made, journal


def overwrite(pattern: bytes, *, passes: int = 1, flags: int = 0, cdb_flags: int = 0) -> tuple[str, bytes]:
    parameters = bytes((passes | flags, 0)) + len(pattern).to_bytes(2, "big") + pattern
    return f"48 {1 | cdb_flags:02X} 00 00 00 00 00 {len(parameters):04X} 00", parameters


def content(bench: Bench) -> bytes:
    data = bytearray(bench.memory.size_bytes)
    bench.memory.read(0, [memoryview(data)])
    return bytes(data)


@pytest.mark.parametrize(
    ("pattern", "passes", "flags", "block"),
    [
        (b"\xaa", 1, 0, b"\xaa" * 512),
        (b"abc", 1, 0, (b"abc" * 171)[:512]),
        (b"\x0f" * 512, 2, 0x80, b"\xf0" * 512),
        (b"\x0f", 3, 0x80, b"\x0f" * 512),
        (b"\x0f", 2, 0, b"\x0f" * 512),
    ],
)
def test_overwrite_writes_every_block(pattern: bytes, passes: int, flags: int, block: bytes) -> None:
    made, journal = bench()
    cdb, parameters = overwrite(pattern, passes=passes, flags=flags)
    assert made.run(cdb, data_out=parameters).status == Status.GOOD
    assert content(made) == block * BLOCKS
    assert journal.document is None
    assert made.run(READY).status == Status.GOOD


def test_block_erase_gives_all_space_back() -> None:
    made, _ = bench()
    made.run(WRITE, data_out=b"x" * 512)
    assert made.run(BLOCK_ERASE).status == Status.GOOD
    assert content(made) == bytes(SIZE)
    assert not any(extent.mapped for extent in made.memory.extents(0, SIZE))


def test_a_key_is_destroyed_after_the_journal_is_written_and_before_anything_else() -> None:
    made, journal = bench(encrypted=True)
    made.run(WRITE, data_out=b"x" * 512)
    assert made.run(CRYPTO_ERASE).status == Status.GOOD
    assert [save if save in (b"key", None) else b"plan" for save in journal.saves] == [b"plan", b"key", None]
    assert content(made) == bytes(SIZE)


def test_there_is_no_key_to_destroy_where_nothing_is_encrypted() -> None:
    plain, _ = bench()
    assert plain.run(CRYPTO_ERASE).field_pointer == (1, 4)
    assert plain.run("A3 0C 03 48 0003 00000100 00 00").data[1] == 1
    assert plain.run("12 01 B1 00 FF 00").data[7] == 0x40
    secret, _ = bench(encrypted=True)
    assert secret.run("A3 0C 03 48 0003 00000100 00 00").data[1] == 3
    assert secret.run("12 01 B1 00 FF 00").data[7] == 0x50


@pytest.mark.parametrize(
    ("cdb", "parameters", "code"),
    [
        ("48 01 00 00 00 00 00 0004 00", bytes(4), 0x2400),
        ("48 01 00 00 00 00 00 0205 00", bytes(517), 0x2400),
        ("48 01 00 00 00 00 00 0005 00", bytes.fromhex("00 00 0001 00"), 0x2600),
        ("48 01 00 00 00 00 00 0005 00", bytes.fromhex("01 00 0000 00"), 0x2600),
        ("48 01 00 00 00 00 00 0005 00", bytes.fromhex("01 00 0002 00"), 0x2600),
        ("48 01 00 00 00 00 00 0005 00", bytes.fromhex("21 00 0001 00"), 0x2600),
        ("48 01 00 00 00 00 00 0005 00", bytes.fromhex("01 00 0001"), 0x2400),
        ("48 02 00 00 00 00 00 0008 00", bytes(8), 0x2400),
        ("48 1F 00 00 00 00 00 0008 00", bytes(8), 0x2400),
        ("48 42 00 00 00 00 00 0000 00", b"", 0x2400),
        ("48 04 00 00 00 00 00 0000 00", b"", 0x2400),
    ],
)
def test_what_is_refused_erases_nothing(cdb: str, parameters: bytes, code: int) -> None:
    made, journal = bench()
    made.run(WRITE, data_out=b"x" * 512)
    task = made.run(cdb, data_out=parameters)
    assert (task.sense_key, task.sense_code) == (5, code)
    assert content(made)[:512] == b"x" * 512
    assert journal.saves == []


# While it runs


def started(cdb: str = BLOCK_ERASE_AT_ONCE, size: int = 4 * ERASE_CHUNK_BYTES) -> tuple[Bench, MemoryJournal, FakeTask]:
    made, journal = bench(MemoryDevice(size))
    return made, journal, made.start(cdb)


def test_it_is_put_down_before_the_command_is_answered() -> None:
    made, journal, task = started()
    assert (task.finishes, journal.saves) == (0, [])
    assert made.start(READY, nexus=made.other).sense_code == 0x041B, "not ready from the moment it was asked for"
    made.background.step()
    assert task.status == Status.GOOD
    assert journal.document is not None
    assert parse_plan(journal.document).method is Method.DISCARD


def test_a_journal_that_cannot_be_written_leaves_all_as_it_is() -> None:
    made, journal = bench()
    journal.bad = True
    made.run(WRITE, data_out=b"x" * 512)
    assert made.run(BLOCK_ERASE).sense_code == 0x2707
    assert made.run(READ, expected_length=512).data == b"x" * 512


def test_others_are_told_how_far_it_is() -> None:
    made, _, _ = started()
    made.background.step()
    made.background.step()
    task = made.start(READY, nexus=made.other)
    assert (task.status, task.sense_key, task.sense_code) == (Status.CHECK_CONDITION, 2, 0x041B)
    assert task.sense[15:18] == bytes.fromhex("80 4000"), "a quarter"
    sense = made.start(SENSE, expected_length=252).data
    assert (sense[2], sense[12:14], sense[15:18]) == (2, bytes.fromhex("041B"), bytes.fromhex("80 4000"))
    descriptor = made.start("03 01 00 00 FF 00", expected_length=252).data
    assert descriptor[8:16] == bytes.fromhex("02 06 0000 80 4000 00")
    for cdb in ("12 00 00 00 24 00", "A0 00 00 00 00 00 00000100 00 00", "A3 0C 00 00 0000 00001000 00 00"):
        assert made.start(cdb, expected_length=4096).status == Status.GOOD
    for cdb in (READ, WRITE, "1B 00 00 10 10 00", BLOCK_ERASE, EXIT, "04 00 00 00 00 00", "25 00 00000000 0000 00 00"):
        assert made.start(cdb, expected_length=512).sense_code == 0x041B
    made.background.drain()
    assert made.run(READY).status == Status.GOOD


def test_an_abort_or_a_reset_ends_the_command_and_not_the_erasure() -> None:
    made, journal, task = started(BLOCK_ERASE)
    made.background.step()
    done: list[int] = []
    made.unit.reset(lambda: done.append(1))
    assert (done, task.finishes) == ([], 0)
    made.background.step()
    assert (done, task.status) == ([1], Status.TASK_ABORTED)
    assert made.start(READY).sense_code == 0x2903
    assert made.start(READY).sense_code == 0x041B
    made.nexus.close(lambda: done.append(2))
    assert done == [1, 2]
    made.background.drain()
    assert (journal.document, made.unit.erasure) == (None, None)


def test_commands_that_wait_are_ended_first_so_that_nothing_they_write_lands_later() -> None:
    made, journal = bench()
    waiting = made.start(WRITE, nexus=made.other, data_out=b"l" * 512, immediate=0)
    mine = made.start(WRITE, data_out=b"m" * 512, immediate=0)
    task = made.run(BLOCK_ERASE)
    assert (waiting.status, mine.status, task.status) == (Status.TASK_ABORTED, Status.TASK_ABORTED, Status.GOOD)
    assert made.run(READY, nexus=made.other).sense_code == 0x2F00
    assert made.run(READY).status == Status.GOOD
    assert journal.document is None


def test_it_waits_for_copies_that_write_to_the_unit() -> None:
    made, journal = bench()
    made.unit.hold()
    task = made.start(BLOCK_ERASE)
    made.background.drain()
    assert task.finishes == 0
    assert journal.saves == []
    made.unit.release()
    made.background.drain()
    assert task.status == Status.GOOD


# A restart


def test_it_goes_on_where_it_was_put_down() -> None:
    made, journal, _ = started(size=2 * ERASE_FLUSH_BYTES + ERASE_CHUNK_BYTES)
    while len(journal.saves) < 2:
        made.background.step()
    assert journal.document is not None
    plan = parse_plan(journal.document)
    assert plan.done_bytes == ERASE_FLUSH_BYTES
    again = Bench(MemoryDevice(2 * ERASE_FLUSH_BYTES + ERASE_CHUNK_BYTES))
    again.unit.erase_journal = journal
    resume_erasure(again.unit, plan)
    assert again.start(READY).sense_code == 0x041B
    assert len(again.background.queue) == 1
    again.background.drain()
    assert journal.document is None
    assert again.run(READY).status == Status.GOOD


def test_a_disk_that_was_grown_is_erased_from_the_start() -> None:
    made = Bench()
    resume_erasure(
        made.unit,
        ErasePlan(method=Method.OVERWRITE, sanitize=True, size_bytes=SIZE // 2, done_bytes=SIZE // 2, pattern=b"p"),
    )
    made.background.drain()
    assert content(made) == b"p" * SIZE


def test_a_unit_that_is_closed_keeps_its_journal() -> None:
    made, journal, task = started(BLOCK_ERASE)
    made.background.step()
    made.nexus.close(lambda: None)
    made.unit.closing = True
    made.background.drain()
    assert task.status == Status.TASK_ABORTED
    assert journal.document is not None


@given(
    plan=st.builds(
        ErasePlan,
        method=st.sampled_from(Method),
        sanitize=st.booleans(),
        pattern=st.binary(min_size=1, max_size=4096),
        passes=st.integers(1, 31),
        invert=st.booleans(),
        may_exit=st.booleans(),
        size_bytes=st.integers(0, 1 << 60),
        done_bytes=st.integers(0, 1 << 62),
        failed=st.booleans(),
    )
)
def test_a_plan_is_what_was_put_down(plan: ErasePlan) -> None:
    assert parse_plan(serialize_plan(plan)) == plan


@given(st.binary() | st.sampled_from([b"{}", b"[]", b"null", serialize_plan(UNREADABLE).replace(b"discard", b"other")]))
def test_what_is_no_plan_counts_as_failed(document: bytes) -> None:
    assert parse_plan(document) == UNREADABLE


# Failure


def failed(*, may_exit: bool = False) -> tuple[Bench, MemoryJournal, FaultFilter, FakeTask]:
    disk = FaultFilter(MemoryDevice(SIZE), FaultRule(operation="unmap", fault=DeviceFault.MEDIUM_WRITE))
    made, journal = bench(disk)
    task = made.run("48 22 00 00 00 00 00 0000 00" if may_exit else BLOCK_ERASE)
    return made, journal, disk, task


def test_a_failure_closes_the_unit_until_it_is_erased() -> None:
    made, journal, disk, task = failed()
    assert (task.sense_key, task.sense_code) == (3, 0x3103)
    for cdb in (READY, READ):
        task = made.run(cdb)
        assert (task.sense_key, task.sense_code) == (3, 0x3103)
    assert journal.document is not None
    assert parse_plan(journal.document).failed
    assert made.run(EXIT).field_pointer == (1, 4)
    disk.clear()
    assert made.run(BLOCK_ERASE).status == Status.GOOD
    assert made.run(READY).status == Status.GOOD
    assert journal.document is None


def test_a_failure_can_be_left_where_that_was_allowed() -> None:
    made, journal, _, _ = failed(may_exit=True)
    journal.bad = True
    assert made.run(EXIT).sense_code == 0x2707
    journal.bad = False
    assert made.run(EXIT).status == Status.GOOD
    assert made.run(READY).status == Status.GOOD
    assert journal.document is None
    assert made.run(EXIT).status == Status.GOOD, "nothing to leave is no error"


def test_a_failure_survives_a_restart() -> None:
    made = Bench()
    resume_erasure(made.unit, UNREADABLE)
    assert made.background.queue == []
    assert made.run(READY).sense_code == 0x3103
    assert made.run("04 00 00 00 00 00").status == Status.GOOD
    assert made.run(READY).status == Status.GOOD


@given(parameters=st.binary(max_size=600), flags=st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_any_list_gets_a_status_and_sense_that_fits(parameters: bytes, flags: int) -> None:
    made, _ = bench()
    task = made.run(
        bytes((0x48, flags << 5 | 1, 0, 0, 0, 0, 0)) + len(parameters).to_bytes(2, "big") + b"\0", data_out=parameters
    )
    assert task.status in (Status.GOOD, Status.CHECK_CONDITION)
    assert not task.sense or task.sense_key == 5
