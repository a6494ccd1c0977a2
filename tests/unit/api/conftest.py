"""The HTTP application in memory, on use cases with a real database and an engine double."""

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from starlette.types import ASGIApp

from lunaport.api.app import make_api
from lunaport.api.guard import Guard
from lunaport.service.auth import Authenticator
from lunaport.service.nas import Nas
from tests.unit.api.http import BASE_URL, PASSWORD, PlainHasher
from tests.unit.service.conftest import nas, stand, template
from tests.unit.service.stand import Stand

__all__ = ["nas", "stand", "template"]


class CurrentNas:
    """Stands for the NAS of the test that runs: making the routes is slow, so they are made once."""

    def __init__(self) -> None:
        self.inner: Nas | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.fixture(scope="session")
def current() -> CurrentNas:
    """The NAS behind the routes."""
    return CurrentNas()


@pytest.fixture(scope="session")
def routes(current: CurrentNas) -> ASGIApp:
    """The application without its guard."""
    return make_api(cast("Nas", current))


@pytest.fixture
async def transport(nas: Nas, stand: Stand, current: CurrentNas, routes: ASGIApp) -> httpx.ASGITransport:
    """The application."""
    assert stand.store is not None
    authenticator = Authenticator(stand.store, PlainHasher(), key=bytes(32), clock=lambda: stand.now)
    await authenticator.make_admin(PASSWORD, 0.0)
    current.inner = nas
    return httpx.ASGITransport(Guard(routes, authenticator))


@pytest.fixture
async def client(transport: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    """A client that knows the password."""
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=("admin", PASSWORD)) as made:
        yield made


@pytest.fixture
async def stranger(transport: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    """A client that does not."""
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as made:
        yield made
