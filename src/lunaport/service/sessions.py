"""Closing a session."""

from lunaport.service.actions import CloseSession
from lunaport.service.context import Context, engine_errors
from lunaport.service.errors import NotFoundError


async def close_session(context: Context, action: CloseSession) -> None:
    """Carry out CloseSession."""
    async with engine_errors():
        if not await context.engine.close_session(action.session_id):
            raise NotFoundError("session", repr(action.session_id), ("id",))
