"""`/api/v1/trash`: deleted targets, and taking them out again; `/api/v1/targets/{id}/connect`: how to use a target."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from lunaport.api import v1_models as v1
from lunaport.api.v1_models import Document, example
from lunaport.api.v1_routes import CHANGING, READING, described_body, errors
from lunaport.api.v1_words import parse_id, read_document, target_out, when
from lunaport.model.connect import endpoint_of, ways_to_connect
from lunaport.model.trash import TrashedTarget
from lunaport.service.actions import RestoreTarget
from lunaport.service.nas import Nas

HOST_CHARS_MAX: Final = 255
Id = Annotated[str, Path(description="The target's id.", json_schema_extra={"example": "1"})]


class TrashedLunOut(Document):
    """A disk in the trash."""

    uuid: str
    volume: str
    size_bytes: int


class TrashedOut(Document):
    """A deleted target."""

    id: int
    name: str
    deleted_at: datetime
    luns: list[TrashedLunOut]


class TrashList(Document):
    """The whole trash, the newest first."""

    items: list[TrashedOut]


class RestoreIn(Document):
    """Take a target out of the trash."""

    model_config = example({"name": None})

    name: str | None = Field(default=None, description="Another name; null: the one it had.")


class WayOut(Document):
    """How to use a target with one kind of initiator."""

    key: str = Field(description="linux, windows, vmware, qemu, kubernetes, ipxe, macos; there may be more one day.")
    title: str
    text: str = Field(description="To be copied as it is. Secrets, which are never told, stand in capitals.")
    note: str


class ConnectOut(Document):
    """How to use a target, the most used kind of initiator first."""

    items: list[WayOut]


def add_trash_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get("/trash", tags=["targets"], operation_id="list_trash", responses=errors(*READING))
    async def list_trash() -> TrashList:
        """Deleted targets. They are removed for good after the days that the NAS was started with."""
        found = sorted(await nas.trash(), key=lambda each: (-each.trashed_at, -each.id))
        return TrashList(items=[_trashed_out(each) for each in found])

    @router.post(
        "/trash/{target_id}/restore",
        tags=["targets"],
        operation_id="restore_target",
        responses=errors(*CHANGING, 404),
        openapi_extra=described_body(RestoreIn),
    )
    async def restore_target(target_id: Id, request: Request) -> v1.TargetOut:
        """Take a target out of the trash, with its data and settings. When this is answered, initiators can log in."""
        document = await read_document(request, RestoreIn)
        return target_out(await nas.perform(RestoreTarget(target_id=parse_id(target_id), name=document.name)))

    @router.get(
        "/targets/{target_id}/connect",
        tags=["targets"],
        operation_id="connect_target",
        responses=errors(*READING, 404),
    )
    async def connect_target(
        target_id: Id,
        request: Request,
        host: Annotated[str, Query(description="Where initiators reach the NAS; left out: the first portal.")] = "",
    ) -> ConnectOut:
        """What to type where, to use this target."""
        target = await nas.target(parse_id(target_id))
        found, port = await nas.reach(request.url.hostname or "127.0.0.1")
        ways = ways_to_connect(endpoint_of(target, host[:HOST_CHARS_MAX].strip("[]") or found, port))
        return ConnectOut(
            items=[WayOut(key=each.key, title=each.title, text=each.text, note=each.note) for each in ways]
        )


def _trashed_out(trashed: TrashedTarget) -> TrashedOut:
    return TrashedOut(
        id=trashed.id,
        name=trashed.name,
        deleted_at=when(trashed.trashed_at),
        luns=[TrashedLunOut(uuid=lun.uuid, volume=lun.volume, size_bytes=lun.size_bytes) for lun in trashed.luns],
    )
