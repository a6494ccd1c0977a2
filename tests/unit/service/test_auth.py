"""Passwords: verified once, remembered as a digest; wrong ones never."""

import asyncio

import pytest

from lunaport.model.errors import InvalidError
from lunaport.model.user import User
from lunaport.service.auth import (
    REMEMBERED_COUNT_MAX,
    VERIFY_COUNT_MAX,
    WAITING_COUNT_MAX,
    Argon2Hasher,
    Authenticator,
    BusyError,
)
from lunaport.service.ports import ServiceStore
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio


class PlainHasher:
    """Counts; `gate` holds verifications back."""

    def __init__(self) -> None:
        self.verified: list[str] = []
        self.running = self.running_max = 0

    def hash(self, password: str) -> str:
        return f"hash of {password}"

    def verify(self, password_hash: str, password: str) -> bool:
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        self.verified.append(password)
        self.running -= 1
        return password_hash == f"hash of {password}"


@pytest.fixture
async def users(stand: Stand) -> ServiceStore:
    await stand.start()
    assert stand.store is not None
    return stand.store


async def test_the_first_user(users: ServiceStore) -> None:
    hasher = PlainHasher()
    authenticator = Authenticator(users, hasher, key=bytes(32))
    await authenticator.make_admin("password1", 5.0)
    assert await users.user("admin") == User(name="admin", password_hash="hash of password1", created_at=5.0)
    assert await authenticator.verify("admin", "password1")
    assert await authenticator.verify("admin", "password1")
    assert hasher.verified == ["password1"]


async def test_a_password_that_cannot_be_one(users: ServiceStore) -> None:
    with pytest.raises(InvalidError):
        await Authenticator(users, PlainHasher(), key=bytes(32)).make_admin("short", 0.0)
    assert not await users.has_users()


@pytest.mark.parametrize(
    ("name", "password"), [("admin", "wrong"), ("admin", ""), ("root", "password1"), ("", ""), ("x" * 300, "x" * 300)]
)
async def test_wrong(users: ServiceStore, name: str, password: str) -> None:
    authenticator = Authenticator(users, PlainHasher(), key=bytes(32))
    await authenticator.make_admin("password1", 0.0)
    for _ in range(2):
        assert not await authenticator.verify(name, password)
    assert await authenticator.verify("admin", "password1")


async def test_an_unknown_user_costs_as_much(users: ServiceStore) -> None:
    hasher = PlainHasher()
    authenticator = Authenticator(users, hasher, key=bytes(32))
    assert not await authenticator.verify("root", "password1")
    assert hasher.verified == ["password1"]


async def test_name_and_password_cannot_be_shifted(users: ServiceStore) -> None:
    authenticator = Authenticator(users, PlainHasher(), key=bytes(32))
    await authenticator.make_admin("password1", 0.0)
    assert await authenticator.verify("admin", "password1")
    assert not await authenticator.verify("adminp", "assword1")


async def test_many_at_once_are_one_verification(users: ServiceStore) -> None:
    hasher = PlainHasher()
    authenticator = Authenticator(users, hasher, key=bytes(32))
    await authenticator.make_admin("password1", 0.0)
    assert all(await asyncio.gather(*(authenticator.verify("admin", "password1") for _ in range(200))))
    assert hasher.verified == ["password1"]


async def test_too_many_wait(users: ServiceStore) -> None:
    hasher = PlainHasher()
    authenticator = Authenticator(users, hasher, key=bytes(32))
    await authenticator.make_admin("password1", 0.0)
    assert await authenticator.verify("admin", "password1")
    guesses = [authenticator.verify("admin", f"guess{number}") for number in range(WAITING_COUNT_MAX + 1)]
    results = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(each, BusyError) for each in results) == 1
    assert sum(each is False for each in results) == WAITING_COUNT_MAX
    assert hasher.running_max <= VERIFY_COUNT_MAX
    assert await authenticator.verify("admin", "password1"), "who is known does not wait"


async def test_memory_is_bounded(users: ServiceStore) -> None:
    hasher = PlainHasher()
    authenticator = Authenticator(users, hasher, key=bytes(32))
    for number in range(REMEMBERED_COUNT_MAX + 1):
        await users.add_user(User(name=f"u{number}", password_hash="hash of x", created_at=0.0))
        assert await authenticator.verify(f"u{number}", "x")
    hasher.verified.clear()
    assert await authenticator.verify("u1", "x")
    assert hasher.verified == []
    assert await authenticator.verify("u0", "x")
    assert hasher.verified == ["x"]


def test_argon2() -> None:
    hasher = Argon2Hasher()
    hashed = hasher.hash("password1")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hasher.verify(hashed, "password1")
    assert not hasher.verify(hashed, "password2")
    assert not hasher.verify("garbage", "password1")
