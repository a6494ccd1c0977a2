"""Undoing, and what the engine's errors become."""

import asyncio

import pytest

from lunaport.engine.interface import EngineError, EngineUnavailableError, PortalError, PortalSpec, StorageError
from lunaport.model.errors import Fault
from lunaport.service.context import Undo, check_revision, translate
from lunaport.service.errors import StaleError

pytestmark = pytest.mark.anyio


class Steps:
    def __init__(self) -> None:
        self.done: list[str] = []

    async def step(self, name: str, error: Exception | None = None) -> None:
        self.done.append(name)
        if error is not None:
            raise error


async def run(steps: Steps, error: BaseException | None, second: Exception | None = None) -> None:
    async with Undo() as undo:
        undo.push(lambda: steps.step("first"))
        undo.push(lambda: steps.step("second", second))
        if error is not None:
            raise error


async def test_nothing_is_undone_after_success() -> None:
    steps = Steps()
    await run(steps, None)
    assert steps.done == []


async def test_the_last_is_undone_first() -> None:
    steps = Steps()
    with pytest.raises(ZeroDivisionError):
        await run(steps, ZeroDivisionError())
    assert steps.done == ["second", "first"]


async def test_a_crash_undoes_nothing() -> None:
    steps = Steps()
    with pytest.raises(asyncio.CancelledError):
        await run(steps, asyncio.CancelledError())
    assert steps.done == []


async def test_undoing_ends_where_the_engine_refuses() -> None:
    steps = Steps()
    with pytest.raises(ZeroDivisionError):
        await run(steps, ZeroDivisionError(), EngineUnavailableError("gone"))
    assert steps.done == ["second"]


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (EngineUnavailableError("gone"), Fault.ENGINE_UNAVAILABLE),
        (PortalError(PortalSpec(host="::1", port=1), "permission denied"), Fault.PORT_UNAVAILABLE),
        (StorageError("too large", "/x", "EFBIG"), Fault.SIZE_TOO_LARGE),
        (StorageError("no space", "/x", "ENOSPC"), Fault.VOLUME_FULL),
        (StorageError("i/o", "/x", "EIO"), Fault.ENGINE_FAILED),
        (EngineError("odd"), Fault.ENGINE_FAILED),
    ],
)
def test_translate(error: EngineError, fault: Fault) -> None:
    assert translate(error).problems[0].fault is fault


def test_revisions() -> None:
    check_revision(3, None)
    check_revision(3, frozenset({1, 3}))
    with pytest.raises(StaleError):
        check_revision(3, frozenset())
