"""FORMAT UNIT: the parameter lists there are, and what is left of the medium."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.blockdev.device import DeviceFault
from lunaport.blockdev.filters import FaultFilter, FaultRule
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import SenseKey, Status
from lunaport.scsi.erasure import Method
from lunaport.scsi.format_unit import parse_format
from lunaport.scsi.sense import ScsiError

from .support import BLOCKS, SIZE, Bench

WRITE = "2A 00 00000000 00 0001 00"
PATTERN = bytes.fromhex("00 01 0002") + b"ab"


def content(bench: Bench) -> bytes:
    data = bytearray(SIZE)
    bench.memory.read(0, [memoryview(data)])
    return bytes(data)


@pytest.mark.parametrize(
    ("cdb", "parameters"),
    [
        ("04 00 00 00 00 00", b""),
        ("04 10 00 00 00 00", bytes(4)),
        ("04 10 00 00 00 00", bytes.fromhex("00 80 0000")),
        ("04 18 00 00 00 00", bytes.fromhex("00 F2 0000")),  # at once
        ("04 30 00 00 00 00", bytes(8)),
        ("04 10 00 00 00 00", bytes.fromhex("00 88 0000 20 00 0000")),  # the default pattern
    ],
)
def test_a_formatted_medium_is_empty(cdb: str, parameters: bytes) -> None:
    bench = Bench()
    bench.run(WRITE, data_out=b"x" * 512)
    assert bench.run(cdb, data_out=parameters).status == Status.GOOD
    assert content(bench) == bytes(SIZE)
    assert not any(extent.mapped for extent in bench.memory.extents(0, SIZE))


@pytest.mark.parametrize(
    ("cdb", "header"), [("04 10 00 00 00 00", "00 88 0000"), ("04 30 00 00 00 00", "00 88 00 00 00000000")]
)
def test_a_pattern_is_written(cdb: str, header: str) -> None:
    bench = Bench()
    assert bench.run(cdb, data_out=bytes.fromhex(header) + PATTERN).status == Status.GOOD
    assert content(bench) == b"ab" * 256 * BLOCKS


@pytest.mark.parametrize(
    ("cdb", "parameters", "code"),
    [
        ("04 08 00 00 00 00", b"", 0x2400),
        ("04 01 00 00 00 00", b"", 0x2400),
        ("04 50 00 00 00 00", bytes(4), 0x2400),  # protection information
        ("04 00 00 00 01 00", b"", 0x2400),  # fast format
        ("04 10 00 00 00 00", b"", 0x1A00),
        ("04 10 00 00 00 00", bytes(3), 0x1A00),
        ("04 30 00 00 00 00", bytes(7), 0x1A00),
        ("04 10 00 00 00 00", bytes.fromhex("01 00 0000"), 0x2600),
        ("04 10 00 00 00 00", bytes.fromhex("00 40 0000"), 0x2600),  # options that are not said to be valid
        ("04 10 00 00 00 00", bytes.fromhex("00 80 0008") + bytes(8), 0x2600),  # defects
        ("04 30 00 00 00 00", bytes.fromhex("00 80 00 01 00000000"), 0x2600),
        ("04 10 00 00 00 00", bytes.fromhex("00 88 0000 00 01"), 0x1A00),
        ("04 10 00 00 00 00", bytes.fromhex("00 88 0000 C0 01 0001 61"), 0x2600),
        ("04 10 00 00 00 00", bytes.fromhex("00 88 0000 00 02 0001 61"), 0x2600),
        ("04 10 00 00 00 00", bytes.fromhex("00 88 0000 00 01 0000"), 0x2600),
        ("04 10 00 00 00 00", bytes.fromhex("00 88 0000 00 01 0002 61"), 0x1A00),
    ],
)
def test_what_is_refused_erases_nothing(cdb: str, parameters: bytes, code: int) -> None:
    bench = Bench()
    bench.run(WRITE, data_out=b"x" * 512)
    task = bench.run(cdb, data_out=parameters)
    assert (task.sense_key, task.sense_code) == (5, code)
    assert content(bench)[:512] == b"x" * 512


def test_progress_and_failure_have_their_own_names() -> None:
    bench = Bench(FaultFilter(MemoryDevice(SIZE), FaultRule(operation="unmap", fault=DeviceFault.MEDIUM_WRITE)))
    task = bench.start("04 00 00 00 00 00")
    assert bench.start("00 00 00 00 00 00", nexus=bench.other).sense_code == 0x0404
    bench.background.drain()
    assert (task.sense_key, task.sense_code) == (3, 0x3100)
    assert bench.run("00 00 00 00 00 00").sense_code == 0x3100


@given(parameters=st.binary(max_size=40), long=st.booleans())
def test_any_list_is_a_plan_or_refused(parameters: bytes, *, long: bool) -> None:
    try:
        plan, _ = parse_format(parameters, 512, long=long)
    except ScsiError as error:
        key = error.sense.key
    else:
        assert plan.method is Method.OVERWRITE or plan.pattern == b"\0"
        return
    assert key == SenseKey.ILLEGAL_REQUEST
