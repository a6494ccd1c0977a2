"""Reject: every reason that a target at level 0 has, with what it must carry (RFC 7143 sections 7.3 and 11.17)."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lunaport.iscsi import limits, pdu
from lunaport.iscsi.digest import add_digests
from lunaport.iscsi.enums import Opcode, RejectReason, TaskFunction
from tests.unit.iscsi.full_feature import FINAL, LIST_ALL, READ, Peer, with_digests
from tests.unit.iscsi.test_connection import nop_out, task_management, text_request


def damaged(peer: Peer) -> bytes:
    message = add_digests(nop_out(peer, b"abcd"), True, True)
    return message[:-1] + bytes([message[-1] ^ 1])


def whole(message: bytes) -> bytes:
    return add_digests(message, True, True)


def snack(kind: int) -> Callable[[Peer], bytes]:
    def message(_peer: Peer) -> bytes:
        header = bytearray(48)
        header[0], header[1] = Opcode.SNACK_REQUEST, 0x80 | kind
        header[16:20] = (7).to_bytes(4, "big")
        return whole(bytes(header))

    return message


def additional(segments: bytes) -> Callable[[Peer], bytes]:
    def message(peer: Peer) -> bytes:
        command = pdu.ScsiCommand(
            flags=FINAL, initiator_task_tag=1, cmd_sn=peer.cmd_sn, exp_stat_sn=0, cdb=bytes(16), ahs=segments
        )
        return whole(command.serialize())

    return message


def attribute(number: int) -> Callable[[Peer], bytes]:
    return lambda peer: whole(peer.command(bytes(6), flags=FINAL | number))


def login(_peer: Peer) -> bytes:
    request = pdu.LoginRequest(
        transit=True, current_stage=1, next_stage=3, isid=bytes(6), initiator_task_tag=1, cmd_sn=1, exp_stat_sn=1
    )
    return whole(request.serialize())


def logout(peer: Peer) -> bytes:
    request = pdu.LogoutRequest(
        immediate=True, reason=77, initiator_task_tag=3, cid=0, cmd_sn=peer.cmd_sn, exp_stat_sn=0
    )
    return whole(request.serialize())


def immediate_beyond(peer: Peer) -> bytes:
    cdb = bytes([0xA8]) + bytes(7) + b"\1\0"
    for tag in range(limits.IMMEDIATE_COMMANDS_MAX):
        peer.send(peer.command(cdb, flags=FINAL | READ, tag=tag, length=512, immediate=True))
    return whole(peer.command(cdb, flags=FINAL | READ, tag=99, length=512, immediate=True))


def management_beyond(peer: Peer) -> bytes:
    peer.send(peer.read(0, 1, tag=5, slow=True))
    for _ in range(limits.IMMEDIATE_COMMANDS_MAX):
        peer.send(task_management(peer, TaskFunction.ABORT_TASK, referenced=5))
    return whole(task_management(peer, TaskFunction.ABORT_TASK, referenced=5))


def tag_in_use(peer: Peer) -> bytes:
    peer.send(peer.read(0, 1, tag=5, slow=True))
    return whole(peer.read(0, 1, tag=5))


def unasked_immediate_data(peer: Peer) -> bytes:
    return whole(peer.command(bytes(6), flags=FINAL, length=4, data=b"abcd"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A PDU that is rejected, made when what has to go before it has gone."""

    reason: RejectReason
    make: Callable[[Peer], bytes]
    closes: bool = False


CASES = {
    "a wrong data digest": Case(reason=RejectReason.DATA_DIGEST_ERROR, make=damaged),
    "a SNACK for data": Case(reason=RejectReason.SNACK_REJECT, make=snack(0)),
    "a SNACK for status": Case(reason=RejectReason.SNACK_REJECT, make=snack(1)),
    "a DataACK": Case(reason=RejectReason.SNACK_REJECT, make=snack(2)),
    "an R-Data SNACK": Case(reason=RejectReason.SNACK_REJECT, make=snack(3)),
    "a login in full feature phase": Case(reason=RejectReason.PROTOCOL_ERROR, make=login, closes=True),
    "immediate data of a command that writes nothing": Case(
        reason=RejectReason.PROTOCOL_ERROR, make=unasked_immediate_data, closes=True
    ),
    "an additional header of a kind that is none": Case(
        reason=RejectReason.PROTOCOL_ERROR, make=additional(b"\0\1\3\0"), closes=True
    ),
    "an additional header that is longer than there is": Case(
        reason=RejectReason.PROTOCOL_ERROR, make=additional(b"\0\6\1\0abcd"), closes=True
    ),
    "an extended CDB that is none": Case(reason=RejectReason.PROTOCOL_ERROR, make=additional(b"\0\1\1\0"), closes=True),
    "an extended CDB twice": Case(
        reason=RejectReason.PROTOCOL_ERROR, make=additional(b"\0\5\1\0abcd" * 2), closes=True
    ),
    "a read length of another length": Case(
        reason=RejectReason.PROTOCOL_ERROR, make=additional(b"\0\4\2\0abcd"), closes=True
    ),
    "a task attribute that is none": Case(reason=RejectReason.PROTOCOL_ERROR, make=attribute(5), closes=True),
    "the last task attribute that is none": Case(reason=RejectReason.PROTOCOL_ERROR, make=attribute(7), closes=True),
    "a key of the login": Case(
        reason=RejectReason.PROTOCOL_ERROR, make=lambda _: whole(text_request(b"MaxBurstLength=512\0"))
    ),
    "text that is none": Case(reason=RejectReason.PROTOCOL_ERROR, make=lambda _: whole(text_request(b"\xff\0"))),
    "an opcode that is none": Case(
        reason=RejectReason.COMMAND_NOT_SUPPORTED, make=lambda _: whole(b"\x1f\x80" + bytes(46))
    ),
    "an opcode of targets": Case(
        reason=RejectReason.COMMAND_NOT_SUPPORTED, make=lambda _: whole(b"\x21\x80" + bytes(46))
    ),
    "an immediate command too many": Case(reason=RejectReason.IMMEDIATE_COMMAND_REJECT, make=immediate_beyond),
    "a task management function too many": Case(reason=RejectReason.IMMEDIATE_COMMAND_REJECT, make=management_beyond),
    "a tag in use": Case(reason=RejectReason.TASK_IN_PROGRESS, make=tag_in_use),
    "a transfer tag that nobody gave": Case(
        reason=RejectReason.INVALID_PDU_FIELD, make=lambda _: whole(text_request(LIST_ALL, ttt=77))
    ),
    "a logout for a reason that is none": Case(reason=RejectReason.INVALID_PDU_FIELD, make=logout, closes=True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_reject_has_the_reason_the_header_and_the_numbers(name: str) -> None:
    case = CASES[name]
    peer = Peer(with_digests(header=True, data=True))
    wire = case.make(peer)
    peer.raw()
    stat_sn = peer.connection.stat_sn
    commands = len(peer.disk.executed)
    peer.send_raw(wire)
    [(header, data)] = peer.received()
    reject = pdu.parse_reject(header, data)
    assert header[0:2] == bytes([Opcode.REJECT, 0x80])
    assert header[16:20] == b"\xff\xff\xff\xff"
    assert reject.reason == case.reason
    assert reject.header == wire[:48]
    assert reject.stat_sn == stat_sn
    assert reject.exp_cmd_sn == peer.connection.exp_cmd_sn
    assert peer.connection.stat_sn == stat_sn + 1
    assert len(peer.disk.executed) == commands
    assert bool(peer.connection.closing) == case.closes


def test_every_reason_of_level_0_is_tried() -> None:
    """The others are of recovery (DataACK), of long operations that we have none of, and a courtesy before a logout."""
    others = {RejectReason.INVALID_DATA_ACK, RejectReason.LONG_OPERATION_REJECT, RejectReason.WAITING_FOR_LOGOUT}
    assert {case.reason for case in CASES.values()} == set(RejectReason) - others


def rejected_command(peer: Peer) -> bytes:
    return peer.read(0, 1, tag=5)


def rejected_text(peer: Peer) -> bytes:
    peer.cmd_sn += 1
    return pdu.TextRequest(initiator_task_tag=9, cmd_sn=peer.cmd_sn - 1, exp_stat_sn=0, data=b"\xff\0").serialize()


@pytest.mark.parametrize("make", [rejected_command, rejected_text])
@pytest.mark.parametrize("plug", [bytes(6), None])
def test_a_rejected_request_counts_as_not_received(make: Callable[[Peer], bytes], plug: bytes | None) -> None:
    """Section 7.3: what is behind it waits until its number comes again, or is plugged by an abort."""
    peer = Peer()
    peer.send(peer.read(0, 1, tag=5, slow=True))
    peer.send(make(peer), peer.read(0, 1, tag=6))
    [(header, data)] = peer.received()
    reject = pdu.parse_reject(header, data)
    assert (reject.exp_cmd_sn, reject.max_cmd_sn) == (2, limits.COMMAND_WINDOW)
    if plug is None:
        peer.send(task_management(peer, TaskFunction.ABORT_TASK, referenced=77, ref_cmd_sn=2))
    else:
        peer.cmd_sn = 2
        peer.send(peer.command(plug, tag=7))
    answers = [header[0] for header, _ in peer.received()]
    assert max(answers) == Opcode.DATA_IN
    assert len(answers) == 2
    assert peer.connection.exp_cmd_sn == 4
