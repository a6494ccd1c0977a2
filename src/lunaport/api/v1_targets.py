"""`/api/v1/targets`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from lunaport.api import v1_models as v1
from lunaport.api.v1_routes import CHANGING, READING, described_body, errors
from lunaport.api.v1_words import (
    PAGE_COUNT_DEFAULT,
    PAGE_COUNT_MAX,
    etag,
    expected_revisions,
    make_cursor,
    parse_cursor,
    parse_id,
    parse_limit,
    read_document,
    target_change,
    target_out,
)
from lunaport.service.actions import CreateTarget, DeleteTarget, UpdateTarget
from lunaport.service.nas import Nas

Id = Annotated[str, Path(description="The target's id.", json_schema_extra={"example": "1"})]


def add_target_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get("/targets", tags=["targets"], operation_id="list_targets", responses=errors(*READING, 422))
    async def list_targets(
        limit: Annotated[str, Query(description=f"1 to {PAGE_COUNT_MAX}.")] = str(PAGE_COUNT_DEFAULT),
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
        name: Annotated[str | None, Query(description="Only the target with exactly this full name.")] = None,
    ) -> v1.TargetList:
        """Targets in the order of their ids, a page at a time."""
        count = parse_limit(limit)
        after_id = 0 if cursor is None else parse_cursor(cursor)
        found = await nas.targets(after_id=after_id, count_max=count + 1, name=name)
        page = found[:count]
        groups = await nas.portal_groups()
        return v1.TargetList(
            items=[target_out(target, groups) for target in page],
            next_cursor=make_cursor(page[-1].id) if len(found) > count else None,
        )

    @router.post(
        "/targets",
        status_code=201,
        tags=["targets"],
        operation_id="create_target",
        responses=errors(*CHANGING),
        openapi_extra=described_body(v1.TargetIn),
    )
    async def create_target(request: Request, response: Response) -> v1.TargetOut:
        """Create a target with its LUN. When this is answered, initiators can log in."""
        document = await read_document(request, v1.TargetIn)
        target = await nas.perform(CreateTarget(change=target_change(document)))
        response.headers["Location"] = f"{request.url.path}/{target.id}"
        response.headers["ETag"] = etag(target.revision)
        return target_out(target, await nas.portal_groups())

    @router.get("/targets/{target_id}", tags=["targets"], operation_id="get_target", responses=errors(*READING, 404))
    async def get_target(target_id: Id, response: Response) -> v1.TargetOut:
        """One target."""
        target = await nas.target(parse_id(target_id))
        response.headers["ETag"] = etag(target.revision)
        return target_out(target, await nas.portal_groups())

    @router.put(
        "/targets/{target_id}",
        tags=["targets"],
        operation_id="put_target",
        responses=errors(*CHANGING, 404, 412),
        openapi_extra=described_body(v1.TargetIn, if_match=True),
    )
    async def put_target(target_id: Id, request: Request, response: Response) -> v1.TargetOut:
        """Make an existing target what the document says. Secrets that are left out stay. May be repeated."""
        document = await read_document(request, v1.TargetIn)
        return await _update(target_id, document, request, response)

    @router.patch(
        "/targets/{target_id}",
        tags=["targets"],
        operation_id="patch_target",
        responses=errors(*CHANGING, 404, 412),
        openapi_extra=described_body(v1.TargetPatch, if_match=True),
    )
    async def patch_target(target_id: Id, request: Request, response: Response) -> v1.TargetOut:
        """Change what the document names. A larger size is seen by initiators that are logged in."""
        document = await read_document(request, v1.TargetPatch)
        return await _update(target_id, document, request, response)

    async def _update(
        target_id: str, document: v1.TargetIn | v1.TargetPatch, request: Request, response: Response
    ) -> v1.TargetOut:
        target = await nas.perform(
            UpdateTarget(
                target_id=parse_id(target_id),
                change=target_change(document),
                revisions=expected_revisions(request),
            )
        )
        response.headers["ETag"] = etag(target.revision)
        return target_out(target, await nas.portal_groups())

    @router.delete(
        "/targets/{target_id}",
        status_code=204,
        tags=["targets"],
        operation_id="delete_target",
        responses=errors(401, 403, 404, 412, 500, 503),
        openapi_extra=described_body(if_match=True),
    )
    async def delete_target(target_id: Id, request: Request) -> None:
        """Delete a target. Its sessions end; its file goes to the volume's trash."""
        await nas.perform(DeleteTarget(target_id=parse_id(target_id), revisions=expected_revisions(request)))
