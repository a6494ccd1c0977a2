"""`/api/v1/health`."""

from fastapi import APIRouter, Response

from lunaport.api import v1_models as v1
from lunaport.service.nas import Nas


def add_status_routes(router: APIRouter, nas: Nas) -> None:
    """Add the route."""

    @router.get(
        "/health",
        tags=["health"],
        operation_id="get_health",
        responses={503: {"model": v1.HealthOut, "description": "Nothing is served."}},
    )
    async def get_health(response: Response) -> v1.HealthOut:
        """Whether the NAS serves. Needs no password and tells no names."""
        status = await nas.engine_status()
        listening = sum(portal.listening for portal in status.portals)
        serves = status.available and nas.is_started
        well = listening == len(status.portals) and not status.disks_failed and not status.reservations_lost
        word = "unavailable" if not serves else "ok" if well else "degraded"
        if not serves:
            response.status_code = 503
        return v1.HealthOut(
            status=word,
            engine=status.available,
            portals=len(status.portals),
            portals_listening=listening,
            disks=status.disks,
            disks_failed=status.disks_failed,
            reservations_lost=status.reservations_lost,
        )
