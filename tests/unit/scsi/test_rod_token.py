"""POPULATE TOKEN, WRITE USING TOKEN, RECEIVE ROD TOKEN INFORMATION."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.blockdev.memory import MemoryDevice
from lunaport.scsi.copy_domain import ZEROS_TOKEN
from lunaport.scsi.enums import Status
from lunaport.scsi.limits import COPY_CHUNK_BYTES, TOKENS_PER_UNIT_MAX

from .copying import Pair, populate_list, results, token_command, write_list
from .support import BLOCKS, SIZE, FakeTask

POPULATE, WRITE = 0x10, 0x11


def populate(pair: Pair, *each: tuple[int, int], list_id: int = 1, timeout_s: int = 0) -> bytes:
    """Make a token on unit 0 and fetch it."""
    parameters = populate_list(*each, timeout_s=timeout_s)
    assert pair.run(token_command(POPULATE, list_id, parameters), parameters).status == Status.GOOD
    data = pair.run(results(7, list_id)).data
    assert len(data) == 4 + int.from_bytes(data[:4], "big")
    assert data[4:6] == bytes((POPULATE, 0x01))
    assert data[12] == Status.GOOD
    assert data[13:16] == bytes((0, 0, 0xF1))
    assert int.from_bytes(data[16:24], "big") == sum(blocks for _, blocks in each)
    assert data[32:38] == (514).to_bytes(4, "big") + bytes(2)
    return data[38:]


def write(
    pair: Pair, token: bytes, *each: tuple[int, int], offset: int = 0, flags: int = 0, which: int = 1
) -> FakeTask:
    parameters = write_list(token, *each, offset=offset, flags=flags)
    return pair.run(token_command(WRITE, 2, parameters), parameters, which=which)


def test_data_goes_from_one_disk_to_another_by_a_token() -> None:
    pair = Pair()
    pair.fill(0, 0, b"".join(bytes((number,)) * 512 for number in range(24)))
    token = populate(pair, (16, 8), (0, 8))
    assert token[:8] == bytes.fromhex("00800001 0000 01F8")
    assert int.from_bytes(token[48:64], "big") == 16 * 512
    assert write(pair, token, (100, 3), (200, 10), offset=2).status == Status.GOOD
    order = [*range(18, 24), *range(8)]
    assert pair.content(1, 100 * 512, 3 * 512) == b"".join(bytes((number,)) * 512 for number in order[:3])
    assert pair.content(1, 200 * 512, 10 * 512) == b"".join(bytes((number,)) * 512 for number in order[3:13])
    data = pair.run(results(7, 2), which=1).data
    assert data[4:6] == bytes((WRITE, 0x01))
    assert int.from_bytes(data[16:24], "big") == 13
    assert data[32:] == bytes(4)


def test_a_token_that_is_too_short_writes_what_it_has() -> None:
    pair = Pair()
    pair.fill(0, 0, b"t" * 4096)
    token = populate(pair, (0, 8))
    assert write(pair, token, (0, 16)).status == Status.GOOD
    data = pair.run(results(7, 2), which=1).data
    assert data[5] == 0x04
    assert int.from_bytes(data[16:24], "big") == 8
    assert pair.content(1, 0, 8192) == b"t" * 4096 + bytes(4096)
    assert write(pair, token, (0, 1), offset=9).sense_code == 0x2600


def test_the_token_of_zeros_needs_nobody_to_make_it() -> None:
    pair = Pair()
    pair.fill(1, 0, b"x" * 8192)
    assert write(pair, ZEROS_TOKEN, (4, 8)).status == Status.GOOD
    assert pair.content(1, 0, 8192) == b"x" * 2048 + bytes(4096) + b"x" * 2048


def test_a_write_to_its_data_ends_a_token() -> None:
    for cdb, data in (
        ("2A 00 00000007 00 0001 00", b"n" * 512),
        ("41 08 00000007 00 0001 00", bytes(512)),
        ("41 00 00000007 00 0001 00", bytes(512)),
        ("42 00 00000000 00 0018 00", bytes.fromhex("0016 0010 00000000 0000000000000007 00000001 00000000")),
    ):
        pair = Pair()
        token = populate(pair, (0, 8))
        assert pair.run(bytes.fromhex("2A 00 00000008 00 0001 00"), b"n" * 512).status == Status.GOOD
        assert write(pair, token, (0, 8)).status == Status.GOOD, "a write beside it changes nothing"
        assert pair.run(bytes.fromhex(cdb), data).status == Status.GOOD
        assert write(pair, token, (0, 8)).sense_code == 0x2306


def test_a_copy_onto_its_data_ends_a_token() -> None:
    pair = Pair()
    token = populate(pair, (0, 8))
    other = populate(pair, (100, 8))
    assert write(pair, other, (0, 1), which=0).status == Status.GOOD
    assert write(pair, token, (0, 8)).sense_code == 0x2306


def test_a_token_that_ends_while_it_is_used_fails_the_write() -> None:
    size = 2 * COPY_CHUNK_BYTES
    pair = Pair(devices=(MemoryDevice(size), MemoryDevice(size)))
    token = populate(pair, (0, size // 512))
    parameters = write_list(token, (0, size // 512))
    task = pair.start(token_command(WRITE, 2, parameters), parameters, which=1)
    assert pair.run(bytes.fromhex("2A 00 00000007 00 0001 00"), b"n" * 512).status == Status.GOOD
    assert task.sense_code == 0x2306
    assert pair.run(results(7, 2), which=1).data[5] == 0x02


def test_a_token_that_is_not_used_expires() -> None:
    pair = Pair()
    token, longer = populate(pair, (0, 8)), populate(pair, (0, 8), timeout_s=60)
    pair.clock.now = 29.0
    assert write(pair, token, (0, 8)).status == Status.GOOD
    pair.clock.now = 58.5
    assert write(pair, token, (0, 8)).status == Status.GOOD, "each use gives it its time anew"
    pair.clock.now = 89.0
    assert write(pair, token, (0, 8)).sense_code == 0x2304
    assert write(pair, longer, (0, 8)).sense_code == 0x2304


def test_a_token_is_deleted_where_the_initiator_says_so() -> None:
    pair = Pair()
    token = populate(pair, (0, 8))
    assert write(pair, token, (0, 8), flags=0x02).status == Status.GOOD
    assert write(pair, token, (0, 8)).sense_code == 0x2304


def test_no_token_is_like_another_and_a_changed_one_is_none() -> None:
    pair = Pair()
    token = populate(pair, (0, 8))
    assert token != populate(pair, (0, 8))
    for at in (9, 50, 140, 511):
        changed = bytearray(token)
        changed[at] ^= 1
        assert write(pair, bytes(changed), (0, 8)).sense_code == 0x2304


def test_tokens_of_a_unit_are_bounded() -> None:
    pair = Pair()
    tokens = [populate(pair, (0, 8), list_id=number) for number in range(TOKENS_PER_UNIT_MAX + 1)]
    assert write(pair, tokens[0], (0, 8)).sense_code == 0x2304
    assert write(pair, tokens[1], (0, 8)).status == Status.GOOD
    assert pair.units[0].token_guard is not None
    assert len(pair.units[0].token_guard.tokens) == TOKENS_PER_UNIT_MAX


def test_a_token_ends_with_its_unit() -> None:
    pair = Pair()
    token = populate(pair, (0, 8))
    pair.units[0].closing = True
    assert write(pair, token, (0, 8)).sense_code == 0x2304


def test_reads_go_around_the_guard() -> None:
    pair = Pair()
    populate(pair, (0, 8))
    assert pair.units[0].device.read_now == pair.devices[0].read_now


def test_a_write_in_the_background_is_answered_at_once() -> None:
    pair = Pair()
    pair.fill(0, 0, b"i" * 4096)
    parameters = write_list(populate(pair, (0, 8)), (0, 8), flags=0x03)
    task = pair.start(token_command(WRITE, 2, parameters), parameters, which=1)
    assert task.status == Status.GOOD
    assert pair.start(results(7, 2), which=1).data[5] == 0x11
    assert pair.start(token_command(WRITE, 2, parameters), parameters, which=1).sense_code == 0x0016
    pair.drain()
    assert pair.run(results(7, 2), which=1).data[5] == 0x01
    assert pair.content(1, 0, 4096) == b"i" * 4096


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        (populate_list(), 0x2600),
        (populate_list((BLOCKS, 1)), 0x2100),
        (populate_list((0, 8), (7, 2)), 0x2600),
        (populate_list((0, 8), timeout_s=301), 0x2600),
        (populate_list((0, 8), flags=0x02, rod_type=0x00010000), 0x2600),
        (populate_list(*((number, 1) for number in range(65))), 0x1A00),
        (populate_list((0, 8))[:-1], 0x1A00),
        (b"\0\0" + populate_list((0, 8))[2:], 0x1A00),
        (populate_list((0, 8))[:14] + b"\0\x0f" + populate_list((0, 8))[16:], 0x1A00),
    ],
)
def test_lists_that_are_refused(parameters: bytes, code: int) -> None:
    task = Pair().run(token_command(POPULATE, 1, parameters), parameters)
    assert (task.sense_key, task.sense_code) == (5, code)


def test_an_empty_list_is_no_error_and_a_copy_has_no_token() -> None:
    pair = Pair()
    for action in (POPULATE, WRITE):
        assert pair.run(token_command(action, 1, b"")).status == Status.GOOD
    assert pair.run(results(7, 1)).sense_code == 0x2400


@given(
    made=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 60)), min_size=1, max_size=4),
    written=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60)), min_size=1, max_size=4),
    offset=st.integers(0, 200),
)
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_what_the_token_stands_for(
    made: list[tuple[int, int]], written: list[tuple[int, int]], offset: int
) -> None:
    pair = Pair()
    disk = b"".join(number.to_bytes(2, "big") * 256 for number in range(1, 400))
    pair.fill(0, 0, disk)
    parameters = populate_list(*made)
    if pair.run(token_command(POPULATE, 1, parameters), parameters).status != Status.GOOD:
        return
    token = pair.run(results(7, 1)).data[38:]
    rod = b"".join(disk[lba * 512 : (lba + blocks) * 512] for lba, blocks in made)[offset * 512 :]
    task = write(pair, token, *written, offset=offset)
    expected = bytearray(SIZE)
    if task.status == Status.GOOD:
        for lba, blocks in written:
            piece, rod = rod[: blocks * 512], rod[blocks * 512 :]
            expected[lba * 512 : lba * 512 + len(piece)] = piece
    assert pair.content(1, 0, SIZE) == expected


@given(data=st.binary(max_size=700), action=st.sampled_from([POPULATE, WRITE]))
@settings(max_examples=100, deadline=None)
def test_any_list_gets_a_status_and_sense_that_fits(data: bytes, action: int) -> None:
    task = Pair().run(token_command(action, 1, data), data)
    assert task.status in (Status.GOOD, Status.CHECK_CONDITION)
    assert bool(task.sense) == (task.status == Status.CHECK_CONDITION)
