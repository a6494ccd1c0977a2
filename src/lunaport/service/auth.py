"""Who is asking: names and passwords against Argon2id hashes (RFC 9106), tokens against their digests.

A verification costs some 20 MiB and tens of milliseconds in a thread; at most `VERIFY_COUNT_MAX` run at once, and a
bounded number waits. What was verified once is remembered as a keyed digest, so later requests cost microseconds and
the memory of the process holds no password. A wrong password costs the caller the full time, an unknown user too.
"""

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lunaport.model.user import ADMIN, PASSWORD_BYTES_MAX, TOKEN_PREFIX, Actor, Token, User, check_password
from lunaport.service.ports import UserStore
from lunaport.service.throttle import Throttle

VERIFY_COUNT_MAX: Final = 2
WAITING_COUNT_MAX: Final = 64
REMEMBERED_COUNT_MAX: Final = 64
NAME_BYTES_MAX: Final = 255

ARGON2_TIME_COST: Final = 2
ARGON2_MEMORY_KIB: Final = 19 * 1024
ARGON2_PARALLELISM: Final = 1
"""The second choice of the OWASP password storage guide: modest memory, the same strength."""


class BusyError(Exception):
    """Too many passwords wait to be verified."""


def token_digest(text: str) -> bytes:
    """What is stored of a token. Its text is 32 random bytes: a plain hash cannot be turned back."""
    return hashlib.sha256(text.encode()).digest()


class Hasher(Protocol):
    """Hashes passwords; both methods block for tens of milliseconds."""

    def hash(self, password: str) -> str:
        """A salted hash that tells its own parameters."""

    def verify(self, password_hash: str, password: str) -> bool:
        """Whether the password fits the hash."""


class Argon2Hasher:
    """Argon2id with modest memory."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(
            time_cost=ARGON2_TIME_COST, memory_cost=ARGON2_MEMORY_KIB, parallelism=ARGON2_PARALLELISM
        )

    def hash(self, password: str) -> str:
        """A salted hash."""
        return self._hasher.hash(password)

    def verify(self, password_hash: str, password: str) -> bool:
        """Whether the password fits the hash."""
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False


class ThrottledError(Exception):
    """Too many wrong passwords; come back in `wait_s` seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"wait {wait_s:.0f} s")
        self.wait_s = wait_s


class Authenticator:
    """Verifies users and tokens. `key` is 32 random bytes, new in every process.

    Nothing remembered counts any more once users or tokens have changed (`users_version` of the store).
    """

    def __init__(
        self,
        store: UserStore,
        hasher: Hasher,
        *,
        key: bytes,
        clock: Callable[[], float] = time.time,
        throttle: Throttle | None = None,
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._key = key
        self._clock = clock
        self._throttle = throttle or Throttle(time.monotonic)
        self._decoy = ""
        self._remembered: OrderedDict[bytes, User | Token] = OrderedDict()
        self._version = -1
        self._slots = asyncio.Semaphore(VERIFY_COUNT_MAX)
        self._running: dict[bytes, asyncio.Task[User | None]] = {}

    async def verify(self, name: str, password: str, address: str = "") -> Actor | None:
        """The user with this password. Raises BusyError when too many wait, ThrottledError after too many failures."""
        if len(name.encode()) > NAME_BYTES_MAX or len(password.encode()) > PASSWORD_BYTES_MAX:
            return None
        digest = self._digest(name, password)
        user = self._recall(digest)
        if not isinstance(user, User):
            keys = [("address", address), ("user", name)]
            wait_s = self._throttle.wait_s(keys)
            if wait_s:
                raise ThrottledError(wait_s)
            user = await self._verify_once(name, password, digest)
            if user is None:
                self._throttle.failed(keys)
                return None
            self._throttle.succeeded(keys)
        return Actor(user=user.name, role=user.role, way="password", address=address)

    async def user(self, name: str) -> User | None:
        """A user as he is now."""
        return await self._store.user(name) if len(name.encode()) <= NAME_BYTES_MAX else None

    async def verify_token(self, text: str, address: str = "") -> Actor | None:
        """The user for whom a token stands. Raises ThrottledError."""
        digest = token_digest(text)
        token = self._recall(digest)
        if not isinstance(token, Token):
            keys = [("address", address)]
            wait_s = self._throttle.wait_s(keys)
            if wait_s:
                raise ThrottledError(wait_s)
            version = self._store.users_version
            found = await self._store.token_by_digest(digest) if text.startswith(TOKEN_PREFIX) else None
            if found is None:
                self._throttle.failed(keys)
                return None
            token = found
            self._remember(digest, token, version)
        if token.expires_at is not None and token.expires_at <= self._clock():
            return None
        return Actor(user=token.user, role=token.role, way=f"token {token.name}", address=address)

    async def _verify_once(self, name: str, password: str, digest: bytes) -> User | None:
        # Of many callers with the same name and password, the first one's work serves them all.
        running = self._running.get(digest)
        if running is None:
            if len(self._running) >= WAITING_COUNT_MAX:
                raise BusyError
            running = asyncio.create_task(self._verify_in_turn(name, password, digest))
            self._running[digest] = running
        return await asyncio.shield(running)

    async def _verify_in_turn(self, name: str, password: str, digest: bytes) -> User | None:
        try:
            async with self._slots:
                version = self._store.users_version
                user = await self._verify(name, password)
        finally:
            del self._running[digest]
        if user is not None:
            self._remember(digest, user, version)
        return user

    def _recall(self, digest: bytes) -> User | Token | None:
        if self._version != self._store.users_version:
            self._remembered.clear()
            self._version = self._store.users_version
        known = self._remembered.get(digest)
        if known is not None:
            self._remembered.move_to_end(digest)
        return known

    def _remember(self, digest: bytes, known: User | Token, version: int) -> None:
        """Keep what was verified, unless users have changed since it was read."""
        if version != self._store.users_version:
            return
        self._recall(digest)
        self._remembered[digest] = known
        while len(self._remembered) > REMEMBERED_COUNT_MAX:
            self._remembered.popitem(last=False)

    async def _verify(self, name: str, password: str) -> User | None:
        user = await self._store.user(name)
        if user is None:
            if not self._decoy:
                self._decoy = await asyncio.to_thread(self._hasher.hash, self._key.hex())
            await asyncio.to_thread(self._hasher.verify, self._decoy, password)
            return None
        return user if await asyncio.to_thread(self._hasher.verify, user.password_hash, password) else None

    def _digest(self, name: str, password: str) -> bytes:
        message = len(name.encode()).to_bytes(2, "big") + name.encode() + password.encode()
        return hmac.digest(self._key, message, hashlib.sha256)

    async def make_admin(self, password: str, now: float) -> None:
        """Make the first user. Raises InvalidError when that cannot be a password."""
        check_password(password)
        hashed = await asyncio.to_thread(self._hasher.hash, password)
        await self._store.add_user(User(name=ADMIN, password_hash=hashed, created_at=now))
