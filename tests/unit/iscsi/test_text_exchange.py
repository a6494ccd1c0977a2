"""Text in full feature phase: what it may change, and exchanges of several PDUs (RFC 7143 6.4, 7.12, 11.10, 11.11)."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi import limits, pdu
from lunaport.iscsi.announcements import request_negotiation
from lunaport.iscsi.connection import Connection
from lunaport.iscsi.enums import Opcode, RejectReason
from lunaport.iscsi.keys import KEYS
from lunaport.iscsi.pdu import RESERVED_TAG
from lunaport.iscsi.task import Task
from tests.unit.iscsi.full_feature import LIST_ALL, Echo, Peer

OURS = b"MaxRecvDataSegmentLength=262144\0"


def request(
    data: bytes,
    *,
    final: bool = True,
    continues: bool = False,
    ttt: int = RESERVED_TAG,
    tag: int = 4,
    immediate: bool = True,
) -> bytes:
    return pdu.TextRequest(
        immediate=immediate,
        final=final,
        continues=continues,
        initiator_task_tag=tag,
        target_transfer_tag=ttt,
        cmd_sn=1,
        exp_stat_sn=0,
        data=data,
    ).serialize()


def declare(length: int | str) -> bytes:
    return f"MaxRecvDataSegmentLength={length}\0".encode()


def answer_of(peer: Peer) -> pdu.TextResponse:
    [(header, data)] = peer.received()
    return pdu.parse_text_response(header, data)


def rejected(peer: Peer) -> int:
    [(header, data)] = peer.received()
    return pdu.parse_reject(header, data).reason


def sizes_of_read(peer: Peer, blocks: int = 64) -> list[int]:
    """How long the Data-In PDUs of a read are."""
    peer.send(peer.read(0, blocks, tag=77))
    return [len(data) for header, data in peer.received() if header[0] == Opcode.DATA_IN]


# What may change


@pytest.mark.parametrize(("length", "sizes"), [(512, [512] * 64), (4096, [4096] * 8), (262144, [16384, 16384])])
def test_reads_keep_to_the_segment_length_declared_last(length: int, sizes: list[int]) -> None:
    """Sections 6.4 and 13.12; MaxBurstLength of the login bounds a PDU as before."""
    peer = Peer()
    assert sizes_of_read(peer) == [8192] * 4
    peer.send(request(declare(length)))
    answer = answer_of(peer)
    assert (answer.final, answer.target_transfer_tag, answer.data) == (True, RESERVED_TAG, OURS)
    assert sizes_of_read(peer) == sizes
    assert peer.connection.parameters.negotiated()["InitiatorMaxRecvDataSegmentLength"] == str(length)


def test_a_shorter_segment_length_holds_when_the_reads_laid_out_before_have_ended() -> None:
    """Section 13.12: no PDU is longer than what the initiator takes when it has the answer."""
    peer = Peer()
    peer.send(peer.read(0, 32, tag=1, slow=True), peer.read(0, 1, tag=2, slow=True), request(declare(512)))
    assert peer.received() == []
    peer.send(peer.read(0, 2, tag=3))
    assert [len(data) for _, data in peer.received()] == [512, 512]
    peer.disk.slow.pop(0)()
    received = peer.received()
    assert [(header[0], len(data)) for header, data in received[:2]] == [(Opcode.DATA_IN, 8192)] * 2
    assert pdu.parse_text_response(*received[2]).data == OURS
    peer.disk.slow.pop(0)()
    assert [len(data) for _, data in peer.received()] == [512]


class Miser(Peer):
    """A shell that lends memory when it is told to."""

    def lend(self, connection: Connection, task: Task, size_bytes: int) -> None:
        self.lent += size_bytes


def test_a_read_that_waits_for_memory_is_laid_out_in_what_was_reckoned_with() -> None:
    """The answer waits for it too; so shorter segments make it cost no more memory than it was lent."""
    peer = Miser()
    peer.send(peer.read(0, 32, tag=1, slow=True), request(declare(512)))
    lent = peer.lent
    [task] = peer.connection.tasks.values()
    task.take_loan()
    peer.disk.slow.pop()()
    assert [len(data) for _, data in peer.received()] == [8192, 8192, len(OURS)]
    peer.send(peer.read(0, 32, tag=2, slow=True))
    assert peer.lent > lent


def test_a_text_request_before_the_answer_to_the_one_before_is_refused() -> None:
    """Section 11.10: one is outstanding at most."""
    peer = Peer()
    peer.send(peer.read(0, 32, tag=1, slow=True), request(declare(512)), request(LIST_ALL, tag=5))
    assert rejected(peer) == RejectReason.PROTOCOL_ERROR
    peer.disk.slow.pop()()
    assert pdu.parse_text_response(*peer.received()[-1]).initiator_task_tag == 4


@pytest.mark.parametrize("length", [8193, 10000, 65536])
def test_longer_segments_hold_from_the_answer_on_which_comes_at_once(length: int) -> None:
    peer = Peer()
    peer.send(peer.read(0, 32, tag=1, slow=True), request(declare(length)), peer.read(0, 32, tag=2))
    (text, _), (_, first), *_ = peer.received()
    assert (text[0], len(first)) == (Opcode.TEXT_RESPONSE, min(length & ~3, 16384))
    peer.disk.slow.pop()()
    assert [len(data) for _, data in peer.received()] == [8192, 8192]


def test_a_new_alias_is_taken_without_an_answer() -> None:
    peer = Peer()
    peer.send(request(b"InitiatorAlias=the blue one\0"))
    assert answer_of(peer).data == b""
    assert peer.connection.parameters.initiator_alias == "the blue one"


@pytest.mark.parametrize("length", ["511", "16777216", "x", "", "-1", "0x1ff"])
def test_a_segment_length_that_cannot_be_ends_the_exchange(length: str) -> None:
    peer = Peer()
    peer.send(request(declare(length)))
    assert rejected(peer) == RejectReason.PROTOCOL_ERROR
    assert sizes_of_read(peer) == [8192] * 4


@pytest.mark.parametrize("name", sorted(set(KEYS) - {"SendTargets", "MaxRecvDataSegmentLength", "InitiatorAlias"}))
def test_keys_of_the_login_are_refused_and_nothing_changes(name: str) -> None:
    """Sections 7.12 and 13: what was offered along with them takes no effect either."""
    peer = Peer()
    before = peer.connection.parameters
    peer.send(request(declare(512) + b"InitiatorAlias=new\0" + name.encode() + b"=1\0"))
    assert rejected(peer) == RejectReason.PROTOCOL_ERROR
    assert peer.connection.parameters == before
    assert not peer.connection.closing
    peer.send(request(LIST_ALL))
    assert answer_of(peer).data == LIST_ALL


def test_unknown_keys_are_not_understood() -> None:
    peer = Peer()
    peer.send(request(b"X-com.example.colour=blue\0" + declare(1024) + b"sENDtARGETS=All\0"))
    assert answer_of(peer).data == b"X-com.example.colour=NotUnderstood\0" + OURS + b"sENDtARGETS=NotUnderstood\0"


@pytest.mark.parametrize("verdict", ["NotUnderstood", "Reject", "Irrelevant"])
@pytest.mark.parametrize("key", ["MaxRecvDataSegmentLength", "X-a"])
def test_what_only_answers_say_is_a_protocol_error(verdict: str, key: str) -> None:
    """Section 6.2: nothing was asked that this could answer."""
    peer = Peer()
    peer.send(request(f"{key}={verdict}\0".encode()))
    [(header, data)] = peer.received()
    assert pdu.parse_reject(header, data).reason == RejectReason.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("text", "taken"),
    [(LIST_ALL, True), (LIST_ALL + declare(512), True), (declare(512), False), (b"X-a=1\0", False)],
)
def test_a_discovery_session_takes_text_with_send_targets_only(text: bytes, taken: bool) -> None:
    """Section 4.3."""
    peer = Peer()
    peer.connection.device_server = None
    peer.send(request(text))
    if taken:
        assert answer_of(peer).data.startswith(LIST_ALL)
    else:
        assert rejected(peer) == RejectReason.COMMAND_NOT_SUPPORTED


# Exchanges


def test_what_is_declared_holds_with_the_last_answer() -> None:
    """Section 6.4: a negotiation takes effect when the sequence is complete."""
    peer = Peer()
    peer.send(request(declare(512), final=False))
    answer = answer_of(peer)
    assert (answer.final, answer.data) == (False, OURS)
    assert sizes_of_read(peer, 16) == [8192]
    peer.send(request(b"", ttt=answer.target_transfer_tag))
    assert answer_of(peer).final
    assert sizes_of_read(peer, 16) == [512] * 16


def test_a_new_exchange_forgets_what_the_one_before_declared() -> None:
    """Section 11.10.4: the reserved transfer tag starts anew."""
    peer = Peer()
    peer.send(request(declare(512), final=False))
    peer.received()
    peer.send(request(b"InitiatorAlias=a\0"))
    answer_of(peer)
    assert peer.connection.parameters.peer_max_recv_data_segment_length == 8192


@pytest.mark.parametrize("final", [False, True])
def test_a_key_comes_once_in_an_exchange(final: bool) -> None:
    """Section 6.4: a second time gets a Reject, protocol error, which ends the exchange."""
    peer = Peer()
    peer.send(request(declare(512), final=False))
    tag = answer_of(peer).target_transfer_tag
    peer.send(request(declare(1024), ttt=tag, final=final))
    assert rejected(peer) == RejectReason.PROTOCOL_ERROR
    peer.send(request(b"", ttt=tag))
    assert rejected(peer) == RejectReason.INVALID_PDU_FIELD
    peer.send(request(declare(1024)))
    assert answer_of(peer).final


def test_the_keys_of_an_exchange_are_bounded() -> None:
    for count in (limits.TEXT_KEYS_MAX, limits.TEXT_KEYS_MAX + 1):
        peer = Peer()
        keys = [b"X-%d=1\0" % number for number in range(count)]
        peer.send(request(b"".join(keys[:40]), final=False))
        peer.send(request(b"".join(keys[40:]), ttt=answer_of(peer).target_transfer_tag))
        [(header, _)] = peer.received()
        assert (header[0] == Opcode.TEXT_RESPONSE) == (count == limits.TEXT_KEYS_MAX)


@pytest.mark.parametrize(("tag", "immediate"), [(5, True), (4, False)])
def test_an_exchange_keeps_its_task_tag_and_its_delivery(tag: int, immediate: bool) -> None:
    """Section 11.10.3."""
    peer = Peer()
    peer.send(request(LIST_ALL[:4], final=False, continues=True))
    ttt = answer_of(peer).target_transfer_tag
    peer.send(request(LIST_ALL[4:], ttt=ttt, tag=tag, immediate=immediate))
    assert rejected(peer) == RejectReason.INVALID_PDU_FIELD


def test_a_transfer_tag_is_good_for_one_request() -> None:
    peer = Peer()
    peer.connection.text = Echo(times=2000)
    peer.send(request(LIST_ALL))
    first = answer_of(peer)
    assert (first.final, first.continues, len(first.data)) == (False, True, 8192)
    peer.send(request(b"", ttt=first.target_transfer_tag))
    assert answer_of(peer).target_transfer_tag != first.target_transfer_tag
    peer.send(request(b"", ttt=first.target_transfer_tag))
    assert rejected(peer) == RejectReason.INVALID_PDU_FIELD


def test_new_keys_wait_for_the_whole_answer_to_the_old_ones() -> None:
    """Section 6.2: an answer that goes on is asked for with empty text."""
    peer = Peer()
    peer.connection.text = Echo(times=2000)
    peer.send(request(LIST_ALL))
    peer.send(request(declare(512), ttt=answer_of(peer).target_transfer_tag))
    assert rejected(peer) == RejectReason.PROTOCOL_ERROR


def test_an_empty_request_gets_an_empty_answer() -> None:
    """Section 11.9.1: so an initiator may answer a request to negotiate."""
    peer = Peer()
    request_negotiation(peer.connection, 3)
    [(header, data)] = peer.received()
    message = pdu.parse_async_message(header, data)
    assert (message.event, message.parameters) == (4, (0, 0, 3))
    peer.send(request(b""))
    answer = answer_of(peer)
    assert (answer.final, answer.data) == (True, b"")


PIECES = st.sampled_from(
    [b"", LIST_ALL, declare(512), declare(99), b"X-a=1\0", b"DataDigest=None\0", b"InitiatorAlias=b\0", b"In", b"\xff"]
)


@given(
    st.lists(
        st.tuples(PIECES, st.booleans(), st.booleans(), st.sampled_from(["new", "due", "other"]), st.integers(0, 9)),
        max_size=12,
    )
)
def test_any_requests_get_one_legal_answer_each(requests: Sequence[tuple[bytes, bool, bool, str, int]]) -> None:
    peer = Peer()
    due = RESERVED_TAG
    stat_sn = 100
    for data, final, continues, which, odd in requests:
        ttt = {"new": RESERVED_TAG, "due": due, "other": 12345}[which]
        peer.send(request(data, final=final, continues=continues, ttt=ttt, tag=5 if odd == 0 else 4))
        [(header, payload)] = peer.received()
        assert int.from_bytes(header[24:28], "big") == stat_sn
        stat_sn += 1
        if header[0] == Opcode.REJECT:
            due = RESERVED_TAG
            continue
        answer = pdu.parse_text_response(header, payload)
        due = answer.target_transfer_tag
        assert answer.final == (due == RESERVED_TAG)
        assert not (answer.final and (continues or not final or answer.continues))
        assert not (continues and answer.data)
    assert not peer.connection.closing
    assert peer.connection.parameters.peer_max_recv_data_segment_length in (512, 8192)
