"""Saved mode pages on their way to the LUN's file and back: a JSON document of a few names.

What cannot be read (another version wrote it, somebody edited it) counts as nothing saved: the unit runs as configured.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, fields

import structlog

from lunaport.blockdev.device import DeviceError
from lunaport.scsi.mode_pages import Modes
from lunaport.storage.file import FileDevice

log = structlog.get_logger()


def load_modes(device: FileDevice) -> tuple[Modes | None, Callable[[Modes], None] | None]:
    """The modes that were saved with the file, and how to save others; None where that cannot be."""
    try:
        kept = device.read_kept()
    except DeviceError as error:
        log.warning("saved mode pages cannot be read", reason=str(error))
        return None, None
    if kept is None:
        return None, None
    return parse_modes(kept), lambda modes: device.keep(serialize_modes(modes))


def serialize_modes(modes: Modes) -> bytes:
    return json.dumps(asdict(modes)).encode()


def parse_modes(kept: bytes) -> Modes | None:
    """The modes that `kept` says; None when it says nothing that can be understood."""
    try:
        found = json.loads(kept) if kept else None
    except ValueError:
        return None
    names = {each.name for each in fields(Modes)}
    if not isinstance(found, dict) or found.keys() != names or not all(isinstance(it, bool) for it in found.values()):
        return None
    return Modes(**found)
