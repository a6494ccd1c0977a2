"""The initiator's login, against our target and against one that is made up (RFC 7143 sections 6.3, 11.13, 12)."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi.chap import ChapCredential
from lunaport.iscsi.enums import ChapAlgorithm, LoginStatus, Opcode, Stage
from lunaport.iscsi.errors import LocalProtocolError, LoginRefused
from lunaport.iscsi.initiator_events import ConnectionEnded, LoggedIn, LoginFailed
from lunaport.iscsi.initiator_faults import edit, only
from lunaport.iscsi.initiator_login import InitiatorLogin, InitiatorLoginStep, LoginFailure
from lunaport.iscsi.initiator_options import ChapOptions, Options
from lunaport.iscsi.keys import KEYS, Kind
from lunaport.iscsi.login import TargetPolicy
from lunaport.iscsi.pdu import LoginRequest, LoginResponse, parse_login_request
from lunaport.iscsi.text import parse_text
from tests.unit.iscsi.initiator import TARGET, Directory, counting, split
from tests.unit.iscsi.pair import OPTIONS, Pair, every_byte

USER, SECRET = "alice", b"twelve bytes"
MUTUAL = ("disk", b"other twelve")
ONE_WAY = ChapOptions(user=USER, secret=SECRET)
BOTH_WAYS = replace(ONE_WAY, mutual=MUTUAL)


def directory(**changes: object) -> Directory:
    policy = TargetPolicy(name=TARGET, credentials=(ChapCredential(user=USER, secret=SECRET, mutual=MUTUAL),))
    return Directory(policy=replace(policy, **changes), discovery=policy)  # type: ignore[arg-type]  # fields by name


def login(options: Options, target: Directory | None = None) -> LoggedIn | LoginFailed:
    """How a login ends."""
    pair = Pair(options, directory=target)
    pair.initiator.start()
    event = next(event for event in pair.run() if isinstance(event, LoggedIn | LoginFailed))
    assert isinstance(event, LoggedIn) == (pair.target.connection is not None)
    return event


def reason(options: Options, target: Directory | None = None) -> str:
    event = login(options, target)
    assert isinstance(event, LoginFailed)
    return event.failure.reason


@pytest.mark.parametrize("start_stage", [None, Stage.SECURITY])
def test_a_login_without_authentication(start_stage: Stage | None) -> None:
    pair = Pair(replace(OPTIONS, start_stage=start_stage)).log_in()
    assert pair.initiator.tsih == pair.directory.tsih
    assert pair.target.connection is not None
    theirs, ours = pair.target.connection.parameters, pair.initiator.parameters
    assert ours == replace(
        theirs,
        max_recv_data_segment_length=theirs.peer_max_recv_data_segment_length,
        peer_max_recv_data_segment_length=theirs.max_recv_data_segment_length,
    )


@pytest.mark.parametrize("algorithm", list(ChapAlgorithm))
@pytest.mark.parametrize("base64", [False, True])
@pytest.mark.parametrize("chap", [ONE_WAY, BOTH_WAYS], ids=["one-way", "mutual"])
@pytest.mark.parametrize("target_name", [TARGET, ""], ids=["normal", "discovery"])
def test_chap(algorithm: ChapAlgorithm, base64: bool, chap: ChapOptions, target_name: str) -> None:
    chap = replace(chap, algorithms=(algorithm,), base64=base64, challenge_bytes=1024 if base64 else 16)
    pair = Pair(replace(OPTIONS, chap=chap, target_name=target_name), directory=directory(), cut=every_byte).log_in()
    assert pair.directory.admitted[0].chap_user == USER


def test_a_wrong_secret_is_told_by_the_target() -> None:
    event = login(replace(OPTIONS, chap=replace(ONE_WAY, secret=b"wrong secret")), directory())
    assert isinstance(event, LoginFailed)
    assert event.failure.status == LoginStatus.AUTHENTICATION_FAILURE
    assert event.failure.reason == "login refused: authentication failure"


@pytest.mark.parametrize(
    ("mutual", "expected"),
    [
        (("disk", b"wrong secret"), "CHAP: the target does not know its secret"),
        (("other", MUTUAL[1]), "CHAP: the target calls itself 'disk'"),
    ],
)
def test_a_target_that_cannot_prove_itself_is_left(mutual: tuple[str, bytes], expected: str) -> None:
    pair = Pair(replace(OPTIONS, chap=replace(ONE_WAY, mutual=mutual)), directory=directory())
    pair.initiator.start()
    failed, ended = pair.run()
    assert isinstance(failed, LoginFailed)
    assert failed.failure.reason == expected
    assert ended == ConnectionEnded(reason=expected)


def test_secrets_are_in_no_repr() -> None:
    assert "twelve" not in repr(replace(OPTIONS, chap=BOTH_WAYS))


def test_a_target_may_do_without_our_proof_where_that_is_offered() -> None:
    options = replace(OPTIONS, chap=ONE_WAY, keys={"AuthMethod": "CHAP,None"})
    assert isinstance(login(options), LoggedIn)
    assert "before all is proven" in reason(replace(options, chap=BOTH_WAYS))


def test_a_login_of_many_requests() -> None:
    options = replace(OPTIONS, chap=BOTH_WAYS, login_segment_bytes=60)
    pair = Pair(options, directory=directory()).log_in()
    assert pair.initiator.tsih
    assert len(pair.received) > 10


def test_keys_of_ones_own() -> None:
    keys = {
        "MaxBurstLength": "4096",
        "FirstBurstLength": "1024",
        "ImmediateData": "No",
        "InitialR2T": None,
        "X-org.example.key": "1",
        "InitiatorAlias": "bench",
        "ErrorRecoveryLevel": "9",
    }
    pair = Pair(replace(OPTIONS, keys=keys))
    pair.initiator.start()
    [event] = pair.run()
    assert isinstance(event, LoggedIn)
    answers = event.outcome.answers
    assert (answers["X-org.example.key"], answers["ErrorRecoveryLevel"]) == ("NotUnderstood", "Reject")
    assert "InitialR2T" not in answers
    parameters = pair.initiator.parameters
    assert (parameters.max_burst_length, parameters.first_burst_length) == (4096, 1024)
    assert (parameters.immediate_data, parameters.initial_r2t, parameters.error_recovery_level) == (False, True, 0)
    assert pair.directory.admitted[0].initiator_alias == "bench"


def test_a_name_left_out_is_missed() -> None:
    event = login(replace(OPTIONS, keys={"InitiatorName": None}))
    assert isinstance(event, LoginFailed)
    assert event.failure.status == LoginStatus.MISSING_PARAMETER


def test_every_refusal_is_named() -> None:
    for status in LoginStatus:
        if status is not LoginStatus.SUCCESS:
            target = Directory(refusal=LoginRefused(status, "for the test"))
            event = login(OPTIONS, target)
            assert isinstance(event, LoginFailed)
            assert event.failure.status == status


def test_a_fault_in_the_login() -> None:
    fault = only(Opcode.LOGIN_REQUEST, edit(version_min=1))
    event = login(replace(OPTIONS, fault=fault))
    assert isinstance(event, LoginFailed)
    assert event.failure.status == LoginStatus.UNSUPPORTED_VERSION


VALUES = [
    "Yes",
    "No",
    "0",
    "1",
    "2",
    "511",
    "512",
    "65536",
    "262144",
    "16777215",
    "16777216",
    "0x200",
    "CRC32C",
    "None",
]
VALUES += ["CRC32C,None", "None,CRC32C", "RFC3720,FastAbort", "", "Reject", "Irrelevant", "NotUnderstood", "maybe"]
NEGOTIATED = [key.name for key in KEYS.values() if key.kind not in (Kind.DECLARATIVE, Kind.SECURITY)]


@given(
    keys=st.dictionaries(st.sampled_from([*NEGOTIATED, "X-org.example.a"]), st.none() | st.sampled_from(VALUES)),
    target_name=st.sampled_from([TARGET, ""]),
    digests=st.booleans(),
)
def test_any_keys_get_answers_the_rules_allow(keys: dict[str, str | None], target_name: str, digests: bool) -> None:
    """Both sides agree on the same, or the target refuses; its answers never break a rule."""
    policy = TargetPolicy(name=TARGET, header_digest=digests, data_digest=digests)
    target = Directory(policy=policy, discovery=policy)
    pair = Pair(replace(OPTIONS, keys=keys, target_name=target_name), directory=target)
    pair.initiator.start()
    event = next(event for event in pair.run() if isinstance(event, LoggedIn | LoginFailed))
    if isinstance(event, LoginFailed):
        assert event.failure.status != LoginStatus.SUCCESS, event.failure.reason
        return
    assert pair.target.connection is not None
    theirs, ours = pair.target.connection.parameters, pair.initiator.parameters
    assert ours == replace(
        theirs,
        max_recv_data_segment_length=theirs.peer_max_recv_data_segment_length,
        peer_max_recv_data_segment_length=theirs.max_recv_data_segment_length,
    )


# A target that is made up


class Made:
    """Answers by hand, legal or not."""

    def __init__(self, options: Options = OPTIONS) -> None:
        self.login = InitiatorLogin(options, counting)
        self.request = self.parse(self.login.start())
        self.stat_sn = 7

    def parse(self, wire: bytes) -> LoginRequest:
        return parse_login_request(*split(wire))

    def answer(self, pairs: Mapping[str, str] | bytes = b"", **changes: object) -> InitiatorLoginStep:
        data = pairs if isinstance(pairs, bytes) else "".join(f"{k}={v}\0" for k, v in pairs.items()).encode()
        response = LoginResponse(
            transit=self.request.transit,
            current_stage=self.request.current_stage,
            next_stage=self.request.next_stage,
            isid=self.request.isid,
            tsih=1,
            initiator_task_tag=self.request.initiator_task_tag,
            stat_sn=self.stat_sn,
            data=data,
        )
        self.stat_sn += 1
        step = self.login.receive(*split(replace(response, **changes).serialize()))  # type: ignore[arg-type]  # by name
        if step.request:
            self.request = self.parse(step.request)
        return step

    def failure(self, pairs: Mapping[str, str] | bytes = b"", **changes: object) -> str:
        step = self.answer(pairs, **changes)
        assert step.failure is not None
        with pytest.raises(LocalProtocolError):
            self.answer()
        return step.failure.reason


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ({"InitialR2T": "Maybe"}, "InitialR2T"),
        ({"ImmediateData": "1"}, "ImmediateData"),
        ({"MaxBurstLength": "1048577"}, "MaxBurstLength"),
        ({"MaxBurstLength": "511"}, "not within"),
        ({"DefaultTime2Wait": "1"}, "DefaultTime2Wait"),
        ({"DataPDUInOrder": "No"}, "DataPDUInOrder"),
        ({"HeaderDigest": "CRC32C"}, "HeaderDigest"),
        ({"MaxRecvDataSegmentLength": "511"}, "not within"),
        ({"MaxRecvDataSegmentLength": "many"}, "not a number"),
        ({"InitiatorName": "x"}, "not for it to send"),
        ({"SendTargets": "All"}, "not for it to send"),
        ({"X-other": "NotUnderstood"}, "which nobody offered"),
        ({"IFMarker": "No"}, "offers that nobody has answered"),
        (b"no pair\0", "'='"),
    ],
)
def test_answers_that_the_rules_do_not_allow(pairs: Mapping[str, str] | bytes, expected: str) -> None:
    assert expected in Made().failure(pairs)


@pytest.mark.parametrize(
    "changes",
    [
        {"isid": bytes(6)},
        {"initiator_task_tag": 9},
        {"current_stage": Stage.SECURITY},
        {"next_stage": Stage.OPERATIONAL},
        {"version_active": 1},
        {"continues": True},
        {"tsih": 0},
    ],
)
def test_responses_that_break_a_rule(changes: dict[str, object]) -> None:
    assert Made().failure(b"", **changes)


def test_stat_sn_counts_the_responses() -> None:
    made = Made()
    assert made.answer(transit=False, next_stage=0).request
    assert made.request.exp_stat_sn == 8
    assert "StatSN 9 where 8 is due" in made.failure(stat_sn=9)


def test_a_target_that_offers_is_answered() -> None:
    made = Made(replace(OPTIONS, keys={"MaxOutstandingR2T": None, "DataDigest": None, "InitialR2T": None}))
    offers = {
        "MaxOutstandingR2T": "4",
        "DataDigest": "CRC32C,None",
        "InitialR2T": "No",
        "IFMarker": "Yes",
        "X-foo": "1",
        "TaskReporting": "FastAbort",
        "TargetAlias": "a disk",
    }
    made.answer(offers, transit=False, next_stage=0)
    assert parse_text(made.request.data) == {
        "MaxOutstandingR2T": "1",
        "DataDigest": "None",
        "InitialR2T": "Yes",
        "IFMarker": "No",
        "X-foo": "NotUnderstood",
        "TaskReporting": "Reject",
    }
    outcome = made.answer().outcome
    assert outcome is not None
    assert outcome.answers["TargetAlias"] == "a disk"
    assert (outcome.parameters.max_outstanding_r2t, outcome.parameters.data_digest) == (1, False)


def test_an_answer_in_pieces_is_gathered() -> None:
    made = Made()
    step = made.answer(b"TargetAl", transit=False, next_stage=0, continues=True)
    assert step.request
    assert not made.request.transit
    made.answer(b"ias=a\0", transit=False, next_stage=0)
    outcome = made.answer().outcome
    assert outcome is not None
    assert outcome.answers["TargetAlias"] == "a"


def test_the_moved_target_tells_where_to() -> None:
    step = Made().answer({"TargetAddress": "192.0.2.9:3260"}, status=LoginStatus.TARGET_MOVED_TEMPORARILY)
    assert step.failure == LoginFailure(
        status=LoginStatus.TARGET_MOVED_TEMPORARILY,
        reason="login refused: target moved temporarily",
        target_address="192.0.2.9:3260",
    )


def test_an_endless_login_ends() -> None:
    made = Made()
    for _ in range(32):
        assert made.answer(transit=False, next_stage=0).request
    assert "more than 32 responses" in made.failure(transit=False, next_stage=0)


@pytest.mark.parametrize(
    ("challenge", "expected"),
    [
        ({"CHAP_A": "5", "CHAP_I": "1"}, "lacks CHAP_C"),
        ({"CHAP_A": "9", "CHAP_I": "1", "CHAP_C": "0x01"}, "algorithm 9"),
        ({"CHAP_A": "5", "CHAP_I": "256", "CHAP_C": "0x01"}, "0 to 255"),
        ({"CHAP_A": "5", "CHAP_I": "1", "CHAP_C": "01"}, "neither 0x nor 0b"),
        ({"CHAP_A": "5", "CHAP_I": "1", "CHAP_C": "0x" + "00" * 1025}, "more than 1024"),
    ],
)
def test_challenges_that_cannot_be(challenge: dict[str, str], expected: str) -> None:
    made = Made(replace(OPTIONS, chap=BOTH_WAYS))
    assert parse_text(made.request.data)["AuthMethod"] == "CHAP"
    made.answer({"AuthMethod": "CHAP"})
    assert parse_text(made.request.data) == {"CHAP_A": "8,7,6,5"}
    assert expected in made.failure(challenge)


def test_no_proof_no_login() -> None:
    made = Made(replace(OPTIONS, chap=BOTH_WAYS))
    made.answer({"AuthMethod": "CHAP"})
    made.answer({"CHAP_A": "7", "CHAP_I": "1", "CHAP_C": "0x01"})
    assert made.request.transit
    assert "before all is proven" in made.failure()


@given(
    data=st.lists(
        st.tuples(
            st.sampled_from(["AuthMethod", "CHAP_A", "CHAP_N", "InitialR2T", "MaxBurstLength", "HeaderDigest", "X-a"]),
            st.sampled_from(["", "CHAP", "None", "Yes", "No", "5", "0x01", "512", "Reject", "NotUnderstood", ","]),
        ),
        max_size=4,
        unique_by=lambda pair: pair[0],
    ),
    transit=st.booleans(),
    header=st.binary(min_size=44, max_size=44),
    chap=st.booleans(),
)
def test_any_answer_gives_a_step(data: list[tuple[str, str]], transit: bool, header: bytes, chap: bool) -> None:
    """Whatever the target says, there is a next request, an outcome or a failure."""
    for crooked in (False, True):
        made = Made(replace(OPTIONS, chap=BOTH_WAYS if chap else None))
        changes: dict[str, object] = {} if transit else {"transit": False, "next_stage": 0}
        step = (
            made.login.receive(b"\x23" + header[:3] + bytes(4) + header[4:], b"")
            if crooked
            else made.answer(dict(data), **changes)
        )
        assert bool(step.request) + (step.outcome is not None) + (step.failure is not None) == 1
        assert not chap or step.outcome is None
