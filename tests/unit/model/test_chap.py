"""CHAP: lengths, pairs, what stays when it is left out; and that no secret is ever shown."""

from dataclasses import replace

import pytest

from lunaport.model.chap import (
    CREDENTIALS_MAX,
    OVERLAP_S_MAX,
    Chap,
    ChapChange,
    Credential,
    CredentialChange,
    OldSecret,
    check_pair,
    check_secret,
    check_username,
    merge_chap,
    merge_credentials,
)
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


def test_a_new_secret_ends_the_old_one_at_once() -> None:
    assert merge_chap(ALICE, ChapChange(secret="another-secret"), 9.0).old is None


def test_a_new_secret_can_leave_the_old_one_valid_for_a_while() -> None:
    change = ChapChange(username="bob", secret="another-secret", old_secret_valid_until=99.0)
    merged = merge_chap(ALICE, change, 9.0)
    assert (merged.username, merged.secret) == ("bob", "another-secret")
    assert merged.old == OldSecret(username="alice", secret=SECRET, valid_until=99.0)
    assert merge_chap(merged, change, 10.0) == merged, "repeated"
    assert merge_chap(merged, ChapChange(), 98.0).old == merged.old
    assert merge_chap(merged, ChapChange(), 99.0).old is None, "over"
    later = merge_chap(merged, ChapChange(old_secret_valid_until=200.0), 10.0)
    assert later.old == OldSecret(username="alice", secret=SECRET, valid_until=200.0)
    assert merge_chap(merged, ChapChange(old_secret_valid_until=10.0), 10.0).old is None, "ended before its time"
    assert merge_chap(merged, ChapChange(secret="a-third-secret"), 10.0).old is None
    assert SECRET not in repr(merged)


@pytest.mark.parametrize("current", [ALICE, Chap()])
def test_there_has_to_be_an_old_secret(current: Chap) -> None:
    with pytest.raises(InvalidError) as caught:
        merge_chap(current, ChapChange(enabled=False, old_secret_valid_until=99.0), 9.0)
    assert [(each.fault, each.path) for each in caught.value.problems] == [
        (Fault.CHAP_OVERLAP_INVALID, ("old_secret_valid_until",))
    ]


@pytest.mark.parametrize(("seconds", "taken"), [(OVERLAP_S_MAX, True), (OVERLAP_S_MAX + 1, False)])
def test_an_overlap_is_bounded(seconds: float, taken: bool) -> None:
    change = ChapChange(secret="another-secret", old_secret_valid_until=9.0 + seconds)
    if taken:
        assert merge_chap(ALICE, change, 9.0).old is not None
    else:
        with pytest.raises(InvalidError, match="more than a year away"):
            merge_chap(ALICE, change, 9.0)


BOB = Credential(username="bob", secret="bob-secret-123", secret_changed_at=1.0)


def test_credentials_are_merged_by_name() -> None:
    changes = [
        CredentialChange(username="carol", secret="carol-secret-1", initiators=("IQN.2026-11.test:*",)),
        CredentialChange(username="bob", secret="bob-secret-456", old_secret_valid_until=99.0),
    ]
    carol, bob = merge_credentials((BOB,), changes, 9.0)
    assert carol == Credential(
        username="carol", secret="carol-secret-1", secret_changed_at=9.0, initiators=("iqn.2026-11.test:*",)
    )
    assert bob.old == OldSecret(username="bob", secret="bob-secret-123", valid_until=99.0)
    assert merge_credentials((BOB,), None, 9.0) == (BOB,)
    assert merge_credentials((BOB,), [CredentialChange(username="bob")], 9.0) == (BOB,)
    assert merge_credentials((BOB,), [], 9.0) == ()
    assert "secret-1" not in repr((carol, bob, changes))


def test_what_is_wrong_with_credentials_is_told_at_once() -> None:
    changes = [
        CredentialChange(username="", secret="short"),
        CredentialChange(username="carol"),
        CredentialChange(username="carol", secret="carol-secret-1"),
        CredentialChange(username="bob", initiators=("x",)),
    ]
    with pytest.raises(InvalidError) as caught:
        merge_credentials((BOB,), changes, 9.0)
    assert [(each.fault, each.path) for each in caught.value.problems] == [
        (Fault.CHAP_USERNAME_INVALID, (0, "username")),
        (Fault.CHAP_SECRET_INVALID, (0, "secret")),
        (Fault.CHAP_INCOMPLETE, (1, "secret")),
        (Fault.CHAP_CREDENTIALS_INVALID, (2, "username")),
        (Fault.NAME_INVALID, (3, "initiators", 0)),
    ]


@pytest.mark.parametrize(("count", "taken"), [(CREDENTIALS_MAX, True), (CREDENTIALS_MAX + 1, False)])
def test_credentials_are_bounded(count: int, taken: bool) -> None:
    changes = [CredentialChange(username=f"user{number}", secret="user-secret-1") for number in range(count)]
    if taken:
        assert len(merge_credentials((), changes, 9.0)) == count
    else:
        with pytest.raises(InvalidError, match="more than 64"):
            merge_credentials((), changes, 9.0)


def test_no_secret_of_an_initiator_proves_the_target() -> None:
    mutual = Chap(enabled=True, username="nas", secret="bob-secret-123")
    check_pair(Chap(), mutual, (replace(BOB, secret="bob-secret-456"),))
    old = OldSecret(username="bob", secret="bob-secret-123", valid_until=99.0)
    for credential in (BOB, replace(BOB, secret="bob-secret-456", old=old)):
        with pytest.raises(InvalidError, match="is the same as one of the initiators"):
            check_pair(Chap(), mutual, (credential,))
