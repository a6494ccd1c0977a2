"""An engine in memory that keeps the contract of `engine.interface.Engine`, and can fail or die at any step.

It outlives the control process, as the real one does: after a crash a test starts new use cases on the same double.
"""

import asyncio
import posixpath
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lunaport.engine.interface import (
    BlockSpec,
    Change,
    DesiredState,
    DiscoverySpec,
    EngineCounters,
    EngineStatus,
    EventBatch,
    EventMark,
    FileReport,
    ImageInfo,
    MediumReport,
    PortalError,
    PortalReport,
    PortalSpec,
    RefusedLogin,
    SessionReport,
    StorageError,
    TargetSpec,
    Trouble,
    VolumeUsage,
)
from lunaport.engine.unit_state import ReservationReport, WorkReport

TOTAL_BYTES = 1 << 40
FILE_BYTES_MAX = 1 << 44


class CrashError(BaseException):
    """The process dies here: nothing after this runs."""


@dataclass(slots=True)
class Fuse:
    """Counts steps; at the one told it dies, before the step takes effect: that is after the one before it."""

    at: int = -1
    count: int = 0

    async def step(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run one step."""
        number, self.count = self.count, self.count + 1
        if number == self.at:
            raise CrashError
        return await work()


class Fused:
    """An object whose every async method is a step of a fuse."""

    def __init__(self, inner: object, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        async def stepped(*args: Any, **kwargs: Any) -> Any:
            return await self._fuse.step(lambda: method(*args, **kwargs))

        return stepped


@dataclass(slots=True)
class EngineDouble:
    """What is on the wire and on the disks. `failures`: method name to what it raises, once."""

    files: dict[str, int] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    discs: dict[str, int] = field(default_factory=dict)
    """Images by path."""
    locks: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    """Who keeps the medium of a LUN in."""
    eject_requests: list[tuple[str, int]] = field(default_factory=list)
    reserved: dict[str, list[ReservationReport]] = field(default_factory=dict)
    under_way: list[WorkReport] = field(default_factory=list)
    targets: dict[str, TargetSpec] = field(default_factory=dict)
    portals: tuple[PortalSpec, ...] = ()
    discovery: DiscoverySpec = field(default_factory=DiscoverySpec)
    volumes: set[str] = field(default_factory=set)
    taken_ports: set[int] = field(default_factory=set)
    failures: dict[str, BaseException] = field(default_factory=dict)
    reports: list[SessionReport] = field(default_factory=list)
    refused: list[RefusedLogin] = field(default_factory=list)
    counted: EngineCounters = field(default_factory=EngineCounters)
    batches: list[EventBatch] = field(default_factory=list)
    draining: bool = False
    blocks: tuple[BlockSpec, ...] = ()
    total_bytes: int = TOTAL_BYTES
    available: bool = True
    troubles: tuple[Trouble, ...] = ()
    changes: list[Change] = field(default_factory=list)
    partly: bool = False
    """A LUN whose file is missing is left out, as the real engine does at its start."""

    def _fail(self, method: str) -> None:
        if method in self.failures:
            raise self.failures.pop(method)

    def _open(self, portals: Sequence[PortalSpec]) -> None:
        for portal in portals:
            if portal.port in self.taken_ports:
                raise PortalError(portal, "the address is already in use")
        self.portals = tuple(portals)

    def _put(self, spec: TargetSpec) -> None:
        for lun in spec.luns:
            if lun.path not in self.files:
                raise StorageError("missing", lun.path, "no such file")
            if lun.image and lun.image not in self.discs:
                raise StorageError("missing", lun.image, "no such file")
            assert lun.size_bytes <= self.files[lun.path], "a file holds what is promised"
        self.targets[spec.name] = spec

    async def start(self, desired: DesiredState) -> None:
        """Take the whole state."""
        self._fail("start")
        self.targets = {}
        for spec in desired.targets:
            there = tuple(lun for lun in spec.luns if not self.partly or lun.path in self.files)
            self._put(replace(spec, luns=there))
        self._open(desired.portals)
        self.discovery = desired.discovery
        self.draining, self.blocks = desired.draining, desired.blocks

    async def apply(self, change: Change) -> None:
        """Take a step."""
        self._fail("apply")
        before = dict(self.targets)
        try:
            for name in change.removed:
                self.targets.pop(name, None)
            for spec in change.put:
                self._put(spec)
            if change.portals is not None:
                self._open(change.portals)
        except Exception:
            self.targets = before
            raise
        self.discovery = change.discovery or self.discovery
        self.draining = self.draining if change.draining is None else change.draining
        self.blocks = self.blocks if change.blocks is None else change.blocks
        self.changes.append(change)

    async def sessions(self) -> Sequence[SessionReport]:
        """Every session."""
        self._fail("sessions")
        return self.reports

    async def close_session(self, session_id: str) -> bool:
        """End a session."""
        self._fail("close_session")
        left = [report for report in self.reports if report.id != session_id]
        found = len(left) < len(self.reports)
        self.reports = left
        return found

    async def refused_logins(self) -> Sequence[RefusedLogin]:
        """The last refusals."""
        self._fail("refused_logins")
        return self.refused

    async def counters(self) -> EngineCounters:
        """What a test says."""
        self._fail("counters")
        return self.counted

    async def events(self, after: EventMark) -> EventBatch:
        """What was laid down to be told; then nothing more."""
        self._fail("events")
        if self.batches:
            return self.batches.pop(0)
        await asyncio.sleep(3600)
        return EventBatch(mark=after)

    async def status(self) -> EngineStatus:
        """The engine now."""
        return EngineStatus(
            available=self.available,
            targets=len(self.targets),
            troubles=self.troubles,
            portals=tuple(
                PortalReport(host=each.host, port=each.port, group=each.group, listening=True) for each in self.portals
            ),
        )

    async def make_volume(self, path: str) -> None:
        """Make a directory."""
        self._fail("make_volume")
        self.volumes.add(path)

    async def volume_usage(self, path: str, *, counted: bool = True) -> VolumeUsage:
        """The file system."""
        self._fail("volume_usage")
        if path not in self.volumes:
            raise StorageError("missing", path, "no such directory")
        return VolumeUsage(total_bytes=self.total_bytes, free_bytes=self.total_bytes, used_bytes=0)

    async def file_usage(self, paths: Sequence[str]) -> Sequence[int]:
        """Nothing is written to any file."""
        return [0 if path in self.files else -1 for path in paths]

    async def create_file(self, path: str, size_bytes: int, *, key: str = "") -> None:
        """Make a file."""
        self._fail("create_file")
        if posixpath.dirname(posixpath.dirname(path)) not in self.volumes:
            raise StorageError("missing", path, "no such directory")
        if path in self.files:
            raise StorageError("exists", path, "the file exists")
        if size_bytes > FILE_BYTES_MAX:
            raise StorageError("too large", path, "the file system's files end earlier")
        self.files[path] = size_bytes
        if key:
            self.keys[path] = key

    async def find_file(self, path: str) -> FileReport:
        """How a file is."""
        self._fail("find_file")
        return FileReport(size_bytes=self.files.get(path), has_key=path in self.keys)

    async def grow_file(self, path: str, size_bytes: int) -> None:
        """Make a file longer."""
        self._fail("grow_file")
        if path not in self.files:
            raise StorageError("missing", path, "no such file")
        if size_bytes > FILE_BYTES_MAX:
            raise StorageError("too large", path, "the file system's files end earlier")
        self.files[path] = max(self.files[path], size_bytes)

    async def move_file(self, path: str, destination: str) -> None:
        """Move a file."""
        self._fail("move_file")
        assert not self.serves(path), "a file in use is not moved"
        if path in self.files:
            self.files[destination] = self.files.pop(path)
        elif destination not in self.files:
            raise StorageError("missing", path, "no such file")

    async def remove_file(self, path: str) -> None:
        """Remove a file."""
        self._fail("remove_file")
        if self.serves(path):
            raise StorageError("in use", path, "a target serves it")
        self.files.pop(path, None)

    async def medium(self, target: str, lun: int, *, request_eject: bool = False) -> MediumReport | None:
        """The medium of a LUN."""
        self._fail("medium")
        for spec in self.targets[target].luns:
            if spec.lun == lun and spec.removable:
                if request_eject:
                    self.eject_requests.append((target, lun))
                loaded = bool(spec.image) if spec.device_type == "cdrom" else not spec.medium_out
                return MediumReport(loaded=loaded, locked_by=self.locks.get((target, lun), ()))
        return None

    async def reservations(self, target: str) -> Sequence[ReservationReport]:
        """What was put there."""
        self._fail("reservations")
        return self.reserved.get(target, [])

    async def work(self) -> Sequence[WorkReport]:
        """What was put there."""
        self._fail("work")
        return self.under_way

    async def images(self, volume: str) -> Sequence[ImageInfo]:
        """The images of a volume."""
        self._fail("images")
        folder = f"{volume}/iso/"
        return [
            ImageInfo(name=path.removeprefix(folder), size_bytes=size, modified_at=1.0)
            for path, size in sorted(self.discs.items())
            if path.startswith(folder)
        ]

    async def receive_image(self, volume: str, name: str, pieces: AsyncIterator[bytes]) -> None:
        """Take an image in."""
        self._fail("receive_image")
        size = 0
        async for piece in pieces:
            size += len(piece)
        path = f"{volume}/iso/{name}"
        if path in self.discs:
            raise StorageError("exists", path, "the file exists")
        self.discs[path] = size

    async def remove_image(self, path: str) -> None:
        """Remove an image."""
        self._fail("remove_image")
        if any(lun.image == path for spec in self.targets.values() for lun in spec.luns):
            raise StorageError("in use", path, "it lies in a drive")
        if path not in self.discs:
            raise StorageError("missing", path, "no such file")
        del self.discs[path]

    async def close(self) -> None:
        """Let go."""

    def serves(self, path: str) -> bool:
        """Whether a target uses the file."""
        return any(lun.path == path for spec in self.targets.values() for lun in spec.luns)
