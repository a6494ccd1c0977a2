"""Commands that come before their turn, and the data-out behind them (RFC 7143 section 4.2.2.1)."""

from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.iscsi import limits, pdu
from lunaport.iscsi.connection import Connection
from lunaport.iscsi.digest import add_digests
from lunaport.iscsi.enums import Opcode, RejectReason, TaskFunction, TaskResponse
from lunaport.iscsi.output import Output
from tests.unit.iscsi.full_feature import Peer, data_out, with_digests
from tests.unit.iscsi.test_connection import response_of, task_management

UNSOLICITED = 0xFFFFFFFF


def early_write(peer: Peer, blocks: int = 8) -> tuple[bytes, list[bytes], bytes]:
    """A command, a write behind it that comes first, with its unsolicited data; and what is written."""
    first = peer.command(bytes(6), tag=1)
    data = b"".join(bytes([number + 1]) * 512 for number in range(blocks))
    half = len(data) // 2
    write = [
        peer.write(0, blocks, data[:512], tag=2, final=False),
        data_out(2, UNSOLICITED, 0, 512, data[512:half], final=False),
        data_out(2, UNSOLICITED, 1, half, data[half:], final=True),
    ]
    return first, write, data


def statuses(peer: Peer) -> dict[int, int]:
    return {
        int.from_bytes(header[16:20], "big"): header[3]
        for header, _ in peer.received()
        if header[0] == Opcode.SCSI_RESPONSE
    }


def test_unsolicited_data_of_a_command_before_its_turn_is_kept_for_it() -> None:
    peer = Peer()
    first, write, data = early_write(peer)
    peer.send(*write)
    assert peer.received() == []
    assert peer.connection.holding.bytes == sum(map(len, write))
    peer.send(first)
    assert statuses(peer) == {1: 0, 2: 0}
    assert peer.disk.data[: len(data)] == data
    assert peer.connection.holding.bytes == 0
    assert not peer.connection.held


def test_data_that_comes_partly_before_and_partly_after_the_turn_of_its_command() -> None:
    peer = Peer()
    first, write, data = early_write(peer)
    peer.send(*write[:2], first)
    assert statuses(peer) == {1: 0}
    peer.send(write[2])
    assert statuses(peer) == {2: 0}
    assert peer.disk.data[: len(data)] == data


def test_a_damaged_data_out_before_the_turn_of_its_command_ends_that_command() -> None:
    """Section 7.8: Reject and CHECK CONDITION, in its turn and once."""
    peer = Peer(with_digests(header=True, data=True))
    first, write, _ = early_write(peer)
    wire = [bytearray(add_digests(message, True, True)) for message in write]
    wire[1][-1] ^= 1
    peer.send_raw(b"".join(wire))
    assert peer.received() == []
    peer.send(first)
    _, reject, response = peer.received()
    assert pdu.parse_reject(*reject).reason == RejectReason.DATA_DIGEST_ERROR
    assert pdu.parse_scsi_response(*response).sense[12:14] == b"\x47\x05"
    assert not peer.connection.tasks


def test_what_is_held_with_its_data_is_bounded() -> None:
    for size, kept in ((limits.HELD_BYTES_MAX, True), (limits.HELD_BYTES_MAX + 4, False)):
        peer = Peer()
        first = peer.command(bytes(6), tag=1)
        peer.send(peer.write(0, 8, b"", tag=2, final=False))
        left = size - 48
        for data_sn in count():
            length = min(left - 48, 200_000)
            peer.send(data_out(2, UNSOLICITED, data_sn, 0, bytes(length), final=False))
            left -= length + 48
            if not left:
                break
            assert not peer.connection.closing
        assert bool(peer.connection.closing) is not kept
        if kept:
            peer.send(first)
            assert peer.connection.holding.bytes == 0


def test_an_aborted_command_takes_its_held_data_with_it() -> None:
    peer = Peer()
    first, write, data = early_write(peer)
    peer.send(*write[:2], task_management(peer, TaskFunction.ABORT_TASK, referenced=2, ref_cmd_sn=2))
    assert response_of(peer) == TaskResponse.FUNCTION_COMPLETE
    peer.send(write[2], first)
    assert statuses(peer) == {1: 0}
    assert peer.disk.data[: len(data)] == bytes(len(data))
    assert peer.connection.holding.bytes == 0


def test_nothing_that_waits_behind_a_logout_is_carried_out() -> None:
    """Section 11.14."""
    peer = Peer()
    first = peer.command(bytes(6), tag=1)
    logout = pdu.LogoutRequest(reason=0, initiator_task_tag=2, cid=0, cmd_sn=2, exp_stat_sn=0).serialize()
    peer.cmd_sn = 3
    peer.send(peer.command(bytes(6), tag=3), logout, first)
    assert [header[0] for header, _ in peer.received()] == [Opcode.SCSI_RESPONSE, Opcode.LOGOUT_RESPONSE]
    assert len(peer.disk.executed) == 1
    assert peer.connection.closing == "logout"


class SlowReader(Peer):
    """An initiator that takes one answer at a time."""

    def make_room(self, connection: Connection, room_bytes: int) -> Output:
        connection.blocked = True
        return super().make_room(connection, room_bytes)


def test_held_data_is_not_lost_while_the_peer_takes_nothing() -> None:
    peer = SlowReader(room=48)
    first, write, data = early_write(peer)
    peer.send(*write)
    peer.send(first)
    for _ in range(10):
        peer.connection.blocked = False
        peer.send()
    assert statuses(peer) == {1: 0, 2: 0}
    assert peer.disk.data[: len(data)] == data
    assert not peer.connection.held
    assert peer.connection.holding.bytes == 0


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[int], list[bool]]:
    """An order of the commands, and for each PDU whether data goes before the next command."""
    return draw(st.permutations(range(6))), draw(st.lists(st.booleans(), min_size=24, max_size=24))


@given(orders(), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_order_of_commands_and_their_data_writes_the_same(
    order: tuple[list[int], list[bool]], header: bool, data_digest: bool, slow_reader: bool
) -> None:
    """Commands in any order, the data of each behind it in its own order, mixed with those of the others."""
    commands, coins = order
    peer = (SlowReader if slow_reader else Peer)(with_digests(header=header, data=data_digest), room=64)
    streams = []
    for number in range(6):
        block = bytes([number + 1]) * 512
        command = peer.write(2 * number, 2, block[:100], tag=number, final=False)
        parts = [data_out(number, UNSOLICITED, 0, 100, block[:412] + block[:88], final=False)]
        parts.append(data_out(number, UNSOLICITED, 1, 600, block[:424], final=True))
        streams.append([command, *parts])
    waiting: list[list[bytes]] = []
    arriving = []
    flip = iter(coins)
    for number in commands:
        arriving.append(streams[number][0])
        waiting.append(streams[number][1:])
        while waiting:
            if not next(flip, False):
                break
            arriving.append(waiting[0].pop(0))
            waiting = [rest for rest in waiting if rest]
    arriving += [message for rest in waiting for message in rest]
    unread = b""
    for message in arriving:
        unread += add_digests(message, header, data_digest)
        unread = unread[peer.send_raw(unread) :]
        peer.connection.blocked = False
    for _ in range(60):
        unread = unread[peer.send_raw(unread) :]
        peer.connection.blocked = False
    assert statuses(peer) == dict.fromkeys(range(6), 0)
    assert [cdb[5] for cdb in peer.disk.executed] == [0, 2, 4, 6, 8, 10]
    assert peer.disk.data[: 12 * 512] == b"".join(bytes([number + 1]) * 1024 for number in range(6))
    assert not peer.connection.closing
    assert not peer.connection.held
    assert peer.connection.holding.bytes == 0
    assert not peer.connection.waiting
