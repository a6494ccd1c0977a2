"""Which data process serves which target: a pure plan of who is told what.

A target stays where it is as long as it exists: its sessions, reservations and task sets live there. A new one goes to
the process with the fewest, the first of several; one that takes over a file of a target that goes in the same step
goes to that one's process, which lets go of the file before it opens it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from lunaport.engine.embedded.neighbour import Neighbour
from lunaport.engine.interface import Change, DesiredState, TargetSpec


class Assignment:
    """The process of each target, by number from 0."""

    def __init__(self, process_count: int) -> None:
        self.process_count = process_count
        self._process_of: dict[str, int] = {}
        self._target_counts: Counter[int] = Counter()

    def __getitem__(self, name: str) -> int:
        return self._process_of[name]

    def __contains__(self, name: str) -> bool:
        return name in self._process_of

    def __len__(self) -> int:
        return len(self._process_of)

    def target_count(self, process: int) -> int:
        """How many targets a process has."""
        return self._target_counts[process]

    def put(self, placed: Mapping[str, int]) -> None:
        """These targets are with these processes from now on."""
        for name, process in placed.items():
            self.remove([name])
            self._process_of[name] = process
            self._target_counts[process] += 1

    def remove(self, names: Iterable[str]) -> None:
        """These targets are gone."""
        for name in names:
            process = self._process_of.pop(name, None)
            if process is not None:
                self._target_counts[process] -= 1

    def place(
        self, specs: Iterable[TargetSpec], candidates: Sequence[int], going: Iterable[TargetSpec] = ()
    ) -> dict[str, int]:
        """A process for each target that has none, out of `candidates`. Nothing is changed by that."""
        counts = Counter({process: self._target_counts[process] for process in candidates})
        holders = {lun.path: self[spec.name] for spec in going if spec.name in self for lun in spec.luns}
        placed: dict[str, int] = {}
        for spec in specs:
            if spec.name in self._process_of:
                continue
            holder = next((holders[lun.path] for lun in spec.luns if lun.path in holders), None)
            process = holder if holder is not None else min(candidates, key=lambda each: (counts[each], each))
            placed[spec.name] = process
            counts[process] += 1
        return placed


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What of a step is one process's."""

    change: Change
    elsewhere: tuple[Neighbour, ...] = ()
    elsewhere_removed: tuple[str, ...] = ()


def state_of(process: int, desired: DesiredState, process_of: Assignment) -> DesiredState:
    """What one process shall serve."""
    mine = tuple(spec for spec in desired.targets if process_of[spec.name] == process)
    return replace(desired, targets=mine)


def neighbours(specs: Iterable[TargetSpec], process_of: Mapping[str, int] | Assignment) -> tuple[Neighbour, ...]:
    """What process 0 is told of the targets of the others: no LUNs, so no keys."""
    return tuple(
        Neighbour(replace(spec, luns=()), process_of[spec.name]) for spec in specs if process_of[spec.name] != 0
    )


def part_of(process: int, change: Change, process_of: Mapping[str, int]) -> Part:
    """What of a change is one process's; `process_of` knows every target that the change names, and may know more."""
    put = tuple(spec for spec in change.put if process_of[spec.name] == process)
    removed = tuple(name for name in change.removed if process_of.get(name, process) == process)
    mine = replace(change, put=put, removed=removed)
    if process:
        return Part(change=mine)
    gone = tuple(name for name in change.removed if process_of.get(name, 0) != 0)
    return Part(change=mine, elsewhere=neighbours(change.put, process_of), elsewhere_removed=gone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change, or a piece of one, and the processes that are told of it at once: each of its part."""

    change: Change
    processes: tuple[int, ...]


def concerns_all(change: Change) -> bool:
    """Whether every process has to know, whatever targets it has."""
    return any(each is not None for each in (change.portals, change.discovery, change.draining, change.blocks))


def split(change: Change, process_of: Mapping[str, int], others: Collection[int]) -> list[Step]:
    """How a change is carried out over several processes, so that what can be refused comes before what shows.

    Portals first, for they can be refused; then what goes, for files are let go of before others open them; then the
    targets of the `others` that serve something, or shall; process 0 last: it sends no login to what is not there yet.
    """
    everywhere = concerns_all(change)
    put = {process_of[spec.name] for spec in change.put}
    removed = {process_of[name] for name in change.removed if name in process_of}
    steps = []
    if not (put | removed) - {0} and not (everywhere and others):
        return [Step(change=change, processes=(0,))]
    if change.portals is not None:
        steps.append(Step(change=Change(portals=change.portals), processes=(0,)))
    if removed:
        steps.append(Step(change=Change(removed=change.removed), processes=tuple(sorted(removed | {0}))))
        change = replace(change, removed=())
    told = tuple(sorted((put | set(others) if everywhere else put) - {0}))
    if told:
        steps.append(Step(change=change, processes=told))
    if everywhere or put:
        steps.append(Step(change=change, processes=(0,)))
    return steps


def after(before: DesiredState, change: Change, targets: tuple[TargetSpec, ...]) -> DesiredState:
    """The desired state after a change, with the targets that there are then."""
    return DesiredState(
        portals=before.portals if change.portals is None else change.portals,
        targets=targets,
        discovery=change.discovery or before.discovery,
        draining=before.draining if change.draining is None else change.draining,
        blocks=before.blocks if change.blocks is None else change.blocks,
    )
