"""The whole desired state, from what is stored."""

from lunaport.engine.interface import DesiredState
from lunaport.service.blocks import standing_blocks
from lunaport.service.context import Context
from lunaport.service.desired import desired_state


async def whole_state(context: Context) -> DesiredState:
    """Everything that shall be served."""
    return desired_state(
        await context.store.service(),
        context.config.portals,
        await context.store.targets(),
        await context.places(),
        await standing_blocks(context),
    )
