"""Tests of lunaport.iscsi.keys: the table agrees with itself."""

from dataclasses import fields

import pytest

from lunaport.iscsi.keys import KEYS, Key, Kind, Phase, Sender
from lunaport.iscsi.negotiation import SessionParameters

NUMBERS = [key for key in KEYS.values() if key.highest]


@pytest.mark.parametrize("key", NUMBERS, ids=lambda key: key.name)
def test_default_and_ours_are_in_range(key: Key) -> None:
    assert key.lowest <= key.default <= key.highest
    assert key.lowest <= key.ours <= key.highest


@pytest.mark.parametrize("name", ["MaxConnections", "ErrorRecoveryLevel", "DefaultTime2Retain"])
def test_nothing_that_is_not_there_is_offered(name: str) -> None:
    assert KEYS[name].kind is Kind.MINIMUM
    assert KEYS[name].ours == {"MaxConnections": 1}.get(name, 0)


def test_the_security_stage_takes_no_operational_key() -> None:
    assert {key.name for key in KEYS.values() if Phase.SECURITY in key.phase} == {
        "AuthMethod",
        "CHAP_A",
        "CHAP_I",
        "CHAP_C",
        "CHAP_N",
        "CHAP_R",
        "InitiatorName",
        "InitiatorAlias",
        "TargetName",
        "TargetAlias",
        "TargetAddress",
        "TargetPortalGroupTag",
        "SessionType",
        "X#NodeArchitecture",
    }


def test_what_only_targets_send() -> None:
    only_targets = {key.name for key in KEYS.values() if Sender.INITIATOR not in key.sender}
    assert only_targets == {"TargetAlias", "TargetAddress", "TargetPortalGroupTag"}


def test_defaults_are_those_of_session_parameters() -> None:
    parameters = SessionParameters()
    by_field = {
        "initial_r2t": "InitialR2T",
        "immediate_data": "ImmediateData",
        "peer_max_recv_data_segment_length": "MaxRecvDataSegmentLength",
        "max_burst_length": "MaxBurstLength",
        "first_burst_length": "FirstBurstLength",
        "max_outstanding_r2t": "MaxOutstandingR2T",
        "default_time2wait": "DefaultTime2Wait",
        "default_time2retain": "DefaultTime2Retain",
        "error_recovery_level": "ErrorRecoveryLevel",
        "max_connections": "MaxConnections",
        "data_pdu_in_order": "DataPDUInOrder",
        "data_sequence_in_order": "DataSequenceInOrder",
    }
    for name in {field.name for field in fields(parameters)} & by_field.keys():
        assert getattr(parameters, name) == KEYS[by_field[name]].default
