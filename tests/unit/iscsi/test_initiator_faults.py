"""What faults make of a PDU."""

from dataclasses import replace

import pytest

from lunaport.iscsi import pdu
from lunaport.iscsi.digest import add_digests
from lunaport.iscsi.enums import Opcode
from lunaport.iscsi.errors import DigestError, LocalProtocolError
from lunaport.iscsi.initiator_faults import (
    Delay,
    OutgoingPdu,
    corrupt,
    corrupt_data_digest,
    corrupt_header_digest,
    delay,
    double,
    drop,
    edit,
    only,
    parse_outgoing,
    send_as_is,
    send_instead,
    split,
)
from lunaport.iscsi.initiator_stream import PduReader

NOP = pdu.NopOut(initiator_task_tag=1, cmd_sn=2, exp_stat_sn=3, data=b"data")
WIRE = NOP.serialize()
PLAIN = OutgoingPdu(index=0, serialized=WIRE)
DIGESTED = OutgoingPdu(index=0, serialized=WIRE, header_digest=True, data_digest=True)


def test_the_simple_ones() -> None:
    assert send_as_is(PLAIN) == (WIRE,)
    assert drop(PLAIN) == ()
    assert double(PLAIN) == (WIRE, WIRE)
    assert delay(0.5)(PLAIN) == (Delay(seconds=0.5), WIRE)
    assert send_instead(b"x")(PLAIN) == (b"x",)
    assert split(50)(PLAIN) == (WIRE[:50], WIRE[50:])
    assert send_as_is(DIGESTED) == (add_digests(WIRE, True, True),)


def test_corruption_hits_one_byte() -> None:
    assert corrupt(48, 0x01)(PLAIN) == (WIRE[:48] + b"e" + WIRE[49:],)


@pytest.mark.parametrize("fault", [corrupt_header_digest, corrupt_data_digest])
def test_corrupt_digests_are_wrong_and_nothing_else(fault: object) -> None:
    assert callable(fault)
    [wire] = fault(DIGESTED)
    assert sum(a != b for a, b in zip(wire, DIGESTED.wire(), strict=True)) == 1
    reader = PduReader(100)
    reader.header_digest = reader.data_digest = True
    reader.feed(wire)
    with pytest.raises(DigestError, match="header" if fault is corrupt_header_digest else "data"):
        reader.next_pdu()
    assert fault(PLAIN) == (WIRE,)


def test_fields_set_by_hand_come_with_digests_that_suit() -> None:
    assert edit(cmd_sn=9)(DIGESTED) == (add_digests(replace(NOP, cmd_sn=9).serialize(), True, True),)


@pytest.mark.parametrize(
    "message",
    [
        NOP,
        pdu.ScsiCommand(
            flags=0x80, initiator_task_tag=1, cmd_sn=2, exp_stat_sn=3, cdb=bytes(16), ahs=bytes(8), data=b"data"
        ),
        pdu.TaskManagementRequest(function=1, initiator_task_tag=1, cmd_sn=2, exp_stat_sn=3),
        pdu.LoginRequest(isid=bytes(6), initiator_task_tag=1, cmd_sn=2, data=b"a=b\0"),
        pdu.TextRequest(initiator_task_tag=1, cmd_sn=2, exp_stat_sn=3, data=b"a=b\0"),
        pdu.DataOut(final=True, initiator_task_tag=1, exp_stat_sn=3, data_sn=4, offset=5, data=b"12345"),
        pdu.LogoutRequest(reason=0, initiator_task_tag=1, cmd_sn=2, exp_stat_sn=3),
    ],
)
def test_what_an_initiator_sends_can_be_edited(message: pdu.NopOut) -> None:
    assert parse_outgoing(message.serialize()) == message


def test_what_it_does_not_send_cannot() -> None:
    with pytest.raises(LocalProtocolError):
        parse_outgoing(bytes((0x20,)) + bytes(47))


def test_only_some() -> None:
    fault = only(Opcode.NOP_OUT, drop, number=1)
    other = OutgoingPdu(index=1, serialized=bytes((Opcode.LOGOUT_REQUEST,)) + bytes(47))
    assert [len(tuple(fault(outgoing))) for outgoing in (PLAIN, other, PLAIN, PLAIN)] == [1, 1, 0, 1]
    every = only(Opcode.NOP_OUT, drop)
    assert [len(tuple(every(outgoing))) for outgoing in (PLAIN, other, PLAIN)] == [0, 1, 0]
