"""`/api/v1/config/export` and `/api/v1/config/import`: the configuration as an encrypted file."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from lunaport.api.v1_models import Document, example
from lunaport.api.v1_routes import CHANGING, described_body, errors
from lunaport.api.v1_words import read_document, when
from lunaport.service.actions import ExportBackup, ImportBackup, ImportReport, PlanImport
from lunaport.service.nas import Nas

Passphrase = Annotated[
    str, Field(description="12 to 1024 bytes. Without it nobody reads the file.", json_schema_extra={"writeOnly": True})
]


class ExportIn(Document):
    """What a backup shall be encrypted with."""

    model_config = example({"passphrase": "correct horse battery"})

    passphrase: Passphrase


class KdfOut(Document):
    """How the key comes from the passphrase: Argon2id (RFC 9106)."""

    name: str
    time_cost: int
    memory_kib: int
    parallelism: int
    salt: str


class BackupOut(Document):
    """A backup: keep this document as a file. All but `content` can be read by anybody."""

    format: str
    version: int
    program: str = Field(description="The version of Lunaport that wrote it.")
    created_at: float = Field(description="Seconds since 1970.")
    kdf: KdfOut
    nonce: str
    check: str
    content: str = Field(description="AES-256-GCM, base64.")


class ImportIn(Document):
    """A backup to restore."""

    model_config = example({"backup": {"format": "lunaport-backup"}, "passphrase": "correct horse battery"})

    backup: dict[str, Any] = Field(description="The document of an export.")
    passphrase: Passphrase
    replace: bool = Field(default=False, description="Also where something is configured already; it is replaced.")
    missing: Literal["wait", "create"] = Field(
        default="wait",
        description="Disks whose file is not there. `wait`: they are served when it is; `create`: they become empty.",
    )
    plan: bool = Field(default=False, description="Change nothing, say what would be.")


class LunFindingOut(Document):
    """How the file of a LUN is."""

    target: str
    lun: int
    path: str
    state: Literal["present", "grown", "in_trash", "created", "missing", "cut", "no_key"] = Field(
        description="Served are those that are `present`, `grown` (with all of the file), `in_trash` (taken out of it) "
        "and `created` (empty). `missing`, `cut` and `no_key` are not, until their file is put right."
    )
    advice: str


class ImportOut(Document):
    """What an import did, or would do."""

    applied: bool
    program: str = Field(description="The version of Lunaport that wrote the backup.")
    created_at: datetime
    targets: int
    volumes: int
    users: int
    replaces: list[str] = Field(description="What was configured before.")
    luns: list[LunFindingOut]
    volume_problems: list[str] = Field(description="Volumes whose directory cannot be had now.")
    left: list[str] = Field(description="Files that no target uses any more. They stay where they are.")


def import_out(report: ImportReport) -> ImportOut:
    """A report as a document."""
    return ImportOut(
        applied=report.applied,
        program=report.program,
        created_at=when(report.created_at),
        targets=report.targets,
        volumes=report.volumes,
        users=report.users,
        replaces=list(report.replaces),
        luns=[
            LunFindingOut(target=each.target, lun=each.lun, path=each.path, state=each.state, advice=each.advice)
            for each in report.luns
        ],
        volume_problems=list(report.volume_problems),
        left=list(report.left),
    )


def add_backup_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.post(
        "/config/export",
        tags=["configuration"],
        operation_id="export_config",
        responses=errors(*CHANGING),
        openapi_extra=described_body(ExportIn),
    )
    async def export_config(request: Request, response: Response) -> BackupOut:
        """Everything that is configured, secrets and keys too, encrypted. For administrators."""
        document = await read_document(request, ExportIn)
        backup = await nas.perform(ExportBackup(passphrase=document.passphrase))
        day = datetime.fromtimestamp(backup["created_at"], UTC).strftime("%Y-%m-%d")
        response.headers["Content-Disposition"] = f'attachment; filename="lunaport-{day}.backup"'
        return BackupOut(**backup)

    @router.post(
        "/config/import",
        tags=["configuration"],
        operation_id="import_config",
        responses=errors(*CHANGING),
        openapi_extra=described_body(ImportIn),
    )
    async def import_config(request: Request) -> ImportOut:
        """Restore a backup: all of it, or nothing. Its users and passwords hold from then on. For administrators."""
        document = await read_document(request, ImportIn)
        create = document.missing == "create"
        if document.plan:
            plan = PlanImport(document=document.backup, passphrase=document.passphrase, create_missing=create)
            return import_out(await nas.perform(plan))
        action = ImportBackup(
            document=document.backup,
            passphrase=document.passphrase,
            replace=document.replace,
            create_missing=create,
        )
        return import_out(await nas.perform(action))
