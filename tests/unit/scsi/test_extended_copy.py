"""EXTENDED COPY, COPY OPERATION ABORT, RECEIVE COPY RESULTS."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.blockdev.device import DeviceFault
from lunaport.blockdev.filters import FaultFilter, FaultRule
from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.enums import Status
from lunaport.scsi.limits import COPIES_PER_UNIT_MAX, COPY_CHUNK_BYTES

from .copying import Pair, abort, extended_copy, list_1, list_4, results, segment, target_descriptor
from .support import BLOCKS, SIZE

BOTH = [target_descriptor(0), target_descriptor(1)]
NAMES_NOBODY = target_descriptor(0, naa=bytes(8))


def copy(pair: Pair, parameters: bytes, service_action: int = 0) -> tuple[int, int, int]:
    """Status, sense key and code."""
    task = pair.run(extended_copy(parameters, service_action), parameters)
    return (int(task.status or 0), task.sense_key, task.sense_code) if task.sense else (int(task.status or 0), 0, 0)


@pytest.mark.parametrize(("service_action", "make"), [(0, list_1), (1, list_4)])
def test_copies_from_one_target_to_another(service_action: int, make: Callable[..., bytes]) -> None:
    pair = Pair()
    pair.fill(0, 8 * 512, b"a" * 4096)
    parameters = make(BOTH, [segment(0, 1, 8, 8, 100), segment(0, 1, 1, 8, 0)])
    assert copy(pair, parameters, service_action) == (Status.GOOD, 0, 0)
    assert pair.content(1, 100 * 512, 4096) == b"a" * 4096
    assert pair.content(1, 0, 1024) == b"a" * 512 + bytes(512)


def test_an_empty_list_and_no_segments_are_no_error() -> None:
    pair = Pair()
    assert copy(pair, b"") == (Status.GOOD, 0, 0)
    assert copy(pair, list_1(BOTH, [])) == (Status.GOOD, 0, 0)


@pytest.mark.parametrize("distance", [1, 7, 100])
@pytest.mark.parametrize("backwards", [False, True])
def test_ranges_that_overlap_are_moved_as_if_read_first(distance: int, *, backwards: bool) -> None:
    pair = Pair()
    data = bytes(index & 0xFF for index in range(200) for _ in range(512))
    pair.fill(0, 150 * 512, data)
    to = 150 - distance if backwards else 150 + distance
    assert copy(pair, list_1(BOTH[:1], [segment(0, 0, 200, 150, to)])) == (Status.GOOD, 0, 0)
    assert pair.content(0, to * 512, len(data)) == data


def test_long_overlapping_runs_are_taken_from_the_end() -> None:
    size = 3 * COPY_CHUNK_BYTES
    pair = Pair(devices=(MemoryDevice(size), MemoryDevice(SIZE)))
    data = b"".join(number.to_bytes(4, "big") * 128 for number in range(2 * COPY_CHUNK_BYTES // 512))
    pair.fill(0, 0, data)
    assert copy(pair, list_1(BOTH[:1], [segment(0, 0, len(data) // 512, 0, 3)])) == (Status.GOOD, 0, 0)
    assert pair.content(0, 3 * 512, len(data)) == data


def test_holes_stay_holes() -> None:
    pair = Pair()
    pair.fill(1, 0, b"x" * 65536)
    assert copy(pair, list_1(BOTH, [segment(0, 1, 128, 0, 0)])) == (Status.GOOD, 0, 0)
    assert pair.content(1, 0, 65536) == bytes(65536)
    assert not any(extent.mapped for extent in pair.devices[1].extents(0, 65536))


@pytest.mark.parametrize(("flags", "blocks"), [(0x00, 16), (0x02, 2)])
def test_block_sizes_may_differ_where_whole_blocks_move(flags: int, blocks: int) -> None:
    pair = Pair(block_sizes=(512, 4096))
    pair.fill(0, 0, b"z" * 8192)
    targets = [target_descriptor(0), target_descriptor(1, block_size=4096)]
    assert copy(pair, list_1(targets, [segment(0, 1, blocks, 0, 3, flags=flags)])) == (Status.GOOD, 0, 0)
    assert pair.content(1, 3 * 4096, 8192) == b"z" * 8192
    assert copy(pair, list_1(targets, [segment(0, 1, 9, 0, 3)])) == (Status.CHECK_CONDITION, 0xA, 0x260A)


@pytest.mark.parametrize(
    ("parameters", "key", "code"),
    [
        (bytes(15), 5, 0x1A00),  # shorter than a header
        (list_1(BOTH, [segment(0, 1, 1, 0, 0)])[:-1], 5, 0x1A00),
        (list_1([BOTH[0][:-1]], []), 5, 0x1A00),
        (list_1(BOTH, [segment(0, 1, 1, 0, 0)[:-1]]), 5, 0x1A00),
        (list_1(BOTH * 9, []), 5, 0x2606),
        (list_1(BOTH, [segment(0, 1, 1, 0, 0)] * 257), 5, 0x2608),
        (list_1([b"\xe0" + BOTH[0][1:]], []), 5, 0x2607),
        (list_1(BOTH, [b"\x03" + segment(0, 1, 1, 0, 0)[1:]]), 5, 0x2609),
        (list_1(BOTH, [], usage=1), 5, 0x2600),
        (list_1(BOTH, [], usage=3), 5, 0x2600),  # a list identifier, and word that there is none
        (struct.pack(">BBH4xII", 1, 0, 0, 0, 1), 5, 0x260B),  # inline data
        (list_1([target_descriptor(0, block_size=4096)], []), 5, 0x2600),
        (list_1([b"\xe4\x05" + BOTH[0][2:]], []), 5, 0x2600),  # a CD-ROM
        (list_1([NAMES_NOBODY], []), 0xA, 0x0D02),
        (list_1([BOTH[0][:4] + b"\x02" + BOTH[0][5:]], []), 0xA, 0x0D02),  # not binary
        (list_1(BOTH, [segment(0, 2, 1, 0, 0)]), 0xA, 0x0804),
        (list_1(BOTH, [segment(9, 1, 1, 0, 0)]), 0xA, 0x0804),
        (list_1(BOTH, [segment(0, 1, 2, BLOCKS - 1, 0)]), 0xA, 0x0000),
        (list_1(BOTH, [segment(0, 1, 2, 0, BLOCKS - 1)]), 0xA, 0x0000),
        (list_1(BOTH, [segment(0, 1, 2, 0, 0, flags=0x80)]), 5, 0x2600),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_written(parameters: bytes, key: int, code: int) -> None:
    pair = Pair()
    assert copy(pair, parameters) == (Status.CHECK_CONDITION, key, code)
    assert pair.content(1, 0, SIZE) == bytes(SIZE)


@pytest.mark.parametrize(
    ("at", "value", "code"),
    [(0, 2, 0x2600), (3, 0x21, 0x2600), (16, 0xE4, 0x2607), (46, 1, 0x260B), (42, 0xFF, 0x1A00)],
)
def test_headers_with_long_identifiers(at: int, value: int, code: int) -> None:
    parameters = bytearray(list_4(BOTH, []))
    parameters[at] = value
    assert copy(Pair(), bytes(parameters), 1) == (Status.CHECK_CONDITION, 5, code)


def test_a_unit_of_a_target_that_the_host_is_not_logged_in_to_is_not_reached() -> None:
    pair = Pair()
    parameters = list_1(BOTH, [segment(1, 0, 8, 0, 0)])
    task = pair.run(extended_copy(parameters), parameters, nexus=pair.stranger)
    assert (task.sense_key, task.sense_code) == (0xA, 0x0D02)
    pair.nexuses[1].close(lambda: None)
    assert copy(pair, parameters) == (Status.CHECK_CONDITION, 0xA, 0x0D02)


def test_a_reservation_of_another_keeps_a_copy_out() -> None:
    pair = Pair()
    rival = pair.targets[1].attach("iqn.2026-01.example:rival,i,0x000000000001", identity="rival")
    assert pair.run(bytes.fromhex("16 00 00 00 00 00"), nexus=rival).status == Status.GOOD
    assert copy(pair, list_1(BOTH, [segment(0, 1, 8, 0, 0)])) == (Status.CHECK_CONDITION, 0xA, 0x0804)
    assert copy(pair, list_1(BOTH, [segment(1, 0, 8, 0, 0)])) == (Status.CHECK_CONDITION, 0xA, 0x0804)
    # Through another session of the same host that holds it, the unit is reached.
    second = pair.targets[1].attach("iqn.2026-01.example:host,i,0x000000000002", identity=pair.nexuses[0].identity)
    assert pair.run(bytes.fromhex("17 00 00 00 00 00"), nexus=rival).status == Status.GOOD
    assert pair.run(bytes.fromhex("16 00 00 00 00 00"), nexus=second).status == Status.GOOD
    assert copy(pair, list_1(BOTH, [segment(0, 1, 8, 0, 0)])) == (Status.GOOD, 0, 0)


def test_a_reservation_that_comes_during_a_copy_stops_it() -> None:
    size = 2 * COPY_CHUNK_BYTES
    pair = Pair(devices=(MemoryDevice(size), MemoryDevice(size)))
    parameters = list_1(BOTH, [segment(0, 1, size // 512, 0, 0)])
    task = pair.start(extended_copy(parameters), parameters)
    assert [background.held for background in pair.backgrounds] == [0, 1]
    rival = pair.targets[1].attach("iqn.2026-01.example:rival,i,0x000000000001", identity="rival")
    pair.run(bytes.fromhex("16 00 00 00 00 00"), nexus=rival)
    pair.drain()
    assert (task.sense_key, task.sense_code) == (0xA, 0x0D02)
    assert pair.run(results(0)).data[4:12] == bytes.fromhex("02 0000 00 00400000")


@pytest.mark.parametrize(
    ("operation", "which", "fault", "key", "code"),
    [
        ("read", 0, DeviceFault.MEDIUM_READ, 0xA, 0x0D01),
        ("write", 1, DeviceFault.MEDIUM_WRITE, 0xA, 0x0D01),
        ("write", 1, DeviceFault.NO_SPACE, 7, 0x2707),
    ],
)
def test_a_disk_that_fails_is_told(operation: str, which: int, fault: DeviceFault, key: int, code: int) -> None:
    bad = FaultFilter(MemoryDevice(SIZE), FaultRule(operation="read" if operation == "read" else "write", fault=fault))
    good = MemoryDevice(SIZE)
    pair = Pair(devices=(bad, good) if which == 0 else (good, bad))
    bad.clear()
    pair.fill(0, 0, b"a" * 4096)
    bad.add(FaultRule(operation="read" if operation == "read" else "write", fault=fault))
    assert copy(pair, list_1(BOTH, [segment(0, 1, 8, 0, 0)])) == (Status.CHECK_CONDITION, key, code)
    details = pair.run(results(4)).data
    assert details[56] == Status.CHECK_CONDITION
    assert details[60:][2] & 0xF == key
    assert len(details) == 4 + int.from_bytes(details[:4], "big") == 60 + 18


# Results


def test_status_is_kept_until_the_identifier_is_used_again_or_the_session_ends() -> None:
    pair = Pair()
    assert pair.run(results(0)).sense_code == 0x2400
    copy(pair, list_1(BOTH, [segment(0, 1, 8, 0, 0)]))
    assert pair.run(results(0)).data == bytes.fromhex("00000008 01 0001 00 00001000")
    assert pair.run(results(1)).data == bytes(4)
    assert pair.run(results(4)).data == bytes(4)
    assert pair.run(results(0), nexus=pair.stranger).sense_code == 0x2400, "of its own nexus only"
    copy(pair, list_1(BOTH, [segment(0, 1, 1, 0, BLOCKS)]))
    assert pair.run(results(0)).data[4] == 1, "a list that was refused is no copy"
    copy(pair, list_1(BOTH, [segment(0, 1, 8, 0, 0)], list_id=2, usage=2))
    assert pair.run(results(0, 2)).sense_code == 0x2400, "the initiator said that it will not ask"
    copy(pair, list_1(BOTH, [segment(0, 1, 8, 0, 0)], list_id=0, usage=3))
    assert pair.run(results(0, 0)).sense_code == 0x2400
    pair.nexuses[0].close(lambda: None)
    assert not pair.units[0].copies


def test_operating_parameters() -> None:
    assert Pair().run(results(3)).data == bytes.fromhex(
        "0000002A"
        "01"  # no list identifier is fine
        "000000"
        "0010"  # CSCD descriptors
        "0100"  # segment descriptors
        "00001E00"  # bytes of them all
        "10000000"  # bytes of a segment
        "00000000 00000000 00000000"
        "0000 0000"
        "08"  # concurrent copies
        "09"  # granularity: 512 bytes
        "00 00 000000"
        "02 02 E4"
    )


def test_a_copy_in_the_background_is_followed_and_aborted() -> None:
    size = 4 * COPY_CHUNK_BYTES
    pair = Pair(devices=(MemoryDevice(size), MemoryDevice(size)))
    pair.fill(0, 0, b"b" * size)
    parameters = list_4(BOTH, [segment(0, 1, size // 512, 0, 0)], list_id=0x12345678, immediate=True)
    assert pair.start(extended_copy(parameters, 1), parameters).status == Status.GOOD
    pair.backgrounds[0].step()
    status = pair.start(results(5, 0x12345678)).data
    assert status[4:6] == bytes((0x01, 0x11))
    assert int.from_bytes(status[16:24], "big") == COPY_CHUNK_BYTES
    again = pair.start(extended_copy(parameters, 1), parameters)
    assert (again.sense_key, again.sense_code) == (5, 0x0016)
    assert pair.start(abort(1)).sense_code == 0x2400
    task = pair.start(abort(0x12345678))
    assert task.finishes == 0, "answered when it has ended"
    pair.backgrounds[0].step()
    assert task.status == Status.GOOD
    assert not pair.units[0].task_set
    assert pair.content(1, 2 * COPY_CHUNK_BYTES, 512) == bytes(512)
    status = pair.run(results(6, 0x12345678)).data
    assert status[5] == 0x60
    assert status[12] == Status.CHECK_CONDITION
    assert pair.run(abort(0x12345678)).sense_code == 0x2400, "it is over"


def test_a_reset_ends_copies_in_front_and_behind() -> None:
    size = 4 * COPY_CHUNK_BYTES
    pair = Pair(devices=(MemoryDevice(size), MemoryDevice(size)))
    behind = list_4(BOTH, [segment(0, 1, size // 512, 0, 0)], list_id=7, immediate=True)
    front = list_1(BOTH, [segment(0, 1, size // 512, 0, 0)])
    pair.start(extended_copy(behind, 1), behind)
    task = pair.start(extended_copy(front), front)
    done: list[int] = []
    pair.units[0].reset(lambda: done.append(1))
    assert done == []
    pair.drain()
    assert (done, task.status) == ([1], Status.TASK_ABORTED)
    assert pair.units[0].copies[pair.nexuses[0], 7].status == 0x60
    pair.nexuses[0].close(lambda: done.append(2))
    assert done == [1, 2]


def test_the_number_of_copies_under_way_is_bounded() -> None:
    pair = Pair()
    statuses = []
    for number in range(COPIES_PER_UNIT_MAX + 1):
        parameters = list_1(BOTH, [segment(0, 1, 8, 0, 0)], list_id=number)
        statuses.append(pair.start(extended_copy(parameters), parameters).status)
    assert statuses == [None] * COPIES_PER_UNIT_MAX + [Status.TASK_SET_FULL]
    pair.drain()
    assert not pair.units[0].task_set


# Anything

lists = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda body, at, value: bytes(body[:at]) + bytes((value,)) + bytes(body[at + 1 :]),
        st.builds(
            lambda blocks, a, b, fours: (list_4 if fours else list_1)(BOTH, [segment(a & 1, b & 1, blocks, a, b)] * 2),
            st.integers(0, 3000),
            st.integers(0, BLOCKS),
            st.integers(0, BLOCKS),
            st.booleans(),
        ),
        st.integers(0, 170),
        st.integers(0, 255),
    ),
)


@given(lists=st.lists(st.tuples(st.integers(0, 1), lists), max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_list_gets_a_status_and_sense_that_fits(lists: list[tuple[int, bytes]]) -> None:
    pair = Pair()
    for service_action, parameters in lists:
        task = pair.run(extended_copy(parameters, service_action), parameters)
        assert task.status in (Status.GOOD, Status.CHECK_CONDITION)
        assert bool(task.sense) == (task.status == Status.CHECK_CONDITION)
        assert not task.sense or task.sense_key in (5, 7, 0xA)
        assert not pair.units[0].task_set
