"""What has to be done to get from the targets that run to the targets that shall: a pure comparison.

The least that does it: whoever is in the plan is touched, nobody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lunaport.engine.interface import Change, TargetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps, in the order in which they are carried out."""

    stop: tuple[str, ...]
    """Targets to end with their sessions: gone, or changed in what cannot change under a session."""
    update: tuple[TargetSpec, ...]
    """Targets that stay: new secrets and digests for the next login, larger disks at once."""
    start: tuple[TargetSpec, ...]
    """Targets to open."""


def diff(running: Mapping[str, TargetSpec], desired: Mapping[str, TargetSpec]) -> Plan:
    """Compare by name; equal specifications are left out."""
    stop: list[str] = []
    update: list[TargetSpec] = []
    start: list[TargetSpec] = []
    for name, old in running.items():
        if name not in desired or not updatable(old, desired[name]):
            stop.append(name)
    for name, new in desired.items():
        current = running.get(name)
        if current is None or not updatable(current, new):
            start.append(new)
        elif current != new:
            update.append(new)
    return Plan(stop=tuple(stop), update=tuple(update), start=tuple(start))


def diff_step(running: Mapping[str, TargetSpec], change: Change) -> Plan:
    """`diff` of what runs and what runs after a change: only whom the change names is looked at, of thousands."""
    put = {spec.name: spec for spec in change.put}
    return diff({name: running[name] for name in (*change.removed, *put) if name in running}, put)


def step(running: Mapping[str, TargetSpec], change: Change) -> dict[str, TargetSpec]:
    """The targets after a change."""
    desired = {name: spec for name, spec in running.items() if name not in change.removed}
    desired.update((spec.name, spec) for spec in change.put)
    return desired


def updatable(old: TargetSpec, new: TargetSpec) -> bool:
    """Whether a running target can become `new` with its sessions: the same disks, none smaller."""
    if len(old.luns) != len(new.luns):
        return False
    return all(
        replace(was, size_bytes=0) == replace(becomes, size_bytes=0) and was.size_bytes <= becomes.size_bytes
        for was, becomes in zip(old.luns, new.luns, strict=True)
    )
