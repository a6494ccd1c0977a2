"""The NAS under test: one that all tests of a worker share, and others for the tests that disturb theirs."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.system import secret_search, side_by_side
from tests.system.nas import Nas

# Which tests run side by side.
pytest_collection_modifyitems = side_by_side.pytest_collection_modifyitems
pytest_runtest_protocol = side_by_side.pytest_runtest_protocol
pytest_xdist_make_scheduler = side_by_side.pytest_xdist_make_scheduler

StartNas = Callable[..., Nas]


@pytest.fixture(scope="session")
def shared_nas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nas]:
    """A NAS on IPv4 and IPv6 for the whole run of this worker."""
    nas = Nas(tmp_path_factory.mktemp("nas") / "data", hosts=("127.0.0.1", "::1"))
    try:
        nas.start()
        yield nas
        nas.stop()
    finally:
        nas.destroy()
        nas.client.close()


@pytest.fixture(scope="session", autouse=True)
def no_secret_comes_out() -> Iterator[None]:
    """After the last test of this worker, whatever any NAS has left is searched for the secrets of all tests."""
    yield
    secret_search.search_everything()


@pytest.fixture
def nas(shared_nas: Nas) -> Nas:
    """The shared NAS. A test gives its shares names of their own and leaves the service as it is."""
    return shared_nas


@pytest.fixture
def start_nas(tmp_path: Path) -> Iterator[StartNas]:
    """Starts a NAS for this test alone; it is stopped, and what it left behind checked, at the end."""
    started: list[Nas] = []
    numbers = count()

    def start(
        *,
        hosts: tuple[str, ...] = ("127.0.0.1",),
        options: tuple[str, ...] = (),
        settings: dict[str, int] | None = None,
    ) -> Nas:
        variables = {f"LUNAPORT_{name.upper()}": str(value) for name, value in (settings or {}).items()}
        nas = Nas(tmp_path / f"nas{next(numbers)}", hosts=hosts, options=options, settings=variables)
        started.append(nas)
        nas.start()
        return nas

    try:
        yield start
        for nas in started:
            nas.stop()
    finally:
        for nas in started:
            nas.destroy()
            nas.client.close()
