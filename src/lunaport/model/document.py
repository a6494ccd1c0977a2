"""A configuration as somebody writes it down: what shall be, and what has to be done to get there.

A section that is left out is left alone. What a section names becomes what it says; what it does not name stays, or
goes where that is asked for. Secrets that are left out stay as they are stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from lunaport.model.iscsi_service import ServiceChange
from lunaport.model.portal import Portal
from lunaport.model.target import TargetChange
from lunaport.model.user import Role
from lunaport.model.volume import LOW_SPACE_PERCENT_DEFAULT, OVERCOMMIT_FACTOR_DEFAULT

VERSION: Final = 1
TARGETS_MAX: Final = 10_000
VOLUMES_MAX: Final = 1000
BLOCKS_MAX: Final = 10_000
USERS_MAX: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeWish:
    """A volume as it shall be. `path` None: where it is; a new one needs it."""

    name: str
    path: str | None = None
    overcommit_factor: float = OVERCOMMIT_FACTOR_DEFAULT
    low_space_percent: int = LOW_SPACE_PERCENT_DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockWish:
    """An initiator to keep out. `until`: seconds since 1970; None: for good; one that is over: not at all."""

    initiator: str
    until: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserWish:
    """A user as he shall be. `password` None: as it is; a new one needs it."""

    name: str
    role: Role
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDocument:
    """Sections; None: left alone. Targets are known by their names, and named wholly."""

    service: ServiceChange | None = None
    portals: tuple[Portal, ...] | None = None
    """Of the service; none: those of the command line."""
    volumes: tuple[VolumeWish, ...] | None = None
    targets: tuple[TargetChange, ...] | None = None
    blocks: tuple[BlockWish, ...] | None = None
    users: tuple[UserWish, ...] | None = None


StepAction = Literal["create", "update", "delete"]
StepKind = Literal["service", "volume", "target", "block", "user"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that has to be done. `changes`: path of a field to its value before and after, secrets masked."""

    action: StepAction
    kind: StepKind
    name: str
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    note: str = ""
    """What it means for those who use it; empty: nothing ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyReport:
    """What was done, or would be. `kept`: what the document's sections do not name, and what stays."""

    applied: bool
    steps: tuple[Step, ...]
    kept: tuple[str, ...] = ()
