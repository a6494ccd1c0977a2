"""Where a data process stands among those of its NAS, and what it is told of the targets of the others."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from lunaport.engine.interface import TargetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One of `count` data processes. Process 0 has the portals and a line to each other, which have one to it."""

    number: int = 0
    count: int = 1
    lines: Mapping[int, socket.socket] = field(default_factory=dict)
    """By the number of the process at the other end."""

    @property
    def name(self) -> str:
        """What it is called outside."""
        return f"data-{self.number}" if self.number else "data"


class Neighbour(msgspec.Struct, frozen=True):
    """A target that another process serves: its specification without LUNs, and the number of the process."""

    spec: TargetSpec
    process: int
