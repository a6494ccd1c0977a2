"""Secrets that Lunaport makes up."""

import base64
import secrets

import pytest

from lunaport.model.chap import SECRET_BYTES_MAX, SECRET_BYTES_MIN
from lunaport.model.secret import new_secret


def test_it_is_random_and_what_every_initiator_takes() -> None:
    made = {new_secret() for _ in range(1000)}
    assert len(made) == 1000
    assert all(SECRET_BYTES_MIN <= len(each) <= SECRET_BYTES_MAX for each in made)
    assert all(len(base64.urlsafe_b64decode(each)) * 8 >= 96 for each in made)


def test_it_never_begins_like_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["-option-like-thi", "_neither-this-on", "9-this-is-it-abc"])
    monkeypatch.setattr(secrets, "token_urlsafe", lambda _: next(drawn))
    assert new_secret() == "9-this-is-it-abc"
