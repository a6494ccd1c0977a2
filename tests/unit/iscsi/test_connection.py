"""Full feature phase: numbering, rejects, task management, text, logout (RFC 7143 sections 4.2, 7 and 11)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi import limits, pdu
from lunaport.iscsi.digest import add_digests
from lunaport.iscsi.enums import Opcode, RejectReason, TaskFunction, TaskResponse
from tests.unit.iscsi.full_feature import LIST_ALL, Echo, Peer, with_digests


def nop_out(peer: Peer, data: bytes = b"", *, tag: int = 7, immediate: bool = True) -> bytes:
    message = pdu.NopOut(
        immediate=immediate, initiator_task_tag=tag, cmd_sn=peer.cmd_sn, exp_stat_sn=0, data=data
    ).serialize()
    if not immediate:
        peer.cmd_sn += 1
    return message


def test_a_ping_is_answered_with_its_data() -> None:
    peer = Peer()
    peer.send(nop_out(peer, b"hello"))
    [(header, data)] = peer.received()
    answer = pdu.parse_nop_in(header, data)
    assert (answer.initiator_task_tag, answer.data, answer.stat_sn) == (7, b"hello", 100)
    assert (answer.exp_cmd_sn, answer.max_cmd_sn) == (1, limits.COMMAND_WINDOW)


def test_an_answer_to_our_ping_is_not_answered() -> None:
    peer = Peer()
    peer.send(nop_out(peer, tag=pdu.RESERVED_TAG))
    assert peer.received() == []


def test_the_window_moves_with_commands_that_end_and_stat_sn_with_responses() -> None:
    peer = Peer()
    peer.send(peer.command(bytes(6), tag=1), peer.command(bytes(6), tag=2))
    first, second = (pdu.parse_scsi_response(header, data) for header, data in peer.received())
    assert (first.stat_sn, second.stat_sn) == (100, 101)
    assert (first.max_cmd_sn, second.max_cmd_sn) == (limits.COMMAND_WINDOW + 1, limits.COMMAND_WINDOW + 2)


def test_a_command_that_waits_keeps_its_place_in_the_window() -> None:
    peer = Peer()
    peer.send(peer.read(0, 1, tag=1, slow=True), peer.command(bytes(6), tag=2))
    [(header, data)] = peer.received()
    response = pdu.parse_scsi_response(header, data)
    assert (response.exp_cmd_sn, response.max_cmd_sn) == (3, limits.COMMAND_WINDOW + 1)
    peer.disk.slow.pop()()
    [(header, data)] = peer.received()
    assert pdu.parse_data_in(header, data).max_cmd_sn == limits.COMMAND_WINDOW + 2
    assert peer.connection.tasks == {}


def test_commands_out_of_order_are_executed_in_order() -> None:
    peer = Peer()
    commands = [peer.command(bytes([0, 0, 0, 0, number, 0]), tag=number) for number in (1, 2, 3)]
    peer.send(commands[2], commands[1])
    assert peer.disk.executed == []
    peer.send(commands[0])
    assert [cdb[4] for cdb in peer.disk.executed] == [1, 2, 3]


@pytest.mark.parametrize("cmd_sn", [0, 0xFFFFFFFF, 1 + limits.COMMAND_WINDOW, 0x80000000])
def test_a_command_outside_the_window_is_dropped(cmd_sn: int) -> None:
    peer = Peer()
    peer.cmd_sn = cmd_sn
    peer.send(peer.command(bytes(6)))
    assert peer.received() == []
    assert peer.disk.executed == []
    assert not peer.connection.closing


def test_the_last_command_of_the_window_is_held() -> None:
    peer = Peer()
    peer.cmd_sn = limits.COMMAND_WINDOW
    peer.send(peer.command(bytes(6)))
    assert list(peer.connection.held) == [limits.COMMAND_WINDOW]


def test_a_doubled_command_is_executed_once() -> None:
    peer = Peer()
    command = peer.command(bytes(6))
    peer.send(command, command)
    assert len(peer.disk.executed) == 1


def test_what_is_held_is_bounded() -> None:
    peer = Peer()
    peer.cmd_sn = 2
    block = bytes(8192)
    sent = 0
    while not peer.connection.closing and sent < limits.COMMAND_WINDOW:
        peer.send(peer.write(0, 16, block, tag=sent))
        sent += 1
    assert peer.connection.holding.bytes <= limits.HELD_BYTES_MAX


def test_a_tag_in_use_is_rejected() -> None:
    peer = Peer()
    peer.send(peer.read(0, 1, tag=9, slow=True), peer.read(0, 1, tag=9))
    [(header, data)] = peer.received()
    assert pdu.parse_reject(header, data).reason == RejectReason.TASK_IN_PROGRESS


@pytest.mark.parametrize("opcode", [0x10, 0x1C, 0x3E])
def test_an_unknown_pdu_is_rejected_with_its_header(opcode: int) -> None:
    peer = Peer()
    header = bytes([opcode | 0x40, 0x80]) + bytes(46)
    peer.send(header)
    [(answer, data)] = peer.received()
    reject = pdu.parse_reject(answer, data)
    expected = RejectReason.SNACK_REJECT if opcode == Opcode.SNACK_REQUEST else RejectReason.COMMAND_NOT_SUPPORTED
    assert (reject.reason, reject.header) == (expected, header)
    assert not peer.connection.closing


def test_a_login_in_full_feature_phase_ends_the_connection() -> None:
    peer = Peer()
    peer.send(bytes([0x43, 0x87]) + bytes(46))
    [(header, data)] = peer.received()
    assert pdu.parse_reject(header, data).reason == RejectReason.PROTOCOL_ERROR
    assert peer.connection.closing


@pytest.mark.parametrize(
    ("length", "accepted"), [(limits.DATA_SEGMENT_BYTES_MAX, True), (limits.DATA_SEGMENT_BYTES_MAX + 1, False)]
)
def test_a_data_segment_longer_than_declared_ends_the_connection(length: int, accepted: bool) -> None:
    peer = Peer()
    header = bytes([0x40, 0x80, 0, 0, 0]) + length.to_bytes(3, "big") + bytes(8) + b"\0\0\0\1" + bytes(28)
    assert peer.send_raw(header) == (0 if accepted else 48)
    assert bool(peer.connection.closing) is not accepted
    assert len(peer.received()) == (0 if accepted else 1)


def test_every_split_of_a_stream_gives_the_same() -> None:
    whole = Peer()
    stream = nop_out(whole, b"abc") + whole.write(0, 1, b"x" * 512, tag=2) + whole.read(0, 1, tag=3)
    whole.send_raw(stream)
    expected = whole.raw()
    for cut in range(1, len(stream)):
        peer = Peer()
        consumed = peer.send_raw(stream[:cut])
        assert consumed <= cut
        peer.send_raw(stream[consumed:])
        assert peer.raw() == expected


@pytest.mark.parametrize(("header", "data"), [(True, False), (False, True), (True, True)])
def test_digests_are_checked_and_made(header: bool, data: bool) -> None:
    peer = Peer(with_digests(header=header, data=data))
    peer.disk.data[:512] = b"d" * 512
    peer.send(peer.read(0, 1))
    sent = peer.raw()
    plain = sent[:48] + b"d" * 512
    assert sent == add_digests(plain, header, data)


def test_a_wrong_header_digest_ends_the_connection_silently() -> None:
    peer = Peer(with_digests(header=True, data=False))
    peer.send_raw(nop_out(peer) + b"\0\0\0\0")
    assert peer.received() == []
    assert "header digest" in peer.connection.closing


def test_a_wrong_data_digest_is_rejected() -> None:
    peer = Peer(with_digests(header=False, data=True))
    peer.send_raw(nop_out(peer, b"abcd") + b"\0\0\0\0")
    [(header, data)] = peer.received()
    assert pdu.parse_reject(header, data).reason == RejectReason.DATA_DIGEST_ERROR
    assert not peer.connection.closing


def task_management(peer: Peer, function: int, *, referenced: int = 0xFFFFFFFF, ref_cmd_sn: int = 0) -> bytes:
    return pdu.TaskManagementRequest(
        function=function,
        initiator_task_tag=0x99,
        referenced_task_tag=referenced,
        cmd_sn=peer.cmd_sn,
        exp_stat_sn=0,
        ref_cmd_sn=ref_cmd_sn,
    ).serialize()


def response_of(peer: Peer) -> int:
    [(header, _)] = peer.received()
    return pdu.parse_task_management_response(header).response


def test_abort_task_answers_when_the_task_has_ended() -> None:
    peer = Peer()
    peer.send(peer.read(0, 1, tag=5, slow=True), task_management(peer, TaskFunction.ABORT_TASK, referenced=5))
    assert peer.received() == []
    peer.disk.slow.pop()()
    assert response_of(peer) == TaskResponse.FUNCTION_COMPLETE


@pytest.mark.parametrize("working", [False, True])
def test_abort_task_of_one_whose_work_need_not_be_waited_for(working: bool) -> None:
    """The memory that the work still uses counts until it has ended."""
    peer = Peer()
    peer.send(peer.read(0, 1, tag=5, slow=True))
    [task] = peer.connection.tasks.values()
    lent = peer.lent
    left: list[Callable[[], None]] = []
    task.abandon = lambda: left.append(task.leave(working=working))
    peer.send(task_management(peer, TaskFunction.ABORT_TASK, referenced=5))
    assert response_of(peer) == TaskResponse.FUNCTION_COMPLETE
    assert (peer.connection.tasks, peer.lent, hasattr(task, "output")) == ({}, lent if working else 0, working)
    task.abort()
    assert len(left) == 1, "it is over"
    left.pop()()
    assert (peer.lent, peer.received()) == (0, [])


def test_abort_task_of_one_that_waits_for_data() -> None:
    peer = Peer()
    peer.send(peer.write(0, 64, b"", tag=5))
    peer.received()
    peer.send(task_management(peer, TaskFunction.ABORT_TASK, referenced=5))
    assert response_of(peer) == TaskResponse.FUNCTION_COMPLETE
    assert not peer.connection.tasks
    assert not peer.connection.waiting


def test_abort_task_of_an_unknown_task() -> None:
    peer = Peer()
    peer.send(task_management(peer, TaskFunction.ABORT_TASK, referenced=5))
    assert response_of(peer) == TaskResponse.TASK_DOES_NOT_EXIST


def test_abort_task_that_overtakes_its_command() -> None:
    peer = Peer()
    commands = [peer.command(bytes([0, 0, 0, 0, number, 0]), tag=number) for number in (1, 2, 3)]
    for number in (1, 2):
        peer.send(task_management(peer, TaskFunction.ABORT_TASK, referenced=number, ref_cmd_sn=number))
        assert response_of(peer) == TaskResponse.FUNCTION_COMPLETE
    peer.send(*commands)
    assert [cdb[4] for cdb in peer.disk.executed] == [3]
    assert peer.connection.holding.bytes == 0


def test_abort_task_reaches_no_command_behind_it() -> None:
    """Section 11.6.1: RefCmdSN is of the window and before the request's own CmdSN; nothing later is given up."""
    peer = Peer()
    for ref_cmd_sn in (1, 2, 100):
        peer.send(task_management(peer, TaskFunction.ABORT_TASK, referenced=9, ref_cmd_sn=ref_cmd_sn))
        assert response_of(peer) == TaskResponse.TASK_DOES_NOT_EXIST
    peer.send(peer.command(bytes(6)))
    assert len(peer.disk.executed) == 1


def test_other_functions_go_to_the_device_server() -> None:
    peer = Peer()
    peer.send(task_management(peer, TaskFunction.LOGICAL_UNIT_RESET))
    assert response_of(peer) == TaskResponse.FUNCTION_COMPLETE
    assert peer.disk.managed == [(TaskFunction.LOGICAL_UNIT_RESET, 0)]


def test_task_reassign_is_refused() -> None:
    peer = Peer()
    peer.send(task_management(peer, TaskFunction.TASK_REASSIGN))
    assert response_of(peer) == TaskResponse.REASSIGNMENT_NOT_SUPPORTED


def test_logout_ends_the_connection_after_its_answer() -> None:
    peer = Peer()
    peer.send(pdu.LogoutRequest(reason=0, initiator_task_tag=3, cid=0, cmd_sn=1, exp_stat_sn=0).serialize())
    [(header, _)] = peer.received()
    assert pdu.parse_logout_response(header).response == 0
    assert peer.connection.closing == "logout"


def test_logout_of_an_unknown_connection_and_for_recovery() -> None:
    peer = Peer()
    for reason, cid, expected in ((1, 77, 1), (2, 0, 2)):
        request = pdu.LogoutRequest(
            immediate=True, reason=reason, initiator_task_tag=3, cid=cid, cmd_sn=1, exp_stat_sn=0
        )
        peer.send(request.serialize())
        [(header, _)] = peer.received()
        assert pdu.parse_logout_response(header).response == expected
        assert not peer.connection.closing


def text_request(data: bytes, *, final: bool = True, ttt: int = 0xFFFFFFFF) -> bytes:
    return pdu.TextRequest(
        immediate=True,
        final=final,
        continues=not final,
        initiator_task_tag=4,
        target_transfer_tag=ttt,
        cmd_sn=1,
        exp_stat_sn=0,
        data=data,
    ).serialize()


def test_a_long_text_answer_comes_in_pieces() -> None:
    peer = Peer()
    peer.connection.text = Echo(times=5000)
    peer.send(text_request(LIST_ALL))
    gathered = b""
    for _ in range(10):
        [(header, data)] = peer.received()
        answer = pdu.parse_text_response(header, data)
        gathered += answer.data
        assert len(answer.data) <= 8192
        if answer.final:
            break
        peer.send(text_request(b"", ttt=answer.target_transfer_tag))
    assert gathered == LIST_ALL * 5000


def test_a_text_request_in_pieces_is_gathered() -> None:
    peer = Peer()
    peer.send(text_request(LIST_ALL[:5], final=False))
    [(header, data)] = peer.received()
    answer = pdu.parse_text_response(header, data)
    assert (answer.final, answer.data) == (False, b"")
    peer.send(text_request(LIST_ALL[5:], ttt=answer.target_transfer_tag))
    [(header, data)] = peer.received()
    assert pdu.parse_text_response(header, data).data == LIST_ALL


def test_a_text_request_without_end_is_rejected() -> None:
    peer = Peer()
    ttt = 0xFFFFFFFF
    for _ in range(limits.TEXT_REQUEST_BYTES_MAX // 8192):
        peer.send(text_request(b"x" * 8192, final=False, ttt=ttt))
        [(header, data)] = peer.received()
        ttt = pdu.parse_text_response(header, data).target_transfer_tag
    peer.send(text_request(b"x", final=False, ttt=ttt))
    [(header, data)] = peer.received()
    assert pdu.parse_reject(header, data).reason == RejectReason.PROTOCOL_ERROR


def test_a_ping_of_ours_uses_no_stat_sn() -> None:
    peer = Peer()
    peer.connection.ping()
    peer.send(peer.command(bytes(6)))
    (ping, data), (response, _) = peer.received()
    message = pdu.parse_nop_in(ping, data)
    assert message.initiator_task_tag == pdu.RESERVED_TAG
    assert message.target_transfer_tag != pdu.RESERVED_TAG
    assert (message.stat_sn, pdu.parse_scsi_response(response, b"").stat_sn) == (100, 100)
    answer = pdu.NopOut(
        immediate=True, target_transfer_tag=message.target_transfer_tag, cmd_sn=peer.cmd_sn, exp_stat_sn=0
    )
    peer.send(answer.serialize())
    assert peer.received() == []


def test_a_request_to_log_out() -> None:
    peer = Peer()
    peer.connection.request_logout(5)
    peer.connection.request_logout(5)
    [(header, data)] = peer.received()
    message = pdu.parse_async_message(header, data)
    assert (message.event, message.parameters) == (1, (0, 0, 5))


@given(st.lists(st.binary(min_size=48, max_size=120), max_size=8), st.booleans(), st.booleans())
def test_any_bytes_are_answered_or_end_the_connection(stream: list[bytes], header: bool, data: bool) -> None:
    """Whatever comes: no exception, bounded output, and nothing is consumed that is not there."""
    peer = Peer(with_digests(header=header, data=data))
    joined = b"".join(stream)
    consumed = peer.send_raw(joined)
    assert 0 <= consumed <= len(joined)
    assert len(peer.raw()) <= 300 * 1024


@given(st.data())
def test_any_legal_looking_pdus_are_answered_or_end_the_connection(data: st.DataObject) -> None:
    peer = Peer()
    for _ in range(data.draw(st.integers(1, 6))):
        opcode = data.draw(st.sampled_from([0, 1, 2, 4, 5, 6, 0x10, 0x40, 0x41, 0x42, 0x44, 0x46]))
        payload = data.draw(st.binary(max_size=64))
        header = bytearray(data.draw(st.binary(min_size=48, max_size=48)))
        header[0] = opcode
        header[4:8] = len(payload).to_bytes(4, "big")
        header[24:28] = data.draw(st.sampled_from([peer.connection.exp_cmd_sn, 5, 0])).to_bytes(4, "big")
        header[16:20] = data.draw(st.integers(0, 3)).to_bytes(4, "big")
        if peer.connection.closing:
            break
        peer.send_raw(bytes(header) + payload + bytes(-len(payload) % 4))
    for slow in peer.disk.slow:
        slow()
    peer.raw()
