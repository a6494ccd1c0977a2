"""`/api/v1/targets/{id}/luns/{lun}/medium` and `/api/v1/volumes/{name}/images`: what lies in drives, and what could."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from starlette.requests import ClientDisconnect

from lunaport.api.answers import refuse
from lunaport.api.v1_lun_models import ImageList, ImageOut, MediumIn, MediumOut
from lunaport.api.v1_luns import Number
from lunaport.api.v1_routes import CHANGING, READING, described_body, errors
from lunaport.api.v1_targets import Id
from lunaport.api.v1_volumes import Name
from lunaport.api.v1_words import expected_revisions, parse_id, read_document, when
from lunaport.model.errors import Fault
from lunaport.model.image import Image
from lunaport.model.target import Target
from lunaport.service.actions import DeleteImage, EjectMedium, InsertMedium, UploadImage
from lunaport.service.luns import lun_of
from lunaport.service.nas import Nas

PIECE_TIMEOUT_S: Final = 30.0
"""How long an image that is sent may pause."""
ImageName = Annotated[str, Path(description="The name of its file.", json_schema_extra={"example": "debian.iso"})]
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def add_medium_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes of media."""
    path = "/targets/{target_id}/luns/{lun}/medium"

    @router.get(path, tags=["targets"], operation_id="get_medium", responses=errors(*READING, 404))
    async def get_medium(target_id: Id, lun: Number) -> MediumOut:
        """The medium of a LUN as it is now."""
        return await _medium_out(nas, await nas.target(parse_id(target_id)), parse_id(lun))

    @router.put(
        path,
        tags=["targets"],
        operation_id="put_medium",
        responses=errors(*CHANGING, 404, 412),
        openapi_extra=described_body(MediumIn, if_match=True),
    )
    async def put_medium(target_id: Id, lun: Number, request: Request) -> MediumOut:
        """Put an image into a drive, or the medium of a removable disk back in. Initiators are told."""
        document = await read_document(request, MediumIn)
        action = InsertMedium(
            target_id=parse_id(target_id),
            lun=parse_id(lun),
            image=document.image,
            force=document.force,
            revisions=expected_revisions(request),
        )
        done = await nas.perform(action)
        return await _medium_out(nas, done.target, done.lun)

    @router.delete(
        path,
        tags=["targets"],
        operation_id="delete_medium",
        responses=errors(401, 403, 404, 409, 412, 422, 500, 503),
        openapi_extra=described_body(if_match=True),
    )
    async def delete_medium(
        target_id: Id,
        lun: Number,
        request: Request,
        force: Annotated[
            str,
            Query(description="`true`: also when an initiator keeps it in; else that is asked to let it go."),
        ] = "false",
    ) -> MediumOut:
        """Take the medium out. Initiators are told."""
        if force not in {"true", "false"}:
            raise refuse(Fault.PARAMETER_INVALID, "is neither true nor false", "force")
        action = EjectMedium(
            target_id=parse_id(target_id),
            lun=parse_id(lun),
            force=force == "true",
            revisions=expected_revisions(request),
        )
        done = await nas.perform(action)
        return await _medium_out(nas, done.target, done.lun)


def add_image_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes of images."""

    @router.get("/volumes/{name}/images", tags=["volumes"], operation_id="list_images", responses=errors(*READING, 404))
    async def list_images(name: Name) -> ImageList:
        """The images of a volume, by name: what lies in its folder `iso`."""
        return ImageList(items=[_image_out(image) for image in await nas.images(name)])

    @router.put(
        "/volumes/{name}/images/{image}",
        status_code=201,
        tags=["volumes"],
        operation_id="put_image",
        responses=errors(*CHANGING, 404),
        openapi_extra=_BODY,
    )
    async def put_image(name: Name, image: ImageName, request: Request) -> ImageOut:
        """Send an image: the body is the file, its Content-Length is needed. When this is answered, it is durable."""
        size_bytes = _length(request)
        action = UploadImage(volume=name, name=image, size_bytes=size_bytes)
        return _image_out(await nas.upload_image(action, _pieces(request, size_bytes)))

    @router.delete(
        "/volumes/{name}/images/{image}",
        status_code=204,
        tags=["volumes"],
        operation_id="delete_image",
        responses=errors(401, 403, 404, 409, 422, 500, 503),
    )
    async def delete_image(name: Name, image: ImageName) -> None:
        """Remove an image that lies in no drive, for good."""
        await nas.perform(DeleteImage(volume=name, name=image))


async def _medium_out(nas: Nas, target: Target, number: int) -> MediumOut:
    lun = lun_of(target, number)
    medium = await nas.medium(target, number)
    return MediumOut(
        image=lun.medium.image,
        size_bytes=lun.medium_bytes,
        loaded=medium.loaded if medium else not lun.kind.removable,
        tray_open=medium.tray_open if medium else False,
        locked_by=list(medium.locked_by) if medium else [],
    )


def _image_out(image: Image) -> ImageOut:
    return ImageOut(name=image.name, size_bytes=image.size_bytes, modified_at=when(image.modified_at))


def _length(request: Request) -> int:
    text = request.headers.get("content-length", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise refuse(Fault.PARAMETER_INVALID, "is missing; an image is sent with its length", "Content-Length")
    return int(text)


async def _pieces(request: Request, size_bytes: int) -> AsyncIterator[bytes]:
    """The body as it comes. Raises RequestError when it stops, or is not as long as was said."""
    came = 0
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(PIECE_TIMEOUT_S):
                piece = await anext(stream, b"")
        except TimeoutError:
            message = f"nothing of the image came for {PIECE_TIMEOUT_S:g} seconds"
            raise refuse(Fault.BODY_TIMEOUT, message) from None
        except ClientDisconnect:
            raise refuse(Fault.BODY_TIMEOUT, "the image was not sent to its end") from None
        if not piece:
            break
        came += len(piece)
        yield piece
    if came != size_bytes:
        raise refuse(Fault.BODY_TIMEOUT, f"{came} of {size_bytes} bytes came")
