"""Which system tests run side by side: all of them, but for those that measure time.

Hooks of pytest, for `conftest`. Tests are given to the workers one by one, the long ones first, so that no worker ends
long before the other; tests of a file that share what took long to make go to one worker. A test marked `alone` waits
until no other runs, in any worker, and the others wait for it.
"""

import fcntl
from collections.abc import Generator
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it has none

TOGETHER = ("test_conformance.py", "test_kernel_tools.py")
"""Files whose tests share what took long to make."""


class OneByOne(LoadScopeScheduling):  # type: ignore[misc]  # its base has no types
    """Gives out single tests, in order, but for those of the files in `TOGETHER`."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return path if Path(path).name in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    return OneByOne(config, log)


def order_of(item: pytest.Item) -> int:
    """What starts early has a small number."""
    if item.get_closest_marker("alone"):
        return 2
    return 0 if item.get_closest_marker("long") else 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=order_of)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Outside of all that counts the test's time, wait for the right to run."""
    directory: Path = item.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # hooks have no fixtures
    if hasattr(item.config, "workerinput"):
        directory = directory.parent  # of all workers
    with (directory / "alone.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        return (yield)
