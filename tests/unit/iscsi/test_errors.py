"""Tests of lunaport.iscsi.errors."""

import pytest

from lunaport.iscsi import errors
from lunaport.iscsi.enums import LoginStatus, RejectReason


def test_a_remote_error_tells_its_reason_and_its_reject_reason() -> None:
    error = errors.RemoteProtocolError("why", reject_reason=RejectReason.INVALID_PDU_FIELD)
    assert (str(error), error.reason, error.reject_reason) == ("why", "why", RejectReason.INVALID_PDU_FIELD)


def test_reject_reasons_that_follow_from_the_kind() -> None:
    assert errors.TextError("why").reject_reason is RejectReason.PROTOCOL_ERROR
    assert errors.DigestError("why").reject_reason is RejectReason.DATA_DIGEST_ERROR


def test_a_refusal_carries_its_status() -> None:
    refusal = errors.LoginRefused(LoginStatus.NOT_FOUND, "no such target")
    assert (refusal.status, str(refusal)) == (LoginStatus.NOT_FOUND, "no such target")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "'plain'"),
        ("new\nline", r"'new\nline'"),
        ("\u202e", r"'\u202e'"),
        ("x" * 64, f"'{'x' * 64}'"),
        ("x" * 65, f"'{'x' * 64}...'"),
    ],
)
def test_quoted_is_safe_in_a_log_line(text: str, shown: str) -> None:
    assert errors.quoted(text) == shown
