"""The NAS API: `/index.php/iscsi_shares/api` and `/index.php/iscsi_service/api`. Its names and shapes never change.

A body is the object or an array that holds one; its Content-Type is not looked at. docs/nas-api.md describes it.
"""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lunaport.api import nas_fields
from lunaport.api.answers import NAS_PREFIX
from lunaport.api.body import JsonObject, parse_object
from lunaport.api.nas_schema import documented
from lunaport.model.iscsi_service import SERVICE_ID
from lunaport.service.actions import CreateTarget, DeleteTarget, UpdateService, UpdateTarget
from lunaport.service.errors import NotFoundError
from lunaport.service.nas import Nas

SHARES_PATH = f"{NAS_PREFIX}iscsi_shares/api"
SERVICE_PATH = f"{NAS_PREFIX}iscsi_service/api"


async def _body(request: Request) -> JsonObject:
    return parse_object(await request.body(), or_array=True)


def nas_router(nas: Nas) -> APIRouter:
    """The routes of the NAS API."""
    router = APIRouter(tags=["NAS API"])

    async def list_shares() -> Response:
        """All shares."""
        return JSONResponse([nas_fields.share_object(target) for target in await nas.targets()])

    async def create_share(request: Request) -> Response:
        """Create a share. When this is answered, initiators can log in."""
        change = nas_fields.new_share(await _body(request))
        return JSONResponse(nas_fields.share_object(await nas.perform(CreateTarget(change=change))))

    async def edit_share(request: Request) -> Response:
        """Edit the share with this id; what is left out stays as it is."""
        target_id, change = nas_fields.edited_share(await _body(request))
        return JSONResponse(
            nas_fields.share_object(await nas.perform(UpdateTarget(target_id=target_id, change=change)))
        )

    async def delete_share(request: Request) -> Response:
        """Delete the share with this id. Its sessions end; its file goes to the volume's trash."""
        target_id = nas_fields.deleted_share(await _body(request))
        return JSONResponse(nas_fields.share_object(await nas.perform(DeleteTarget(target_id=target_id))))

    async def list_service() -> Response:
        """The service object, in an array."""
        return JSONResponse([nas_fields.service_object(await nas.service())])

    async def edit_service(request: Request) -> Response:
        """Switch the service on or off, move its port, or set its iSNS servers."""
        service_id, change = nas_fields.service_change(await _body(request))
        if service_id != SERVICE_ID:
            raise NotFoundError("service with the id", service_id, ("id",))
        return JSONResponse(nas_fields.service_object(await nas.perform(UpdateService(change=change))))

    routes: list[tuple[str, str, Any]] = [
        (SHARES_PATH, "GET", list_shares),
        (SHARES_PATH, "POST", create_share),
        (SHARES_PATH, "PUT", edit_share),
        (SHARES_PATH, "DELETE", delete_share),
        (SERVICE_PATH, "GET", list_service),
        (SERVICE_PATH, "PUT", edit_service),
    ]
    for path, method, endpoint in routes:
        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            operation_id=f"nas_{endpoint.__name__}",
            response_class=JSONResponse,
            **documented(endpoint.__name__),
        )
    return router
