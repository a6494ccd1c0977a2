"""What a backup holds: the tables of the configuration database, whatever their form, and what they mean.

`BackupContent` is the whole, as it is written and read; `Configuration` is the same in the model's values, to be looked
at before anything is changed. Both hold secrets in clear: neither shows them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from lunaport.model.address import parse_port
from lunaport.model.block import Block
from lunaport.model.errors import Fault, InvalidError, invalid
from lunaport.model.iscsi_service import IscsiService, parse_isns_address
from lunaport.model.lun import LUN_MAX
from lunaport.model.name import parse_name
from lunaport.model.portal import check_portals, make_portal
from lunaport.model.target import Target
from lunaport.model.trash import TrashedTarget
from lunaport.model.user import Role, Token, User
from lunaport.model.volume import DEFAULT_VOLUME, Volume, check_apart, make_volume

PROBLEMS_SHOWN_MAX: Final = 10

Row = dict[str, Any]

_UUID: Final = re.compile(r"[0-9a-f]{32}")
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_FILE: Final = re.compile(r"(?:luns|trash)/(?!\.{1,2}\Z)[^/\x00-\x1f\x7f]{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupContent:
    """`revision`: the form of the database. `sequences`: the last number that a table has given."""

    revision: str
    tables: Mapping[str, Sequence[Row]] = field(repr=False)
    sequences: Mapping[str, int] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All that is configured."""

    nas_uuid: str
    service: IscsiService
    volumes: tuple[Volume, ...]
    targets: tuple[Target, ...]
    trashed: tuple[TrashedTarget, ...]
    blocks: tuple[Block, ...]
    users: tuple[User, ...]
    tokens: tuple[Token, ...]


def check_configuration(configuration: Configuration) -> None:
    """Raise InvalidError unless all of it could have been made by this program.

    Whoever wrote the file knew its passphrase, which does not make him a friend: no path leads out of a volume.
    """
    wrong: list[str] = []
    if _UUID.fullmatch(configuration.nas_uuid) is None:
        wrong.append("an identifier of the NAS that is none")
    others: list[Volume] = []
    for volume in configuration.volumes:
        if volume.name != DEFAULT_VOLUME:
            wrong += _refused(partial(_check_volume, volume, tuple(others)), f"the volume {volume.name!r}")
            others.append(volume)
    for target in configuration.targets:
        wrong += _refused(partial(_check_target, target), f"the target {target.name!r}")
    for trashed in configuration.trashed:
        files = [file for lun in trashed.luns for file in (lun.file, lun.trash_file) if file]
        wrong += [f"the file {file!r} outside its volume" for file in files if not _is_file(file)]
    wrong += [f"the block of {each.initiator!r}" for each in configuration.blocks if not _is_name(each.initiator)]
    wrong += _refused(lambda: _check_service(configuration.service), "the service")
    if not any(user.role is Role.ADMIN for user in configuration.users):
        wrong.append("no administrator")
    if wrong:
        shown = "; ".join(wrong[:PROBLEMS_SHOWN_MAX])
        raise invalid(Fault.BACKUP_INVALID, f"holds what Lunaport would not have written: {shown}", "backup")


def _refused(check: Callable[[], None], what: str) -> list[str]:
    try:
        check()
    except InvalidError as error:
        return [f"{what}: {error}"]
    return []


def _check_volume(volume: Volume, others: Sequence[Volume]) -> None:
    make_volume(volume.name, volume.path, volume.overcommit_factor, volume.low_space_percent)
    check_apart(volume, others)


def _check_target(target: Target) -> None:
    if parse_name(target.name) != target.name:
        raise invalid(Fault.NAME_INVALID, "is not in its normal form", "name")
    for lun in target.luns:
        bad = _UUID.fullmatch(lun.uuid) is None or not _is_file(lun.file) or not 0 <= lun.lun <= LUN_MAX
        if bad or lun.size_bytes < 0 or lun.size_bytes % lun.kind.block_size_bytes:
            raise invalid(Fault.LUNS_INVALID, f"LUN {lun.lun} has a file, a size or an identifier that cannot be")
        if lun.key and _KEY.fullmatch(lun.key) is None:
            raise invalid(Fault.LUNS_INVALID, f"LUN {lun.lun} has a key that is none")


def _check_service(service: IscsiService) -> None:
    parse_isns_address(service.isns_address)
    if service.port is not None:
        parse_port(service.port)
    if service.portals is not None:
        check_portals([make_portal(str(each), each.group) for each in service.portals])


def _is_file(file: str) -> bool:
    return _FILE.fullmatch(file) is not None


def _is_name(name: str) -> bool:
    try:
        return parse_name(name) == name
    except InvalidError:
        return False
