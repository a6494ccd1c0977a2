"""Tests of lunaport.iscsi.login: the rules each request has to keep, the bounds, and hostile bytes."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunaport.iscsi import limits
from lunaport.iscsi.chap import ChapCredential
from lunaport.iscsi.enums import LoginStatus, Opcode
from lunaport.iscsi.errors import LocalProtocolError, LoginRefused
from lunaport.iscsi.keys import KEYS
from lunaport.iscsi.login import LoginPhase, LoginStep, TargetPolicy
from lunaport.iscsi.pdu import LoginRequest, NopOut, parse_login_response
from tests.unit.iscsi.initiator import (
    FULL_FEATURE,
    INITIATOR,
    ISID,
    OPERATIONAL,
    SECURITY,
    TARGET,
    Directory,
    Initiator,
    counting,
    split,
)

NAMES = {"InitiatorName": INITIATOR, "TargetName": TARGET}
CHAP = TargetPolicy(name=TARGET, credentials=(ChapCredential(user="alice", secret=b"alice-secret-1"),))


def assert_refused(step: LoginStep, status: LoginStatus, reason: str) -> None:
    assert reason in step.failed
    assert (step.status, step.outcome) == (status, None)
    (wire,) = step.responses
    response = parse_login_response(*split(wire))
    assert (response.status, response.transit, response.data) == (status, False, b"")


@pytest.mark.parametrize(
    ("keys", "status", "reason"),
    [
        ({"TargetName": TARGET}, LoginStatus.MISSING_PARAMETER, "does not give its name"),
        ({"InitiatorName": INITIATOR}, LoginStatus.MISSING_PARAMETER, "does not name a target"),
        (NAMES | {"SessionType": "Other"}, LoginStatus.SESSION_TYPE_NOT_SUPPORTED, "'Other'"),
        (NAMES | {"TargetName": TARGET + "x"}, LoginStatus.NOT_FOUND, f"unknown target {TARGET}x"),
        (NAMES | {"TargetName": "a b"}, LoginStatus.INITIATOR_ERROR, "not an iSCSI name"),
        (NAMES | {"InitiatorName": ""}, LoginStatus.INITIATOR_ERROR, "not an iSCSI name"),
        (NAMES | {"SendTargets": "All"}, LoginStatus.INITIATOR_ERROR, "SendTargets"),
        (NAMES | {"TargetAlias": "x"}, LoginStatus.INITIATOR_ERROR, "for targets to send"),
        (NAMES | {"AuthMethod": "None"}, LoginStatus.INITIATOR_ERROR, "AuthMethod"),
        (NAMES | {"MaxRecvDataSegmentLength": "1"}, LoginStatus.INITIATOR_ERROR, "MaxRecvDataSegmentLength=1"),
    ],
)
def test_keys_of_the_first_request(keys: dict[str, str], status: LoginStatus, reason: str) -> None:
    assert_refused(Initiator(Directory()).send(OPERATIONAL, FULL_FEATURE, keys), status, reason)


@pytest.mark.parametrize("key", ["HeaderDigest", "InitialR2T", "MaxRecvDataSegmentLength"])
def test_operational_keys_in_the_security_stage(key: str) -> None:
    step = Initiator(Directory()).send(SECURITY, OPERATIONAL, NAMES | {key: "1"})
    assert_refused(step, LoginStatus.INITIATOR_ERROR, key)


def test_unknown_keys_of_the_security_stage_are_not_understood() -> None:
    initiator = Initiator(Directory())
    initiator.send(SECURITY, OPERATIONAL, NAMES | {"X-com.example": "1", "X#NodeArchitecture": "s"})
    assert initiator.answers == {"TargetPortalGroupTag": "1", "X-com.example": "NotUnderstood"}


def test_names_are_compared_in_lower_case() -> None:
    directory = Directory()
    Initiator(directory).send(OPERATIONAL, FULL_FEATURE, {key: value.upper() for key, value in NAMES.items()})
    assert directory.asked == [(TARGET, INITIATOR)]


@pytest.mark.parametrize("text", [b"nonsense\0", b"A=\xff\0", b"A=b\0A=b\0"])
def test_text_that_is_none(text: bytes) -> None:
    step = Initiator(Directory()).send(OPERATIONAL, FULL_FEATURE, text)
    assert step.status == LoginStatus.INITIATOR_ERROR


@pytest.mark.parametrize(
    ("stage", "next_stage", "reason"),
    [
        (2, FULL_FEATURE, "starts in stage 2"),
        (FULL_FEATURE, FULL_FEATURE, "starts in stage 3"),
        (SECURITY, SECURITY, "a move from stage 0 to stage 0"),
        (SECURITY, 2, "a move from stage 0 to stage 2"),
        (OPERATIONAL, SECURITY, "a move from stage 1 to stage 0"),
        (OPERATIONAL, OPERATIONAL, "a move from stage 1 to stage 1"),
    ],
)
def test_stages_that_cannot_be(stage: int, next_stage: int, reason: str) -> None:
    assert_refused(Initiator(Directory()).send(stage, next_stage, NAMES), LoginStatus.INITIATOR_ERROR, reason)


def test_no_way_back() -> None:
    initiator = Initiator(Directory())
    initiator.send(SECURITY, OPERATIONAL, NAMES)
    assert_refused(initiator.send(SECURITY, OPERATIONAL), LoginStatus.INITIATOR_ERROR, "stage 0 in stage 1")


def test_a_stage_goes_on_while_the_initiator_wants() -> None:
    initiator = Initiator(Directory())
    initiator.send(OPERATIONAL, None, NAMES)
    initiator.send(OPERATIONAL, None, {"InitialR2T": "Yes"})
    assert initiator.answers == {"InitialR2T": "Yes"}
    assert initiator.send(OPERATIONAL, FULL_FEATURE).outcome is not None
    assert "the login is over" in initiator.send(OPERATIONAL, FULL_FEATURE).failed


def test_text_over_many_requests() -> None:
    text = "".join(f"{key}={value}\0" for key, value in NAMES.items()).encode()
    initiator = Initiator(Directory())
    for start in range(0, len(text), 20):
        initiator.send(OPERATIONAL, None, text[start : start + 20], continues=True)
        assert initiator.response is not None
        assert (initiator.response.data, initiator.response.status, initiator.response.transit) == (b"", 0, False)
    step = initiator.send(OPERATIONAL, FULL_FEATURE)
    assert step.outcome is not None
    assert step.outcome.target_name == TARGET


def test_going_on_and_moving_on_exclude_each_other() -> None:
    step = Initiator(Directory()).send(OPERATIONAL, FULL_FEATURE, NAMES, continues=True)
    assert_refused(step, LoginStatus.INITIATOR_ERROR, "both goes on and moves")


@pytest.mark.parametrize(("version", "failed"), [(0, False), (1, True)])
def test_versions(version: int, failed: bool) -> None:
    initiator = Initiator(Directory())
    initiator.base = replace(initiator.base, version_min=version, version_max=5)
    step = initiator.send(OPERATIONAL, FULL_FEATURE, NAMES)
    assert bool(step.failed) == failed
    assert initiator.response is not None
    assert initiator.response.version_active == 0
    assert step.status == (LoginStatus.UNSUPPORTED_VERSION if failed else LoginStatus.SUCCESS)


@pytest.mark.parametrize(
    "change", [{"isid": bytes(6)}, {"tsih": 1}, {"initiator_task_tag": 2}, {"cid": 2}, {"cmd_sn": 101}]
)
def test_what_has_to_stay(change: dict[str, Any]) -> None:
    initiator = Initiator(Directory())
    initiator.send(OPERATIONAL, None, NAMES)
    initiator.base = replace(initiator.base, **change)
    assert_refused(
        initiator.send(OPERATIONAL, FULL_FEATURE), LoginStatus.INITIATOR_ERROR, f"{next(iter(change))} changed"
    )


@pytest.mark.parametrize("key", ["InitiatorName", "TargetName", "SessionType", "InitiatorAlias"])
def test_names_that_change(key: str) -> None:
    initiator = Initiator(Directory())
    initiator.send(OPERATIONAL, None, NAMES | {"SessionType": "Normal", "InitiatorAlias": "a"})
    assert_refused(
        initiator.send(OPERATIONAL, FULL_FEATURE, {key: "other"}), LoginStatus.INITIATOR_ERROR, f"{key} changes"
    )


@pytest.mark.parametrize("stage", [SECURITY, OPERATIONAL])
def test_a_declaration_twice(stage: int) -> None:
    """Section 6.3, and 13.26.1 for this key: in the same stage or the next."""
    initiator = Initiator(Directory())
    initiator.send(SECURITY, None if stage == SECURITY else OPERATIONAL, NAMES | {"X#NodeArchitecture": "s"})
    step = initiator.send(stage, None, {"X#NodeArchitecture": "s"})
    assert_refused(step, LoginStatus.INITIATOR_ERROR, "X#NodeArchitecture comes twice")


@pytest.mark.parametrize("verdict", ["NotUnderstood", "Irrelevant", "Reject"])
@pytest.mark.parametrize("key", ["TargetPortalGroupTag", "AuthMethod", "X-com.example", "X#NodeArchitecture"])
def test_what_only_answers_say_is_no_offer(verdict: str, key: str) -> None:
    """Section 6.2: the constants are reserved, and nothing that we declare may be NotUnderstood."""
    step = Initiator(Directory()).send(SECURITY, OPERATIONAL, NAMES | {key: verdict})
    assert_refused(step, LoginStatus.INITIATOR_ERROR, "answers nothing")


def test_a_discovery_session_that_names_a_target_is_about_it() -> None:
    """Sections 6.3.1, 7.4.2 and 13.9: with the portal group tag; one that names none has no portal group."""
    named = Initiator(Directory())
    step = named.send(OPERATIONAL, FULL_FEATURE, NAMES | {"SessionType": "Discovery"})
    assert step.outcome is not None
    assert (step.outcome.target_name, step.outcome.discovery_of) == ("", TARGET)
    assert named.answers["TargetPortalGroupTag"] == "1"
    unnamed = Initiator(Directory())
    names = {"InitiatorName": INITIATOR, "SessionType": "Discovery"}
    step = unnamed.send(OPERATIONAL, FULL_FEATURE, names)
    assert step.outcome is not None
    assert (step.outcome.target_name, step.outcome.discovery_of) == ("", "192.0.2.1:3260")
    assert "TargetPortalGroupTag" not in unnamed.answers


def test_a_method_twice() -> None:
    initiator = Initiator(Directory(CHAP))
    initiator.send(SECURITY, None, NAMES | {"AuthMethod": "CHAP"})
    step = initiator.send(SECURITY, None, {"AuthMethod": "CHAP"})
    assert_refused(step, LoginStatus.INITIATOR_ERROR, "AuthMethod comes twice")


@pytest.mark.parametrize("status", [LoginStatus.SESSION_DOES_NOT_EXIST, LoginStatus.OUT_OF_RESOURCES])
def test_a_session_that_is_not_admitted(status: LoginStatus) -> None:
    initiator = Initiator(Directory(refusal=LoginRefused(status, "no")))
    initiator.base = replace(initiator.base, tsih=7)
    assert_refused(initiator.send(OPERATIONAL, FULL_FEATURE, NAMES), status, "no")


def test_an_asked_for_tsih_is_handed_on() -> None:
    directory = Directory()
    initiator = Initiator(directory)
    initiator.base = replace(initiator.base, tsih=7)
    initiator.send(OPERATIONAL, FULL_FEATURE, NAMES)
    assert directory.admitted[0].tsih == 7


def test_numbers_wrap() -> None:
    initiator = Initiator(Directory())
    initiator.base = replace(initiator.base, cmd_sn=0xFFFFFFFF, exp_stat_sn=0xFFFFFFFF)
    step = initiator.send(OPERATIONAL, FULL_FEATURE, NAMES)
    assert step.outcome is not None
    assert (step.outcome.exp_cmd_sn, step.outcome.stat_sn) == (0xFFFFFFFF, 0)
    assert initiator.response is not None
    assert (initiator.response.stat_sn, initiator.response.max_cmd_sn) == (0xFFFFFFFF, 126)


# Anything but a login


@pytest.mark.parametrize("first", [0x00, 0x01, 0x04, 0x06, 0x23, 0x3F, 0x16, 0x47, 0xFF])
def test_a_first_pdu_that_is_no_login_gets_no_answer(first: int) -> None:
    step = Initiator(Directory()).send_pdu(bytes([first]) + bytes(47))
    assert (step.responses, step.outcome) == ((), None)
    assert "the first PDU is no login request" in step.failed


def test_another_pdu_within_a_login() -> None:
    initiator = Initiator(Directory())
    initiator.send(OPERATIONAL, None, NAMES)
    step = initiator.send_pdu(NopOut(cmd_sn=100, exp_stat_sn=501).serialize())
    assert_refused(step, LoginStatus.INVALID_DURING_LOGIN, "opcode 0x00")
    assert initiator.response is not None
    assert (initiator.response.isid, initiator.response.initiator_task_tag) == (ISID, 0x11)


def test_additional_header_segments() -> None:
    pdu = bytearray(LoginRequest(isid=ISID, initiator_task_tag=1, cmd_sn=0).serialize())
    pdu[4] = 1
    assert_refused(Initiator(Directory()).send_pdu(bytes(pdu)), LoginStatus.INITIATOR_ERROR, "additional header")


@pytest.mark.parametrize("length", [0, 47, 49])
def test_a_header_of_another_length_is_our_mistake(length: int) -> None:
    with pytest.raises(LocalProtocolError):
        LoginPhase(Directory(), counting).receive(bytes(length), b"")


# Bounds


def test_bound_on_one_data_segment() -> None:
    for length, failed in (
        (limits.LOGIN_DATA_SEGMENT_BYTES_MAX, False),
        (limits.LOGIN_DATA_SEGMENT_BYTES_MAX + 1, True),
    ):
        step = Initiator(Directory()).send(OPERATIONAL, None, bytes(length), continues=True)
        assert bool(step.failed) == failed


def test_bound_on_gathered_text() -> None:
    initiator = Initiator(Directory())
    for _ in range(limits.TEXT_REQUEST_BYTES_MAX // 8192):
        assert not initiator.send(OPERATIONAL, None, bytes(8192), continues=True).failed
    step = initiator.send(OPERATIONAL, None, b"\0", continues=True)
    assert_refused(step, LoginStatus.INITIATOR_ERROR, "in one request")


def test_bound_on_requests() -> None:
    initiator = Initiator(Directory())
    initiator.send(OPERATIONAL, None, NAMES)
    for _ in range(limits.LOGIN_PDUS_MAX - 1):
        assert not initiator.send(OPERATIONAL, None).failed
    assert_refused(initiator.send(OPERATIONAL, None), LoginStatus.INITIATOR_ERROR, "more than 32 requests")


def test_bound_on_bytes() -> None:
    initiator = Initiator(Directory())
    names = "".join(f"{key}={value}\0" for key, value in NAMES.items()).encode()
    for _ in range(limits.LOGIN_BYTES_MAX // 8192):
        assert not initiator.send(OPERATIONAL, None, names.ljust(8192, b"\0")).failed
    assert_refused(initiator.send(OPERATIONAL, None, b"\0"), LoginStatus.INITIATOR_ERROR, "65536 bytes")


def test_bound_on_the_alias() -> None:
    assert not Initiator(Directory()).send(OPERATIONAL, None, NAMES | {"InitiatorAlias": "a" * 255}).failed
    assert Initiator(Directory()).send(OPERATIONAL, None, NAMES | {"InitiatorAlias": "a" * 256}).failed


# Hostile bytes

VALUES = st.sampled_from(
    f"{INITIATOR} {TARGET} Normal Discovery CHAP,None None CHAP 5 8,7 alice 0x0102 Yes No 512 CRC32C,None CRC32C "
    "Reject  99999999999999999999".split(" ")
)
TEXTS = st.one_of(
    st.dictionaries(st.sampled_from(sorted(KEYS)), VALUES, max_size=6).map(lambda pairs: NAMES | pairs),
    st.dictionaries(st.sampled_from(sorted(KEYS)), VALUES, max_size=6),
).map(lambda pairs: "".join(f"{key}={value}\0" for key, value in pairs.items()).encode())
REQUESTS = st.builds(
    LoginRequest,
    transit=st.booleans(),
    continues=st.sampled_from([False, False, False, True]),
    current_stage=st.sampled_from([0, 0, 1, 1, 2, 3]),
    next_stage=st.sampled_from([0, 1, 1, 2, 3, 3]),
    isid=st.just(ISID),
    initiator_task_tag=st.just(1),
    cmd_sn=st.just(5),
    data=st.one_of(TEXTS, TEXTS, st.binary(max_size=60)),
).map(lambda request: split(request.serialize()))
ANYTHING = st.tuples(st.binary(min_size=48, max_size=48), st.binary(max_size=60))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(REQUESTS, REQUESTS, REQUESTS, ANYTHING), min_size=1, max_size=6),
    st.sampled_from([TargetPolicy(name=TARGET), CHAP, TargetPolicy(name=TARGET, header_digest=True)]),
)
def test_anything_in_any_state_is_a_step(pdus: list[tuple[bytes, bytes]], policy: TargetPolicy) -> None:
    """Each PDU gives a step; a login ends once, by an outcome or a reason; without the secret CHAP is not passed."""
    directory = Directory(policy)
    phase = LoginPhase(directory, counting)
    over = False
    for bhs, data in pdus:
        step = phase.receive(bhs, data)
        if over:
            assert step == LoginStep(failed="the login is over")
            continue
        assert bool(step.failed) == (step.status != LoginStatus.SUCCESS)
        over = bool(step.failed or step.outcome)
        if step.outcome:
            assert step.outcome.session_type == "Discovery" or policy.credentials is None
        for wire in step.responses:
            assert len(wire) <= 48 + limits.LOGIN_DATA_SEGMENT_BYTES_MAX
            assert wire[0] == Opcode.LOGIN_RESPONSE
            assert parse_login_response(*split(wire)).status == step.status
