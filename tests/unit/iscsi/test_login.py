"""Tests of lunaport.iscsi.login: what a login agrees on, and whom it refuses. `test_login_rules` has the rest."""

import dataclasses

import pytest

from lunaport.iscsi.chap import ChapCredential, chap_response
from lunaport.iscsi.enums import ChapAlgorithm, LoginStatus
from lunaport.iscsi.errors import Refusal, TargetMoved
from lunaport.iscsi.login import LoginStep, TargetPolicy
from lunaport.iscsi.negotiation import SessionParameters
from lunaport.iscsi.pdu import LoginResponse
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
)

NAMES = {"InitiatorName": INITIATOR, "TargetName": TARGET, "SessionType": "Normal"}
ALICE = (ChapCredential(user="alice", secret=b"alice-secret-1"),)
OPEN = TargetPolicy(name=TARGET)
CHAP = TargetPolicy(name=TARGET, credentials=ALICE)
MUTUAL = TargetPolicy(name=TARGET, credentials=(dataclasses.replace(ALICE[0], mutual=("nas", b"nas-secret-123")),))
DIGESTS = TargetPolicy(name=TARGET, header_digest=True, data_digest=True)
SIZES = {5: 16, 6: 20, 7: 32, 8: 32}


def proof(algorithm: int, secret: bytes = b"alice-secret-1") -> str:
    return "0x" + chap_response(ChapAlgorithm(algorithm), 1, secret, counting(SIZES[algorithm])).hex()


def log_in_with_chap(
    policy: TargetPolicy, offered: str, user: str, response: str, **more: str
) -> tuple[Initiator, LoginStep]:
    """Walk through the security stage up to the answer to CHAP_R."""
    initiator = Initiator(Directory(policy))
    step = initiator.send(SECURITY, OPERATIONAL, NAMES | {"AuthMethod": "CHAP,None"})
    assert initiator.answers == {"TargetPortalGroupTag": "1", "AuthMethod": "CHAP"}
    assert initiator.response is not None
    assert not initiator.response.transit
    step = initiator.send(SECURITY, None, {"CHAP_A": offered})
    if step.failed:
        return initiator, step
    assert initiator.answers["CHAP_I"] == "1"
    return initiator, initiator.send(SECURITY, OPERATIONAL, {"CHAP_N": user, "CHAP_R": response} | more)


def test_straight_to_the_operational_stage() -> None:
    directory = Directory(OPEN)
    initiator = Initiator(directory)
    step = initiator.send(
        OPERATIONAL,
        FULL_FEATURE,
        NAMES
        | {
            "InitiatorAlias": "lab 1",
            "HeaderDigest": "CRC32C,None",
            "InitialR2T": "No",
            "ImmediateData": "Yes",
            "MaxRecvDataSegmentLength": "65536",
            "MaxBurstLength": "16776192",
            "FirstBurstLength": "262144",
            "MaxOutstandingR2T": "1",
        },
    )
    assert initiator.response == LoginResponse(
        transit=True,
        current_stage=OPERATIONAL,
        next_stage=FULL_FEATURE,
        isid=ISID,
        tsih=0x42,
        initiator_task_tag=0x11,
        stat_sn=500,
        exp_cmd_sn=100,
        max_cmd_sn=227,
        data=(
            b"TargetPortalGroupTag=1\0"  # first answer that knows the target
            b"HeaderDigest=None\0"  # policy
            b"InitialR2T=No\0"  # OR
            b"ImmediateData=Yes\0"  # AND
            b"MaxBurstLength=1048576\0"  # minimum
            b"MaxOutstandingR2T=1\0"  # minimum
            b"FirstBurstLength=262144\0"  # minimum
            b"MaxRecvDataSegmentLength=262144\0"  # ours
        ),
    )
    outcome = step.outcome
    assert outcome is not None
    assert directory.admitted == [outcome]
    assert directory.asked == [(TARGET, INITIATOR)]
    assert (outcome.session_type, outcome.initiator_name, outcome.target_name) == ("Normal", INITIATOR, TARGET)
    assert (outcome.initiator_alias, outcome.chap_user) == ("lab 1", "")
    assert (outcome.isid, outcome.tsih, outcome.cid, step.tsih) == (ISID, 0, 1, 0x42)
    assert (outcome.exp_cmd_sn, outcome.stat_sn) == (100, 501)
    assert outcome.parameters == SessionParameters(
        initial_r2t=False,
        max_recv_data_segment_length=262144,
        peer_max_recv_data_segment_length=65536,
        max_burst_length=1048576,
        first_burst_length=262144,
        initiator_alias="lab 1",
    )


def test_through_the_security_stage_without_authentication() -> None:
    initiator = Initiator(Directory(OPEN))
    initiator.send(SECURITY, OPERATIONAL, NAMES | {"AuthMethod": "CHAP,None"})
    assert initiator.answers == {"TargetPortalGroupTag": "1", "AuthMethod": "None"}
    assert initiator.response is not None
    assert (initiator.response.transit, initiator.response.next_stage) == (True, OPERATIONAL)
    # Some initiators name themselves again in the second stage.
    step = initiator.send(OPERATIONAL, FULL_FEATURE, NAMES | {"InitialR2T": "Yes"})
    assert initiator.answers == {"InitialR2T": "Yes", "MaxRecvDataSegmentLength": "262144"}
    assert step.outcome is not None
    assert step.outcome.stat_sn == 502


def test_security_stage_straight_to_full_feature_phase() -> None:
    initiator = Initiator(Directory(OPEN))
    step = initiator.send(SECURITY, FULL_FEATURE, NAMES | {"AuthMethod": "None"})
    assert step.outcome is not None
    assert step.outcome.parameters == SessionParameters()
    assert initiator.response is not None
    assert (initiator.response.transit, initiator.response.next_stage) == (True, FULL_FEATURE)


@pytest.mark.parametrize(
    ("offered", "algorithm"), [("5", 5), ("6", 6), ("7", 7), ("8", 8), ("5,6,7,8", 8), ("7,5", 7), ("6,5", 6)]
)
def test_chap(offered: str, algorithm: int) -> None:
    initiator, step = log_in_with_chap(CHAP, offered, "alice", proof(algorithm))
    assert (step.failed, initiator.answers) == ("", {})
    assert initiator.response is not None
    assert (initiator.response.transit, initiator.response.next_stage) == (True, OPERATIONAL)
    step = initiator.send(OPERATIONAL, FULL_FEATURE)
    assert step.outcome is not None
    assert step.outcome.chap_user == "alice"


@pytest.mark.parametrize("algorithm", [5, 6, 7, 8])
def test_mutual_chap(algorithm: int) -> None:
    initiator, step = log_in_with_chap(
        MUTUAL, str(algorithm), "alice", proof(algorithm), CHAP_I="9", CHAP_C="0x0102030405060708"
    )
    expected = chap_response(ChapAlgorithm(algorithm), 9, b"nas-secret-123", bytes(range(1, 9)))
    assert initiator.answers == {"CHAP_N": "nas", "CHAP_R": "0x" + expected.hex()}
    assert not step.failed


def test_chap_straight_to_full_feature_phase() -> None:
    initiator = Initiator(Directory(CHAP))
    initiator.send(SECURITY, FULL_FEATURE, NAMES | {"AuthMethod": "CHAP"})
    initiator.send(SECURITY, FULL_FEATURE, {"CHAP_A": "5"})
    step = initiator.send(SECURITY, FULL_FEATURE, {"CHAP_N": "alice", "CHAP_R": proof(5)})
    assert step.outcome is not None


def test_chap_proven_before_the_initiator_moves_on() -> None:
    initiator = Initiator(Directory(CHAP))
    initiator.send(SECURITY, None, NAMES | {"AuthMethod": "CHAP"})
    initiator.send(SECURITY, None, {"CHAP_A": "5"})
    initiator.send(SECURITY, None, {"CHAP_N": "alice", "CHAP_R": proof(5)})
    assert initiator.response is not None
    assert not initiator.response.transit
    initiator.send(SECURITY, OPERATIONAL)
    assert initiator.response.transit


@pytest.mark.parametrize(
    ("policy", "offered", "user", "response", "more", "reason"),
    [
        (CHAP, "5", "alice", proof(5, b"wrong-secret-1"), {}, "wrong secret for user 'alice'"),
        (CHAP, "5", "mallory", proof(5), {}, "unknown user 'mallory'"),
        (CHAP, "4", "alice", "", {}, "no known algorithm"),
        (CHAP, "5", "alice", proof(5), {"CHAP_I": "1", "CHAP_C": "0x01"}, "has no secret for it"),
        (MUTUAL, "5", "alice", proof(5), {"CHAP_I": "1", "CHAP_C": "0x" + counting(16).hex()}, "own challenge"),
    ],
)
def test_chap_refusals_look_alike_on_the_wire(
    policy: TargetPolicy, offered: str, user: str, response: str, more: dict[str, str], reason: str
) -> None:
    initiator, step = log_in_with_chap(policy, offered, user, response, **more)
    assert reason in step.failed
    assert (step.status, step.outcome) == (LoginStatus.AUTHENTICATION_FAILURE, None)
    assert initiator.response is not None
    assert (initiator.response.status, initiator.response.data) == (0x0201, b"")
    assert not initiator.response.transit


@pytest.mark.parametrize(
    ("stage", "next_stage", "keys", "reason"),
    [
        (OPERATIONAL, FULL_FEATURE, {}, "skips authentication"),
        (SECURITY, OPERATIONAL, {}, "offers no authentication"),
        (SECURITY, FULL_FEATURE, {}, "offers no authentication"),
        (SECURITY, OPERATIONAL, {"AuthMethod": "None"}, "takes CHAP only"),
        (SECURITY, OPERATIONAL, {"AuthMethod": "SRP,KRB5"}, "takes CHAP only"),
    ],
)
def test_nobody_passes_without_chap(stage: int, next_stage: int, keys: dict[str, str], reason: str) -> None:
    initiator = Initiator(Directory(CHAP))
    step = initiator.send(stage, next_stage, NAMES | keys)
    assert (step.status, step.outcome) == (LoginStatus.AUTHENTICATION_FAILURE, None)
    assert reason in step.failed
    assert "the login is over" in initiator.send(stage, next_stage, NAMES).failed


def test_chap_before_it_is_agreed_on() -> None:
    step = Initiator(Directory(CHAP)).send(SECURITY, OPERATIONAL, NAMES | {"CHAP_A": "5"})
    assert (step.status, step.refusal) == (LoginStatus.INITIATOR_ERROR, Refusal.AUTHENTICATION_FAILED)
    assert "before AuthMethod=CHAP" in step.failed


@pytest.mark.parametrize("keys", [{}, {"CHAP_N": "alice"}, {"X-com.example": "1"}])
def test_a_challenge_has_to_be_answered(keys: dict[str, str]) -> None:
    """Section 9.2: what is missing of a step is told, and ends the login."""
    initiator = Initiator(Directory(CHAP))
    initiator.send(SECURITY, OPERATIONAL, NAMES | {"AuthMethod": "CHAP"})
    initiator.send(SECURITY, OPERATIONAL, {"CHAP_A": "5"})
    step = initiator.send(SECURITY, OPERATIONAL, keys)
    assert (step.status, step.refusal) == (LoginStatus.MISSING_PARAMETER, Refusal.AUTHENTICATION_FAILED)


def test_chap_asked_for_but_not_finished_stays_in_the_security_stage() -> None:
    initiator = Initiator(Directory(CHAP))
    initiator.send(SECURITY, OPERATIONAL, NAMES | {"AuthMethod": "CHAP"})
    initiator.send(SECURITY, FULL_FEATURE)
    assert initiator.response is not None
    assert (initiator.response.transit, initiator.response.status) == (False, 0)
    assert "stage 1 in stage 0" in initiator.send(OPERATIONAL, FULL_FEATURE).failed


def test_an_initiator_that_insists_on_chap_where_there_is_none() -> None:
    step = Initiator(Directory(OPEN)).send(SECURITY, OPERATIONAL, NAMES | {"AuthMethod": "CHAP"})
    assert step.status == LoginStatus.AUTHENTICATION_FAILURE
    assert "takes None only" in step.failed


@pytest.mark.parametrize(
    ("policy", "header", "data", "in_force"),
    [
        (OPEN, "CRC32C,None", "None,CRC32C", (False, False)),
        (DIGESTS, "CRC32C,None", "None,CRC32C", (True, True)),
        (DIGESTS, "None", "CRC32C", (False, True)),
        (dataclasses.replace(DIGESTS, data_digest=False), "CRC32C", "None", (True, False)),
    ],
)
def test_digests(policy: TargetPolicy, header: str, data: str, in_force: tuple[bool, bool]) -> None:
    step = Initiator(Directory(policy)).send(
        OPERATIONAL, FULL_FEATURE, NAMES | {"HeaderDigest": header, "DataDigest": data}
    )
    assert step.outcome is not None
    assert (step.outcome.parameters.header_digest, step.outcome.parameters.data_digest) == in_force


def test_digests_without_agreement() -> None:
    step = Initiator(Directory(OPEN)).send(OPERATIONAL, FULL_FEATURE, NAMES | {"DataDigest": "CRC32C"})
    assert step.status == LoginStatus.INITIATOR_ERROR
    assert step.failed == "DataDigest: the initiator offers 'CRC32C' only, the target takes None"
    assert step.refusal is Refusal.DIGEST_MISMATCH


def test_discovery() -> None:
    directory = Directory(CHAP)
    initiator = Initiator(directory)
    step = initiator.send(
        OPERATIONAL,
        FULL_FEATURE,
        {"InitiatorName": INITIATOR, "SessionType": "Discovery", "HeaderDigest": "None", "MaxBurstLength": "512"},
    )
    assert initiator.answers == {
        "HeaderDigest": "None",
        "MaxBurstLength": "Irrelevant",
        "MaxRecvDataSegmentLength": "262144",
    }
    assert step.outcome is not None
    assert (step.outcome.session_type, step.outcome.target_name) == ("Discovery", "")
    assert directory.asked == [("", INITIATOR)]


def test_discovery_with_chap() -> None:
    names = {"InitiatorName": INITIATOR, "SessionType": "Discovery"}
    directory = Directory(discovery=TargetPolicy(name="", credentials=ALICE))
    step = Initiator(directory).send(OPERATIONAL, FULL_FEATURE, names)
    assert step.status == LoginStatus.AUTHENTICATION_FAILURE
    initiator = Initiator(directory)
    initiator.send(SECURITY, None, names | {"AuthMethod": "CHAP"})
    initiator.send(SECURITY, None, {"CHAP_A": "7"})
    initiator.send(SECURITY, FULL_FEATURE, {"CHAP_N": "alice", "CHAP_R": proof(7)})
    assert initiator.response is not None
    assert initiator.response.transit


@pytest.mark.parametrize(
    ("host", "permanently", "status", "address"),
    [
        ("192.0.2.9", False, 0x0101, "192.0.2.9:3260"),
        ("2001:db8::9", True, 0x0102, "[2001:db8::9]:3260"),
        ("nas.example.org", True, 0x0102, "nas.example.org:3260"),
    ],
)
@pytest.mark.parametrize("at", ["find", "admit"])
def test_a_target_that_has_moved_says_where_to(
    at: str, host: str, permanently: bool, status: int, address: str
) -> None:
    moved = TargetMoved(host, 3260, permanently=permanently)
    directory = Directory(OPEN, refusal=moved) if at == "admit" else MovedDirectory(OPEN, refusal=moved)
    initiator = Initiator(directory)
    step = initiator.send(SECURITY, FULL_FEATURE, NAMES | {"AuthMethod": "None"})
    assert (step.status, step.refusal, step.outcome) == (status, Refusal.MOVED, None)
    assert address in step.failed
    assert initiator.response is not None
    assert (initiator.response.status, initiator.response.transit) == (status, False)
    assert initiator.answers == {"TargetAddress": address}


class MovedDirectory(Directory):
    """Refuses as soon as the target is named."""

    def find_target(self, target_name: str, initiator_name: str) -> TargetPolicy:
        assert self.refusal is not None
        raise self.refusal


OPTIONAL = TargetPolicy(name="", credentials=ALICE, chap_is_optional=True)
DISCOVERY_NAMES = {"InitiatorName": INITIATOR, "SessionType": "Discovery"}


@pytest.mark.parametrize("stage", [SECURITY, OPERATIONAL])
@pytest.mark.parametrize("offered", [{}, {"AuthMethod": "None"}])
def test_optional_chap_lets_in_who_does_not_offer_it(stage: int, offered: dict[str, str]) -> None:
    initiator = Initiator(Directory(discovery=OPTIONAL))
    text = DISCOVERY_NAMES | (offered if stage == SECURITY else {})
    step = initiator.send(stage, FULL_FEATURE, text)
    assert step.outcome is not None
    assert (step.outcome.proven, step.outcome.chap_user) == (None, "")


@pytest.mark.parametrize(
    ("offered", "picked"), [("CHAP,None", "CHAP"), ("None,CHAP", "None"), ("SRP,None,CHAP", "None"), ("CHAP", "CHAP")]
)
def test_of_the_methods_offered_the_first_is_taken(offered: str, picked: str) -> None:
    """Section 6.2.1, where the target takes both."""
    initiator = Initiator(Directory(discovery=OPTIONAL))
    initiator.send(SECURITY, OPERATIONAL, DISCOVERY_NAMES | {"AuthMethod": offered})
    assert initiator.answers == {"AuthMethod": picked}


@pytest.mark.parametrize("offered", ["CHAP", "CHAP,None"])
def test_optional_chap_is_no_choice_for_who_offers_it(offered: str) -> None:
    initiator = Initiator(Directory(discovery=OPTIONAL))
    initiator.send(SECURITY, FULL_FEATURE, DISCOVERY_NAMES | {"AuthMethod": offered})
    assert initiator.answers == {"AuthMethod": "CHAP"}
    initiator.send(SECURITY, FULL_FEATURE, {"CHAP_A": "7"})
    step = initiator.send(SECURITY, FULL_FEATURE, {"CHAP_N": "alice", "CHAP_R": proof(7, b"wrong-secret-1")})
    assert step.refusal is Refusal.WRONG_SECRET
    initiator = Initiator(Directory(discovery=OPTIONAL))
    initiator.send(SECURITY, FULL_FEATURE, DISCOVERY_NAMES | {"AuthMethod": offered})
    initiator.send(SECURITY, FULL_FEATURE, {"CHAP_A": "7"})
    step = initiator.send(SECURITY, FULL_FEATURE, {"CHAP_N": "alice", "CHAP_R": proof(7)})
    assert step.outcome is not None
    assert step.outcome.proven == ALICE[0]


def test_chap_that_was_chosen_is_not_left_behind() -> None:
    initiator = Initiator(Directory(discovery=OPTIONAL))
    initiator.send(SECURITY, None, DISCOVERY_NAMES | {"AuthMethod": "CHAP"})
    initiator.send(SECURITY, FULL_FEATURE)
    assert initiator.response is not None
    assert not initiator.response.transit


@pytest.mark.parametrize(
    ("policy", "keys", "refusal"),
    [
        (CHAP, {}, Refusal.NO_AUTHENTICATION),
        (CHAP, {"AuthMethod": "None"}, Refusal.NO_AUTHENTICATION),
        (OPEN, {"AuthMethod": "CHAP"}, Refusal.NO_AUTHENTICATION),
        (CHAP, {"CHAP_A": "5"}, Refusal.AUTHENTICATION_FAILED),
        (OPEN, {"SessionType": "Other"}, Refusal.PROTOCOL_ERROR),
    ],
)
def test_each_refusal_has_its_kind(policy: TargetPolicy, keys: dict[str, str], refusal: Refusal) -> None:
    assert Initiator(Directory(policy)).send(SECURITY, FULL_FEATURE, NAMES | keys).refusal is refusal


def test_secrets_do_not_show() -> None:
    assert "secret" not in repr(MUTUAL)
