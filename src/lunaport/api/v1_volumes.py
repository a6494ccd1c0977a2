"""`/api/v1/volumes`."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from lunaport.api import v1_models as v1
from lunaport.api.v1_routes import CHANGING, READING, described_body, errors
from lunaport.api.v1_words import read_document, volume_out
from lunaport.service.actions import CreateVolume, DeleteVolume, UpdateVolume
from lunaport.service.nas import Nas

Name = Annotated[str, Path(description="The volume's name.", json_schema_extra={"example": "default"})]


def add_volume_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get("/volumes", tags=["volumes"], operation_id="list_volumes", responses=errors(*READING))
    async def list_volumes() -> v1.VolumeList:
        """All volumes by name, with how full they are."""
        return v1.VolumeList(items=[volume_out(report) for report in await nas.volumes()])

    @router.post(
        "/volumes",
        status_code=201,
        tags=["volumes"],
        operation_id="create_volume",
        responses=errors(*CHANGING),
        openapi_extra=described_body(v1.VolumeIn),
    )
    async def create_volume(request: Request, response: Response) -> v1.VolumeOut:
        """Take a directory as a volume, making it when it is not there. What lies in it is left alone."""
        document = await read_document(request, v1.VolumeIn)
        volume = await nas.perform(
            CreateVolume(
                name=document.name,
                path=document.path,
                overcommit_factor=document.overcommit_factor,
                low_space_percent=document.low_space_percent,
            )
        )
        response.headers["Location"] = f"{request.url.path}/{volume.name}"
        return volume_out(await nas.volume(volume.name))

    @router.get("/volumes/{name}", tags=["volumes"], operation_id="get_volume", responses=errors(*READING, 404))
    async def get_volume(name: Name) -> v1.VolumeOut:
        """One volume."""
        return volume_out(await nas.volume(name))

    @router.patch(
        "/volumes/{name}",
        tags=["volumes"],
        operation_id="patch_volume",
        responses=errors(*CHANGING, 404),
        openapi_extra=described_body(v1.VolumePatch),
    )
    async def patch_volume(name: Name, request: Request) -> v1.VolumeOut:
        """Set how far a volume may be overpromised, and when initiators are told that its space gets scarce."""
        document = await read_document(request, v1.VolumePatch)
        await nas.perform(
            UpdateVolume(
                name=name,
                overcommit_factor=document.overcommit_factor,
                low_space_percent=document.low_space_percent,
            )
        )
        return volume_out(await nas.volume(name))

    @router.delete(
        "/volumes/{name}",
        status_code=204,
        tags=["volumes"],
        operation_id="delete_volume",
        responses=errors(401, 403, 404, 409, 500, 503),
    )
    async def delete_volume(name: Name) -> None:
        """Forget a volume that holds no share. No file is removed."""
        await nas.perform(DeleteVolume(name=name))
