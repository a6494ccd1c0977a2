"""Full feature phase: what fuzzing and the reading of RFC 7143 for CONFORMANCE.md have found."""

from dataclasses import replace

import pytest

from lunaport.iscsi import limits, pdu
from lunaport.iscsi.connection import Connection
from lunaport.iscsi.enums import RejectReason, TaskFunction, TaskResponse
from lunaport.iscsi.output import Output
from tests.unit.iscsi.full_feature import LIST_ALL, PARAMETERS, WRITE, Peer, data_out
from tests.unit.iscsi.test_connection import nop_out, task_management, text_request

UNSOLICITED = 0xFFFFFFFF


def rejected(peer: Peer) -> int:
    [(header, data)] = peer.received()
    return pdu.parse_reject(header, data).reason


def test_a_command_with_a_tag_in_use_takes_no_place_in_the_window() -> None:
    peer = Peer()
    peer.send(peer.read(0, 1, tag=9, slow=True))
    for _ in range(limits.COMMAND_WINDOW + 1):
        peer.cmd_sn = 2
        peer.send(peer.read(0, 1, tag=9))
        assert rejected(peer) == RejectReason.TASK_IN_PROGRESS
    peer.disk.slow.pop()()
    peer.received()
    assert peer.connection.max_cmd_sn - peer.connection.exp_cmd_sn + 1 == limits.COMMAND_WINDOW


def test_an_immediate_command_with_a_tag_in_use_opens_no_window() -> None:
    peer = Peer()
    peer.send(peer.read(0, 1, tag=9, slow=True), peer.command(bytes(6), tag=9, immediate=True))
    assert rejected(peer) == RejectReason.TASK_IN_PROGRESS
    assert peer.connection.max_cmd_sn == limits.COMMAND_WINDOW


def test_commands_behind_one_with_a_tag_in_use_wait_for_its_number() -> None:
    peer = Peer()
    peer.send(peer.read(0, 1, tag=9, slow=True))
    doubled, follower = peer.read(0, 1, tag=9), peer.command(bytes(6), tag=10)
    peer.send(follower, doubled)
    assert rejected(peer) == RejectReason.TASK_IN_PROGRESS
    peer.cmd_sn = 2
    peer.send(peer.command(bytes(6), tag=11))
    assert [pdu.parse_scsi_response(*answer).initiator_task_tag for answer in peer.received()] == [11, 10]


def test_a_task_aborted_twice_answers_twice_in_order() -> None:
    peer = Peer()
    abort = task_management(peer, TaskFunction.ABORT_TASK, referenced=5)
    peer.send(peer.read(0, 1, tag=5, slow=True), abort, abort)
    assert peer.received() == []
    peer.disk.slow.pop()()
    answers = [pdu.parse_task_management_response(header) for header, _ in peer.received()]
    assert [answer.response for answer in answers] == [TaskResponse.FUNCTION_COMPLETE] * 2
    assert peer.connection.requests.managing == []


def test_unsolicited_data_with_initial_r2t_ends_the_task() -> None:
    """Section 13.10: with InitialR2T=Yes all but immediate data waits for an R2T, whatever F says."""
    peer = Peer(replace(PARAMETERS, initial_r2t=True))
    peer.send(peer.write(0, 4, bytes(512), tag=5, final=False))
    [(header, _)] = peer.received()
    assert (pdu.parse_r2t(header).offset, pdu.parse_r2t(header).length) == (512, 1536)
    tag = pdu.parse_r2t(header).target_transfer_tag
    peer.send(data_out(5, UNSOLICITED, 0, 512, bytes(1536), final=True))
    assert peer.received() == [], "what the R2T asked for is on its way"
    peer.send(data_out(5, tag, 0, 512, bytes(1536), final=True))
    [(header, data)] = peer.received()
    assert pdu.parse_scsi_response(header, data).sense[12:14] == b"\x0c\x0c"


def test_a_command_that_fails_waits_for_no_unsolicited_data_with_initial_r2t() -> None:
    peer = Peer(replace(PARAMETERS, initial_r2t=True))
    peer.send(peer.command(b"\xff", flags=WRITE, tag=5, length=512))
    [(header, data)] = peer.received()
    assert pdu.parse_scsi_response(header, data).status == 2


@pytest.mark.parametrize("message", [nop_out(Peer()), task_management(Peer(), TaskFunction.LOGICAL_UNIT_RESET)])
def test_a_discovery_session_takes_text_and_logout_only(message: bytes) -> None:
    """Section 4.3; an answer to a ping of ours is no request."""
    peer = Peer()
    peer.connection.device_server = None
    peer.connection.ping()
    peer.connection.request_logout(1)
    assert peer.received() == [], "nothing is said unasked (section 7.4.3)"
    peer.send(nop_out(peer, tag=pdu.RESERVED_TAG))
    peer.send(message)
    assert rejected(peer) == RejectReason.COMMAND_NOT_SUPPORTED
    peer.send(text_request(LIST_ALL))
    assert len(peer.received()) == 1


def test_a_text_request_that_is_not_the_last_gets_no_last_answer() -> None:
    """Section 11.11.1: F in answer to a request without F is a protocol error."""
    peer = Peer()
    request = pdu.TextRequest(immediate=True, final=False, initiator_task_tag=4, cmd_sn=1, exp_stat_sn=0, data=LIST_ALL)
    peer.send(request.serialize())
    [(header, data)] = peer.received()
    answer = pdu.parse_text_response(header, data)
    assert (answer.final, answer.continues, answer.data) == (False, False, LIST_ALL)
    assert answer.target_transfer_tag != pdu.RESERVED_TAG
    peer.send(text_request(b"", ttt=answer.target_transfer_tag))
    [(header, data)] = peer.received()
    answer = pdu.parse_text_response(header, data)
    assert (answer.final, answer.target_transfer_tag, answer.data) == (True, pdu.RESERVED_TAG, b"")


def test_text_that_goes_on_cannot_be_final() -> None:
    """Section 11.10.2: C and F exclude each other."""
    peer = Peer()
    request = pdu.TextRequest(immediate=True, continues=True, initiator_task_tag=4, cmd_sn=1, exp_stat_sn=0)
    peer.send(request.serialize())
    assert rejected(peer) == RejectReason.PROTOCOL_ERROR


class SlowReader(Peer):
    """An initiator that takes one answer at a time."""

    def make_room(self, connection: Connection, room_bytes: int) -> Output:
        connection.blocked = True
        return super().make_room(connection, room_bytes)


def test_commands_that_wait_for_their_turn_are_not_lost_while_the_peer_takes_nothing() -> None:
    peer = SlowReader(room=48)
    commands = [peer.command(bytes([0, 0, 0, 0, number, 0]), tag=number) for number in (1, 2, 3)]
    peer.send(commands[2], commands[1])
    for executed in (1, 2, 3):
        peer.send(*commands[:1] if executed == 1 else ())
        assert [cdb[4] for cdb in peer.disk.executed] == [1, 2, 3][:executed]
        assert peer.connection.blocked
        peer.connection.blocked = False
    assert peer.connection.holding.bytes == 0
