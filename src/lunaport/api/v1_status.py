"""`/api/v1/health` and `/api/v1/problems`."""

from datetime import datetime
from typing import Final

from fastapi import APIRouter, Response
from pydantic import Field

from lunaport.api import v1_models as v1
from lunaport.api.v1_routes import READING, errors
from lunaport.api.v1_words import when
from lunaport.service.nas import Nas

KINDS: Final = "`engine`, `database`, `disk`, `disk_errors`, `reservations`, `portal` or `storage`"


class ProblemOut(v1.Document):
    """Something that does not work now."""

    kind: str = Field(description=KINDS)
    subject: str = Field(description="Which disk or address; empty: the NAS as a whole.")
    reason: str
    since: datetime


class ProblemList(v1.Document):
    """What does not work now."""

    items: list[ProblemOut]
    count: int = Field(description="How many there are; `items` holds the first few hundred.")


def add_status_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get(
        "/health",
        tags=["health"],
        operation_id="get_health",
        responses=errors(429) | {503: {"model": v1.HealthOut, "description": "Nothing is served."}},
    )
    async def get_health(response: Response) -> v1.HealthOut:
        """Whether the NAS serves. Needs no password and tells no names."""
        problems = await nas.problems()
        portals = problems.status.portals
        word = "unavailable" if not problems.serves else "degraded" if problems.count else "ok"
        if not problems.serves:
            response.status_code = 503
        return v1.HealthOut(
            status=word,
            engine=problems.status.available,
            portals=len(portals),
            portals_listening=sum(portal.listening for portal in portals),
            database=problems.database_works,
            problems=problems.count,
        )

    @router.get("/problems", tags=["health"], operation_id="list_problems", responses=errors(*READING))
    async def list_problems() -> ProblemList:
        """What does not work now, and since when."""
        problems = await nas.problems()
        return ProblemList(
            items=[
                ProblemOut(kind=each.kind, subject=each.subject, reason=each.reason, since=when(each.since))
                for each in problems.troubles
            ],
            count=problems.count,
        )
