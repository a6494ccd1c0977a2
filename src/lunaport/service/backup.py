"""Backup and restore of the configuration.

Restoring is one transaction in the database, then the wire. What was configured before is put back when the engine
refuses; after a crash in between, the next start serves the backup. No file that holds data is overwritten or removed:
those of targets that go stay where they are, and those that the backup knows are used again.
"""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from lunaport import __version__
from lunaport.engine.interface import EngineError
from lunaport.model.backup import BackupContent, Configuration, check_configuration
from lunaport.model.errors import Fault, InvalidError, invalid
from lunaport.model.iscsi_service import IscsiService
from lunaport.model.lun import Lun
from lunaport.model.target import Target
from lunaport.model.volume import DEFAULT_VOLUME, check_apart
from lunaport.service.actions import ExportBackup, ImportBackup, ImportReport, LunFinding, PlanImport
from lunaport.service.actor import CURRENT
from lunaport.service.backup_file import Document, check_passphrase, seal, unseal
from lunaport.service.context import LOG, Context, Undo, engine_errors
from lunaport.service.desired import Places, make_places
from lunaport.service.errors import ConflictError
from lunaport.service.serving import whole_state

SHOWN_MAX: Final = 20
"""Names in a message; the whole list stands beside it."""


async def export_backup(context: Context, action: ExportBackup) -> Document:
    """Carry out ExportBackup."""
    check_passphrase(action.passphrase)
    content = await context.store.dump()
    return await asyncio.to_thread(
        seal,
        content,
        action.passphrase,
        program=__version__,
        created_at=context.clock(),
        random_bytes=secrets.token_bytes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Import:
    """A backup that has been looked at, beside what is here. `in_trash`: uuid of a LUN to where its file lies."""

    content: BackupContent
    new: Configuration
    places: Places
    report: ImportReport
    in_trash: Mapping[str, str]


async def plan_import(context: Context, action: PlanImport) -> ImportReport:
    """Carry out PlanImport."""
    async with engine_errors():
        return (await _look(context, action)).report


async def import_backup(context: Context, action: ImportBackup) -> ImportReport:
    """Carry out ImportBackup."""
    async with engine_errors():
        wanted = await _look(context, action)
        replaces = wanted.report.replaces
        if replaces and not action.replace:
            shown = ", ".join(replaces[:SHOWN_MAX]) + (", ..." if len(replaces) > SHOWN_MAX else "")
            raise ConflictError(
                Fault.CONFIG_PRESENT, f"is needed: the backup would take the place of {shown}", ("replace",), replaces
            )
        before = await context.store.dump()
        problems = await _make_volumes(context, wanted)
        async with Undo() as undo:
            await _create_missing(context, wanted, undo)
            await context.store.load(wanted.content, stamp=True)
            undo.push(partial(put_back, context, before))
            for target, lun in _luns(wanted.new):
                if lun.uuid in wanted.in_trash:
                    path, trash = wanted.places.path(lun.volume, lun.file), wanted.in_trash[lun.uuid]
                    LOG.info("the file of %s comes back from the trash: %s", target.name, path)
                    await context.engine.move_file(trash, path)
                    undo.push(partial(context.engine.move_file, path, trash))
            await context.engine.start(await whole_state(context))
    for path in wanted.report.left:
        LOG.warning("no target uses %s any more; it stays where it is", path)
    return replace(wanted.report, applied=True, volume_problems=problems)


async def put_back(context: Context, before: BackupContent) -> None:
    """Serve again what was configured before."""
    await context.store.load(before, stamp=False)
    await context.engine.start(await whole_state(context))


async def _look(context: Context, action: PlanImport | ImportBackup) -> _Import:
    """What an import would do. Raises InvalidError, EngineError."""
    content = await asyncio.to_thread(unseal, action.document, action.passphrase)
    content, new = await context.store.renewed(content)
    check_configuration(new)
    places = _places(context, new)
    now = await context.store.configuration()
    in_trash = await _trashed_files(context, now)
    findings, sizes = [], {}
    for target, lun in _luns(new):
        finding, size_bytes = await _find(context, target, lun, places, in_trash)
        findings.append(_created(finding) if action.create_missing and finding.state == "missing" else finding)
        sizes[lun.uuid] = size_bytes
    report = ImportReport(
        applied=False,
        program=str(action.document["program"])[:64],
        created_at=float(action.document["created_at"]),
        targets=len(new.targets),
        volumes=len(new.volumes),
        users=len(new.users),
        replaces=tuple(_replaced(now)),
        luns=tuple(findings),
        left=tuple(await _left(context, now, new)),
    )
    kept = {lun.uuid: in_trash[lun.uuid] for lun in _only(findings, "in_trash", new) if lun.uuid in in_trash}
    return _Import(content=_resized(content, sizes), new=new, places=places, report=report, in_trash=kept)


def _luns(configuration: Configuration) -> list[tuple[Target, Lun]]:
    return [(target, lun) for target in configuration.targets for lun in target.luns]


def _only(findings: Sequence[LunFinding], state: str, new: Configuration) -> list[Lun]:
    return [lun for finding, (_, lun) in zip(findings, _luns(new), strict=True) if finding.state == state]


def _places(context: Context, new: Configuration) -> Places:
    """Where the volumes of the backup stand here. Raises InvalidError."""
    volumes = [context.with_path(volume) for volume in new.volumes]
    default = [volume for volume in volumes if volume.name == DEFAULT_VOLUME]
    for volume in volumes:
        if volume.name != DEFAULT_VOLUME:
            try:
                check_apart(volume, default)
            except InvalidError as error:
                raise invalid(Fault.BACKUP_INVALID, f"does not fit here: {volume.name}: {error}", "backup") from error
    return make_places(volumes)


async def _trashed_files(context: Context, now: Configuration) -> dict[str, str]:
    places = await context.places()
    return {lun.uuid: places.path(lun.volume, lun.file) for each in now.trashed for lun in each.luns if lun.is_moved}


async def _find(
    context: Context, target: Target, lun: Lun, places: Places, in_trash: Mapping[str, str]
) -> tuple[LunFinding, int]:
    """How the file of a LUN is, and the size to serve it with: all of a file that has grown since."""
    path = places.path(lun.volume, lun.file)
    finding = LunFinding(target=target.name, lun=lun.lun, path=path, state="present")
    try:
        report = await context.engine.find_file(path)
        if report.size_bytes is None and lun.uuid in in_trash:
            found = await context.engine.find_file(in_trash[lun.uuid])
            if found.size_bytes is not None:
                report = found
                advice = f"it is taken out of the trash: {in_trash[lun.uuid]}"
                finding = replace(finding, state="in_trash", advice=advice)
    except EngineError as error:
        return replace(finding, state="missing", advice=f"it cannot be looked at: {error}"), lun.size_bytes
    if report.size_bytes is None and not lun.size_bytes:
        return replace(finding, state="created", advice="it has no data of its own, and its file is made anew"), 0
    if report.size_bytes is None:
        advice = "put the file back there, and it is served within seconds; or import with missing disks made empty"
        return replace(finding, state="missing", advice=advice), lun.size_bytes
    if report.size_bytes < lun.size_bytes:
        advice = f"it has {report.size_bytes} bytes of {lun.size_bytes}: put the whole file back; it is not served so"
        return replace(finding, state="cut", advice=advice), lun.size_bytes
    if lun.key and not report.has_key:
        advice = f"put {path}.key back beside it: without it the disk cannot be read, and is not served"
        return replace(finding, state="no_key", advice=advice), lun.size_bytes
    whole = report.size_bytes // lun.kind.block_size_bytes * lun.kind.block_size_bytes
    if whole > lun.size_bytes and finding.state == "present":
        finding = replace(finding, state="grown", advice=f"it has grown since the backup: served with {whole} bytes")
    return finding, whole


def _created(finding: LunFinding) -> LunFinding:
    return replace(finding, state="created", advice="its file is not there: it becomes a new, empty disk")


def _resized(content: BackupContent, sizes: Mapping[str, int]) -> BackupContent:
    rows = [{**row, "size_bytes": sizes.get(row["uuid"], row["size_bytes"])} for row in content.tables["lun"]]
    return replace(content, tables={**content.tables, "lun": rows})


def _replaced(now: Configuration) -> list[str]:
    """What is configured here and would not be any more; who asks is no reason, for somebody has to."""
    found = [f"target {each.name}" for each in now.targets]
    found += [f"deleted target {each.name} (in the trash)" for each in now.trashed]
    found += [f"volume {each.name}" for each in now.volumes if each.name != DEFAULT_VOLUME]
    found += [f"block of {each.initiator}" for each in now.blocks]
    found += [f"user {each.name}" for each in now.users if each.name != CURRENT.get().user]
    found += [f"token {each.user}/{each.name}" for each in now.tokens]
    if now.service != IscsiService(revision=now.service.revision):
        found.append("settings of the service")
    return found


async def _left(context: Context, now: Configuration, new: Configuration) -> list[str]:
    places = await context.places()
    known = {lun.uuid for _, lun in _luns(new)} | {lun.uuid for each in new.trashed for lun in each.luns}
    here: list[Any] = [lun for _, lun in _luns(now)] + [lun for each in now.trashed for lun in each.luns]
    return [places.path(lun.volume, lun.file) for lun in here if lun.uuid not in known]


async def _make_volumes(context: Context, wanted: _Import) -> tuple[str, ...]:
    """Make the directories; one that cannot be made (its disk is not mounted yet) is no reason to restore nothing."""
    problems = []
    for volume in wanted.new.volumes:
        try:
            await context.engine.make_volume(context.with_path(volume).path)
        except EngineError as error:
            problems.append(f"volume {volume.name}: {error}")
    return tuple(problems)


async def _create_missing(context: Context, wanted: _Import, undo: Undo) -> None:
    for lun in _only(wanted.report.luns, "created", wanted.new):
        path = wanted.places.path(lun.volume, lun.file)
        await context.engine.create_file(path, lun.size_bytes, key=lun.key)
        undo.push(partial(context.engine.remove_file, path))
