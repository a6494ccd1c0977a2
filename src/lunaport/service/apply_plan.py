"""From a document and what is configured to what has to be done. Nothing is changed here.

All of the document is checked before anything is done, and everything that is wrong with it is told at once.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from lunaport.model.backup import Configuration
from lunaport.model.block import Block, make_block
from lunaport.model.document import ConfigDocument, Step, StepKind
from lunaport.model.errors import Collector, Fault, InvalidError, Path, Problem
from lunaport.model.iscsi_service import IscsiService, ServiceChange, merge_service, with_portals
from lunaport.model.lun import CHANGEABLE, Lun, LunChange, LunKind
from lunaport.model.name import parse_name
from lunaport.model.portal import Portal
from lunaport.model.target import Target, TargetChange, TargetDraft, merge_target, with_draft
from lunaport.model.user import Role, User, check_name, check_password
from lunaport.model.volume import DEFAULT_VOLUME, Volume, check_apart, check_factor, check_low_space, make_volume
from lunaport.service import apply_view as view
from lunaport.service.actor import CURRENT
from lunaport.service.context import Context
from lunaport.service.errors import ConflictError
from lunaport.service.images import settle_media
from lunaport.service.targets import new_lun, new_target

Item = TypeVar("Item")

_SESSIONS_END: Final = "its sessions end"
_TO_TRASH: Final = "its sessions end; its disks go to the trash"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """A target to change: as it is and as it shall be, the LUNs that come and go."""

    current: Target
    wanted: Target
    added: tuple[Lun, ...]
    removed: tuple[Lun, ...]


@dataclass(slots=True)
class Plan:
    """What has to be done. Targets that are created have no id yet; paths of volumes are absolute."""

    now: Configuration
    steps: list[Step] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    problems: Collector = field(default_factory=Collector)
    volumes: dict[str, Volume] = field(default_factory=dict)
    """All that there are when it is done, those that go then too."""
    volumes_added: list[Volume] = field(default_factory=list)
    volumes_changed: list[Volume] = field(default_factory=list)
    volumes_removed: list[Volume] = field(default_factory=list)
    created: list[Target] = field(default_factory=list)
    changed: list[TargetPlan] = field(default_factory=list)
    deleted: list[Target] = field(default_factory=list)
    service: IscsiService | None = None
    blocks_put: list[Block] = field(default_factory=list)
    blocks_removed: list[Block] = field(default_factory=list)
    users_added: list[User] = field(default_factory=list)
    users_changed: list[User] = field(default_factory=list)
    users_removed: list[User] = field(default_factory=list)


async def make_plan(context: Context, document: ConfigDocument, *, prune: bool) -> Plan:
    """What has to be done for the document to be true. Raises InvalidError with everything that is wrong."""
    now = await context.store.configuration()
    plan = Plan(now=now, volumes={each.name: context.with_path(each) for each in now.volumes})
    if document.volumes is not None:
        _plan_volumes(plan, document, prune=prune)
    if document.targets is not None:
        await _plan_targets(context, plan, document.targets, prune=prune)
    if document.service is not None:
        _plan_service(context, plan, document.service, document.portals)
    if document.blocks is not None:
        _plan_blocks(context, plan, document, prune=prune)
    if document.users is not None:
        await _plan_users(context, plan, document, prune=prune)
    _check_removed_volumes(plan)
    plan.problems.raise_any()
    return plan


def _named(
    plan: Plan, section: str, wishes: Iterable[Item], name_of: Callable[[Item], str]
) -> dict[str, tuple[int, Item]]:
    """The wishes by name; one that is there twice is a problem."""
    found: dict[str, tuple[int, Item]] = {}
    for index, wish in enumerate(wishes):
        try:
            name = name_of(wish)
        except InvalidError as error:
            plan.problems.take(error, section, index)
            continue
        if name in found:
            plan.problems.add(Fault.NAME_TAKEN, f"{name!r} is there twice; name it once", section, index)
        found.setdefault(name, (index, wish))
    return found


def _plan_volumes(plan: Plan, document: ConfigDocument, *, prune: bool) -> None:
    wishes = _named(plan, "volumes", document.volumes or (), lambda wish: wish.name)
    for name, (index, wish) in wishes.items():
        current = plan.volumes.get(name)
        try:
            if current is None:
                volume = make_volume(name, wish.path or "", wish.overcommit_factor, wish.low_space_percent)
                check_apart(volume, plan.volumes.values())
                plan.volumes_added.append(volume)
                plan.steps.append(_step("create", "volume", name, {}, view.volume_view(volume)))
            else:
                check_factor(wish.overcommit_factor)
                check_low_space(wish.low_space_percent)
                if wish.path not in (None, current.path):
                    problem = f"is {current.path} and cannot change; leave it out or repeat it"
                    raise InvalidError([Problem(fault=Fault.VOLUME_INVALID, message=problem, path=("path",))])
                volume = replace(
                    current,
                    overcommit_factor=float(wish.overcommit_factor),
                    low_space_percent=wish.low_space_percent,
                )
                if volume != current:
                    plan.volumes_changed.append(volume)
                    plan.steps.append(
                        _step("update", "volume", name, view.volume_view(current), view.volume_view(volume))
                    )
            plan.volumes[name] = volume
        except InvalidError as error:
            plan.problems.take(error, "volumes", index)
    for volume in _others(plan, "volume", plan.now.volumes, wishes, lambda each: each.name, prune=prune):
        if volume.name != DEFAULT_VOLUME:
            plan.volumes_removed.append(volume)
            plan.steps.append(Step(action="delete", kind="volume", name=volume.name, note="no file is removed"))


def _others(
    plan: Plan,
    kind: StepKind,
    there: Iterable[Item],
    wishes: dict[str, Any],
    name_of: Callable[[Item], str],
    *,
    prune: bool,
) -> list[Item]:
    """What the section does not name and shall go; where nothing shall, it is kept and that is told."""
    others = [each for each in there if name_of(each) not in wishes]
    if prune:
        return others
    plan.kept += [f"{kind} {name_of(each)}" for each in others if name_of(each) != DEFAULT_VOLUME]
    return []


def _step(action: Any, kind: StepKind, name: str, before: object, after: object, note: str = "") -> Step:
    return Step(action=action, kind=kind, name=name, changes=view.changes(before, after), note=note)


async def _plan_targets(context: Context, plan: Plan, wishes: tuple[TargetChange, ...], *, prune: bool) -> None:
    named = _named(plan, "targets", wishes, lambda wish: parse_name(wish.name or "", context.config.iqn_prefix))
    current = {target.name: target for target in plan.now.targets}
    for name, (index, wish) in named.items():
        try:
            if name in current:
                await _plan_change(context, plan, current[name], replace(wish, name=name), index, prune=prune)
            else:
                draft = await _merge(context, plan, None, replace(wish, name=name), index)
                target = new_target(context, draft, context.clock())
                plan.created.append(target)
                plan.steps.append(_step("create", "target", name, view.target_view(None), view.target_view(target)))
        except InvalidError as error:
            plan.problems.take(error, "targets", index)
    for target in _others(plan, "target", plan.now.targets, named, lambda each: each.name, prune=prune):
        plan.deleted.append(target)
        plan.steps.append(Step(action="delete", kind="target", name=target.name, note=_TO_TRASH))


async def _plan_change(
    context: Context, plan: Plan, current: Target, wish: TargetChange, index: int, *, prune: bool
) -> None:
    numbers = {lun.lun for lun in wish.luns or ()}
    others = tuple(lun for lun in current.luns if lun.lun not in numbers)
    left = current
    if prune:
        left = replace(current, luns=tuple(lun for lun in current.luns if lun.lun in numbers))
    elif others:
        wish = replace(wish, luns=(*(wish.luns or ()), *(LunChange(lun=lun.lun) for lun in others)))
        plan.kept += [f"LUN {lun.lun} of target {current.name}" for lun in others]
    draft = await _merge(context, plan, left, wish, index)
    stored = {lun.lun: lun for lun in left.luns}
    for lun in draft.luns:
        if lun.lun in stored and stored[lun.lun].volume != lun.volume:
            reason = (
                f"is {stored[lun.lun].volume!r}, and a LUN cannot move to another volume; leave it out or repeat it"
            )
            plan.problems.add(Fault.VOLUME_FIXED, reason, "targets", index, *lun.volume_path)
    added = tuple(new_lun(context, lun) for lun in draft.luns if lun.lun not in stored)
    changed = with_draft(left, draft)
    wanted = replace(changed, luns=tuple(sorted((*changed.luns, *added), key=lambda lun: lun.lun)))
    removed = others if prune else ()
    if wanted != current:
        plan.changed.append(TargetPlan(current=current, wanted=wanted, added=added, removed=removed))
        note = "" if not removed else "LUNs that go are moved to the trash"
        plan.steps.append(
            _step("update", "target", current.name, view.target_view(current), view.target_view(wanted), note)
        )


async def _merge(context: Context, plan: Plan, current: Target | None, wish: TargetChange, index: int) -> TargetDraft:
    """The target as wished, on volumes that there are. What of a kind may change and is not said has its default."""
    usual = LunKind()
    luns = tuple(
        replace(lun, kind={**{name: getattr(usual, name) for name in CHANGEABLE}, **lun.kind})
        if lun.size is not None
        else lun
        for lun in wish.luns or ()
    )
    wish = replace(wish, luns=luns)
    draft = merge_target(current, wish, iqn_prefix=context.config.iqn_prefix, now=context.clock())
    for lun in draft.luns:
        if lun.volume not in plan.volumes:
            known = ", ".join(sorted(plan.volumes)[:20])
            reason = f"{lun.volume!r} is not a volume; right would be one of: {known}"
            plan.problems.add(Fault.VOLUME_UNKNOWN, reason, "targets", index, *lun.volume_path)
    try:
        return await settle_media(context, current, draft, force=False)
    except (InvalidError, ConflictError) as error:
        raise InvalidError(error.problems) from error


def _plan_service(context: Context, plan: Plan, wish: ServiceChange, portals: tuple[Portal, ...] | None) -> None:
    current = plan.now.service
    try:
        wanted = current if portals is None else with_portals(replace(current, port=None), portals or None)
        wanted = merge_service(replace(wanted, port=current.port), wish, now=context.clock())
    except InvalidError as error:
        plan.problems.take(error, "service")
        return
    if wanted != current:
        plan.service = wanted
        ends = current.enabled and not wanted.enabled
        note = "all sessions end" if ends else ""
        plan.steps.append(_step("update", "service", "", view.service_view(current), view.service_view(wanted), note))


def _plan_blocks(context: Context, plan: Plan, document: ConfigDocument, *, prune: bool) -> None:
    now, actor = context.clock(), CURRENT.get().user
    blocks = [wish for wish in document.blocks or () if wish.until is None or wish.until > now]
    current = {each.initiator: each for each in plan.now.blocks}
    named: dict[str, Any] = {}
    for index, wish in enumerate(blocks):
        try:
            block = make_block(initiator=wish.initiator, until=wish.until, note=wish.note, now=now, user=actor)
        except InvalidError as error:
            plan.problems.take(error, "blocks", index)
            continue
        if block.initiator in named:
            plan.problems.add(Fault.NAME_TAKEN, f"{block.initiator!r} is there twice", "blocks", index)
        named[block.initiator] = wish
        before = current.get(block.initiator)
        if view.block_view(before) != view.block_view(block):
            plan.blocks_put.append(block)
            action = "update" if before else "create"
            plan.steps.append(
                _step(action, "block", block.initiator, view.block_view(before), view.block_view(block), _SESSIONS_END)
            )
    standing = [each for each in plan.now.blocks if each.until is None or each.until > now]
    for each in _others(plan, "block", standing, named, lambda each: each.initiator, prune=prune):
        plan.blocks_removed.append(each)
        plan.steps.append(Step(action="delete", kind="block", name=each.initiator, note="it may log in again"))


async def _plan_users(context: Context, plan: Plan, document: ConfigDocument, *, prune: bool) -> None:
    wishes = _named(plan, "users", document.users or (), lambda wish: check_name(wish.name))
    current = {user.name: user for user in plan.now.users}
    left = dict(current)
    for name, (index, wish) in wishes.items():
        user = current.get(name)
        try:
            if wish.password is not None:
                check_password(wish.password)
        except InvalidError as error:
            plan.problems.take(error, "users", index)
            continue
        if user is None and wish.password is None:
            plan.problems.add(Fault.MISSING_FIELD, "is missing; a new user needs one", "users", index, "password")
            continue
        wanted = await _wanted_user(context, user, wish.name, wish.role, wish.password)
        left[name] = wanted
        if wanted != user:
            (plan.users_changed if user else plan.users_added).append(wanted)
            plan.steps.append(_step("update" if user else "create", "user", name, user or {}, wanted))
    for each in _others(plan, "user", plan.now.users, wishes, lambda each: each.name, prune=prune):
        del left[each.name]
        plan.users_removed.append(each)
        plan.steps.append(Step(action="delete", kind="user", name=each.name, note="his tokens go with him"))
    if not any(user.role is Role.ADMIN for user in left.values()):
        plan.problems.add(Fault.USER_LAST_ADMIN, "leaves no administrator; name one", "users")


async def _wanted_user(context: Context, user: User | None, name: str, role: Role, password: str | None) -> User:
    """A password that fits already is no change."""
    hashed = user.password_hash if user else ""
    if password is not None and (user is None or not await asyncio.to_thread(context.hasher.verify, hashed, password)):
        hashed = await asyncio.to_thread(context.hasher.hash, password)
    created_at = user.created_at if user else context.clock()
    return User(name=name, password_hash=hashed, created_at=created_at, role=role)


def _check_removed_volumes(plan: Plan) -> None:
    """A volume that goes must hold no target that stays."""
    gone = {target.name for target in plan.deleted}
    changed = {each.current.name: each.wanted for each in plan.changed}
    staying = [changed.get(each.name, each) for each in plan.now.targets if each.name not in gone] + plan.created
    for volume in plan.volumes_removed:
        holders = [each.name for each in staying if any(lun.volume == volume.name for lun in each.luns)]
        if holders:
            shown = ", ".join(holders[:10]) + (", ..." if len(holders) > 10 else "")
            path: Path = ("volumes",)
            message = f"leave out {volume.name!r}, which holds {shown}; name it, or take these away"
            problem = Problem(fault=Fault.VOLUME_IN_USE, message=message, path=path, blockers=tuple(holders))
            plan.problems.problems.append(problem)
