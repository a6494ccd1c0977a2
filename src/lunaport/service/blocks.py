"""Keeping initiators out: the database first, so that a crash in between leaves out who shall be out.

The next start tells the engine what is stored. A block whose time is over counts as none, and is dropped at the next
change.
"""

from collections.abc import Sequence

from lunaport.engine.interface import Change
from lunaport.model.block import BLOCK_COUNT_MAX, Block, make_block, parse_initiator
from lunaport.model.errors import Fault
from lunaport.service.actions import BlockInitiator, UnblockInitiator
from lunaport.service.actor import CURRENT
from lunaport.service.context import Context, Undo, engine_errors
from lunaport.service.desired import block_specs
from lunaport.service.errors import ConflictError, NotFoundError


async def standing_blocks(context: Context) -> Sequence[Block]:
    """The blocks whose time is not over."""
    now = context.clock()
    return [block for block in await context.store.blocks() if block.until is None or block.until > now]


async def block_initiator(context: Context, action: BlockInitiator) -> Block:
    """Carry out BlockInitiator."""
    block = make_block(
        initiator=action.initiator, until=action.until, note=action.note, now=context.clock(), user=CURRENT.get().user
    )
    standing = {each.initiator: each for each in await standing_blocks(context)}
    for over in await context.store.blocks():
        if over.initiator not in standing:
            await context.store.remove_block(over.initiator)
    if len(standing) >= BLOCK_COUNT_MAX and block.initiator not in standing:
        raise ConflictError(Fault.BLOCKS_FULL, f"there are {BLOCK_COUNT_MAX} blocks already", ("initiator",))
    before = standing.get(block.initiator)
    async with engine_errors(), Undo() as undo:
        await context.store.put_block(block)
        if before is None:
            undo.push(lambda: context.store.remove_block(block.initiator))
        else:
            undo.push(lambda: context.store.put_block(before))
        await context.engine.apply(Change(blocks=block_specs({**standing, block.initiator: block}.values())))
    return block


async def unblock_initiator(context: Context, action: UnblockInitiator) -> Block:
    """Carry out UnblockInitiator."""
    name = parse_initiator(action.initiator)
    standing = {each.initiator: each for each in await standing_blocks(context)}
    if name not in standing:
        raise NotFoundError("blocked initiator", name, ("initiator",))
    block = standing.pop(name)
    async with engine_errors(), Undo() as undo:
        await context.store.remove_block(name)
        undo.push(lambda: context.store.put_block(block))
        await context.engine.apply(Change(blocks=block_specs(standing.values())))
    return block
