"""Data-in, data-out and status of one command (RFC 7143 sections 4.2.5, 11.4, 11.7, 11.8)."""

from dataclasses import replace

import pytest

from lunaport.iscsi import pdu
from lunaport.iscsi.enums import Opcode
from tests.unit.iscsi.full_feature import FINAL, PARAMETERS, Peer, data_out

BLOCK = bytes(range(256)) * 2
UNSOLICITED = 0xFFFFFFFF


def fill(peer: Peer, blocks: int = 256) -> bytes:
    data = b"".join(number.to_bytes(2, "big") * 256 for number in range(blocks))
    peer.disk.data[: len(data)] = data
    return data


def test_a_read_is_one_data_in_with_status() -> None:
    peer = Peer()
    data = fill(peer)
    peer.send(peer.read(1, 2))
    [(header, payload)] = peer.received()
    answer = pdu.parse_data_in(header, payload)
    assert answer.data == data[512:1536]
    assert answer.flags == 0x81
    assert (answer.status, answer.residual, answer.data_sn, answer.offset) == (0, 0, 0, 0)


def test_a_long_read_comes_in_bursts_of_segments() -> None:
    peer = Peer()
    data = fill(peer)
    peer.send(peer.read(0, 80))
    answers = [pdu.parse_data_in(header, payload) for header, payload in peer.received()]
    assert b"".join(answer.data for answer in answers) == data[: 80 * 512]
    assert [answer.offset for answer in answers] == [0, 8192, 16384, 24576, 32768]
    assert [answer.data_sn for answer in answers] == [0, 1, 2, 3, 4]
    # MaxBurstLength is two segments: F ends each burst, S comes with the last.
    assert [answer.flags for answer in answers] == [0, 0x80, 0, 0x80, 0x81]
    assert answers[-1].stat_sn == 100


@pytest.mark.parametrize("blocks", [1, 40])
def test_a_read_that_waits_gives_the_same(blocks: int) -> None:
    peer = Peer()
    data = fill(peer)
    peer.send(peer.read(3, blocks, slow=True))
    assert peer.received() == []
    peer.disk.slow.pop()()
    answers = [pdu.parse_data_in(header, payload) for header, payload in peer.received()]
    assert b"".join(answer.data for answer in answers) == data[3 * 512 : (3 + blocks) * 512]
    assert answers[-1].flags & 1


@pytest.mark.parametrize(
    ("expected", "flags", "residual", "length"),
    [(512, 0x81, 0, 512), (100, 0x85, 412, 100), (1000, 0x83, 488, 512)],
)
def test_residuals_of_a_read(expected: int, flags: int, residual: int, length: int) -> None:
    peer = Peer()
    fill(peer)
    peer.send(peer.read(0, 1, expected=expected))
    [(header, payload)] = peer.received()
    answer = pdu.parse_data_in(header, payload)
    assert (answer.flags, answer.residual, len(answer.data)) == (flags, residual, length)


def test_a_read_for_nothing_overflows() -> None:
    peer = Peer()
    peer.send(peer.read(0, 1, expected=0))
    [(header, payload)] = peer.received()
    response = pdu.parse_scsi_response(header, payload)
    assert (response.flags, response.residual) == (0x04, 512)


def test_check_condition_carries_sense_and_leaves_all_as_residual() -> None:
    peer = Peer()
    peer.send(peer.command(b"\xff", flags=FINAL | 0x40, length=512))
    [(header, payload)] = peer.received()
    response = pdu.parse_scsi_response(header, payload)
    assert (response.status, response.sense[0], len(response.sense)) == (2, 0x70, 18)
    assert (response.flags, response.residual) == (0x02, 512)


def test_a_write_with_all_its_data() -> None:
    peer = Peer()
    peer.send(peer.write(2, 1, BLOCK))
    [(header, payload)] = peer.received()
    assert pdu.parse_scsi_response(header, payload).status == 0
    assert peer.disk.data[1024:1536] == BLOCK
    assert peer.connection.bytes_written == 512


def test_a_write_with_immediate_unsolicited_and_solicited_data() -> None:
    peer = Peer()
    data = bytes(range(256)) * 160  # 80 blocks
    peer.send(
        peer.write(0, 80, data[:4096], tag=5, final=False),
        data_out(5, UNSOLICITED, 0, 4096, data[4096:6144], final=False),
        data_out(5, UNSOLICITED, 1, 6144, data[6144:8192], final=True),
    )
    sent = 8192
    for r2t_sn, length in enumerate((16384, 16384)):
        [(header, _)] = peer.received()
        r2t = pdu.parse_r2t(header)
        assert (r2t.r2t_sn, r2t.offset, r2t.length, r2t.stat_sn) == (r2t_sn, sent, length, 100)
        half = sent + length // 2
        peer.send(data_out(5, r2t.target_transfer_tag, 0, sent, data[sent:half], final=False))
        assert peer.received() == []
        peer.send(data_out(5, r2t.target_transfer_tag, 1, half, data[half : sent + length], final=True))
        sent += length
    [(header, payload)] = peer.received()
    response = pdu.parse_scsi_response(header, payload)
    assert (response.status, response.residual, response.exp_data_sn) == (0, 0, 0)
    assert peer.disk.data[: len(data)] == data
    assert not peer.connection.waiting


def test_several_r2ts_at_once() -> None:
    peer = Peer(replace(PARAMETERS, max_outstanding_r2t=2))
    data = bytes(range(256)) * 80  # 40 blocks: a burst and a quarter
    peer.send(peer.write(0, 40, b"", tag=5))
    r2ts = [pdu.parse_r2t(header) for header, _ in peer.received()]
    assert [(r2t.offset, r2t.length) for r2t in r2ts] == [(0, 16384), (16384, 4096)]
    for r2t in r2ts:
        part = data[r2t.offset : r2t.offset + r2t.length]
        peer.send(data_out(5, r2t.target_transfer_tag, 0, r2t.offset, part, final=True))
    [(header, payload)] = peer.received()
    assert pdu.parse_scsi_response(header, payload).status == 0
    assert peer.disk.data[: len(data)] == data


@pytest.mark.parametrize(
    ("blocks", "expected", "flags", "residual"), [(1, 1024, 0x02, 512), (4, 1024, 0x04, 1024), (2, 1024, 0, 0)]
)
def test_residuals_of_a_write(blocks: int, expected: int, flags: int, residual: int) -> None:
    peer = Peer()
    peer.send(peer.write(0, blocks, bytes(1024), expected=expected))
    [(header, payload)] = peer.received()
    response = pdu.parse_scsi_response(header, payload)
    assert (response.status, response.flags, response.residual) == (0, flags, residual)


def sense_after(*pieces: tuple[int, int, bytes, bool]) -> tuple[int, int]:
    """ASC and ASCQ after a write of 8192 bytes whose first 16384-byte burst comes as (DataSN, offset, data, final)."""
    peer = Peer()
    peer.send(peer.write(0, 32, b"", tag=5))
    [(header, _)] = peer.received()
    tag = pdu.parse_r2t(header).target_transfer_tag
    for data_sn, offset, data, final in pieces:
        assert peer.received() == []
        peer.send(data_out(5, tag, data_sn, offset, data, final=final))
    [(header, payload)] = peer.received()
    response = pdu.parse_scsi_response(header, payload)
    assert response.status == 2
    assert not peer.connection.waiting
    assert not peer.connection.tasks
    assert peer.connection.max_cmd_sn == 129
    return response.sense[12], response.sense[13]


def test_data_out_that_breaks_the_rules_ends_the_task() -> None:
    crc, amount = (0x47, 0x05), (0x0C, 0x0D)
    assert sense_after((1, 0, bytes(512), True)) == crc
    assert sense_after((0, 512, bytes(512), True)) == crc
    assert sense_after((0, 0, bytes(512), True)) == amount
    assert sense_after((0, 0, bytes(16384), False), (1, 16384, bytes(4), True)) == amount


def test_the_status_of_broken_data_out_waits_for_the_end_of_its_burst() -> None:
    """Section 7.8: what went wrong first is told when all data that was asked for has come."""
    assert sense_after((1, 0, bytes(512), False), (2, 512, bytes(512), False), (9, 0, b"", True)) == (0x47, 0x05)


def test_the_status_of_broken_data_out_waits_for_every_burst() -> None:
    peer = Peer(replace(PARAMETERS, max_outstanding_r2t=2))
    peer.send(peer.write(0, 64, b"", tag=5))
    first, second = (pdu.parse_r2t(header).target_transfer_tag for header, _ in peer.received())
    peer.send(data_out(5, first, 1, 0, bytes(512), final=True))
    assert peer.received() == []
    peer.send(data_out(5, second, 0, 16384, bytes(8192), final=False))
    assert peer.received() == []
    peer.send(data_out(5, second, 1, 24576, bytes(8192), final=True))
    [(header, payload)] = peer.received()
    assert pdu.parse_scsi_response(header, payload).sense[12:14] == b"\x47\x05"
    assert peer.disk.data[:32768] == bytes(32768)
    assert not peer.connection.tasks


def test_a_write_whose_data_never_ends_can_be_aborted() -> None:
    """Section 7.8: task management ends the wait."""
    peer = Peer()
    peer.send(peer.write(0, 32, b"", tag=5))
    peer.received()
    peer.send(data_out(5, UNSOLICITED, 0, 0, bytes(512), final=True))
    assert peer.received() == []
    peer.connection.tasks[5].abort()
    assert [header[0] for header, _ in peer.received()] == [Opcode.NOP_IN]
    assert not peer.connection.tasks
    assert not peer.connection.waiting


def test_unsolicited_data_that_was_not_announced_ends_the_task() -> None:
    peer = Peer()
    peer.send(peer.write(0, 32, b"", tag=5))
    [(header, _)] = peer.received()
    tag = pdu.parse_r2t(header).target_transfer_tag
    peer.send(data_out(5, UNSOLICITED, 0, 0, bytes(512), final=True))
    peer.send(data_out(5, tag, 0, 0, bytes(16384), final=True))
    [(header, payload)] = peer.received()
    assert pdu.parse_scsi_response(header, payload).sense[12:14] == b"\x0c\x0c"


def test_data_out_of_no_task_is_dropped() -> None:
    peer = Peer()
    peer.send(data_out(5, 1, 0, 0, bytes(512), final=True))
    assert peer.received() == []
    assert not peer.connection.closing


def test_the_status_waits_for_unsolicited_data() -> None:
    peer = Peer()
    peer.send(peer.command(b"\xff", flags=0x20, tag=5, length=1024, data=bytes(512)))
    assert peer.received() == []
    peer.send(data_out(5, UNSOLICITED, 0, 512, bytes(512), final=True))
    [(header, payload)] = peer.received()
    assert pdu.parse_scsi_response(header, payload).status == 2
    assert not peer.connection.tasks


def test_immediate_data_that_was_not_agreed_on_ends_the_connection() -> None:
    peer = Peer(replace(PARAMETERS, immediate_data=False))
    peer.send(peer.write(0, 1, BLOCK))
    assert peer.connection.closing
    assert peer.disk.executed == []


@pytest.mark.parametrize(("length", "legal"), [(8192, True), (8193, False)])
def test_immediate_data_keeps_to_the_first_burst(length: int, legal: bool) -> None:
    peer = Peer()
    peer.send(peer.write(0, 32, bytes(length)))
    assert bool(peer.connection.closing) is not legal


def test_a_read_that_claims_to_write_is_answered() -> None:
    peer = Peer()
    cdb = bytes([0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0])
    for flags in (0x20, 0x60, 0x00):
        peer.send(peer.command(cdb, flags=FINAL | flags, length=512))
        assert len(peer.received()) == 1


def test_data_out_without_data_is_taken() -> None:
    """Section 11.7.7: a PDU without data takes its DataSN, and F ends the burst as ever."""
    peer = Peer()
    peer.send(peer.write(0, 1, b"", tag=5))
    [(header, _)] = peer.received()
    tag = pdu.parse_r2t(header).target_transfer_tag
    peer.send(
        data_out(5, tag, 0, 0, b"", final=False),
        data_out(5, tag, 1, 0, b"a" * 512, final=False),
        data_out(5, tag, 2, 512, b"", final=True),
    )
    [(header, data)] = peer.received()
    assert pdu.parse_scsi_response(header, data).status == 0
    assert peer.disk.data[:512] == b"a" * 512
