"""What has to be done to get from the targets that run to the targets that shall: a pure comparison.

The least that does it: whoever is in the plan is touched, nobody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lunaport.engine.interface import Change, LunSpec, TargetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Steps, in the order in which they are carried out."""

    stop: tuple[str, ...]
    """Targets to end with their sessions: gone, or changed in what cannot change under a session."""
    update: tuple[TargetSpec, ...]
    """Targets that stay: new secrets and digests for the next login, other LUNs and larger disks at once."""
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
    """Whether a running target can become `new` with its sessions.

    LUNs may come and go; one that stays is the same disk, not smaller, but for what can change under a session.
    """
    before = {lun.uuid: lun for lun in old.luns}
    return all(_may_become(before[lun.uuid], lun) for lun in new.luns if lun.uuid in before)


def _may_become(was: LunSpec, becomes: LunSpec) -> bool:
    return _fixed(was) == _fixed(becomes) and was.size_bytes <= becomes.size_bytes


def _fixed(spec: LunSpec) -> LunSpec:
    """What of a LUN stays as long as it is served."""
    return replace(
        spec,
        size_bytes=0,
        read_only=False,
        write_cache=True,
        low_space_percent=0,
        image="",
        medium_out=False,
        insertion=0,
    )
