"""Passwords: verified once, remembered as a digest; wrong ones never."""

import asyncio

import pytest

from lunaport.model.errors import InvalidError
from lunaport.model.user import Actor, Role, Token, User
from lunaport.service.auth import (
    REMEMBERED_COUNT_MAX,
    VERIFY_COUNT_MAX,
    WAITING_COUNT_MAX,
    Argon2Hasher,
    Authenticator,
    BusyError,
    ThrottledError,
    token_digest,
)
from lunaport.service.ports import UserStore
from lunaport.service.throttle import FREE_FAILURES, Throttle
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
async def users(stand: Stand) -> UserStore:
    await stand.start()
    assert stand.store is not None
    return stand.store


async def test_the_first_user(users: UserStore) -> None:
    hasher = PlainHasher()
    authenticator = Authenticator(users, hasher, key=bytes(32))
    await authenticator.make_admin("password1", 5.0)
    assert await users.user("admin") == User(name="admin", password_hash="hash of password1", created_at=5.0)
    assert await authenticator.verify("admin", "password1")
    assert await authenticator.verify("admin", "password1")
    assert hasher.verified == ["password1"]


async def test_a_password_that_cannot_be_one(users: UserStore) -> None:
    with pytest.raises(InvalidError):
        await Authenticator(users, PlainHasher(), key=bytes(32)).make_admin("short", 0.0)
    assert not await users.has_users()


@pytest.mark.parametrize(
    ("name", "password"), [("admin", "wrong"), ("admin", ""), ("root", "password1"), ("", ""), ("x" * 300, "x" * 300)]
)
async def test_wrong(users: UserStore, name: str, password: str) -> None:
    authenticator = Authenticator(users, PlainHasher(), key=bytes(32))
    await authenticator.make_admin("password1", 0.0)
    for _ in range(2):
        assert not await authenticator.verify(name, password)
    assert await authenticator.verify("admin", "password1")


async def test_an_unknown_user_costs_as_much(users: UserStore) -> None:
    hasher = PlainHasher()
    authenticator = Authenticator(users, hasher, key=bytes(32))
    assert not await authenticator.verify("root", "password1")
    assert hasher.verified == ["password1"]


async def test_name_and_password_cannot_be_shifted(users: UserStore) -> None:
    authenticator = Authenticator(users, PlainHasher(), key=bytes(32))
    await authenticator.make_admin("password1", 0.0)
    assert await authenticator.verify("admin", "password1")
    assert not await authenticator.verify("adminp", "assword1")


async def test_many_at_once_are_one_verification(users: UserStore) -> None:
    hasher = PlainHasher()
    authenticator = Authenticator(users, hasher, key=bytes(32))
    await authenticator.make_admin("password1", 0.0)
    assert all(await asyncio.gather(*(authenticator.verify("admin", "password1") for _ in range(200))))
    assert hasher.verified == ["password1"]


async def test_too_many_wait(users: UserStore) -> None:
    hasher = PlainHasher()
    authenticator = Authenticator(users, hasher, key=bytes(32))
    await authenticator.make_admin("password1", 0.0)
    assert await authenticator.verify("admin", "password1")
    guesses = [authenticator.verify("admin", f"guess{number}") for number in range(WAITING_COUNT_MAX + 1)]
    results = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(each, BusyError) for each in results) == 1
    assert sum(each is None for each in results) == WAITING_COUNT_MAX
    assert hasher.running_max <= VERIFY_COUNT_MAX
    assert await authenticator.verify("admin", "password1"), "who is known does not wait"


async def test_memory_is_bounded(users: UserStore) -> None:
    hasher = PlainHasher()
    authenticator = Authenticator(users, hasher, key=bytes(32))
    for number in range(REMEMBERED_COUNT_MAX + 1):
        await users.add_user(User(name=f"u{number}", password_hash="hash of x", created_at=0.0))
    for number in range(REMEMBERED_COUNT_MAX + 1):
        assert await authenticator.verify(f"u{number}", "x")
    hasher.verified.clear()
    assert await authenticator.verify("u1", "x")
    assert hasher.verified == []
    assert await authenticator.verify("u0", "x")
    assert hasher.verified == ["x"]


async def test_a_change_of_users_forgets_what_was_verified(users: UserStore) -> None:
    authenticator = Authenticator(users, PlainHasher(), key=bytes(32))
    await authenticator.make_admin("password1", 0.0)
    assert await authenticator.verify("admin", "password1")
    await users.replace_user(User(name="admin", password_hash="hash of other", created_at=0.0, role=Role.VIEWER))
    assert await authenticator.verify("admin", "password1") is None
    actor = await authenticator.verify("admin", "other", "192.0.2.1")
    assert actor == Actor(user="admin", role=Role.VIEWER, way="password", address="192.0.2.1")


async def test_a_verification_that_a_change_overtakes_is_not_remembered(users: UserStore) -> None:
    class SlowHasher(PlainHasher):
        def verify(self, password_hash: str, password: str) -> bool:
            asyncio.run_coroutine_threadsafe(users.remove_user("admin"), loop).result(10)
            return super().verify(password_hash, password)

    loop = asyncio.get_running_loop()
    authenticator = Authenticator(users, SlowHasher(), key=bytes(32))
    await users.add_user(User(name="admin", password_hash="hash of password1", created_at=0.0))
    assert await authenticator.verify("admin", "password1"), "it was right when it was asked"
    assert await authenticator.verify("admin", "password1") is None


async def add_token(users: UserStore, text: str, *, role: Role, expires_at: float | None = None) -> Token:
    await users.add_user(User(name="carol", password_hash="hash of x", created_at=0.0, role=Role.OPERATOR))
    return await users.add_token(
        Token(
            id=0,
            name="script",
            user="carol",
            role=role,
            digest=token_digest(text),
            created_at=0.0,
            expires_at=expires_at,
        )
    )


async def test_tokens(users: UserStore) -> None:
    now = 100.0
    authenticator = Authenticator(users, PlainHasher(), key=bytes(32), clock=lambda: now)
    token = await add_token(users, "lunaport_abc", role=Role.VIEWER, expires_at=200.0)
    for _ in range(2):
        actor = await authenticator.verify_token("lunaport_abc", "::1")
        assert actor == Actor(user="carol", role=Role.VIEWER, way="token script", address="::1")
    assert await authenticator.verify_token("lunaport_abd") is None
    assert await authenticator.verify_token("abc") is None
    now = 199.9
    assert await authenticator.verify_token("lunaport_abc") is not None
    now = 200.0
    assert await authenticator.verify_token("lunaport_abc") is None
    now = 100.0
    await users.remove_token(token.id)
    assert await authenticator.verify_token("lunaport_abc") is None


async def test_a_token_is_worth_no_more_than_its_user_now(users: UserStore) -> None:
    authenticator = Authenticator(users, PlainHasher(), key=bytes(32))
    await add_token(users, "lunaport_abc", role=Role.OPERATOR)
    await users.replace_user(User(name="carol", password_hash="hash of x", created_at=0.0, role=Role.VIEWER))
    actor = await authenticator.verify_token("lunaport_abc")
    assert actor is not None
    assert actor.role is Role.VIEWER
    await users.remove_user("carol")
    assert await authenticator.verify_token("lunaport_abc") is None
    assert await users.tokens() == []


async def test_wrong_passwords_cost_time_but_not_those_who_are_known(users: UserStore) -> None:
    now = 0.0
    hasher = PlainHasher()
    authenticator = Authenticator(users, hasher, key=bytes(32), throttle=Throttle(lambda: now))
    await authenticator.make_admin("password1", 0.0)
    assert await authenticator.verify("admin", "password1", "192.0.2.1")
    for number in range(FREE_FAILURES):
        assert await authenticator.verify("admin", f"guess{number}", "192.0.2.6") is None
    hasher.verified.clear()
    for name, address in (("admin", "192.0.2.7"), ("other", "192.0.2.6")):
        with pytest.raises(ThrottledError):
            await authenticator.verify(name, "password2", address)
    with pytest.raises(ThrottledError):
        await authenticator.verify_token("lunaport_x", "192.0.2.6")
    assert hasher.verified == [], "a refused try costs nothing"
    assert await authenticator.verify("admin", "password1", "192.0.2.6")
    now = 1.0
    assert await authenticator.verify("admin", "guess", "192.0.2.6") is None
    with pytest.raises(ThrottledError) as caught:
        await authenticator.verify("admin", "guess", "192.0.2.6")
    assert caught.value.wait_s == 2.0


def test_argon2() -> None:
    hasher = Argon2Hasher()
    hashed = hasher.hash("password1")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hasher.verify(hashed, "password1")
    assert not hasher.verify(hashed, "password2")
    assert not hasher.verify("garbage", "password1")
