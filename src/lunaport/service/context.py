"""What every action works with, and the helpers that several of them share."""

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

from lunaport.engine.interface import Engine, EngineError, EngineUnavailableError, PortalError, StorageError
from lunaport.model.address import HostPort
from lunaport.model.errors import DatabaseFailedError, Fault, InvalidError, Path, invalid
from lunaport.model.name import DEFAULT_IQN_PREFIX
from lunaport.model.volume import DEFAULT_VOLUME, Volume
from lunaport.service.auth import Argon2Hasher, Hasher
from lunaport.service.clock_watch import ClockWatch
from lunaport.service.desired import Places, make_places
from lunaport.service.errors import ConflictError, EngineFailedError, ServiceError, StaleError, UnavailableError
from lunaport.service.ports import Store
from lunaport.service.registration import NoRegistrar, Registrar

LOG = logging.getLogger(__name__)

TRASH_DAYS_DEFAULT: Final = 14
AUDIT_DAYS_DEFAULT: Final = 365
TOKEN_BYTES: Final = 32
KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NasConfig:
    """What the administrator set outside the database."""

    portals: tuple[HostPort, ...]
    default_volume_path: str
    iqn_prefix: str = DEFAULT_IQN_PREFIX
    trash_days: float = TRASH_DAYS_DEFAULT
    audit_days: float = AUDIT_DAYS_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The surroundings of an action. `clock`: seconds since 1970; `new_uuid`: 32 hexadecimal digits."""

    store: Store
    engine: Engine
    config: NasConfig
    clock: Callable[[], float]
    new_uuid: Callable[[], str]
    hasher: Hasher = field(default_factory=Argon2Hasher)
    new_key: Callable[[], str] = lambda: secrets.token_hex(KEY_BYTES)
    """A key for a disk that is encrypted at rest, as hexadecimal digits."""
    new_token: Callable[[], str] = lambda: secrets.token_urlsafe(TOKEN_BYTES)
    registrar: Registrar = field(default_factory=NoRegistrar)
    clock_watch: ClockWatch = field(default_factory=ClockWatch)

    async def volumes(self) -> list[Volume]:
        """All volumes, each with its absolute path."""
        return [self.with_path(volume) for volume in await self.store.volumes()]

    def with_path(self, volume: Volume) -> Volume:
        """The volume with its absolute path."""
        return replace(volume, path=self.config.default_volume_path) if volume.name == DEFAULT_VOLUME else volume

    async def places(self) -> Places:
        """Where every volume stands."""
        return make_places(await self.volumes())

    async def volume(self, name: str, path: Path = ("volume",)) -> Volume:
        """A volume by name. Raises InvalidError at `path`."""
        known = {volume.name: volume for volume in await self.volumes()}
        if name not in known:
            shown = ", ".join(sorted(known)[:20])
            raise invalid(Fault.VOLUME_UNKNOWN, f"{name!r} is not a volume; right would be one of: {shown}", *path)
        return known[name]


class Undo:
    """Runs the steps pushed into it, the last first, when its block ends in an exception.

    A cancelled task counts as a crash: nothing runs, and the next start tidies up. A step that the engine or the
    database refuses ends the undoing; what is left stands in the database as unfinished and is tidied up later.
    """

    def __init__(self) -> None:
        self._steps: list[Callable[[], Awaitable[object]]] = []

    def push(self, step: Callable[[], Awaitable[object]]) -> None:
        """Add a step."""
        self._steps.append(step)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception):
            return
        for step in reversed(self._steps):
            try:
                await step()
            except (EngineError, DatabaseFailedError) as refused:
                LOG.warning("undo stopped: %s", refused)
                return


@asynccontextmanager
async def engine_errors() -> AsyncIterator[None]:
    """Turn what the engine raises into what actions raise."""
    try:
        yield
    except EngineError as error:
        raise translate(error) from error


def translate(error: EngineError) -> ServiceError | InvalidError:
    """The action's error for an engine's."""
    if isinstance(error, EngineUnavailableError):
        return UnavailableError(f"the iSCSI engine does not answer; nothing has changed, try again ({error})")
    if isinstance(error, PortalError):
        return ConflictError(
            Fault.PORT_UNAVAILABLE, f"cannot listen on {error}; everything stays as it was", ("port",), (str(error),)
        )
    if isinstance(error, StorageError) and error.fault == "too large":
        return invalid(
            Fault.SIZE_TOO_LARGE, f"is more than the volume's file system can hold in a file ({error})", "size"
        )
    if isinstance(error, StorageError) and error.fault == "no space":
        return ConflictError(Fault.VOLUME_FULL, f"has no space left ({error})", ("volume",))
    return EngineFailedError(str(error))


def check_revision(revision: int, expected: frozenset[int] | None) -> None:
    """Raise StaleError unless the revision is an expected one."""
    if expected is not None and revision not in expected:
        raise StaleError
