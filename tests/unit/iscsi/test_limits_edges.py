"""Each bound of lunaport.iscsi.limits at n - 1, n and n + 1, and that none is left out."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import pytest

from lunaport.iscsi import limits, pdu
from lunaport.iscsi.chap import ChapCredential, ChapExchange, ChapState, chap_response
from lunaport.iscsi.discovery import send_targets
from lunaport.iscsi.enums import ChapAlgorithm, RejectReason, TaskFunction
from lunaport.iscsi.errors import LoginRefused, RemoteProtocolError
from lunaport.iscsi.negotiation import Negotiation
from lunaport.iscsi.session import SessionTable
from lunaport.iscsi.text import parse_list, parse_name, parse_number, parse_text
from tests.unit.iscsi.full_feature import FINAL, PARAMETERS, READ, WRITE, Peer, data_out
from tests.unit.iscsi.initiator import INITIATOR, OPERATIONAL, TARGET, Directory, Initiator, counting
from tests.unit.iscsi.test_connection import task_management, text_request

NAMES = f"InitiatorName={INITIATOR}\0TargetName={TARGET}\0".encode()
SECRETS = (ChapCredential(user="alice", secret=b"alice-secret-1", mutual=("nas", b"nas-secret-123")),)
OUTCOME = Peer().connection.outcome
Takes = Callable[[int], bool]
"""Whether a peer may have, send or ask for this many."""


def reads(parse: Callable[[int], object]) -> Takes:
    def takes(size: int) -> bool:
        try:
            parse(size)
        except RemoteProtocolError:
            return False
        return True

    return takes


# Login


def login_requests(count: int) -> bool:
    initiator = Initiator(Directory())
    initiator.send(OPERATIONAL, None, NAMES)
    return not [step for step in (initiator.send(OPERATIONAL, None) for _ in range(count - 1)) if step.failed]


def login_bytes(size: int) -> bool:
    initiator = Initiator(Directory())
    full, rest = divmod(size, limits.LOGIN_DATA_SEGMENT_BYTES_MAX)
    sizes = [limits.LOGIN_DATA_SEGMENT_BYTES_MAX] * full + [rest]
    return not [s for s in (initiator.send(OPERATIONAL, None, NAMES.ljust(s, b"\0")[:s]) for s in sizes) if s.failed]


def login_data_segment(size: int) -> bool:
    return not Initiator(Directory()).send(OPERATIONAL, None, NAMES.ljust(size, b"\0")).failed


def login_text(size: int) -> bool:
    initiator = Initiator(Directory())
    assert not initiator.send(OPERATIONAL, None, NAMES.ljust(8192, b"\0"), continues=True).failed
    assert not initiator.send(OPERATIONAL, None, bytes(8190), continues=True).failed
    return not initiator.send(OPERATIONAL, None, bytes(size - 8192 - 8190)).failed


def initiator_name(size: int) -> bool:
    text = f"InitiatorName=iqn.{'x' * (size - 4)}\0TargetName={TARGET}\0".encode()
    return not Initiator(Directory()).send(OPERATIONAL, None, text).failed


def chap_secrets(count: int) -> bool:
    credentials = [ChapCredential(user="alice", secret=str(number).encode()) for number in range(count)]
    exchange = ChapExchange(credentials, counting)
    exchange.receive({"CHAP_A": "5"})
    response = chap_response(ChapAlgorithm.MD5, 1, credentials[-1].secret, counting(16))
    try:
        exchange.receive({"CHAP_N": "alice", "CHAP_R": "0x" + response.hex()})
    except RemoteProtocolError:
        return False
    return exchange.proven == credentials[-1]


def chap(**changed: str) -> bool:
    """A right proof in a message that is changed."""
    exchange = ChapExchange(SECRETS, counting)
    exchange.receive({"CHAP_A": "5"})
    proof = chap_response(ChapAlgorithm.MD5, 1, b"alice-secret-1", counting(16))
    message = {"CHAP_N": "alice", "CHAP_R": "0x" + proof.hex(), "CHAP_I": "7", "CHAP_C": "0xff"} | changed
    try:
        exchange.receive(message)
    except RemoteProtocolError as error:
        # A name as long as is allowed is just not known.
        return "unknown user" in str(error)
    return exchange.state is ChapState.AUTHENTICATED


# Full feature phase


def segments(size: int) -> bool:
    """Additional header segments of a ping, in bytes rounded up to words."""
    peer = Peer()
    header = bytearray(pdu.NopOut(immediate=True, initiator_task_tag=1, cmd_sn=1, exp_stat_sn=0).serialize())
    header[4] = (size + 3) // 4
    peer.send_raw(bytes(header) + bytes(header[4] * 4))
    return not peer.connection.closing


def data_segment(size: int) -> bool:
    peer = Peer()
    peer.send(pdu.NopOut(immediate=True, initiator_task_tag=1, cmd_sn=1, exp_stat_sn=0, data=bytes(size)).serialize())
    return not peer.connection.closing


def commands(count: int) -> bool:
    """Slow commands under way at once."""
    peer = Peer()
    for tag in range(count):
        peer.send(peer.read(0, 1, tag=tag, slow=True))
    assert not peer.connection.closing
    return len(peer.disk.executed) == count


def immediate_commands(count: int) -> bool:
    peer = Peer()
    for tag in range(count):
        cdb = bytes([0xA8, 0, 0, 0, 0, 0, 0, 0, 1, 0])
        peer.send(peer.command(cdb, flags=FINAL | READ, tag=tag, length=512, immediate=True))
    return only_rejects_immediate(peer, len(peer.disk.executed) == count)


def task_managements(count: int) -> bool:
    peer = Peer()
    peer.send(peer.read(0, 1, tag=1, slow=True))
    for _ in range(count):
        peer.send(task_management(peer, TaskFunction.ABORT_TASK, referenced=1))
    return only_rejects_immediate(peer, len(peer.connection.requests.managing) == count)


def only_rejects_immediate(peer: Peer, taken: bool) -> bool:
    """The one beyond the bound gets a Reject with the reason there is for it, and nothing else happens."""
    rejects = [pdu.parse_reject(header, data).reason for header, data in peer.received()]
    assert rejects == ([] if taken else [RejectReason.IMMEDIATE_COMMAND_REJECT])
    assert not peer.connection.closing
    return taken


def held(size: int) -> bool:
    """Bytes of commands that come before their turn; the last is padded."""
    peer = Peer()
    peer.cmd_sn = 2
    while size:
        data = min(size - 48, 65536)
        if 0 < size - 48 - data < 48:
            data -= 48  # what is left has to be a PDU again
        peer.send_raw(peer.write(0, 128, bytes(data))[: 48 + data].ljust(48 + data + 3 & ~3, b"\0"))
        size -= 48 + data
    return not peer.connection.closing


def text(size: int) -> bool:
    """Bytes of a text request over several PDUs."""
    peer = Peer()
    peer.send(text_request(bytes(size - 100), final=False))
    [(header, data)] = peer.received()
    tag = pdu.parse_text_response(header, data).target_transfer_tag
    peer.send(text_request(bytes(100), ttt=tag))
    [(header, _)] = peer.received()
    return header[0] != 0x3F


def first_burst(size: int) -> bool:
    """Unsolicited data where FirstBurstLength is all that we offer."""
    peer = Peer(
        replace(PARAMETERS, first_burst_length=limits.FIRST_BURST_BYTES, max_burst_length=limits.MAX_BURST_BYTES)
    )
    peer.send(peer.write(0, 2048, b"", final=False))
    part = limits.DATA_SEGMENT_BYTES_MAX // 2
    peer.send(data_out(1, 0xFFFFFFFF, 0, 0, bytes(part), final=False))
    peer.send(data_out(1, 0xFFFFFFFF, 1, part, bytes(size - part), final=True))
    return any(header[0] == 0x31 for header, _ in peer.received())


def burst(size: int) -> bool:
    """Data that answers one R2T."""
    peer = Peer(replace(PARAMETERS, max_burst_length=limits.MAX_BURST_BYTES))
    peer.disk.data = bytearray(4 << 20)
    peer.send(peer.write(0, 4096, b""))
    [(header, _)] = peer.received()
    tag, sent, data_sn = pdu.parse_r2t(header).target_transfer_tag, 0, 0
    while sent < size:
        piece = min(size - sent, limits.DATA_SEGMENT_BYTES_MAX)
        peer.send(data_out(1, tag, data_sn, sent, bytes(piece), final=False))
        sent, data_sn = sent + piece, data_sn + 1
    return peer.connection.waiting[1].broken_by is None


def bursts(count: int) -> bool:
    """R2Ts that we leave unanswered at once."""
    peer = Peer(replace(PARAMETERS, max_outstanding_r2t=limits.OUTSTANDING_R2T_MAX))
    peer.send(peer.command(bytes([0x2A]) + bytes(6) + b"\2\0", flags=FINAL | WRITE, length=512 * 512))
    return len(peer.received()) >= count


# Discovery


def target_list(size: int) -> bool:
    """An answer of `size` bytes in all: two targets, the second with a name as long as is missing."""
    first = b"TargetName=a\0"
    names = ("a", "b" * (size - len(first) - len(b"TargetName=\0")))
    return len(send_targets("All", "", ((name, ()) for name in names))) == size


def sessions(count: int, bounds: dict[str, int], change: dict[str, int]) -> bool:
    """Sessions that differ in the fields of `change`."""
    table: SessionTable[int] = SessionTable(**{"sessions_max": 3, **bounds})
    try:
        for number in range(count):
            fields = {name: bytes([number] * 6) if name == "isid" else f"name {number}" for name in change}
            outcome = replace(OUTCOME, **fields)  # type: ignore[arg-type]  # names of fields are not checked
            table.add(outcome, table.admit(outcome)[0], number)
    except LoginRefused:
        return False
    return True


BOUNDS: Final[Mapping[str, list[Takes]]] = MappingProxyType(
    {
        "AHS_BYTES_MAX": [segments],
        "LOGIN_PDUS_MAX": [login_requests],
        "LOGIN_BYTES_MAX": [login_bytes],
        "LOGIN_DATA_SEGMENT_BYTES_MAX": [login_data_segment],
        "TEXT_KEY_BYTES_MAX": [reads(lambda n: parse_text(b"K" * n + b"=v\0"))],
        "TEXT_VALUE_BYTES_MAX": [reads(lambda n: parse_text(b"CHAP_C=" + b"v" * n))],
        "TEXT_SIMPLE_VALUE_BYTES_MAX": [reads(lambda n: parse_text(b"K=" + b"v" * n))],
        "TEXT_KEYS_MAX": [reads(lambda n: parse_text(b"".join(b"K%d=v\0" % number for number in range(n))))],
        "TEXT_REQUEST_BYTES_MAX": [reads(lambda n: parse_text(bytes(n))), login_text, text],
        "TEXT_NUMBER_CHARACTERS_MAX": [
            reads(lambda n: parse_number("9" * n)),
            reads(lambda n: parse_number("0x" + "f" * (n - 2))),
        ],
        "LIST_ITEMS_MAX": [reads(lambda n: parse_list(",".join("x" * n)))],
        "NAME_BYTES_MAX": [reads(lambda n: parse_name("é" + "x" * (n - 2))), initiator_name],
        "CHALLENGE_BYTES_MAX": [lambda n: chap(CHAP_C="0x" + "ab" * n)],
        "CHAP_NAME_BYTES_MAX": [lambda n: chap(CHAP_N="é" + "x" * (n - 2))],
        "CHAP_SECRETS_MAX": [chap_secrets],
        "DATA_SEGMENT_BYTES_MAX": [data_segment],
        "MAX_BURST_BYTES": [burst],
        "FIRST_BURST_BYTES": [first_burst],
        "OUTSTANDING_R2T_MAX": [bursts],
        "COMMAND_WINDOW": [commands],
        "IMMEDIATE_COMMANDS_MAX": [immediate_commands, task_managements],
        "HELD_BYTES_MAX": [held],
        "SEND_TARGETS_BYTES_MAX": [target_list],
    }
)
ELSEWHERE: Final = MappingProxyType(
    {
        "BHS_BYTES": "not a bound; test_a_header_that_is_not_whole_is_waited_for",
        "DIGEST_BYTES": "not a bound; tests/unit/iscsi/test_digest.py",
        "SILENCE_S_MAX": "time is the shell's: tests/unit/engine/embedded/test_line.py",
        "LOGIN_TIMEOUT_S": "time is the shell's: tests/unit/engine/embedded/test_transport.py",
        "DEFAULT_TIME2WAIT_S": "not a bound on what comes; test_what_is_agreed_around_our_offer",
        "DEFAULT_TIME2RETAIN_S": "not a bound on what comes; test_what_is_agreed_around_our_offer",
        "ERROR_RECOVERY_LEVEL": "not a bound on what comes; test_what_is_agreed_around_our_offer",
        "CONNECTIONS_MAX": "not a bound on what comes; test_what_is_agreed_around_our_offer",
    }
)
# Additional header segments come in words of four bytes: a byte more is a word more, a byte less is the same word.
CASES = [(name, takes) for name, checks in BOUNDS.items() for takes in checks]


@pytest.mark.parametrize(("name", "takes"), CASES, ids=[name for name, _ in CASES])
def test_a_bound_is_kept_to_the_last(name: str, takes: Takes) -> None:
    bound = getattr(limits, name)
    assert [takes(bound - 1), takes(bound), takes(bound + 1)] == [True, True, False]


def test_every_bound_is_tested() -> None:
    names = {name for name in vars(limits) if name.isupper()}
    assert names == BOUNDS.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize(
    ("bounds", "change"),
    [
        ({}, {"isid": 1}),
        ({"sessions_max": 9, "target_sessions_max": 3}, {"initiator_name": 1}),
        ({"sessions_max": 9, "initiator_sessions_max": 3}, {"isid": 1}),
    ],
)
def test_sessions_of_a_table_are_bounded(bounds: dict[str, int], change: dict[str, int]) -> None:
    assert [sessions(count, bounds, change) for count in (2, 3, 4)] == [True, True, False]


@pytest.mark.parametrize(
    ("bounds", "change"),
    [
        ({"sessions_max": 9, "target_sessions_max": 1}, {"target_name": 1}),
        ({"sessions_max": 9, "initiator_sessions_max": 1}, {"initiator_name": 1}),
        ({"sessions_max": 9, "initiator_sessions_max": 1}, {"target_name": 1}),
    ],
)
def test_sessions_of_others_do_not_count(bounds: dict[str, int], change: dict[str, int]) -> None:
    assert [sessions(count, bounds, change) for count in (8, 9, 10)] == [True, True, False]


@pytest.mark.parametrize("size", [0, 1, limits.BHS_BYTES - 1])
def test_a_header_that_is_not_whole_is_waited_for(size: int) -> None:
    peer = Peer()
    ping = pdu.NopOut(immediate=True, initiator_task_tag=1, cmd_sn=1, exp_stat_sn=0).serialize()
    assert peer.send_raw(ping[:size]) == 0
    assert peer.send_raw(ping + ping[:size]) == limits.BHS_BYTES
    assert len(peer.received()) == 1


@pytest.mark.parametrize(
    ("key", "offer", "lowest", "highest", "takes_the_smaller"),
    [
        ("MaxBurstLength", limits.MAX_BURST_BYTES, 512, (1 << 24) - 1, True),
        ("MaxOutstandingR2T", limits.OUTSTANDING_R2T_MAX, 1, 65535, True),
        ("MaxConnections", limits.CONNECTIONS_MAX, 1, 65535, True),
        ("ErrorRecoveryLevel", limits.ERROR_RECOVERY_LEVEL, 0, 2, True),
        ("DefaultTime2Wait", limits.DEFAULT_TIME2WAIT_S, 0, 3600, False),
        ("DefaultTime2Retain", limits.DEFAULT_TIME2RETAIN_S, 0, 3600, True),
    ],
)
def test_what_is_agreed_around_our_offer(
    key: str, offer: int, lowest: int, highest: int, takes_the_smaller: bool
) -> None:
    """Around our own value, and around the ends of what RFC 7143 section 13 allows."""
    choose = min if takes_the_smaller else max
    for value in {offer - 1, offer, offer + 1, lowest - 1, lowest, lowest + 1, highest - 1, highest, highest + 1}:
        if value < 0:
            continue
        negotiation = Negotiation(discovery=False, header_digest=False, data_digest=False)
        answer = dict(negotiation.answer({key: str(value)}))[key]
        assert answer == (str(choose(value, offer)) if lowest <= value <= highest else "Reject"), value


@pytest.mark.parametrize("value", [limits.FIRST_BURST_BYTES + change for change in (-1, 0, 1)])
def test_first_burst_around_our_offer(value: int) -> None:
    negotiation = Negotiation(discovery=False, header_digest=False, data_digest=False)
    offered = {"MaxBurstLength": str(limits.MAX_BURST_BYTES), "FirstBurstLength": str(value)}
    assert dict(negotiation.answer(offered))["FirstBurstLength"] == str(min(value, limits.FIRST_BURST_BYTES))
