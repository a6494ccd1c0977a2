"""Who is asking: names and passwords against Argon2id hashes (RFC 9106).

A verification costs some 20 MiB and tens of milliseconds in a thread; at most `VERIFY_COUNT_MAX` run at once, and a
bounded number waits. What was verified once is remembered as a keyed digest, so later requests cost microseconds and
the memory of the process holds no password. A wrong password costs the caller the full time, an unknown user too.
"""

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from typing import Final, Protocol

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lunaport.model.user import ADMIN, PASSWORD_BYTES_MAX, User, check_password
from lunaport.service.ports import ServiceStore

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


class Authenticator:
    """Verifies users. `key` is 32 random bytes, new in every process; `decoy` a hash that no password fits."""

    def __init__(self, store: ServiceStore, hasher: Hasher, *, key: bytes) -> None:
        self._store = store
        self._hasher = hasher
        self._key = key
        self._decoy = ""
        self._remembered: OrderedDict[bytes, None] = OrderedDict()
        self._slots = asyncio.Semaphore(VERIFY_COUNT_MAX)
        self._running: dict[bytes, asyncio.Task[bool]] = {}

    async def verify(self, name: str, password: str) -> bool:
        """Whether this is a user with this password. Raises BusyError when too many wait."""
        if len(name.encode()) > NAME_BYTES_MAX or len(password.encode()) > PASSWORD_BYTES_MAX:
            return False
        digest = self._digest(name, password)
        if digest in self._remembered:
            self._remembered.move_to_end(digest)
            return True
        # Of many callers with the same name and password, the first one's work serves them all.
        running = self._running.get(digest)
        if running is None:
            if len(self._running) >= WAITING_COUNT_MAX:
                raise BusyError
            running = asyncio.create_task(self._verify_in_turn(name, password, digest))
            self._running[digest] = running
        return await asyncio.shield(running)

    async def _verify_in_turn(self, name: str, password: str, digest: bytes) -> bool:
        try:
            async with self._slots:
                verified = await self._verify(name, password)
        finally:
            del self._running[digest]
        if verified:
            self._remembered[digest] = None
            while len(self._remembered) > REMEMBERED_COUNT_MAX:
                self._remembered.popitem(last=False)
        return verified

    async def _verify(self, name: str, password: str) -> bool:
        user = await self._store.user(name)
        if user is None:
            if not self._decoy:
                self._decoy = await asyncio.to_thread(self._hasher.hash, self._key.hex())
            await asyncio.to_thread(self._hasher.verify, self._decoy, password)
            return False
        return await asyncio.to_thread(self._hasher.verify, user.password_hash, password)

    def _digest(self, name: str, password: str) -> bytes:
        message = len(name.encode()).to_bytes(2, "big") + name.encode() + password.encode()
        return hmac.digest(self._key, message, hashlib.sha256)

    async def make_admin(self, password: str, now: float) -> None:
        """Make the first user. Raises InvalidError when that cannot be a password."""
        check_password(password)
        hashed = await asyncio.to_thread(self._hasher.hash, password)
        await self._store.add_user(User(name=ADMIN, password_hash=hashed, created_at=now))
