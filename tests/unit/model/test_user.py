"""Passwords that can be used, and hashes that are not shown."""

import pytest

from lunaport.model.errors import InvalidError
from lunaport.model.user import User, check_password


def test_password() -> None:
    check_password("x" * 8)
    check_password("x" * 256)


@pytest.mark.parametrize("password", ["", "x" * 7, "x" * 257, "tab\there12"])
def test_password_refused(password: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_password(password)
    assert not password or password not in str(caught.value)


def test_the_hash_stays_out_of_reprs() -> None:
    assert "argon" not in repr(User(name="admin", password_hash="$argon2id$...", created_at=0.0))
