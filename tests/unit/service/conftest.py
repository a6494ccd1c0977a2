"""A NAS of its own for each test."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lunaport.service.nas import Nas
from lunaport.store.store import open_store
from tests.unit.service.stand import Stand


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a new database: copying it is much quicker than migrating each time."""
    folder = tmp_path_factory.mktemp("template")

    async def make() -> None:
        await (await open_store(folder, random_bytes=os.urandom)).close()

    asyncio.run(make())
    return folder


@pytest.fixture
async def stand(tmp_path: Path, template: Path) -> AsyncIterator[Stand]:
    """A NAS that is not started."""
    made = Stand(folder=shutil.copytree(template, tmp_path / "data"))
    yield made
    await made.stop()


@pytest.fixture
async def nas(stand: Stand) -> Nas:
    """The same, started."""
    return await stand.start()
