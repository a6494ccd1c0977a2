"""What does not work now: of the engine what it says itself, and the configuration database."""

import asyncio
from dataclasses import dataclass
from typing import Final

from lunaport.engine.interface import EngineStatus, Trouble
from lunaport.model.errors import DatabaseFailedError
from lunaport.service.context import Context
from lunaport.service.events import EventHub

CHECK_AGAIN_S: Final = 2.0
"""While the database fails: its return is told soon."""
LOOKS_BETWEEN_CHECKS: Final = 30
"""While all is well, a check a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problems:
    """`troubles` are those that are told one by one; `count` is that of all."""

    status: EngineStatus
    serves: bool
    database_works: bool
    troubles: tuple[Trouble, ...]
    count: int


async def find_problems(context: Context, status: EngineStatus, since: dict[str, float], *, started: bool) -> Problems:
    """All that is known without touching a disk. `since` is kept between calls: when which problem was seen first."""
    own: dict[str, str] = {}
    serves = status.available and started
    if not serves:
        own["engine"] = "the iSCSI engine is starting, or does not answer"
    failure = await context.store.failure()
    if failure:
        own["database"] = failure
    for kind in since.keys() - own.keys():
        del since[kind]
    now = context.clock()
    troubles = [
        Trouble(kind=kind, subject="", reason=reason, since=since.setdefault(kind, now)) for kind, reason in own.items()
    ]
    return Problems(
        status=status,
        serves=serves,
        database_works=not failure,
        troubles=(*troubles, *status.troubles),
        count=len(troubles) + max(status.troubles_count, len(status.troubles)),
    )


async def watch_database(context: Context, events: EventHub) -> None:
    """Check from time to time; a failure is told as an event when it begins, and when it is over."""
    told = False

    def tell(reason: str) -> None:
        nonlocal told
        if not told:
            events.publish("database_failed", {"reason": reason})
        told = True

    while True:
        failure = await context.store.failure()
        if failure:  # an action ran into it, be it over by now or not
            tell(failure)
        try:
            await context.store.check()
        except DatabaseFailedError as error:
            tell(str(error))
        else:
            if told:
                events.publish("database_works")
            told = False
        for _ in range(1 if told else LOOKS_BETWEEN_CHECKS):
            await asyncio.sleep(CHECK_AGAIN_S)
            if await context.store.failure():
                break
