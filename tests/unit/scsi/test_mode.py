"""MODE SENSE and MODE SELECT, byte by byte, and what choosing does."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.blockdev.device import Space
from lunaport.blockdev.filters import Call, TraceFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status
from lunaport.scsi.mode import parse_mode_parameters
from lunaport.scsi.mode_pages import METHODS, Modes, modes_of, pages_of
from lunaport.scsi.sense import ScsiError

from .support import SIZE, Bench, FakeTask

RECOVERY = "010A" + "00" * 10
CACHING = "08 12 04" + "00" * 17  # WCE
CONTROL = "0A 0A 02 10 00000000 FFFF 0000"  # GLTSD, unrestricted reordering, busy timeout without a limit
EXCEPTIONS = "1C 0A 08" + "00" * 9  # DEXCPT
PROVISIONING = "5C 02 0014" + "00" * 12 + "00 01 0000 00000000"  # a soft threshold of what is available, not set
CHANGEABLE = "04" + "00" * 17 + "0A0A" + "04 00 08" + "00" * 7 + "1C0A" + "0C 0F" + "00" * 8
"""WCE; D_SENSE, SWP; DEXCPT, TEST, MRIE."""
ALL = RECOVERY + CACHING + CONTROL + EXCEPTIONS
BLOCKS = "00000800 00000200"


@pytest.mark.parametrize(
    ("cdb", "data"),
    [
        ("1A 08 01 00 FF 00", "0F 00 10 00" + RECOVERY),
        ("1A 08 08 00 FF 00", "17 00 10 00" + CACHING),
        ("1A 00 08 00 FF 00", "1F 00 10 08" + BLOCKS + CACHING),
        ("1A 00 0A 00 FF 00", "17 00 10 08" + BLOCKS + CONTROL),
        ("1A 08 1C 00 FF 00", "0F 00 10 00" + EXCEPTIONS),
        ("1A 08 1C FF FF 00", "27 00 10 00" + EXCEPTIONS + PROVISIONING),
        ("1A 08 1C 02 FF 00", "1B 00 10 00" + PROVISIONING),
        ("1A 08 5C 02 FF 00", "1B 00 10 00 5C 02 0014" + "00" * 20),  # nothing of it can be changed
        ("1A 08 3F 00 FF 00", "3B 00 10 00" + ALL),
        ("1A 08 3F FF FF 00", "53 00 10 00" + ALL + PROVISIONING),
        ("1A 08 88 00 FF 00", "17 00 10 00" + CACHING),  # default
        ("1A 08 7F 00 FF 00", "3B 00 10 00" + RECOVERY + "0812" + CHANGEABLE),  # changeable
        ("1A 08 08 00 06 00", "17 00 10 00 08 12"),
        ("5A 08 08 00 000000 00FF 00", "001A 00 10 00 00 0000" + CACHING),
        ("5A 00 08 00 000000 00FF 00", "0022 00 10 00 00 0008" + BLOCKS + CACHING),
        ("5A 10 08 00 000000 00FF 00", "002A 00 10 01 00 0010 0000000000000800 00000000 00000200" + CACHING),
        ("5A 18 3F 00 000000 0004 00", "003E 00 10"),
    ],
)
def test_data(cdb: str, data: str) -> None:
    assert Bench().run(cdb).data == bytes.fromhex(data)


@pytest.mark.parametrize(
    ("cdb", "code", "pointer"),
    [
        ("1A 00 09 00 FF 00", 0x2400, (2, 5)),  # no such page
        ("5A 00 08 01 000000 00FF 00", 0x2400, (3, None)),  # no such subpage
        ("5A 00 3F 02 000000 00FF 00", 0x2400, (3, None)),  # of all pages at once
        ("1A 10 08 00 FF 00", 0x2400, (1, 4)),  # LLBAA in the 6-byte command
        ("5A 00 C8 00 000000 00FF 00", 0x3900, None),  # saved values
    ],
)
def test_refuses(cdb: str, code: int, pointer: tuple[int, int | None] | None) -> None:
    task = Bench().run(cdb)
    assert task.sense_code == code
    if pointer is not None:
        assert task.field_pointer == pointer


@given(st.integers(0, 0x18), st.integers(0, 255), st.integers(0, 255), st.integers(0, 65535))
def test_lengths_always_agree(flags: int, page: int, subpage: int, allocation: int) -> None:
    task = Bench().run(bytes([0x5A, flags, page, subpage, 0, 0, 0]) + allocation.to_bytes(2) + b"\0")
    if task.status == 0 and len(task.data) >= 8:
        length = int.from_bytes(task.data[:2]) + 2
        assert len(task.data) == min(allocation, length)
        position = 8 + int.from_bytes(task.data[6:8])
        while position < len(task.data):
            position += 2 + task.data[position + 1] if position + 1 < len(task.data) else 2
        if allocation >= length:
            assert position == length


SELECT = "15 {} 00 00 {:02X} 00"
WRITE_THROUGH = "00 00 00 00 0812 00" + "00" * 17
DESCRIPTOR_SENSE = "00 00 00 00 0A0A 06 10 00000000 FFFF 0000"
WRITE_PROTECT = "00 00 00 00 0A0A 02 10 08000000 FFFF 0000"


def select(bench: Bench, parameters: str, flags: str = "10", immediate: int | None = None) -> FakeTask:
    data = bytes.fromhex(parameters)
    return bench.run(SELECT.format(flags, len(data)), data_out=data, immediate=immediate)


@pytest.mark.parametrize("immediate", [None, 0])
def test_without_a_write_cache_every_write_is_flushed(immediate: int | None) -> None:
    calls: list[Call] = []
    bench = Bench(TraceFilter(MemoryDevice(SIZE), calls.append))
    assert select(bench, WRITE_THROUGH, immediate=immediate).status == Status.GOOD
    assert [call.operation for call in calls] == ["flush"]  # what was in the cache is on the medium first
    assert bench.run("1A 08 08 00 FF 00").data[6] == 0
    for cdb, operation in [
        ("2A 00 00000000 00 0001 00", "write"),
        ("41 00 00000000 00 0001 00", "write_zeroes"),
        ("9C 00 0000000000000000 0000 0001 00 00", "write_atomic"),
    ]:
        calls.clear()
        assert bench.run(cdb, data_out=bytes(512)).status == Status.GOOD
        assert [call.operation for call in calls] == [operation, "flush"]
    select(bench, WRITE_THROUGH.replace("0812 00", "0812 04"))
    calls.clear()
    bench.run("2A 00 00000000 00 0001 00", data_out=bytes(512))
    assert [call.operation for call in calls] == ["write_now"]


def test_descriptor_sense() -> None:
    bench = Bench()
    select(bench, DESCRIPTOR_SENSE)
    assert bench.run("28 00 00000FFF 00 0001 00").sense[:4] == bytes.fromhex("72 05 21 00")
    assert bench.run("2A 00 00000FFF 00 0001 00", data_out=bytes(512)).sense[0] == 0x72
    bench.unit.reset(lambda: None)  # nothing was saved: the defaults are back
    bench.run("00 00 00 00 00 00")
    assert bench.run("28 00 00000FFF 00 0001 00").sense[0] == 0x70


@pytest.mark.parametrize(
    ("cdb", "data"),
    [
        ("0A 00 00 00 01 00", 512),
        ("2A 00 00000000 00 0001 00", 512),
        ("2E 00 00000000 00 0001 00", 512),
        ("41 00 00000000 00 0001 00", 512),
        ("93 09 0000000000000000 00000001 00 00", 0),
        ("42 00 00000000 00 0018 00", 24),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("immediate", [None, 0])
def test_what_is_write_protected_can_be_read_only(cdb: str, data: int, read_only: bool, immediate: int | None) -> None:
    bench = Bench(read_only=read_only)
    if not read_only:
        select(bench, WRITE_PROTECT)
    task = bench.run(cdb, data_out=bytes(data), immediate=immediate)
    assert (task.sense_key, task.sense_code) == (7, 0x2700)
    assert bench.run("28 00 00000000 00 0001 00").status == Status.GOOD
    assert bench.run("1A 08 08 00 FF 00").data[2] == 0x90


def test_the_other_nexuses_are_told_of_a_change() -> None:
    bench = Bench()
    select(bench, DESCRIPTOR_SENSE)
    assert bench.run("00 00 00 00 00 00").status == Status.GOOD
    assert bench.run("00 00 00 00 00 00", nexus=bench.other).sense[2:4] == bytes.fromhex("2A01")
    select(bench, DESCRIPTOR_SENSE)  # the same again
    assert bench.run("00 00 00 00 00 00", nexus=bench.other).status == Status.GOOD


def test_saved_pages_are_kept_and_come_back_with_a_reset() -> None:
    kept: list[Modes] = []
    bench = Bench(save_modes=kept.append)
    assert select(bench, DESCRIPTOR_SENSE, "11").status == Status.GOOD
    assert kept == [Modes(descriptor_sense=True)]
    select(bench, WRITE_PROTECT)
    assert bench.run("1A 08 CA 00 FF 00").data[4:7] == bytes.fromhex("8A 0A 06")  # saved, and can be saved
    bench.unit.reset(lambda: None)
    assert bench.unit.modes == kept[0]
    assert Bench(saved_modes=kept[0]).unit.modes == kept[0]


def test_pages_that_cannot_be_saved() -> None:
    assert select(Bench(), DESCRIPTOR_SENSE, "11").field_pointer == (1, 0)


def test_what_mode_sense_gave_can_be_sent_back() -> None:
    bench = Bench()
    bench.unit.threshold.percent = 10
    bench.unit.look_at_space(Space(used_bytes=0, free_bytes=1 << 40, total_bytes=1 << 40))
    short = bytearray(bench.run("1A 00 3F FF FF 00").data)
    assert select(bench, short.hex()).status == Status.GOOD
    long = bench.run("5A 10 3F FF 000000 00FF 00").data
    cdb = "55 10 00 00000000" + f"{len(long):04X}" + "00"
    assert bench.run(cdb, data_out=long).status == Status.GOOD


@pytest.mark.parametrize(
    ("parameters", "code", "pointer"),
    [
        ("00 00 00", 0x1A00, None),
        ("00 00 00 00 08", 0x1A00, None),
        ("00 00 00 00 0812 00", 0x1A00, None),
        ("00 00 00 00 0811" + "00" * 18, 0x2600, (5, None)),
        ("00 00 00 00 0912" + "00" * 18, 0x2600, (4, 5)),  # no such page
        ("00 00 00 00 4A01 0000", 0x2600, (4, 6)),  # no such subpage
        ("00 00 00 00 5C02 00", 0x1A00, None),
        ("00 00 00 00 5C02 0013" + "00" * 19, 0x2600, (6, None)),
        ("00 00 00 00 5C02 0014" + "00" * 12 + "80 01 0000 00000000", 0x2600, (20, 7)),  # nobody sets it here
        ("00 00 00 00 1C0A 0C" + "00" * 9, 0x2600, (6, 2)),  # DEXCPT and TEST
        ("00 00 00 00 1C0A 00 03" + "00" * 8, 0x2600, (7, 3)),  # another method
        ("00 00 00 00 0812 05" + "00" * 17, 0x2600, (6, 0)),  # RCD
        ("00 00 00 08 00000800 00000400", 0x2600, (8, None)),  # another block length
        ("00 00 00 08 00000801 00000200", 0x2600, (4, None)),  # another number of blocks
        ("00 00 00 07 00000800 000002", 0x2600, (3, None)),
        ("00 00 00 08 00000800", 0x1A00, None),
    ],
)
def test_parameters_that_are_wrong_change_nothing(
    parameters: str, code: int, pointer: tuple[int, int | None] | None
) -> None:
    bench = Bench()
    task = select(bench, parameters)
    assert task.sense_code == code
    if pointer is not None:
        byte, bit = pointer
        assert int.from_bytes(task.sense[16:18]) == byte
        assert task.sense[15] == (0x80 if bit is None else 0x88 | bit)
    assert bench.unit.modes == Modes()


def test_a_list_that_is_shorter_than_it_says() -> None:
    assert Bench().run("15 10 00 00 18 00", data_out=bytes(4)).sense_code == 0x1A00
    assert Bench().run("15 00 00 00 18 00", data_out=bytes(4)).field_pointer == (1, 4)  # PF


@given(st.binary(max_size=80), st.booleans())
def test_any_parameters_are_taken_or_refused(parameters: bytes, long_form: bool) -> None:
    bench = Bench()
    with contextlib.suppress(ScsiError):
        parse_mode_parameters(parameters, bench.unit, long_form=long_form)


def test_a_thick_unit_has_no_provisioning_page() -> None:
    bench = Bench(thin=False)
    assert bench.run("1A 08 1C FF FF 00").data == bytes.fromhex("0F 00 10 00" + EXCEPTIONS)
    assert bench.run("1A 08 1C 02 FF 00").field_pointer == (3, None)


EXCEPTIONS_TEST = "00 00 00 00 1C0A 04 {:02X}" + "00" * 8
LOG_EXCEPTIONS = "4D 00 6F 00 00 0000 00FF 00"
REQUEST_SENSE = "03 00 00 00 12 00"


@pytest.mark.parametrize(("method", "told"), [(0, False), (2, True), (6, False)])
def test_a_false_exception_is_reported_in_the_way_that_was_chosen(method: int, told: bool) -> None:
    kept: list[Modes] = []
    bench = Bench(save_modes=kept.append)
    assert select(bench, EXCEPTIONS_TEST.format(method), "11").status == Status.GOOD
    assert kept == [Modes(exceptions=True, exceptions_method=method)]  # the test is not saved
    assert bench.run(LOG_EXCEPTIONS).sense_code == (0x5DFF if told else 0)
    assert bench.run(LOG_EXCEPTIONS).data[8:10] == bytes.fromhex("5DFF")
    assert bench.run(REQUEST_SENSE).data[12:14] == bytes.fromhex("5DFF" if method == 6 else "0000")
    assert bench.run("00 00 00 00 00 00", nexus=bench.other).sense[12:14] == bytes.fromhex("2A01")
    assert bench.run("00 00 00 00 00 00", nexus=bench.other).sense_code == (0x5DFF if told else 0)
    select(bench, EXCEPTIONS_TEST.format(method).replace("1C0A 04", "1C0A 00"))
    assert bench.run(LOG_EXCEPTIONS).data[8:10] == bytes(2)


@given(
    st.builds(
        Modes,
        write_cache=st.booleans(),
        descriptor_sense=st.booleans(),
        write_protect=st.booleans(),
        exceptions=st.booleans(),
        exceptions_method=st.sampled_from(METHODS),
        exceptions_test=st.booleans(),
    )
)
def test_pages_say_what_was_chosen(modes: Modes) -> None:
    chosen = Modes()
    for page in pages_of(modes).values():
        chosen = modes_of(chosen, page)
    assert chosen == modes
