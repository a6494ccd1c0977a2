"""Initiators that are kept out: on the wire at once, in the database, until their time is over."""

import pytest

from lunaport.engine.interface import BlockSpec, EngineError, EngineUnavailableError
from lunaport.model.errors import Fault
from lunaport.service import blocks
from lunaport.service.actions import BlockInitiator, UnblockInitiator
from lunaport.service.actor import CURRENT
from lunaport.service.errors import ConflictError, NotFoundError, ServiceError
from lunaport.service.nas import Nas
from tests.unit.service.stand import Stand

pytestmark = pytest.mark.anyio

A, B = "iqn.2026-11.test:a", "iqn.2026-11.test:b"


async def names(nas: Nas) -> list[str]:
    return [block.initiator for block in await nas.blocks()]


async def test_it_is_on_the_wire_and_after_a_restart(nas: Nas, stand: Stand) -> None:
    block = await nas.perform(BlockInitiator(initiator=A, note="why"))
    assert (block.created_by, block.created_at, block.until) == (CURRENT.get().user, stand.now, None)
    assert stand.engine.blocks == (BlockSpec(initiator=A),)
    again = await stand.restart()
    assert list(await again.blocks()) == [block]
    assert stand.engine.blocks == (BlockSpec(initiator=A),)
    await again.perform(UnblockInitiator(initiator=A))
    assert not stand.engine.blocks
    assert await names(again) == []


async def test_its_end_can_be_set_anew(nas: Nas, stand: Stand) -> None:
    await nas.perform(BlockInitiator(initiator=A))
    await nas.perform(BlockInitiator(initiator=A, until=stand.now + 5))
    assert stand.engine.blocks == (BlockSpec(initiator=A, until=stand.now + 5),)


async def test_what_is_over_counts_as_none(nas: Nas, stand: Stand) -> None:
    await nas.perform(BlockInitiator(initiator=A, until=stand.now + 5))
    stand.now += 6
    assert await names(nas) == []
    with pytest.raises(NotFoundError):
        await nas.perform(UnblockInitiator(initiator=A))
    await nas.perform(BlockInitiator(initiator=B))
    assert stand.engine.blocks == (BlockSpec(initiator=B),)
    assert stand.store is not None
    assert [block.initiator for block in await stand.store.blocks()] == [B]


@pytest.mark.parametrize("error", [EngineError("no"), EngineUnavailableError("gone")])
async def test_what_the_engine_refuses_is_undone(nas: Nas, stand: Stand, error: EngineError) -> None:
    await nas.perform(BlockInitiator(initiator=A))
    for action in (BlockInitiator(initiator=B), BlockInitiator(initiator=A, until=stand.now + 9)):
        stand.engine.failures["apply"] = error
        with pytest.raises(ServiceError):
            await nas.perform(action)
    stand.engine.failures["apply"] = error
    with pytest.raises(ServiceError):
        await nas.perform(UnblockInitiator(initiator=A))
    assert [(block.initiator, block.until) for block in await nas.blocks()] == [(A, None)]


async def test_there_is_a_bound(nas: Nas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_COUNT_MAX", 1)
    await nas.perform(BlockInitiator(initiator=A))
    await nas.perform(BlockInitiator(initiator=A, note="again"))
    with pytest.raises(ConflictError) as caught:
        await nas.perform(BlockInitiator(initiator=B))
    assert caught.value.problems[0].fault is Fault.BLOCKS_FULL
