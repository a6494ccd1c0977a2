"""`/api/v1/targets/{id}/luns`: the LUNs of a target that is in use, one by one."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from lunaport.api.v1_lun_models import LunList, LunNew, LunOut, LunPatch
from lunaport.api.v1_routes import CHANGING, READING, described_body, errors
from lunaport.api.v1_targets import Id
from lunaport.api.v1_words import etag, expected_revisions, lun_change, lun_out, parse_id, read_document
from lunaport.service.actions import CreateLun, DeleteLun, TargetLun, UpdateLun
from lunaport.service.luns import lun_of
from lunaport.service.nas import Nas

Number = Annotated[str, Path(description="The number of the LUN.", json_schema_extra={"example": "1"})]


def add_lun_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get(
        "/targets/{target_id}/luns", tags=["targets"], operation_id="list_luns", responses=errors(*READING, 404)
    )
    async def list_luns(target_id: Id, response: Response) -> LunList:
        """The LUNs of a target, by their numbers. The ETag is that of the target."""
        target = await nas.target(parse_id(target_id))
        response.headers["ETag"] = etag(target.revision)
        return LunList(items=[lun_out(lun) for lun in target.luns])

    @router.post(
        "/targets/{target_id}/luns",
        status_code=201,
        tags=["targets"],
        operation_id="create_lun",
        responses=errors(*CHANGING, 404, 412),
        openapi_extra=described_body(LunNew, if_match=True),
    )
    async def create_lun(target_id: Id, request: Request, response: Response) -> LunOut:
        """Add a LUN, live. When this is answered, the initiators that are logged in are told of it."""
        document = await read_document(request, LunNew)
        done = await nas.perform(
            CreateLun(target_id=parse_id(target_id), change=lun_change(document), revisions=expected_revisions(request))
        )
        response.headers["Location"] = f"{request.url.path}/{done.lun}"
        return _answer(done, response)

    @router.get(
        "/targets/{target_id}/luns/{lun}", tags=["targets"], operation_id="get_lun", responses=errors(*READING, 404)
    )
    async def get_lun(target_id: Id, lun: Number, response: Response) -> LunOut:
        """One LUN. The ETag is that of its target."""
        target = await nas.target(parse_id(target_id))
        response.headers["ETag"] = etag(target.revision)
        return lun_out(lun_of(target, parse_id(lun)))

    @router.patch(
        "/targets/{target_id}/luns/{lun}",
        tags=["targets"],
        operation_id="patch_lun",
        responses=errors(*CHANGING, 404, 412),
        openapi_extra=described_body(LunPatch, if_match=True),
    )
    async def patch_lun(target_id: Id, lun: Number, request: Request, response: Response) -> LunOut:
        """Change a LUN, live. When `read_only` is answered, no write lands any more and those that did are durable."""
        document = await read_document(request, LunPatch)
        action = UpdateLun(
            target_id=parse_id(target_id),
            lun=parse_id(lun),
            change=lun_change(document),
            revisions=expected_revisions(request),
        )
        return _answer(await nas.perform(action), response)

    @router.delete(
        "/targets/{target_id}/luns/{lun}",
        status_code=204,
        tags=["targets"],
        operation_id="delete_lun",
        responses=errors(401, 403, 404, 409, 412, 500, 503),
        openapi_extra=described_body(if_match=True),
    )
    async def delete_lun(target_id: Id, lun: Number, request: Request) -> None:
        """Take a LUN off its target, live. Its file goes to the volume's trash; sessions and other LUNs go on."""
        await nas.perform(
            DeleteLun(target_id=parse_id(target_id), lun=parse_id(lun), revisions=expected_revisions(request))
        )


def _answer(done: TargetLun, response: Response) -> LunOut:
    response.headers["ETag"] = etag(done.target.revision)
    return lun_out(lun_of(done.target, done.lun))
