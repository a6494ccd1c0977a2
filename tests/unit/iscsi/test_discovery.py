"""Tests of lunaport.iscsi.discovery."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi.discovery import Portal, send_targets
from lunaport.iscsi.errors import RemoteProtocolError, TextError
from lunaport.iscsi.limits import SEND_TARGETS_BYTES_MAX

ONE = "iqn.2026-01.org.example:one"
TWO = "iqn.2026-01.org.example:two"
PORTALS = (Portal(host="10.0.0.1", port=3260), Portal(host="fe80::1", port=860, portal_group_tag=2))
TARGETS = ((ONE, PORTALS), (TWO, PORTALS[:1]))

RECORD_ONE = (
    b"TargetName=iqn.2026-01.org.example:one\0"  # name
    b"TargetAddress=10.0.0.1:3260,1\0"  # IPv4
    b"TargetAddress=[fe80::1]:860,2\0"  # IPv6
)
RECORD_TWO = (
    b"TargetName=iqn.2026-01.org.example:two\0"  # name
    b"TargetAddress=10.0.0.1:3260,1\0"  # IPv4
)


@pytest.mark.parametrize(
    ("query", "current", "answer"),
    [
        ("All", "", RECORD_ONE + RECORD_TWO),
        (TWO, "", RECORD_TWO),
        (TWO.upper(), "", RECORD_TWO),
        ("iqn.2026-01.org.example:three", "", b""),
        ("", ONE, RECORD_ONE),
        ("All", ONE, RECORD_ONE),
        (ONE, ONE, RECORD_ONE),
    ],
)
def test_send_targets(query: str, current: str, answer: bytes) -> None:
    assert send_targets(query, current, TARGETS) == answer


@pytest.mark.parametrize(("query", "current"), [("", ""), ("Alle", ONE), ("A", ONE), (TWO, ONE)])
def test_queries_a_session_may_not_make(query: str, current: str) -> None:
    with pytest.raises(RemoteProtocolError):
        send_targets(query, current, TARGETS)


def test_a_query_that_is_no_name() -> None:
    with pytest.raises(TextError):
        send_targets("a b", "", TARGETS)


def test_a_target_without_portals_is_named() -> None:
    assert send_targets("All", "", ((ONE, ()),)) == b"TargetName=" + ONE.encode() + b"\0"


def test_an_answer_is_cut_after_a_whole_target() -> None:
    record = len(RECORD_TWO)
    count = SEND_TARGETS_BYTES_MAX // record
    answer = send_targets("All", "", ((TWO, PORTALS[:1]) for _ in range(count + 1)))
    assert len(answer) == count * record


@given(st.text(max_size=100), st.sampled_from(["", ONE]))
def test_any_query_is_answered_or_refused(query: str, current: str) -> None:
    try:
        answer = send_targets(query, current, TARGETS)
    except RemoteProtocolError:
        return
    assert answer in (b"", RECORD_ONE, RECORD_TWO, RECORD_ONE + RECORD_TWO)
