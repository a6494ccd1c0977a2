"""What errors say."""

import pytest

from lunaport.isns.enums import Status, status_text
from lunaport.isns.errors import AnswerError, FormatError, IsnsError, RefusedError, UnreachableError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FormatError("it ends"), "the server's answer is no iSNS message: it ends"),
        (AnswerError("other"), "the server answered something else than was asked: other"),
        (RefusedError("the registration", 3), "the server refused the registration: invalid registration (status 3)"),
        (RefusedError("it", 99), "the server refused it: unknown status (status 99)"),
        (UnreachableError("no connection"), "no connection"),
    ],
)
def test_they_are_for_the_administrator(error: IsnsError, text: str) -> None:
    assert str(error) == text


def test_every_status_has_words() -> None:
    for status in Status:
        assert status_text(status).endswith(f"(status {int(status)})")
        assert "unknown status" not in status_text(status)
