"""UNMAP and WRITE SAME."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.blockdev.device import DeviceFault, Extent
from lunaport.blockdev.filters import Call, FaultFilter, FaultRule, Filter, TraceFilter
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status
from lunaport.scsi.provisioning import block_runs, parse_unmap
from lunaport.scsi.sense import ScsiError

from .support import SIZE, Bench

MAPPED = Extent(offset=0, length=SIZE, mapped=True)
UNMAPPED = Extent(offset=0, length=SIZE, mapped=False)


class Huge(Filter):
    """A device of 8 TiB that remembers what is unmapped."""

    size_bytes = 8 << 40

    def unmap(self, offset: int, length: int) -> None:
        assert offset + length <= self.size_bytes


def full() -> Bench:
    bench = Bench()
    bench.memory.write(0, [memoryview(b"x" * SIZE)])
    return bench


def unmap_list(*ranges: tuple[int, int]) -> bytes:
    descriptors = b"".join(struct.pack(">QI4x", lba, blocks) for lba, blocks in ranges)
    return struct.pack(">HH4x", len(descriptors) + 6, len(descriptors)) + descriptors


def unmap_cdb(parameters: bytes) -> bytes:
    return bytes.fromhex("42 00 00000000 00") + len(parameters).to_bytes(2) + b"\0"


@pytest.mark.parametrize("immediate", [None, 0, 10])
def test_unmap_gives_space_back(immediate: int | None) -> None:
    bench = full()
    parameters = unmap_list((0, 8), (16, 8), (2048, 0))
    assert bench.run(unmap_cdb(parameters), data_out=parameters, immediate=immediate).status == Status.GOOD
    assert bench.memory.extents(0, 4 * 4096) == [
        Extent(offset=0, length=4096, mapped=False),
        Extent(offset=4096, length=4096, mapped=True),
        Extent(offset=8192, length=4096, mapped=False),
        Extent(offset=12288, length=4096, mapped=True),
    ]


def test_unmap_of_nothing() -> None:
    bench = full()
    assert bench.run("42 00 00000000 00 0000 00", expected_length=0).status == Status.GOOD
    parameters = unmap_list()
    assert bench.run(unmap_cdb(parameters), data_out=parameters).status == Status.GOOD
    assert bench.memory.extents(0, SIZE) == [MAPPED]


def test_unmap_ignores_an_incomplete_last_descriptor() -> None:
    bench = full()
    parameters = struct.pack(">HH4x", 29, 23) + struct.pack(">QI4x", 0, 8) + bytes(7)
    assert bench.run(unmap_cdb(parameters), data_out=parameters).status == Status.GOOD
    assert bench.memory.extents(0, 4096)[0].mapped is False


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        (bytes(7), 0x1A00),  # not even a header
        (struct.pack(">HH4x", 22, 16) + bytes(15), 0x1A00),  # the descriptor is cut off
        (unmap_list((2047, 2)), 0x2100),
        (unmap_list((2049, 0)), 0x2100),
        (unmap_list((0, 8), (2**64 - 1, 2**32 - 1)), 0x2100),
        (unmap_list(*[(0, 0)] * 257), 0x2600),
    ],
)
def test_unmap_refuses_and_changes_nothing(parameters: bytes, code: int) -> None:
    bench = full()
    task = bench.run(unmap_cdb(parameters), data_out=parameters, immediate=0)
    assert (task.status, task.sense_code) == (Status.CHECK_CONDITION, code)
    assert bench.memory.extents(0, SIZE) == [MAPPED]


def test_unmap_bounds() -> None:
    bench = Bench(Huge(MemoryDevice(512)))
    most = 1 << 20
    for ranges, status in (
        ([(0, most)], Status.GOOD),
        ([(0, most - 1), (most, 1)], Status.GOOD),
        ([(0, most), (most, 1)], Status.CHECK_CONDITION),
        ([(0, most + 1)], Status.CHECK_CONDITION),
        ([(0, 1)] * 256, Status.GOOD),
    ):
        parameters = unmap_list(*ranges)
        task = bench.run(unmap_cdb(parameters), data_out=parameters)
        assert task.status == status
    parameters = unmap_list((0, most), (most, 1))
    task = bench.run(unmap_cdb(parameters), data_out=parameters)
    assert task.sense[12:18] == bytes.fromhex("2600 00 80 0020")  # the number of blocks of the second descriptor


class WithoutAnchors(Filter):
    """On a file system that does not tell space without data from none."""

    can_anchor = False


def test_anchored_blocks_read_as_zeros_and_keep_their_space() -> None:
    bench = full()
    used = bench.memory.space().used_bytes
    parameters = unmap_list((8, 8), (32, 8))
    anchor = unmap_cdb(parameters).replace(b"\x42\0", b"\x42\1")
    assert bench.run(anchor, data_out=parameters).status == Status.GOOD
    assert status_of(bench, 0)[:4] == [(0, 8, 0), (8, 8, 2), (16, 16, 0), (32, 8, 2)]
    assert bench.memory.space().used_bytes == used
    assert bench.run("28 00 00000008 00 0008 00", expected_length=4096).data == bytes(4096)
    # A write maps; UNMAP without ANCHOR gives the space back; UNMAP with it takes space where there was none.
    assert bench.run("2A 00 00000008 00 0008 00", data_out=b"w" * 4096).status == Status.GOOD
    parameters = unmap_list((32, 8))
    assert bench.run(unmap_cdb(parameters), data_out=parameters).status == Status.GOOD
    assert status_of(bench, 0)[:3] == [(0, 32, 0), (32, 8, 1), (40, 2008, 0)]
    assert bench.run(b"\x42\1" + unmap_cdb(parameters)[2:], data_out=parameters).status == Status.GOOD
    assert status_of(bench, 32)[0] == (32, 8, 2)


@pytest.mark.parametrize("cdb", ["41 18 00000008 00 0008 00", "93 18 0000000000000008 00000008 00 00"])
def test_write_same_with_anchor(cdb: str) -> None:
    bench = full()
    assert bench.run(cdb, data_out=bytes(512)).status == Status.GOOD
    assert status_of(bench, 0)[:3] == [(0, 8, 0), (8, 8, 2), (16, 2032, 0)]
    assert bench.run(cdb, data_out=b"y" * 512).status == Status.GOOD
    assert status_of(bench, 0) == [(0, 2048, 0)]


def test_space_that_cannot_be_anchored_is_told() -> None:
    rule = FaultRule(operation="write_zeroes", fault=DeviceFault.NO_SPACE)
    bench = Bench(FaultFilter(MemoryDevice(SIZE), rule))
    parameters = unmap_list((0, 8))
    task = bench.run(b"\x42\1" + unmap_cdb(parameters)[2:], data_out=parameters)
    assert (task.sense[2] & 0x0F, task.sense_code) == (7, 0x2707)


@pytest.mark.parametrize(
    "cdb", ["42 01 00000000 00 0000 00", "41 18 00000000 00 0001 00", "93 19 0000000000000000 00000001 00 00"]
)
def test_anchor_is_refused_where_nobody_could_tell_it(cdb: str) -> None:
    bench = Bench(WithoutAnchors(MemoryDevice(SIZE)))
    assert bench.run(cdb, data_out=bytes(512)).field_pointer == ((1, 0) if cdb[0:2] == "42" else (1, 4))
    assert bench.run("12 01 B2 00 08 00").data[5] & 0x02 == 0
    assert Bench().run("12 01 B2 00 08 00").data[5] & 0x02


def test_unmap_refuses_thick_units() -> None:
    assert Bench(thin=False).run("42 00 00000000 00 0000 00").sense_code == 0x2000
    assert Bench(MemoryDevice(SIZE, can_unmap=False)).run("42 00 00000000 00 0000 00").sense_code == 0x2000


def test_unmap_faults() -> None:
    calls: list[Call] = []
    rule = FaultRule(operation="unmap", fault=DeviceFault.MEDIUM_WRITE, offset=4096)
    bench = Bench(FaultFilter(TraceFilter(MemoryDevice(SIZE), calls.append), rule))
    parameters = unmap_list((0, 8), (8, 8), (16, 8))
    assert bench.run(unmap_cdb(parameters), data_out=parameters).sense_code == 0x0C00
    assert calls == [Call(operation="unmap", offset=0, length=4096)]


@given(
    st.binary(max_size=300)
    | st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000))).map(lambda r: unmap_list(*r))
)
def test_any_unmap_list_is_in_range_or_refused(parameters: bytes) -> None:
    bench = Bench()
    try:
        extents = parse_unmap(parameters, bench.unit)
    except ScsiError:
        pass  # any other exception is a failure
    else:
        assert all(length > 0 and offset + length <= SIZE for offset, length in extents)


@pytest.mark.parametrize("cdb", ["41 {} 00000008 00 0010 00", "93 {} 0000000000000008 00000010 00 00"])
@pytest.mark.parametrize(
    ("flags", "block", "operation"),
    [
        ("00", b"y" * 512, "write"),
        ("08", b"y" * 512, "write"),  # may not be unmapped: would read as zeros
        ("00", bytes(512), "write_zeroes"),
        ("08", bytes(512), "unmap"),
    ],
)
def test_write_same(cdb: str, flags: str, block: bytes, operation: str) -> None:
    calls: list[Call] = []
    memory = MemoryDevice(SIZE)
    memory.write(0, [memoryview(b"x" * SIZE)])
    bench = Bench(TraceFilter(memory, calls.append))
    for immediate in (None, 0):
        assert bench.run(cdb.format(flags), data_out=block, immediate=immediate).status == Status.GOOD
    assert calls == [Call(operation=operation, offset=4096, length=8192)] * 2
    buffer = memoryview(bytearray(3 * 4096))
    memory.read(3584, [buffer])
    assert buffer == b"x" * 512 + block * 16 + b"x" * (3 * 4096 - 512 - 8192)


@pytest.mark.parametrize(("flags", "operation"), [("01", "write_zeroes"), ("09", "unmap")])
def test_write_same_16_without_data_buffer(flags: str, operation: str) -> None:
    calls: list[Call] = []
    bench = Bench(TraceFilter(MemoryDevice(SIZE), calls.append))
    cdb = f"93 {flags} 0000000000000008 00000010 00 00"
    assert bench.run(cdb, expected_length=0).status == Status.GOOD
    assert calls == [Call(operation=operation, offset=4096, length=8192)]


def test_write_same_moves_in_chunks() -> None:
    calls: list[Call] = []
    bench = Bench(TraceFilter(MemoryDevice(4 << 20), calls.append))
    assert bench.run("41 00 00000001 00 0500 00", data_out=b"y" * 512).status == Status.GOOD
    assert [(call.offset, call.length) for call in calls] == [
        (512, 256 << 10),
        (512 + (256 << 10), 256 << 10),
        (512 + (512 << 10), 128 << 10),
    ]


@pytest.mark.parametrize(
    ("cdb", "data"),
    [
        ("41 00 00000001 00 1400 00", b"y" * 512),
        ("42 00 00000000 00 0038 00", unmap_list((0, 8), (8, 8), (16, 8))),
    ],
)
def test_an_abort_stops_between_two_steps(cdb: str, data: bytes) -> None:
    calls: list[Call] = []

    def record(call: Call) -> None:
        calls.append(call)
        task.abort()

    bench = Bench(TraceFilter(MemoryDevice(4 << 20), record))
    task = bench.start(cdb, data_out=data)
    bench.background.drain()
    assert (len(calls), task.status) == (1, Status.TASK_ABORTED)


@pytest.mark.parametrize(
    ("cdb", "code", "pointer"),
    [
        ("41 00 00000000 00 0000 00", 0x2400, (7, None)),  # WSNZ
        ("93 00 0000000000000000 00000000 00 00", 0x2400, (10, None)),
        ("41 00 000007FF 00 0002 00", 0x2100, None),
        ("93 01 0000000000000800 00000000 00 00", 0x2100, None),
        ("41 10 00000000 00 0001 00", 0x2400, (1, 4)),  # ANCHOR without UNMAP
        ("41 01 00000000 00 0001 00", 0x2400, (1, 0)),  # NDOB exists in the 16-byte command only
    ],
)
def test_write_same_refuses(cdb: str, code: int, pointer: tuple[int, int | None] | None) -> None:
    task = Bench().run(cdb, data_out=bytes(512))
    assert task.sense_code == code
    if pointer is not None:
        assert task.field_pointer == pointer


@pytest.mark.parametrize("length", [0, 511, 513, 1024])
def test_write_same_takes_one_block(length: int) -> None:
    for immediate in (None, 0):
        task = Bench().run("41 00 00000000 00 0001 00", data_out=bytes(length), immediate=immediate)
        assert (task.status, task.sense_code) == (Status.CHECK_CONDITION, 0x0E03)


def test_write_same_length_at_its_bound() -> None:
    bench = Bench(Huge(MemoryDevice(512)))
    cdb = "93 09 0000000000000000 {:08X} 00 00"
    assert bench.run(cdb.format((16 << 20) >> 9), expected_length=0).status == Status.GOOD
    assert bench.run(cdb.format(((16 << 20) >> 9) + 1), expected_length=0).field_pointer == (10, None)


def test_write_same_unmap_of_a_thick_unit() -> None:
    task = Bench(thin=False).run("41 08 00000000 00 0001 00", data_out=bytes(512))
    assert (task.sense_code, task.field_pointer) == (0x2400, (1, 3))
    assert Bench(thin=False).run("41 00 00000000 00 0001 00", data_out=bytes(512)).status == Status.GOOD


@pytest.mark.parametrize("cdb", ["41 00 000007FE 00 0000 00", "93 00 00000000000007FE 00000000 00 00"])
def test_write_same_of_a_thick_unit_to_its_end(cdb: str) -> None:
    bench = Bench(thin=False)
    assert bench.run(cdb, data_out=b"e" * 512).status == Status.GOOD
    buffer = memoryview(bytearray(1536))
    bench.memory.read(SIZE - 1536, [buffer])
    assert buffer == bytes(512) + b"e" * 1024


def test_write_same_to_the_end_is_bounded_too() -> None:
    bench = Bench(MemoryDevice(32 << 20), thin=False)
    assert bench.run("41 00 00000000 00 0000 00", data_out=b"e" * 512).field_pointer == (7, None)


def status_of(bench: Bench, lba: int, allocation: int = 1000) -> list[tuple[int, int, int]]:
    data = bench.run(b"\x9e\x12" + lba.to_bytes(8) + allocation.to_bytes(4) + bytes(2)).data
    assert int.from_bytes(data[:4]) == len(data) - 4
    rows = [data[start : start + 16] for start in range(8, len(data), 16)]
    return [(int.from_bytes(row[:8]), int.from_bytes(row[8:12]), row[12]) for row in rows]


def test_lba_status_tells_which_blocks_have_space() -> None:
    bench = Bench()
    bench.memory.write(8192, [memoryview(b"x" * 4096)])
    assert status_of(bench, 0) == [(0, 16, 1), (16, 8, 0), (24, 2024, 1)]
    assert status_of(bench, 18) == [(18, 6, 0), (24, 2024, 1)]
    assert status_of(bench, 0, allocation=24) == [(0, 16, 1)]
    assert status_of(bench, 2047) == [(2047, 1, 1)]
    assert bench.run("9E 12 0000000000000800 00000018 00 00").sense_code == 0x2100


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2)), min_size=1), st.sampled_from([512, 4096]))
def test_runs_of_blocks_cover_everything_and_call_no_data_unmapped(
    runs: list[tuple[int, int]], block_size_bytes: int
) -> None:
    bench = Bench(block_size_bytes=block_size_bytes)
    extents: list[Extent] = []
    offset = 0
    for length, status in runs:
        extents.append(Extent(offset=offset, length=length * 512, mapped=status == 0, anchored=status == 2))
        offset += length * 512
    found = block_runs(extents, bench.unit)
    position = 0
    for lba, blocks, _ in found:
        assert (lba, blocks > 0) == (position, True)
        position += blocks
    for extent in extents:
        if extent.mapped:
            for byte in (extent.offset, extent.offset + extent.length - 1):
                block = byte // block_size_bytes
                assert any(status == 0 for lba, blocks, status in found if lba <= block < lba + blocks)
    for lba, blocks, status in found:
        for extent in extents if status else []:
            inside = (
                extent.offset < (lba + blocks) * block_size_bytes
                and lba * block_size_bytes < extent.offset + extent.length
            )
            assert not inside or extent.anchored == (status == 2)
    assert all(a[2] != b[2] for a, b in pairwise(found))


def test_unmapped_device() -> None:
    assert Bench().memory.extents(0, SIZE) == [UNMAPPED]
