"""Task management, and what else ends tasks: whom it waits for, and how the window is told (RFC 7143 4.2.3, 11.5)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi import limits, pdu
from lunaport.iscsi.enums import Opcode, TaskFunction, TaskResponse
from lunaport.iscsi.requests import TASK_SETS
from tests.unit.iscsi.full_feature import FINAL, PARAMETERS, READ, Peer
from tests.unit.iscsi.test_connection import nop_out, response_of, task_management

SLOW = bytes([0xA8]) + bytes(7) + b"\1\0"


def opcodes(peer: Peer) -> list[int]:
    return [header[0] for header, _ in peer.received()]


@pytest.mark.parametrize("function", sorted(TASK_SETS))
def test_a_task_set_is_ended_when_every_command_before_the_request_has_come(function: int) -> None:
    """Section 4.2.3.3: a request that overtakes commands is about them too, and waits for them."""
    peer = Peer()
    first, second = peer.command(bytes(6), tag=1), peer.command(bytes(6), tag=2)
    peer.send(task_management(peer, function), second)
    assert (peer.disk.managed, peer.received()) == ([], [])
    peer.send(first)
    assert peer.disk.managed == [(function, 0)]
    assert opcodes(peer) == [Opcode.SCSI_RESPONSE] * 2 + [Opcode.TASK_MANAGEMENT_RESPONSE]
    assert not peer.connection.held
    assert peer.connection.requests.managing == []


@pytest.mark.parametrize("ahead", [0, -1, 129, 0x7FFFFFFF])
def test_a_request_that_nothing_is_missing_for_is_carried_out_at_once(ahead: int) -> None:
    """A number outside the window stands for no command that could come."""
    peer = Peer()
    message = bytearray(task_management(peer, TaskFunction.LOGICAL_UNIT_RESET))
    message[24:28] = (1 + ahead & 0xFFFFFFFF).to_bytes(4, "big")
    peer.send(bytes(message))
    assert response_of(peer) == TaskResponse.FUNCTION_COMPLETE


def test_requests_that_wait_are_bounded_and_kept_in_order() -> None:
    peer = Peer()
    missing = peer.command(bytes(6), tag=1)
    functions = [TaskFunction.ABORT_TASK_SET, TaskFunction.CLEAR_TASK_SET] * (limits.IMMEDIATE_COMMANDS_MAX // 2)
    peer.send(*(task_management(peer, function) for function in functions))
    assert peer.received() == []
    peer.send(task_management(peer, TaskFunction.ABORT_TASK_SET))
    assert opcodes(peer) == [Opcode.REJECT]
    peer.send(nop_out(peer, b"alive"))
    assert opcodes(peer) == [Opcode.NOP_IN]
    peer.send(missing)
    assert [function for function, _ in peer.disk.managed] == functions


def test_what_waits_goes_with_the_connection() -> None:
    peer = Peer()
    peer.command(bytes(6))
    peer.send(task_management(peer, TaskFunction.LOGICAL_UNIT_RESET))
    peer.connection.drop()
    assert not peer.connection.held
    assert peer.disk.managed == []


@given(st.permutations(range(5)), st.sampled_from(sorted(TASK_SETS)))
def test_in_any_order_the_request_comes_behind_the_commands_before_it(order: list[int], function: int) -> None:
    peer = Peer()
    messages = [peer.command(bytes([0, 0, 0, 0, tag, 0]), tag=tag) for tag in range(3)]
    messages.append(task_management(peer, function))
    messages.append(peer.command(bytes([0, 0, 0, 0, 9, 0]), tag=9))
    peer.send(*(messages[number] for number in order))
    tags = [int.from_bytes(header[16:20], "big") for header, _ in peer.received()]
    assert sorted(tags) == [0, 1, 2, 9, 0x99]
    assert tags.index(0x99) > max(map(tags.index, range(3)))


def test_task_management_is_no_task_to_abort() -> None:
    """Section 11.5.1: function rejected, for a request that is under way and for the very same."""
    peer = Peer()
    peer.send(peer.read(0, 1, tag=5, slow=True), task_management(peer, TaskFunction.ABORT_TASK, referenced=5))
    other = bytearray(task_management(peer, TaskFunction.ABORT_TASK, referenced=0x99))
    other[16:20] = (0x9A).to_bytes(4, "big")
    peer.send(bytes(other))
    assert response_of(peer) == TaskResponse.FUNCTION_REJECTED
    other[20:24] = (0x9A).to_bytes(4, "big")
    peer.send(bytes(other))
    assert response_of(peer) == TaskResponse.FUNCTION_REJECTED
    peer.disk.slow.pop()()
    assert response_of(peer) == TaskResponse.FUNCTION_COMPLETE
    peer.send(bytes(other[:20]) + b"\0\0\0\x99" + bytes(other[24:]))
    assert response_of(peer) == TaskResponse.TASK_DOES_NOT_EXIST


def test_a_window_that_opens_without_an_answer_is_told_once() -> None:
    """Section 11.4.11: tasks that others end have no answer, so a NOP-In tells MaxCmdSN, and uses no StatSN."""
    peer = Peer()
    for tag in range(limits.COMMAND_WINDOW):
        peer.send(peer.read(0, 1, tag=tag, slow=True))
    for task in list(peer.connection.tasks.values()):
        task.abort()
    while peer.disk.slow:
        peer.disk.slow.pop()()
    [(header, data)] = peer.received()
    told = pdu.parse_nop_in(header, data)
    assert (told.initiator_task_tag, told.target_transfer_tag) == (pdu.RESERVED_TAG, pdu.RESERVED_TAG)
    assert told.max_cmd_sn - told.exp_cmd_sn + 1 == limits.COMMAND_WINDOW
    assert told.stat_sn == peer.connection.stat_sn == 100
    assert peer.received() == []


def test_a_window_that_an_answer_tells_of_is_not_told_again() -> None:
    peer = Peer()
    peer.send(peer.read(0, 1, tag=5, slow=True), task_management(peer, TaskFunction.ABORT_TASK, referenced=5))
    peer.disk.slow.pop()()
    assert opcodes(peer) == [Opcode.TASK_MANAGEMENT_RESPONSE]


def test_an_immediate_command_that_others_end_opens_no_window() -> None:
    peer = Peer()
    peer.send(peer.command(SLOW, flags=FINAL | READ, tag=5, length=512, immediate=True))
    peer.connection.tasks[5].abort()
    peer.disk.slow.pop()()
    assert peer.received() == []


def test_nothing_is_told_on_a_connection_that_ends() -> None:
    peer = Peer()
    peer.send(peer.read(0, 1, tag=5, slow=True))
    peer.connection.tasks[5].abort()
    peer.disk.slow.pop()()
    peer.connection.closing = "over"
    assert peer.received() == []


@pytest.mark.parametrize("segment", [513, 514, 515, 1023])
def test_data_in_that_goes_on_is_whole_words(segment: int) -> None:
    """Section 11.7.7: each PDU but the last of a burst."""
    peer = Peer(replace(PARAMETERS, peer_max_recv_data_segment_length=segment, max_burst_length=1027))
    peer.send(peer.read(0, 5))
    answers = [pdu.parse_data_in(header, data) for header, data in peer.received()]
    assert all(len(answer.data) % 4 == 0 for answer in answers if not answer.flags & FINAL)
    assert all(len(answer.data) <= segment for answer in answers)
    assert sum(len(answer.data) for answer in answers) == 2560
