"""`/api/v1/service`."""

from fastapi import APIRouter, Request, Response

from lunaport.api import v1_models as v1
from lunaport.api.v1_routes import CHANGING, READING, described_body, errors
from lunaport.api.v1_words import etag, expected_revisions, read_document, service_change, service_out
from lunaport.service.actions import UpdateService
from lunaport.service.nas import Nas


def add_service_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get("/service", tags=["service"], operation_id="get_service", responses=errors(*READING))
    async def get_service(response: Response) -> v1.ServiceOut:
        """The iSCSI service, whether its portals listen, and how it stands with the iSNS servers."""
        service = await nas.service()
        response.headers["ETag"] = etag(service.revision)
        return service_out(service, (await nas.engine_status()).portals, await nas.isns_servers())

    @router.put(
        "/service",
        tags=["service"],
        operation_id="put_service",
        responses=errors(*CHANGING, 412),
        openapi_extra=described_body(v1.ServiceIn, if_match=True),
    )
    async def put_service(request: Request, response: Response) -> v1.ServiceOut:
        """Switch the service on or off, move its port, or set its iSNS servers. Moving leaves live sessions alone."""
        return await _update(await read_document(request, v1.ServiceIn), request, response)

    @router.patch(
        "/service",
        tags=["service"],
        operation_id="patch_service",
        responses=errors(*CHANGING, 412),
        openapi_extra=described_body(v1.ServicePatch, if_match=True),
    )
    async def patch_service(request: Request, response: Response) -> v1.ServiceOut:
        """Change what the document names."""
        return await _update(await read_document(request, v1.ServicePatch), request, response)

    async def _update(document: v1.ServiceIn | v1.ServicePatch, request: Request, response: Response) -> v1.ServiceOut:
        service = await nas.perform(
            UpdateService(change=service_change(document), revisions=expected_revisions(request))
        )
        response.headers["ETag"] = etag(service.revision)
        return service_out(service, (await nas.engine_status()).portals, await nas.isns_servers())
