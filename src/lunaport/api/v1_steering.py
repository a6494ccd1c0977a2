"""`/api/v1/drain`, `/api/v1/targets/{id}/drain` and `/api/v1/blocks`: who has to go, and who is not let in."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from lunaport.api import v1_models as v1
from lunaport.api.v1_routes import CHANGING, READING, described_body, errors
from lunaport.api.v1_words import parse_id, parse_when, read_document, when
from lunaport.model.block import Block
from lunaport.model.iscsi_service import ServiceChange
from lunaport.model.target import TargetChange
from lunaport.service.actions import BlockInitiator, UnblockInitiator, UpdateService, UpdateTarget
from lunaport.service.nas import Nas

Id = Annotated[str, Path(description="The target's id.", json_schema_extra={"example": "1"})]
Name = Annotated[
    str,
    Path(description="The initiator's full name.", json_schema_extra={"example": "iqn.1993-08.org.debian:01:abc"}),
]


def add_drain_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes of draining."""

    @router.get("/drain", tags=["sessions"], operation_id="get_drain", responses=errors(*READING))
    async def get_drain() -> v1.DrainOut:
        """Whether the NAS is drained, and how many sessions are left."""
        return await _drain_out(nas, (await nas.service()).draining, None)

    @router.put(
        "/drain",
        tags=["sessions"],
        operation_id="put_drain",
        responses=errors(*CHANGING),
        openapi_extra=described_body(v1.DrainIn),
    )
    async def put_drain(request: Request) -> v1.DrainOut:
        """Ask every initiator to log out and let nobody in; or end that. Survives restarts."""
        document = await read_document(request, v1.DrainIn)
        service = await nas.perform(UpdateService(change=ServiceChange(draining=document.draining)))
        return await _drain_out(nas, service.draining, None)

    @router.get(
        "/targets/{target_id}/drain",
        tags=["sessions"],
        operation_id="get_target_drain",
        responses=errors(*READING, 404),
    )
    async def get_target_drain(target_id: Id) -> v1.DrainOut:
        """Whether a target is drained, and how many sessions are left."""
        target = await nas.target(parse_id(target_id))
        return await _drain_out(nas, target.draining, target.name)

    @router.put(
        "/targets/{target_id}/drain",
        tags=["sessions"],
        operation_id="put_target_drain",
        responses=errors(*CHANGING, 404),
        openapi_extra=described_body(v1.DrainIn),
    )
    async def put_target_drain(target_id: Id, request: Request) -> v1.DrainOut:
        """Ask every initiator of a target to log out and let nobody in; or end that. Survives restarts."""
        document = await read_document(request, v1.DrainIn)
        change = TargetChange(draining=document.draining)
        target = await nas.perform(UpdateTarget(target_id=parse_id(target_id), change=change))
        return await _drain_out(nas, target.draining, target.name)


def add_block_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes of blocked initiators."""

    @router.get("/blocks", tags=["sessions"], operation_id="list_blocks", responses=errors(*READING))
    async def list_blocks() -> v1.BlockList:
        """The initiators that are kept out now, by name."""
        return v1.BlockList(items=[_block_out(block) for block in await nas.blocks()])

    @router.put(
        "/blocks/{initiator}",
        tags=["sessions"],
        operation_id="put_block",
        responses=errors(*CHANGING),
        openapi_extra=described_body(v1.BlockIn),
    )
    async def put_block(initiator: Name, request: Request) -> v1.BlockOut:
        """Keep an initiator out, and end its sessions. When this is answered, they have ended."""
        document = await read_document(request, v1.BlockIn)
        block = await nas.perform(
            BlockInitiator(initiator=initiator, until=parse_when(document.until, "until"), note=document.note)
        )
        return _block_out(block)

    @router.delete(
        "/blocks/{initiator}",
        status_code=204,
        tags=["sessions"],
        operation_id="delete_block",
        responses=errors(401, 403, 404, 422, 500, 503),
    )
    async def delete_block(initiator: Name) -> None:
        """Let an initiator in again."""
        await nas.perform(UnblockInitiator(initiator=initiator))


async def _drain_out(nas: Nas, draining: bool, target: str | None) -> v1.DrainOut:
    sessions = [session for session in await nas.sessions() if session.target and target in (None, session.target)]
    return v1.DrainOut(draining=draining, sessions=len(sessions))


def _block_out(block: Block) -> v1.BlockOut:
    return v1.BlockOut(
        initiator=block.initiator,
        until=None if block.until is None else when(block.until),
        note=block.note,
        created_at=when(block.created_at),
        created_by=block.created_by,
    )
