"""Tests of lunaport.iscsi.negotiation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunaport.iscsi.errors import NegotiationError
from lunaport.iscsi.keys import KEYS
from lunaport.iscsi.negotiation import Negotiation, SessionParameters

OUR_SEGMENT = ("MaxRecvDataSegmentLength", "262144")


def normal(header_digest: bool = False, data_digest: bool = False) -> Negotiation:
    return Negotiation(discovery=False, header_digest=header_digest, data_digest=data_digest)


@pytest.mark.parametrize(
    ("key", "offered", "answer", "in_force"),
    [
        ("InitialR2T", "Yes", "Yes", {"initial_r2t": True}),
        ("InitialR2T", "No", "No", {"initial_r2t": False}),
        ("InitialR2T", "Maybe", "Reject", {"initial_r2t": True}),
        ("ImmediateData", "Yes", "Yes", {"immediate_data": True}),
        ("ImmediateData", "No", "No", {"immediate_data": False}),
        ("MaxBurstLength", "511", "Reject", {"max_burst_length": 262144}),
        ("MaxBurstLength", "512", "512", {"max_burst_length": 512, "first_burst_length": 512}),
        ("MaxBurstLength", "1048575", "1048575", {"max_burst_length": 1048575}),
        ("MaxBurstLength", "1048577", "1048576", {"max_burst_length": 1048576}),
        ("MaxBurstLength", "16777215", "1048576", {"max_burst_length": 1048576}),
        ("MaxBurstLength", "16777216", "Reject", {"max_burst_length": 262144}),
        ("MaxBurstLength", "0x10000", "65536", {"max_burst_length": 65536}),
        ("MaxBurstLength", "many", "Reject", {"max_burst_length": 262144}),
        ("FirstBurstLength", "16777215", "262144", {"first_burst_length": 262144}),
        ("FirstBurstLength", "4096", "4096", {"first_burst_length": 4096}),
        ("MaxOutstandingR2T", "0", "Reject", {"max_outstanding_r2t": 1}),
        ("MaxOutstandingR2T", "7", "7", {"max_outstanding_r2t": 7}),
        ("MaxOutstandingR2T", "9", "8", {"max_outstanding_r2t": 8}),
        ("MaxConnections", "8", "1", {"max_connections": 1}),
        ("DefaultTime2Wait", "0", "2", {"default_time2wait": 2}),
        ("DefaultTime2Wait", "3600", "3600", {"default_time2wait": 3600}),
        ("DefaultTime2Retain", "20", "0", {"default_time2retain": 0}),
        ("ErrorRecoveryLevel", "2", "0", {"error_recovery_level": 0}),
        ("ErrorRecoveryLevel", "3", "Reject", {"error_recovery_level": 0}),
        ("DataPDUInOrder", "No", "Yes", {"data_pdu_in_order": True}),
        ("DataSequenceInOrder", "No", "Yes", {"data_sequence_in_order": True}),
        ("TaskReporting", "FastAbort,ResponseFence,RFC3720", "RFC3720", {}),
        ("TaskReporting", "FastAbort", "Reject", {}),
        ("iSCSIProtocolLevel", "2", "1", {}),
        ("IFMarker", "Yes", "No", {}),
        ("OFMarkInt", "1~2", "Reject", {}),
        ("X-com.example.speed", "11", "NotUnderstood", {}),
        ("RDMAExtensions", "Yes", "NotUnderstood", {}),
    ],
)
def test_one_key(key: str, offered: str, answer: str, in_force: dict[str, Any]) -> None:
    negotiation = normal()
    assert negotiation.answer({key: offered}) == [(key, answer), OUR_SEGMENT]
    parameters = negotiation.parameters()
    assert {name: getattr(parameters, name) for name in in_force} == in_force


@pytest.mark.parametrize(
    ("wanted", "offered", "answer"),
    [
        (True, "CRC32C,None", "CRC32C"),
        (True, "None,CRC32C", "CRC32C"),
        (True, "CRC32C", "CRC32C"),
        (True, "None", "None"),
        (True, "MD5,None", "None"),
        (False, "CRC32C,None", "None"),
        (False, "None", "None"),
    ],
)
@pytest.mark.parametrize("key", ["HeaderDigest", "DataDigest"])
def test_digests_follow_the_target(key: str, wanted: bool, offered: str, answer: str) -> None:
    negotiation = normal(header_digest=wanted, data_digest=wanted)
    assert negotiation.answer({key: offered})[0] == (key, answer)
    in_force = negotiation.parameters().negotiated()
    other = ({"HeaderDigest", "DataDigest"} - {key}).pop()
    assert (in_force[key], in_force[other]) == (answer, "None")


@pytest.mark.parametrize(("wanted", "offered"), [(False, "CRC32C"), (True, "MD5"), (False, ""), (True, ",")])
def test_digests_without_agreement_end_the_login(wanted: bool, offered: str) -> None:
    with pytest.raises(NegotiationError, match="HeaderDigest"):
        normal(header_digest=wanted).answer({"HeaderDigest": offered})


@pytest.mark.parametrize(
    ("offered", "length"), [("512", 512), ("262144", 262144), ("16777215", 16777215), ("0x1000", 4096)]
)
def test_the_initiators_segment_length(offered: str, length: int) -> None:
    negotiation = normal()
    assert negotiation.answer({"MaxRecvDataSegmentLength": offered}) == [OUR_SEGMENT]
    assert negotiation.parameters().peer_max_recv_data_segment_length == length
    assert negotiation.parameters().max_recv_data_segment_length == 262144


@pytest.mark.parametrize("offered", ["511", "16777216", "0", "x", ""])
def test_a_segment_length_that_cannot_be(offered: str) -> None:
    with pytest.raises(NegotiationError, match="MaxRecvDataSegmentLength"):
        normal().answer({"MaxRecvDataSegmentLength": offered})


def test_our_segment_length_is_declared_once() -> None:
    negotiation = normal()
    assert negotiation.parameters() == SessionParameters()
    assert negotiation.answer({}) == [OUR_SEGMENT]
    assert negotiation.answer({}) == []


@pytest.mark.parametrize("order", [1, -1])
def test_first_burst_never_exceeds_max_burst(order: int) -> None:
    offered = dict([("FirstBurstLength", "262144"), ("MaxBurstLength", "8192")][::order])
    negotiation = normal()
    assert dict(negotiation.answer(offered)) == dict(
        [("MaxBurstLength", "8192"), ("FirstBurstLength", "8192"), OUR_SEGMENT]
    )
    assert negotiation.parameters().first_burst_length == 8192


def test_discovery_leaves_out_what_has_no_meaning_there() -> None:
    negotiation = Negotiation(discovery=True, header_digest=False, data_digest=False)
    irrelevant = [key.name for key in KEYS.values() if key.irrelevant_in_discovery]
    assert dict(negotiation.answer(dict.fromkeys(irrelevant, "1"))) == dict.fromkeys(irrelevant, "Irrelevant") | dict(
        [OUR_SEGMENT]
    )
    assert negotiation.answer({"ErrorRecoveryLevel": "0", "DefaultTime2Wait": "5"}) == [
        ("ErrorRecoveryLevel", "0"),
        ("DefaultTime2Wait", "5"),
    ]
    assert "MaxBurstLength" in irrelevant


@pytest.mark.parametrize("verdict", ["Reject", "Irrelevant", "NotUnderstood"])
@pytest.mark.parametrize("key", ["MaxRecvDataSegmentLength", "HeaderDigest", "X-a"])
def test_what_only_answers_say_ends_it(verdict: str, key: str) -> None:
    """Section 6.2: nothing was asked that this could answer."""
    with pytest.raises(NegotiationError, match="answers nothing"):
        normal().answer({key: verdict})


def test_a_key_twice_in_one_login_ends_it() -> None:
    negotiation = normal()
    negotiation.answer({"InitialR2T": "Yes"})
    with pytest.raises(NegotiationError, match="InitialR2T is negotiated twice"):
        negotiation.answer({"InitialR2T": "Yes"})


@pytest.mark.parametrize("key", ["AuthMethod", "CHAP_A", "SendTargets", "TargetAlias", "TargetPortalGroupTag"])
def test_a_key_out_of_place_ends_it(key: str) -> None:
    with pytest.raises(NegotiationError, match=key):
        normal().answer({key: "1"})


def test_negotiated_names_every_value() -> None:
    negotiation = normal(header_digest=True)
    negotiation.answer({"HeaderDigest": "CRC32C", "InitialR2T": "No", "MaxRecvDataSegmentLength": "65536"})
    assert negotiation.parameters("lab").initiator_alias == "lab"
    assert negotiation.parameters().negotiated() == {
        "HeaderDigest": "CRC32C",
        "DataDigest": "None",
        "InitialR2T": "No",
        "ImmediateData": "Yes",
        "TargetMaxRecvDataSegmentLength": "262144",
        "InitiatorMaxRecvDataSegmentLength": "65536",
        "MaxBurstLength": "262144",
        "FirstBurstLength": "65536",
        "MaxOutstandingR2T": "1",
        "DefaultTime2Wait": "2",
        "DefaultTime2Retain": "20",
        "ErrorRecoveryLevel": "0",
        "MaxConnections": "1",
        "DataPDUInOrder": "Yes",
        "DataSequenceInOrder": "Yes",
    }


VALUES = st.one_of(
    st.sampled_from(["Yes", "No", "CRC32C,None", "None", "Reject", "0", "512", "65536", "16777215", "99999999"]),
    st.binary(max_size=20).map(lambda value: value.decode("latin-1")),
)
OFFERS = st.dictionaries(st.one_of(st.sampled_from(sorted(KEYS)), st.just("X-unknown")), VALUES, max_size=8)


@given(st.lists(OFFERS, max_size=4), st.booleans(), st.booleans())
def test_any_offers_lead_to_consistent_parameters_or_a_refusal(
    offers: list[dict[str, str]], discovery: bool, digests: bool
) -> None:
    negotiation = Negotiation(discovery=discovery, header_digest=digests, data_digest=digests)
    for offered in offers:
        try:
            answers = negotiation.answer(offered)
        except NegotiationError:
            break
        assert {name for name, _ in answers} <= offered.keys() | {"MaxRecvDataSegmentLength"}
    parameters = negotiation.parameters()
    assert 512 <= parameters.first_burst_length <= parameters.max_burst_length <= 1048576
    assert 512 <= parameters.peer_max_recv_data_segment_length < 1 << 24
    assert 1 <= parameters.max_outstanding_r2t <= 8
    assert (parameters.error_recovery_level, parameters.max_connections) == (0, 1)
    assert digests or not (parameters.header_digest or parameters.data_digest)
