"""CHAP: lengths, pairs, what stays when it is left out; and that no secret is ever shown."""

import pytest

from lunaport.model.chap import Chap, ChapChange, check_pair, check_secret, check_username, merge_chap
from lunaport.model.errors import Fault, InvalidError

SECRET = "alice-secret-1"
ALICE = Chap(enabled=True, username="alice", secret=SECRET, secret_changed_at=5.0)


@pytest.mark.parametrize("secret", ["x" * 12, "x" * 16, "\u00e4" * 6, "\U0001f600" * 4])
def test_secret(secret: str) -> None:
    check_secret(secret)


@pytest.mark.parametrize(
    "secret", ["", "x" * 11, "x" * 17, "\u00e4" * 9, "\U0001f600" * 5, "tab\there12345", "x" * 10**6]
)
def test_secret_refused(secret: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_secret(secret)
    (problem,) = caught.value.problems
    assert problem.fault is Fault.CHAP_SECRET_INVALID
    assert "12 to 16" in problem.message
    assert not secret or secret not in problem.message


@pytest.mark.parametrize("name", ["a", "x" * 255, "\u00e4" * 127, "two words"])
def test_username(name: str) -> None:
    check_username(name)


@pytest.mark.parametrize("name", ["", "x" * 256, "\u00e4" * 128, "a\x00b", "a\nb", "\x7f"])
def test_username_refused(name: str) -> None:
    with pytest.raises(InvalidError) as caught:
        check_username(name)
    assert caught.value.problems[0].fault is Fault.CHAP_USERNAME_INVALID


def test_what_is_left_out_stays() -> None:
    assert merge_chap(ALICE, ChapChange(), 9.0) == ALICE
    assert merge_chap(ALICE, ChapChange(enabled=False), 9.0).secret == SECRET


def test_a_new_secret_is_dated() -> None:
    merged = merge_chap(ALICE, ChapChange(secret="another-secret"), 9.0)
    assert (merged.secret, merged.secret_changed_at) == ("another-secret", 9.0)
    assert merge_chap(ALICE, ChapChange(secret=SECRET), 9.0).secret_changed_at == 5.0


def test_enabled_needs_name_and_secret() -> None:
    with pytest.raises(InvalidError) as caught:
        merge_chap(Chap(), ChapChange(enabled=True), 0.0)
    assert [(each.fault, each.path) for each in caught.value.problems] == [
        (Fault.CHAP_INCOMPLETE, ("username",)),
        (Fault.CHAP_INCOMPLETE, ("secret",)),
    ]


def test_mutual_needs_one_way() -> None:
    with pytest.raises(InvalidError) as caught:
        check_pair(Chap(), ALICE)
    assert caught.value.problems[0].fault is Fault.CHAP_MUTUAL_ALONE


def test_secrets_differ() -> None:
    with pytest.raises(InvalidError) as caught:
        check_pair(ALICE, ALICE)
    assert caught.value.problems[0].fault is Fault.CHAP_SECRETS_EQUAL
    assert SECRET not in str(caught.value)


def test_no_secret_in_a_repr() -> None:
    assert SECRET not in repr(ALICE)
    assert SECRET not in repr(ChapChange(secret=SECRET))
