"""Saved mode pages on their way to the LUN's file and back: a JSON document of a few names.

What cannot be read (another version wrote it, somebody edited it) counts as nothing saved: the unit runs as configured.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, fields

import structlog

from lunaport.blockdev.device import DeviceError
from lunaport.scsi.mode_pages import METHODS, Modes
from lunaport.storage.file import FileDevice

_ALWAYS = {"write_cache", "descriptor_sense", "write_protect"}
"""The names that every version wrote."""

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
    kinds = {each.name: type(each.default) for each in fields(Modes)}
    # What an earlier version did not know is as it is by default.
    if (
        not isinstance(found, dict)
        or not found.keys() >= _ALWAYS
        or any(type(value) is not kinds.get(name) for name, value in found.items())
    ):
        return None
    modes = Modes(**found)
    return modes if modes.exceptions_method in METHODS else None
