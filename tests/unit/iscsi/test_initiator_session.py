"""The initiator in full feature phase: requests besides data, faults and what the target makes of them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi import pdu
from lunaport.iscsi.announcements import announce_connection_drop, announce_session_drop, request_negotiation
from lunaport.iscsi.enums import (
    AsyncEvent,
    LogoutReason,
    LogoutResponse,
    Opcode,
    RejectReason,
    TaskFunction,
    TaskResponse,
)
from lunaport.iscsi.errors import LocalProtocolError, TextError
from lunaport.iscsi.initiator import Initiator
from lunaport.iscsi.initiator_discovery import DiscoveredTarget, parse_send_targets
from lunaport.iscsi.initiator_events import (
    Announced,
    CommandResult,
    ConnectionEnded,
    Event,
    LogoutResult,
    ManagementResult,
    PingReceived,
    PingResult,
    Rejected,
    TextResult,
)
from lunaport.iscsi.initiator_faults import (
    Fault,
    corrupt_data_digest,
    corrupt_header_digest,
    double,
    drop,
    edit,
    only,
)
from lunaport.iscsi.initiator_task import CommandRequest, lun_field
from lunaport.iscsi.limits import COMMAND_WINDOW
from lunaport.iscsi.login import TargetPolicy
from tests.unit.iscsi.initiator import TARGET, Directory
from tests.unit.iscsi.pair import OPTIONS, PORTALS, Pair, counting_down, every_byte, read, write

SOLICITED = {"InitialR2T": "Yes", "ImmediateData": "No", "MaxBurstLength": "1024"}
CRC_ERROR = bytes((0x47, 0x05))
INCORRECT_AMOUNT = bytes((0x0C, 0x0D))


def faulty(fault: Fault, *, digests: bool = False, keys: dict[str, str] | None = None) -> Pair:
    target = Directory(policy=TargetPolicy(name=TARGET, header_digest=True, data_digest=True))
    options = replace(OPTIONS, fault=fault, header_digest=digests, data_digest=digests, keys=keys or {})
    return Pair(options, directory=target).log_in()


# Requests


def test_a_ping_brings_its_data_back() -> None:
    pair = Pair().log_in()
    tags = [pair.initiator.ping(b"one"), pair.initiator.ping(b"two", immediate=False)]
    assert pair.run() == [
        PingResult(initiator_task_tag=tag, data=data) for tag, data in zip(tags, (b"one", b"two"), strict=True)
    ]


@pytest.mark.parametrize("answers_pings", [True, False])
def test_the_target_s_ping_is_answered(answers_pings: bool) -> None:
    answered: list[int] = []

    def watch(outgoing: object) -> tuple[()]:
        answered.append(1)
        return ()

    pair = Pair(replace(OPTIONS, answers_pings=answers_pings, fault=only(Opcode.NOP_OUT, watch))).log_in()
    assert pair.target.connection is not None
    pair.target.connection.ping()
    [event] = pair.run()
    assert isinstance(event, PingReceived)
    assert bool(answered) == answers_pings


def test_send_targets_with_continuation() -> None:
    keys = {"MaxRecvDataSegmentLength": "512"}
    pair = Pair(replace(OPTIONS, target_name="", keys=keys), names=50, cut=every_byte).log_in()
    pair.initiator.text(b"SendTargets=All\0")
    [event] = pair.run()
    assert isinstance(event, TextResult)
    assert parse_send_targets(event.data) == [
        DiscoveredTarget(name=f"{TARGET}{number or ''}", addresses=tuple(str(portal) for portal in PORTALS))
        for number in range(50)
    ]
    assert pair.opcodes().count(Opcode.TEXT_RESPONSE) > 10


def test_a_long_text_request_goes_in_pieces() -> None:
    pair = Pair().log_in()
    pair.initiator.parameters = replace(pair.initiator.parameters, peer_max_recv_data_segment_length=7)
    tag = pair.initiator.text(b"X-first=1\0X-second=2\0")
    assert pair.run() == [TextResult(initiator_task_tag=tag, data=b"X-first=NotUnderstood\0X-second=NotUnderstood\0")]


@pytest.mark.parametrize("data", [b"TargetAddress=1.2.3.4\0", b"TargetName\0", b"TargetName=\xff\0", b"X=1\0"])
def test_an_answer_that_lists_no_targets(data: bytes) -> None:
    with pytest.raises(TextError):
        parse_send_targets(data)


@given(st.binary(max_size=80))
def test_any_answer_lists_targets_or_does_not(data: bytes) -> None:
    try:
        targets = parse_send_targets(data)
    except TextError:
        return
    assert len(targets) <= data.count(b"TargetName=")


def test_abort_task() -> None:
    pair = Pair().log_in()
    slow, other = pair.initiator.command(read(0, 1, slow=True)), pair.initiator.command(read(1, 1, slow=True))
    tag = pair.initiator.manage(TaskFunction.ABORT_TASK, referenced_task_tag=slow, ref_cmd_sn=1)
    assert pair.run() == []
    pair.disk.slow.pop(0)()
    assert pair.run() == [ManagementResult(initiator_task_tag=tag, response=0, aborted=(slow,))]
    pair.disk.slow.pop(0)()
    assert list(pair.results()) == [other]


def test_abort_task_of_one_that_ended() -> None:
    pair = Pair().log_in()
    tag = pair.initiator.manage(TaskFunction.ABORT_TASK, referenced_task_tag=77, ref_cmd_sn=0)
    assert pair.run() == [ManagementResult(initiator_task_tag=tag, response=TaskResponse.TASK_DOES_NOT_EXIST)]


def test_a_command_lost_is_aborted_and_the_next_ones_go_on() -> None:
    """RFC 7143 section 11.5.1: a command that never came counts as come; what waited behind it is executed."""
    pair = faulty(only(Opcode.SCSI_COMMAND, drop, number=0))
    lost = pair.initiator.command(read(0, 1))
    second = pair.initiator.command(read(1, 1))
    assert pair.run() == []
    tag = pair.initiator.manage(TaskFunction.ABORT_TASK, referenced_task_tag=lost, ref_cmd_sn=1)
    events = pair.run()
    assert ManagementResult(initiator_task_tag=tag, response=0, aborted=(lost,)) in events
    assert [event.initiator_task_tag for event in events if isinstance(event, CommandResult)] == [second]
    assert pair.command(read(2, 1)).status == 0


def test_a_reset_ends_the_commands_of_its_unit() -> None:
    pair = Pair().log_in()
    tags = [pair.initiator.command(replace(read(0, 1, slow=True), lun=lun_field(lun))) for lun in (1, 2)]
    manage = pair.initiator.manage(TaskFunction.LOGICAL_UNIT_RESET, lun=lun_field(1))
    assert pair.run() == [ManagementResult(initiator_task_tag=manage, response=0, aborted=(tags[0],))]
    assert pair.disk.managed == [(TaskFunction.LOGICAL_UNIT_RESET, lun_field(1))]


@pytest.mark.parametrize(
    ("reason", "cid", "response"),
    [
        (LogoutReason.CLOSE_SESSION, None, LogoutResponse.SUCCESS),
        (LogoutReason.CLOSE_CONNECTION, None, LogoutResponse.SUCCESS),
        (LogoutReason.CLOSE_CONNECTION, 9, LogoutResponse.CID_NOT_FOUND),
        (LogoutReason.REMOVE_FOR_RECOVERY, None, LogoutResponse.RECOVERY_NOT_SUPPORTED),
    ],
)
def test_logout(reason: LogoutReason, cid: int | None, response: LogoutResponse) -> None:
    pair = Pair().log_in()
    pair.initiator.logout(reason, cid=cid)
    event, *ended = pair.run()
    assert isinstance(event, LogoutResult)
    assert event.message.response == response
    assert ended == ([ConnectionEnded(reason="logged out")] if response is LogoutResponse.SUCCESS else [])
    if ended:
        with pytest.raises(LocalProtocolError):
            pair.initiator.ping()


def test_an_asynchronous_message_is_an_event() -> None:
    pair = Pair().log_in()
    connection = pair.target.connection
    assert connection is not None
    connection.request_logout(10)
    request_negotiation(connection, 3)
    announce_connection_drop(connection)
    announce_session_drop(connection)
    told = [
        (event.event, event.within_s, event.cid, event.time2wait_s, event.time2retain_s)
        for event in pair.run()
        if isinstance(event, Announced)
    ]
    assert told == [
        (AsyncEvent.LOGOUT_REQUEST, 10, None, 0, 0),
        (AsyncEvent.NEGOTIATION_REQUEST, 3, None, 0, 0),
        (AsyncEvent.CONNECTION_DROP, 0, 0, 2, 0),
        (AsyncEvent.SESSION_DROP, 0, None, 2, 0),
    ]


def test_nothing_is_announced_on_a_connection_that_ends() -> None:
    pair = Pair().log_in()
    pair.initiator.logout()
    pair.run()
    assert pair.target.connection is not None
    announce_session_drop(pair.target.connection)
    assert pair.target.take_output() == b""


@pytest.mark.parametrize(("length", "sizes"), [(512, [512] * 16), (8192, [8192]), (4096, [4096, 4096])])
def test_a_segment_length_declared_anew_holds_from_the_next_command(length: int, sizes: list[int]) -> None:
    pair = Pair(replace(OPTIONS, keys={"MaxRecvDataSegmentLength": "1024"}), cut=every_byte).log_in()
    tag = pair.initiator.renegotiate({"MaxRecvDataSegmentLength": str(length), "X-org.example.a": "1"})
    [event] = pair.run()
    answer = b"MaxRecvDataSegmentLength=262144\0X-org.example.a=NotUnderstood\0"
    assert event == TextResult(initiator_task_tag=tag, data=answer)
    assert pair.initiator.parameters.max_recv_data_segment_length == length
    pair.received.clear()
    assert pair.command(read(0, 16)).status == 0
    assert [len(data) for header, data in pair.received if pdu.opcode_of(header) == Opcode.DATA_IN] == sizes


def test_what_a_target_refuses_to_negotiate_stays() -> None:
    pair = Pair().log_in()
    before = pair.initiator.parameters
    tag = pair.initiator.renegotiate({"MaxRecvDataSegmentLength": "512", "MaxBurstLength": "512"})
    [event] = pair.run()
    assert isinstance(event, Rejected)
    assert event.initiator_task_tag == tag
    assert pair.initiator.parameters == before


def test_a_request_to_negotiate_is_answered_by_an_empty_one() -> None:
    pair = Pair().log_in()
    tag = pair.initiator.renegotiate({})
    assert pair.run() == [TextResult(initiator_task_tag=tag, data=b"")]


def test_nothing_is_asked_before_the_login() -> None:
    with pytest.raises(LocalProtocolError):
        Initiator(OPTIONS, counting_down).command(CommandRequest(cdb=bytes(6)))


def test_luns() -> None:
    assert lun_field(1) == 0x0001 << 48
    assert lun_field(256) == 0x4100 << 48


# Faults, and what the target makes of them


def test_data_out_that_is_lost_ends_the_command() -> None:
    pair = faulty(only(Opcode.DATA_OUT, drop, number=1), keys=SOLICITED | {"MaxBurstLength": "4096"})
    pair.initiator.parameters = replace(pair.initiator.parameters, peer_max_recv_data_segment_length=512)
    result = pair.command(write(0, 8, bytes(4096)))
    assert (result.status, result.sense[12:14]) == (2, CRC_ERROR)
    assert pair.command(read(0, 1)).status == 0


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (edit(data_sn=1), CRC_ERROR),
        (edit(offset=1024), CRC_ERROR),
        (edit(data=bytes(1028)), INCORRECT_AMOUNT),
        (edit(data=bytes(512)), INCORRECT_AMOUNT),
        (edit(final=True, data=bytes(512)), INCORRECT_AMOUNT),
        (edit(target_transfer_tag=0x1234), INCORRECT_AMOUNT),
    ],
)
def test_data_out_with_numbers_of_ones_own(fault: Fault, code: bytes) -> None:
    pair = faulty(only(Opcode.DATA_OUT, fault, number=0), keys=SOLICITED)
    result = pair.command(write(0, 4, bytes(2048)))
    assert (result.status, result.sense[2] & 15, result.sense[12:14]) == (2, 0x0B, code)
    assert pair.command(write(0, 4, bytes(2048))).status == 0


def test_a_wrong_data_digest_is_rejected_and_ends_the_command() -> None:
    pair = faulty(only(Opcode.DATA_OUT, corrupt_data_digest, number=0), digests=True, keys=SOLICITED)
    tag = pair.initiator.command(write(0, 2, bytes(1024)))
    rejected, result = pair.run()
    assert isinstance(rejected, Rejected)
    assert (rejected.message.reason, rejected.initiator_task_tag) == (RejectReason.DATA_DIGEST_ERROR, None)
    assert isinstance(result, CommandResult)
    assert (result.initiator_task_tag, result.sense[12:14]) == (tag, CRC_ERROR)
    assert pair.command(write(0, 2, bytes(1024))).status == 0


def test_a_wrong_header_digest_ends_the_connection() -> None:
    pair = faulty(only(Opcode.SCSI_COMMAND, corrupt_header_digest), digests=True)
    pair.initiator.command(read(0, 1))
    assert pair.run() == []
    assert pair.target.closing == "header digest error"


def test_a_command_doubled_is_executed_once() -> None:
    pair = faulty(only(Opcode.SCSI_COMMAND, double))
    assert pair.command(read(0, 1)).status == 0
    assert len(pair.disk.executed) == 1
    assert not pair.initiator.closing


def test_a_tag_that_is_in_use_is_rejected_and_costs_no_room_in_the_window() -> None:
    pair = faulty(only(Opcode.SCSI_COMMAND, edit(initiator_task_tag=1)))
    first = pair.initiator.command(read(0, 1, slow=True))
    for _ in range(COMMAND_WINDOW):
        pair.initiator.command(read(1, 1))
        [event] = pair.run()
        assert isinstance(event, Rejected)
        assert (event.message.reason, event.initiator_task_tag) == (RejectReason.TASK_IN_PROGRESS, None)
    pair.disk.slow.pop()()
    assert list(pair.results()) == [first]
    assert (pair.initiator.max_cmd_sn - pair.initiator.exp_cmd_sn & 0xFFFFFFFF) == COMMAND_WINDOW - 1


def test_what_waits_behind_a_rejected_command_is_executed() -> None:
    pair = faulty(only(Opcode.SCSI_COMMAND, edit(initiator_task_tag=1), number=1))
    pair.initiator.command(read(0, 1, slow=True))
    pair.initiator.command(read(1, 1))
    last = pair.initiator.command(read(2, 1))
    chunks = pair.initiator.take_output()
    for number in (0, 2, 1):
        chunk = chunks[number]
        assert isinstance(chunk, bytes)
        pair.initiator.send_raw(chunk)
    assert [event.initiator_task_tag for event in pair.run() if isinstance(event, CommandResult)] == [last]


def test_the_number_of_what_was_rejected_last_is_used_again() -> None:
    """Section 7.3: nothing is behind it, so the next request takes it."""
    pair = Pair().log_in()
    cmd_sn = pair.initiator.cmd_sn
    pair.initiator.text(b"\xff\0")
    [event] = pair.run()
    assert isinstance(event, Rejected)
    assert pair.initiator.cmd_sn == cmd_sn
    assert pair.command(read(0, 1)).status == 0


def test_a_gap_that_a_reject_leaves_is_plugged_with_a_ping_that_nobody_hears_of() -> None:
    """Section 7.3, and what is behind it is carried out; the initiator can be told to leave it."""
    for plugs in (True, False):
        pair = Pair(replace(OPTIONS, plugs_gaps=plugs)).log_in()
        pair.initiator.text(b"\xff\0")
        behind = pair.initiator.command(read(0, 1))
        rejected, *results = pair.run()
        assert isinstance(rejected, Rejected)
        ended = [result.initiator_task_tag for result in results if isinstance(result, CommandResult)]
        assert ended == [behind] * plugs
        assert len(results) == plugs
        assert len(pair.disk.executed) == plugs


def test_a_plug_that_is_rejected_is_not_plugged() -> None:
    """A target that rejects everything is not asked for ever."""
    pair = Pair().log_in()
    initiator = pair.initiator
    initiator.text(b"\xff\0")
    initiator.command(read(0, 1))
    assert pair.target.connection is not None
    pair.target.connection.requests.handlers.pop(Opcode.NOP_OUT)
    events = pair.run()
    assert [type(event) for event in events] == [Rejected, Rejected]
    assert [event.initiator_task_tag for event in events if isinstance(event, Rejected)] == [1, None]


def test_immediate_data_that_was_not_agreed_on_ends_the_connection() -> None:
    pair = faulty(lambda outgoing: (outgoing.wire(),), keys=SOLICITED)
    tag = pair.initiator.command(replace(write(0, 1, bytes(512)), immediate_data_bytes=512))
    [event] = pair.run()
    assert isinstance(event, Rejected)
    assert (event.message.reason, event.initiator_task_tag) == (RejectReason.PROTOCOL_ERROR, tag)
    assert pair.target.closing


def test_a_pdu_of_ones_own() -> None:
    pair = Pair().log_in()
    pair.initiator.send_pdu(bytes((0x10,)) + bytes(47))
    [event] = pair.run()
    assert isinstance(event, Rejected)
    assert event.message.reason == RejectReason.SNACK_REJECT


def test_a_cmd_sn_of_ones_own_is_outside_the_window() -> None:
    pair = Pair().log_in()
    pair.initiator.cmd_sn = 1 - 5 & 0xFFFFFFFF
    pair.initiator.command(read(0, 1))
    assert pair.run() == []


# A target that breaks the rules


def respond(**changes: object) -> bytes:
    response = pdu.ScsiResponse(initiator_task_tag=1, stat_sn=0, exp_cmd_sn=2, max_cmd_sn=129)
    return replace(response, **changes).serialize()  # type: ignore[arg-type]  # fields by name


def data_in(**changes: object) -> bytes:
    message = pdu.DataIn(
        flags=pdu.FINAL | pdu.STATUS, initiator_task_tag=1, exp_cmd_sn=2, max_cmd_sn=129, data_sn=0, offset=0, data=b""
    )
    return replace(message, **changes).serialize()  # type: ignore[arg-type]  # fields by name


def r2t(**changes: object) -> bytes:
    message = pdu.R2T(
        lun=0,
        initiator_task_tag=1,
        target_transfer_tag=1,
        stat_sn=0,
        exp_cmd_sn=2,
        max_cmd_sn=129,
        r2t_sn=0,
        offset=0,
        length=512,
    )
    return replace(message, **changes).serialize()  # type: ignore[arg-type]  # fields by name


def under_attack(request: CommandRequest, answer: Callable[[Initiator], list[bytes]]) -> list[Event]:
    """Send a command, and let a target of ours answer it by hand."""
    pair = Pair(replace(OPTIONS, keys=SOLICITED)).log_in()
    initiator = pair.initiator
    initiator.command(request)
    initiator.exp_stat_sn = 0
    return [event for message in answer(initiator) for event in initiator.receive(message)]


@pytest.mark.parametrize(
    ("request_", "messages", "reason"),
    [
        (read(0, 1), [respond(stat_sn=1)], "StatSN 1 where 0 is due"),
        (read(0, 1), [respond(initiator_task_tag=9)], "nobody asked for"),
        (read(0, 1), [respond()], "0 bytes of data-in and a residual of 0"),
        (read(0, 1), [respond(exp_data_sn=1)], "ExpDataSN 1"),
        (read(0, 1), [respond(flags=6)], "at once"),
        (read(0, 1), [data_in(data=bytes(513))], "more data-in"),
        (read(0, 1), [data_in(data=bytes(100))], "100 bytes of data-in"),
        (read(0, 1), [data_in(data=bytes(512), data_sn=1)], "is not the one that is due"),
        (read(0, 1), [data_in(data=bytes(512), offset=4)], "is not the one that is due"),
        (read(0, 1), [data_in(data=bytes(512), flags=pdu.STATUS)], "not final"),
        (read(0, 4), [data_in(data=bytes(1025), flags=0)], "a burst of 1025"),
        (read(0, 1), [data_in(data=bytes(512)), data_in(stat_sn=1)], "nobody asked for"),
        (write(0, 4, bytes(2048)), [r2t(length=1025)], "an R2T for 1025"),
        (write(0, 4, bytes(2048)), [r2t(length=0)], "an R2T for 0"),
        (write(0, 1, bytes(512)), [r2t(length=513)], "an R2T for 513"),
        (write(0, 4, bytes(2048)), [r2t(offset=512)], "where 0 is next"),
        (write(0, 4, bytes(2048)), [r2t(r2t_sn=1)], "R2TSN 1"),
        (write(0, 4, bytes(2048)), [r2t(target_transfer_tag=pdu.RESERVED_TAG)], "reserved target transfer tag"),
        (write(0, 4, bytes(2048)), [r2t(), respond(exp_data_sn=1)], "GOOD after 512 bytes"),
        (read(0, 1), [bytes((0x01,)) + bytes(47)], "opcode 0x01"),
        (read(0, 1), [bytes((0x25, 0, 0, 0, 0, 0xFF, 0, 0)) + bytes(40)], "longer than"),
        (read(0, 1), [bytes((0x25, 0, 0, 0, 17)) + bytes(43)], "additional header"),
        (read(0, 1), [bytes((0x3F, 0x80)) + bytes(46)], "a Reject without"),
    ],
)
def test_what_a_target_may_not_do_ends_the_connection(
    request_: CommandRequest, messages: list[bytes], reason: str
) -> None:
    *_, event = under_attack(request_, lambda _initiator: messages)
    assert isinstance(event, ConnectionEnded)
    assert reason in event.reason


def test_a_window_that_makes_no_sense_is_ignored() -> None:
    pair = Pair().log_in()
    initiator = pair.initiator
    before = initiator.max_cmd_sn
    nop = pdu.NopIn(stat_sn=initiator.exp_stat_sn, exp_cmd_sn=10, max_cmd_sn=5)
    assert initiator.receive(nop.serialize()) == []
    assert initiator.receive(replace(nop, exp_cmd_sn=1, max_cmd_sn=2).serialize()) == []
    assert initiator.max_cmd_sn == before


def test_a_text_answer_without_end() -> None:
    pair = Pair().log_in()
    initiator = pair.initiator
    tag = initiator.text(b"SendTargets=\0")
    response = pdu.TextResponse(
        final=False,
        initiator_task_tag=tag,
        target_transfer_tag=1,
        stat_sn=initiator.exp_stat_sn,
        exp_cmd_sn=2,
        max_cmd_sn=9,
    )
    assert initiator.receive(response.serialize()) == [
        ConnectionEnded(reason="a text answer that goes on and says nothing")
    ]


def test_a_text_request_rejected_while_its_next_piece_waits() -> None:
    pair = Pair().log_in()
    initiator = pair.initiator
    initiator.parameters = replace(initiator.parameters, peer_max_recv_data_segment_length=4)
    tag = initiator.text(b"X-a=1\0")
    header = next(chunk for chunk in initiator.take_output() if isinstance(chunk, bytes))[:48]
    initiator.max_cmd_sn = initiator.cmd_sn - 1
    response = pdu.TextResponse(
        final=False,
        initiator_task_tag=tag,
        target_transfer_tag=1,
        stat_sn=initiator.exp_stat_sn,
        exp_cmd_sn=2,
        max_cmd_sn=1,
    )
    reject = pdu.Reject(reason=4, stat_sn=response.stat_sn + 1, exp_cmd_sn=2, max_cmd_sn=200, header=header)
    [event] = initiator.receive(response.serialize() + reject.serialize())
    assert isinstance(event, Rejected)
    assert event.initiator_task_tag == tag


@given(st.lists(st.binary(min_size=48, max_size=48), max_size=4), st.integers(0, 0x3F))
def test_any_header_gives_events_or_the_end(headers: list[bytes], opcode: int) -> None:
    """Whatever comes, nothing is raised, and a connection that has ended says so once."""
    pair = Pair().log_in()
    pair.initiator.command(write(0, 4, bytes(2048)))
    pair.initiator.text(b"SendTargets=\0")
    stream = b"".join(bytes((opcode,)) + header[1:5] + bytes(3) + header[8:] for header in headers)
    events = pair.initiator.receive(stream)
    assert sum(isinstance(event, ConnectionEnded) for event in events) == bool(pair.initiator.closing)


def test_an_extended_cdb_and_both_directions() -> None:
    pair = Pair().log_in()
    pair.initiator.command(CommandRequest(cdb=bytes(range(32)), data_out=bytes(4), read_length=8))
    [chunk] = pair.initiator.take_output()
    assert isinstance(chunk, bytes)
    assert chunk[48:68] == bytes.fromhex("0011 01 00") + bytes(range(16, 32))
    assert chunk[68:76] == bytes.fromhex("0005 02 00 00000008")
