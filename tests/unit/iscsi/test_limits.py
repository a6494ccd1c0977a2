"""Tests of lunaport.iscsi.limits: bounds that have to fit each other."""

from lunaport.iscsi import limits


def test_what_we_offer_is_legal() -> None:
    assert 512 <= limits.FIRST_BURST_BYTES <= limits.MAX_BURST_BYTES < 1 << 24
    assert 512 <= limits.DATA_SEGMENT_BYTES_MAX < 1 << 24


def test_the_longest_answer_to_one_login_request_fits_one_response() -> None:
    longest_answer = limits.TEXT_KEY_BYTES_MAX + len("=NotUnderstood\0")
    assert limits.TEXT_KEYS_MAX * longest_answer < limits.LOGIN_DATA_SEGMENT_BYTES_MAX


def test_the_longest_challenge_fits_its_value() -> None:
    assert 2 + 2 * limits.CHALLENGE_BYTES_MAX <= limits.TEXT_VALUE_BYTES_MAX
