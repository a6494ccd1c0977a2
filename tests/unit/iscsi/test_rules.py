"""Single rules of RFC 7143 in full feature phase that CONFORMANCE.md names and no other test is about."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lunaport.iscsi import limits, pdu
from lunaport.iscsi.digest import remove_digests
from lunaport.iscsi.enums import Opcode, RejectReason, ResidualFlag, TaskFunction, TaskResponse
from tests.unit.iscsi.full_feature import FINAL, LIST_ALL, PARAMETERS, READ, WRITE, Peer, data_out, with_digests
from tests.unit.iscsi.test_connection import nop_out, response_of, task_management, text_request

SENSE_BYTES = 18


def start_at(peer: Peer, cmd_sn: int) -> None:
    peer.cmd_sn = peer.connection.exp_cmd_sn = cmd_sn
    peer.connection.max_cmd_sn = cmd_sn + limits.COMMAND_WINDOW - 1 & 0xFFFFFFFF


def test_an_immediate_command_uses_no_cmd_sn() -> None:
    """Section 4.2.2.1: it is carried out when it comes, and neither ExpCmdSN nor the window move."""
    peer = Peer()
    peer.send(peer.command(bytes(6), tag=1, immediate=True), nop_out(peer))
    for header, _ in peer.received():
        assert int.from_bytes(header[28:32], "big") == 1
        assert int.from_bytes(header[32:36], "big") == limits.COMMAND_WINDOW
    assert len(peer.disk.executed) == 1


@pytest.mark.parametrize("first", [0xFFFFFFFE, 0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFFF81])
def test_cmd_sn_wraps_around(first: int) -> None:
    """Section 4.2.2.1: serial number arithmetic (RFC 1982), out of order too."""
    peer = Peer()
    start_at(peer, first)
    commands = []
    for tag in range(1, 5):
        commands.append(peer.command(bytes([0, 0, 0, 0, tag, 0]), tag=tag))
        peer.cmd_sn &= 0xFFFFFFFF
    peer.send(commands[0], commands[2], commands[3], commands[1])
    assert [cdb[4] for cdb in peer.disk.executed] == [1, 2, 3, 4]
    assert peer.connection.exp_cmd_sn == first + 4 & 0xFFFFFFFF


def test_stat_sn_wraps_around() -> None:
    peer = Peer()
    peer.connection.stat_sn = 0xFFFFFFFF
    peer.send(*(peer.command(bytes(6), tag=tag) for tag in (1, 2)))
    answers = [pdu.parse_scsi_response(header, data) for header, data in peer.received()]
    assert [answer.stat_sn for answer in answers] == [0xFFFFFFFF, 0]


def test_reserved_bits_are_not_looked_at() -> None:
    """Section 11.2.1: what is reserved is ignored."""
    peer = Peer()
    message = bytearray(nop_out(peer, b"hello"))
    message[0] |= 0x80  # reserved beside I
    message[1] |= 0x7F
    message[2:4] = b"\xff\xff"
    message[32:48] = b"\xff" * 16
    peer.send(bytes(message))
    [(header, data)] = peer.received()
    assert pdu.parse_nop_in(header, data).data == b"hello"


def test_an_extended_cdb_reaches_the_device_server() -> None:
    """Section 11.2.2.3: type 1, its length, a reserved byte, the bytes behind the first 16, padding."""
    peer = Peer()
    message = pdu.ScsiCommand(
        flags=FINAL,
        initiator_task_tag=1,
        cmd_sn=1,
        exp_stat_sn=0,
        cdb=b"\x7f" + bytes(15),
        ahs=b"\0\5\2\0" + bytes(4) + b"\0\x07\1\0" + b"abcdef\0\0",
    )
    peer.send(message.serialize())
    assert peer.disk.executed == [b"\x7f" + bytes(15) + b"abcdef"]
    peer.send(replace(message, cdb=bytes(16), initiator_task_tag=2, cmd_sn=2).serialize())  # a code of six bytes
    assert peer.disk.executed[1:] == [bytes(16)]


@pytest.mark.parametrize("read_length", [0, 4096])
def test_a_command_both_ways_has_residuals_both_ways(read_length: int) -> None:
    """Sections 11.2.2.4 and 11.4.6: no command moves data both ways, so all that was expected is left."""
    peer = Peer()
    segment = b"\0\5\2\0" + read_length.to_bytes(4, "big")
    message = pdu.ScsiCommand(
        flags=FINAL | READ | WRITE,
        initiator_task_tag=1,
        expected_length=1024,
        cmd_sn=1,
        exp_stat_sn=0,
        cdb=b"\xff" + bytes(15),
        ahs=segment,
    )
    peer.send(message.serialize())
    [(header, data)] = peer.received()
    response = pdu.parse_scsi_response(header, data)
    assert (response.status, response.residual, response.bidirectional_residual) == (2, 1024, read_length)
    assert response.flags == ResidualFlag.UNDERFLOW | (ResidualFlag.BIDIRECTIONAL_UNDERFLOW if read_length else 0)


@pytest.mark.parametrize("attribute", range(5))
def test_the_device_server_is_told_the_task_attribute(attribute: int) -> None:
    """Section 11.3.1."""
    peer = Peer()
    peer.send(peer.command(bytes([0xA8]) + bytes(7) + b"\1\0", flags=FINAL | READ | attribute, tag=5, length=512))
    assert peer.connection.tasks[5].attribute == attribute


def test_a_full_window_keeps_no_ping_and_no_task_management_out() -> None:
    """Section 4.2.2.1: at any time one immediate task management request and one other immediate command are taken."""
    peer = Peer()
    for tag in range(limits.COMMAND_WINDOW):
        peer.send(peer.read(0, 1, tag=tag, slow=True))
    for tag in range(limits.IMMEDIATE_COMMANDS_MAX):
        slow = bytes([0xA8]) + bytes(7) + b"\1\0"
        peer.send(peer.command(slow, flags=FINAL | READ, tag=0x1000 + tag, length=512, immediate=True))
    assert peer.received() == []
    peer.send(nop_out(peer, b"there?"), task_management(peer, TaskFunction.LOGICAL_UNIT_RESET), text_request(LIST_ALL))
    opcodes = [header[0] for header, _ in peer.received()]
    assert opcodes == [Opcode.NOP_IN, Opcode.TASK_MANAGEMENT_RESPONSE, Opcode.TEXT_RESPONSE]


def test_transfer_tags_follow_each_other_and_leave_the_reserved_one_out() -> None:
    """Sections 4.2.5.3 and 11.8.5."""
    peer = Peer()
    peer.connection.transfer_tag = 0xFFFFFFFC
    tags = [peer.connection.next_transfer_tag() for _ in range(4)]
    assert tags == [0xFFFFFFFD, 0xFFFFFFFE, 0, 1]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 101])
def test_padding_is_zeros_whatever_was_in_its_place(length: int) -> None:
    """Section 11.1: data is padded to whole words."""
    peer = Peer()
    peer.disk.data[:512] = b"\xff" * 512
    used = peer.make_room(peer.connection, 1024)
    used.view[:] = b"\xff" * used.size
    peer.send(peer.read(0, 1, expected=length))
    [(header, data)] = [(used.view[:48], bytes(used.view[48 : used.filled]))]
    assert int.from_bytes(header[5:8], "big") == length
    assert data == b"\xff" * length + bytes(-length % 4)


def test_the_answer_to_a_ping_is_cut_to_what_the_initiator_takes() -> None:
    """Sections 11.18.3 and 11.19.1: and its transfer tag is the reserved one, as it wants no answer."""
    peer = Peer(replace(PARAMETERS, peer_max_recv_data_segment_length=512))
    peer.send(nop_out(peer, b"ping" * 200))
    [(header, data)] = peer.received()
    answer = pdu.parse_nop_in(header, data)
    assert (answer.data, answer.target_transfer_tag) == (b"ping" * 128, pdu.RESERVED_TAG)


def test_digests_cover_additional_headers() -> None:
    """Section 11.2.3: the header digest stands behind them and covers them."""
    peer = Peer(with_digests(header=True, data=True))
    message = pdu.ScsiCommand(
        flags=FINAL | WRITE,
        initiator_task_tag=1,
        expected_length=512,
        cmd_sn=1,
        exp_stat_sn=0,
        cdb=bytes([0x2A]) + bytes(7) + b"\1" + bytes(7),
        ahs=b"\0\x05\1\0" + b"abcd",
        data=b"d" * 512,
    )
    peer.send(message.serialize())
    assert peer.disk.executed == [message.cdb]  # no operation code of ten bytes goes on there
    assert peer.disk.data[:512] == message.data
    assert not peer.connection.closing


def test_the_answer_to_task_management_comes_behind_what_was_answered_before() -> None:
    """Section 4.2.2.3: on the wire, and in StatSN."""
    peer = Peer()
    peer.send(
        peer.read(0, 40, tag=1),
        peer.write(0, 1, bytes(512), tag=2),
        peer.read(0, 1, tag=3, slow=True),
        task_management(peer, TaskFunction.ABORT_TASK, referenced=3),
    )
    peer.disk.slow.pop()()
    opcodes = [header[0] for header, _ in peer.received()]
    assert opcodes == [Opcode.DATA_IN] * 3 + [Opcode.SCSI_RESPONSE, Opcode.TASK_MANAGEMENT_RESPONSE]
    assert peer.connection.stat_sn == 103


def test_check_condition_comes_in_a_response_of_its_own() -> None:
    """Section 11.4.7: sense data with its length, never the status of a Data-In PDU."""
    peer = Peer()
    peer.send(peer.read(1 << 20, 1))
    [(header, data)] = peer.received()
    assert header[0] == Opcode.SCSI_RESPONSE
    assert int.from_bytes(data[:2], "big") == SENSE_BYTES
    assert len(data) == 2 + SENSE_BYTES


@pytest.mark.parametrize("lun", [1, 1 << 48])
def test_abort_task_names_the_lun_of_the_task(lun: int) -> None:
    """Section 11.5.3: a task of another LUN is not the one that is meant."""
    peer = Peer()
    peer.send(peer.read(0, 1, tag=5, slow=True))
    message = bytearray(task_management(peer, TaskFunction.ABORT_TASK, referenced=5))
    message[8:16] = lun.to_bytes(8, "big")
    peer.send(bytes(message))
    assert response_of(peer) == TaskResponse.TASK_DOES_NOT_EXIST
    assert not next(iter(peer.connection.tasks.values())).aborted


def test_an_aborted_task_sends_no_status() -> None:
    """Section 11.5.1: the last thing the initiator hears of it is the answer to the abort."""
    peer = Peer()
    peer.send(peer.write(0, 64, b"", tag=5))
    [(header, _)] = peer.received()
    tag = pdu.parse_r2t(header).target_transfer_tag
    peer.send(task_management(peer, TaskFunction.ABORT_TASK, referenced=5))
    peer.send(data_out(5, tag, 0, 0, bytes(8192), final=True))
    assert response_of(peer) == TaskResponse.FUNCTION_COMPLETE


def test_nothing_is_carried_out_after_logout() -> None:
    """Section 11.14: what follows it in the stream is dropped, what is under way is aborted."""
    peer = Peer()
    peer.send(
        peer.read(0, 1, tag=5, slow=True),
        pdu.LogoutRequest(immediate=True, reason=0, initiator_task_tag=3, cid=0, cmd_sn=2, exp_stat_sn=0).serialize(),
        peer.command(bytes(6), tag=6),
    )
    peer.disk.slow.pop()()
    assert [header[0] for header, _ in peer.received()] == [Opcode.LOGOUT_RESPONSE]
    assert len(peer.disk.executed) == 1


def test_a_wrong_data_digest_in_data_out_ends_the_task() -> None:
    """Section 7.8: Reject, then CHECK CONDITION with ABORTED COMMAND, PROTOCOL SERVICE CRC ERROR."""
    peer = Peer(with_digests(header=False, data=True))
    peer.send(peer.write(0, 4, b"", tag=5))
    [(header, _)] = peer.received()
    tag = pdu.parse_r2t(header).target_transfer_tag
    peer.send_raw(data_out(5, tag, 0, 0, bytes(2048), final=True) + b"\1\2\3\4")
    reject, response = peer.received()
    assert pdu.parse_reject(*reject).reason == RejectReason.DATA_DIGEST_ERROR
    assert pdu.parse_scsi_response(*response).sense[12:14] == b"\x47\x05"
    assert not peer.connection.closing


def test_a_wrong_data_digest_in_a_command_ends_the_connection() -> None:
    """Section 7.8: the command is gone, and level 0 has no way to ask for it again."""
    peer = Peer(with_digests(header=False, data=True))
    peer.send_raw(peer.write(0, 1, bytes(512)) + b"\1\2\3\4")
    [(header, data)] = peer.received()
    assert pdu.parse_reject(header, data).reason == RejectReason.DATA_DIGEST_ERROR
    assert peer.connection.closing
    assert peer.disk.executed == []


def test_data_in_goes_to_one_task_in_order() -> None:
    """Section 11.7: offsets rise, and the residual stands with the status only."""
    peer = Peer()
    peer.send(peer.command(bytes([0x28]) + bytes(6) + b"\0\x28\0", flags=FINAL | READ, length=64 * 512))
    answers = [pdu.parse_data_in(header, data) for header, data in peer.received()]
    assert [answer.offset for answer in answers] == [0, 8192, 16384]
    assert [answer.residual for answer in answers] == [0, 0, 64 * 512 - 40 * 512]


def test_a_text_exchange_is_continued_with_its_tag_or_begun_anew() -> None:
    """Section 11.10.4: an unknown transfer tag gets a Reject; without a tag what was begun is forgotten."""
    peer = Peer()
    peer.send(text_request(LIST_ALL, ttt=77))
    [(header, data)] = peer.received()
    assert pdu.parse_reject(header, data).reason == RejectReason.INVALID_PDU_FIELD
    peer.send(text_request(b"forgotten", final=False))
    peer.received()
    peer.send(text_request(LIST_ALL))
    [(header, data)] = peer.received()
    assert pdu.parse_text_response(header, data).data == LIST_ALL


def test_an_r2t_names_the_lun_of_its_command() -> None:
    """Section 4.2.5.3."""
    peer = Peer()
    message = bytearray(peer.write(0, 4, b"", tag=5))
    message[8:16] = (7 << 48).to_bytes(8, "big")
    peer.send(bytes(message))
    [(header, _)] = peer.received()
    assert pdu.parse_r2t(header).lun == 7 << 48


def test_a_text_answer_that_goes_on_brings_the_lun_back() -> None:
    """Section 11.10.4: with the transfer tag."""
    peer = Peer()
    message = bytearray(text_request(b"SendTar", final=False))
    message[8:16] = (7 << 48).to_bytes(8, "big")
    peer.send(bytes(message))
    [(header, data)] = peer.received()
    answer = pdu.parse_text_response(header, data)
    assert (answer.lun, answer.target_transfer_tag != pdu.RESERVED_TAG) == (7 << 48, True)


PARSERS: dict[int, Callable[[bytes, bytes], Any]] = {
    Opcode.DATA_IN: pdu.parse_data_in,
    Opcode.R2T: lambda header, _: pdu.parse_r2t(header),
    Opcode.SCSI_RESPONSE: pdu.parse_scsi_response,
    Opcode.NOP_IN: pdu.parse_nop_in,
    Opcode.REJECT: pdu.parse_reject,
    Opcode.TEXT_RESPONSE: pdu.parse_text_response,
    Opcode.TASK_MANAGEMENT_RESPONSE: lambda header, _: pdu.parse_task_management_response(header),
    Opcode.ASYNC_MESSAGE: pdu.parse_async_message,
    Opcode.LOGOUT_RESPONSE: lambda header, _: pdu.parse_logout_response(header),
}
"""All that a target sends in full feature phase."""


def ask_for_everything(peer: Peer) -> None:
    """Bring the target to send each kind of PDU."""
    peer.send(peer.read(0, 40, tag=1), peer.write(0, 4, b"", tag=5), peer.read(0, 1, tag=6, expected=7))
    peer.send(peer.command(b"\xff", tag=7), nop_out(peer, b"hello"), text_request(LIST_ALL, ttt=77))
    peer.send(text_request(LIST_ALL), task_management(peer, TaskFunction.ABORT_TASK, referenced=5))
    peer.connection.ping()
    peer.connection.request_logout(3)
    peer.send(pdu.LogoutRequest(immediate=True, reason=0, initiator_task_tag=3, cmd_sn=9, exp_stat_sn=0).serialize())


def test_what_is_reserved_is_sent_as_zero() -> None:
    """Section 11: every PDU is what its fields say, and zeros; what has no data segment has none (11.2.1.6)."""
    peer = Peer()
    ask_for_everything(peer)
    sent = peer.received()
    assert {header[0] for header, _ in sent} == PARSERS.keys()
    for header, data in sent:
        assert PARSERS[header[0]](header, data).serialize() == header + data + bytes(-len(data) % 4)
        assert not data or header[0] not in (Opcode.R2T, Opcode.TASK_MANAGEMENT_RESPONSE, Opcode.LOGOUT_RESPONSE)
        if header[0] == Opcode.DATA_IN:
            assert pdu.parse_data_in(header, data).target_transfer_tag == pdu.RESERVED_TAG


def test_a_command_priority_is_not_looked_at() -> None:
    """RFC 7144 section 5.1.1: below level 2 it is reserved."""
    peer = Peer()
    message = bytearray(peer.command(bytes(6)))
    message[2] = 0xF0
    peer.send(bytes(message))
    [(header, data)] = peer.received()
    assert pdu.parse_scsi_response(header, data).status == 0


@pytest.mark.parametrize("header_digest", [False, True])
@pytest.mark.parametrize("data_digest", [False, True])
def test_the_digests_of_every_kind_of_pdu_are_right(header_digest: bool, data_digest: bool) -> None:
    """Section 13.1: once agreed on, every PDU has them; one without data has no data digest."""
    peer = Peer(with_digests(header=header_digest, data=data_digest))
    ask_for_everything(peer)
    stream = peer.raw()
    seen = set()
    while stream:
        length = int.from_bytes(stream[5:8], "big")
        size = 48 + 4 * header_digest + pdu.pad4(length) + 4 * (data_digest and length > 0)
        whole, stream = stream[:size], stream[size:]
        assert len(remove_digests(whole, header_digest, data_digest)) == 48 + pdu.pad4(length)
        seen.add(whole[0])
    assert seen == PARSERS.keys()
