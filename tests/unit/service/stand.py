"""Use cases on a real SQLite file and an engine in memory, and their restart."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, cast

from lunaport.engine.interface import Engine
from lunaport.model.address import HostPort
from lunaport.model.chap import ChapChange
from lunaport.model.target import Target, TargetChange
from lunaport.service.actions import CreateTarget
from lunaport.service.clock_watch import ClockWatch
from lunaport.service.context import Context, NasConfig
from lunaport.service.nas import Nas
from lunaport.service.ports import Store
from lunaport.service.registration import IsnsServerReport
from lunaport.store.store import SqlStore, open_store
from tests.unit.service.engine_double import EngineDouble, Fuse, Fused

DEFAULT_PATH = "/data/volumes/default"
PORTALS = (HostPort(host="127.0.0.1", port=3260), HostPort(host="::1", port=3261))
ALICE = ChapChange(enabled=True, username="alice", secret="alice-secret-1")
THE_NAS = ChapChange(enabled=True, username="nas", secret="nas-secret-123")


def uuids() -> Callable[[], str]:
    """Identifiers in order."""
    numbers = count(1)
    return lambda: f"{next(numbers):032x}"


@dataclass(slots=True)
class RegistrarDouble:
    """Counts how often it was told of a change."""

    reports: list[IsnsServerReport] = field(default_factory=list)
    changes: int = 0

    def changed(self) -> None:
        """Count."""
        self.changes += 1

    def servers(self) -> list[IsnsServerReport]:
        """What the test says."""
        return self.reports


@dataclass(slots=True)
class Stand:
    """One NAS under test."""

    folder: Path
    engine: EngineDouble = field(default_factory=EngineDouble)
    now: float = 1_000_000.0
    jumped: float = 0.0
    """By how much `now` is ahead of the time that has really passed."""
    new_uuid: Callable[[], str] = field(default_factory=uuids)
    registrar: RegistrarDouble = field(default_factory=RegistrarDouble)
    store: SqlStore | None = None
    nas: Nas | None = None

    async def open(self, fuse: Fuse | None = None) -> Nas:
        """New use cases on the stored state; not started yet."""
        self.store = await open_store(self.folder, random_bytes=os.urandom)
        fused: Any = (lambda inner: Fused(inner, fuse)) if fuse else (lambda inner: inner)
        self.nas = Nas(
            Context(
                store=cast("Store", fused(self.store)),
                engine=cast("Engine", fused(self.engine)),
                config=NasConfig(portals=PORTALS, default_volume_path=DEFAULT_PATH),
                clock=lambda: self.now,
                new_uuid=self.new_uuid,
                registrar=self.registrar,
                clock_watch=ClockWatch(lambda: self.now - self.jumped),
            )
        )
        return self.nas

    async def start(self) -> Nas:
        """New use cases on the stored state."""
        nas = await self.open()
        await nas.start()
        return nas

    async def start_partly(self) -> Nas:
        """As `start`, where files of LUNs may be missing, as they may for the real engine."""
        self.engine.partly = True
        try:
            return await self.start()
        finally:
            self.engine.partly = False

    async def stop(self) -> None:
        """End them; the engine stays."""
        if self.store is not None:
            await self.store.close()

    async def restart(self) -> Nas:
        """End and start."""
        await self.stop()
        return await self.start()


def create(name: str = "disk", size: str | int | None = "1G", **change: Any) -> CreateTarget:
    """The action that makes a target."""
    return CreateTarget(change=TargetChange(name=name, size=size, **change))


def path_of(target: Target, volume_path: str = DEFAULT_PATH) -> str:
    """Where its file stands."""
    return f"{volume_path}/{target.disk.file}"
