"""Volumes: named directories that hold the files of LUNs.

A volume's path is compared as text, after normalisation; symbolic links are the administrator's business. The volume
`default` always exists; where it stands is a setting, so it follows the data directory when that is moved.
"""

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lunaport.model.errors import Collector, Fault, InvalidError, Problem, invalid

DEFAULT_VOLUME: Final = "default"
OVERCOMMIT_FACTOR_DEFAULT: Final = 10.0
OVERCOMMIT_FACTOR_MIN: Final = 1.0
OVERCOMMIT_FACTOR_MAX: Final = 1000.0
LOW_SPACE_PERCENT_DEFAULT: Final = 10
LOW_SPACE_PERCENT_MAX: Final = 90
PATH_BYTES_MAX: Final = 1024
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A named directory, and how far its thin files may promise more than its file system holds."""

    name: str
    path: str
    overcommit_factor: float = OVERCOMMIT_FACTOR_DEFAULT
    low_space_percent: int = LOW_SPACE_PERCENT_DEFAULT
    """Initiators are told when no more than this of the file system is free; 0: never."""
    revision: int = 0


def make_volume(name: str, path: str, factor: float, low_space_percent: int = LOW_SPACE_PERCENT_DEFAULT) -> Volume:
    """A checked volume. Raises InvalidError with every problem."""
    problems = Collector()
    if _NAME.fullmatch(name) is None:
        problems.add(
            Fault.VOLUME_INVALID,
            "is not a volume name; right would be 1 to 63 of a-z, 0-9, dot, dash and underscore, "
            "with a letter or digit at both ends",
            "name",
        )
    try:
        check_path(path)
    except InvalidError as error:
        problems.take(error)
    try:
        check_factor(factor)
    except InvalidError as error:
        problems.take(error)
    try:
        check_low_space(low_space_percent)
    except InvalidError as error:
        problems.take(error)
    problems.raise_any()
    return Volume(name=name, path=path, overcommit_factor=float(factor), low_space_percent=low_space_percent)


def check_path(path: str) -> None:
    """Raise InvalidError unless this is an absolute, normalised path other than the root."""
    reason = ""
    if not path.startswith("/"):
        reason = "is not absolute"
    elif len(path.encode()) > PATH_BYTES_MAX:
        reason = f"is longer than {PATH_BYTES_MAX} bytes"
    elif any(char < " " or char == "\x7f" for char in path):
        reason = "holds a control character"
    elif path == "/" or path.startswith("//") or posixpath.normpath(path) != path:
        reason = "is the root, or holds '.', '..', a doubled or a closing slash"
    if reason:
        raise invalid(Fault.VOLUME_INVALID, f"{reason}; right would be an absolute path such as /srv/disks", "path")


def check_factor(factor: float) -> None:
    """Raise InvalidError unless this is an overcommit factor from 1 to 1000 (NaN is not)."""
    if not OVERCOMMIT_FACTOR_MIN <= factor <= OVERCOMMIT_FACTOR_MAX:
        raise invalid(
            Fault.VOLUME_INVALID,
            f"is out of range; right would be {OVERCOMMIT_FACTOR_MIN:g} (no overcommitment) "
            f"to {OVERCOMMIT_FACTOR_MAX:g}",
            "overcommit_factor",
        )


def check_low_space(percent: int) -> None:
    """Raise InvalidError unless this is a share of a file system of which initiators can be warned."""
    if not 0 <= percent <= LOW_SPACE_PERCENT_MAX:
        raise invalid(
            Fault.VOLUME_INVALID,
            f"is out of range; right would be 0 (nobody is told) to {LOW_SPACE_PERCENT_MAX}",
            "low_space_percent",
        )


def check_apart(volume: Volume, others: Iterable[Volume]) -> None:
    """Raise InvalidError when the volume's directory is another's, inside it or around it."""
    for other in others:
        if f"{volume.path}/".startswith(f"{other.path}/") or f"{other.path}/".startswith(f"{volume.path}/"):
            raise InvalidError(
                [
                    Problem(
                        fault=Fault.VOLUME_INVALID,
                        message=f"overlaps with the volume {other.name!r} at {other.path}; volumes stand side by side",
                        path=("path",),
                        blockers=(other.name,),
                    )
                ]
            )
