"""Images of discs, taken in and looked after by the control process: their bytes come over HTTP and go no further.

What waits for the disk waits in a thread; nobody is read from meanwhile. Drives in the data process have their images
locked, which is how a removal finds out.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

from lunaport.engine.interface import ImageInfo, StorageError
from lunaport.storage import errors as storage_errors
from lunaport.storage import image
from lunaport.storage.image import ImageDraft

PIECE_BYTES: Final = 1 << 20
"""What is written at a time, at least."""


async def list_images(volume: str) -> Sequence[ImageInfo]:
    """See `Engine.images`."""
    found: list[ImageInfo] = []

    def work() -> None:
        found.extend(
            ImageInfo(name=each.name, size_bytes=each.size_bytes, modified_at=each.modified_at)
            for each in image.list_images(volume)
        )

    await _in_thread(work)
    return found


async def remove_image(path: str) -> None:
    """See `Engine.remove_image`."""
    await _in_thread(lambda: image.remove_image(path))


async def receive_image(volume: str, name: str, pieces: AsyncIterator[bytes]) -> None:
    """See `Engine.receive_image`."""
    draft: list[ImageDraft] = []
    try:
        await _in_thread(lambda: draft.append(ImageDraft(volume, secrets.token_hex(8))))
        gathered = bytearray()
        async for piece in pieces:
            gathered += piece
            if len(gathered) >= PIECE_BYTES:
                data, gathered = bytes(gathered), bytearray()
                await _in_thread(lambda data=data: draft[0].write(data))  # type: ignore[misc] # bound at once
        if gathered:
            await _in_thread(lambda: draft[0].write(bytes(gathered)))
        await _in_thread(lambda: draft[0].finish(name))
    finally:
        for each in draft:
            each.abandon()


async def _in_thread(work: Callable[[], None]) -> None:
    try:
        # Shielded: a thread that writes must not be left behind by a caller who goes away.
        await asyncio.shield(asyncio.to_thread(work))
    except storage_errors.StorageError as error:
        raise StorageError(error.fault, error.path, error.reason) from error
