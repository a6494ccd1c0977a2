"""Roles, names and passwords of users."""

import pytest

from lunaport.model.errors import InvalidError
from lunaport.model.user import Role, check_name, check_password


def test_each_role_may_what_the_ones_before_it_may() -> None:
    allowed = [[role.allows(needed) for needed in Role] for role in Role]
    assert allowed == [[True, False, False], [True, True, False], [True, True, True]]


@pytest.mark.parametrize("name", ["a", "0", "carol", "a.b-c_d", "x" * 63])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "Carol", "-a", "a-", "a b", "x" * 64, "\u00e4", "a\n", "a/b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InvalidError, match=r"name: is not usable; right would be 1 to 63"):
        check_name(name)


@pytest.mark.parametrize("password", ["12345678", "\u00e4" * 4, "x" * 256])
def test_passwords(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize("password", ["1234567", "x" * 257, "12345678\n", "\x7f2345678"])
def test_passwords_that_are_none(password: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_password(password)
    assert password not in str(caught.value)
