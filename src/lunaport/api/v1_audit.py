"""`/api/v1/audit`."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from lunaport.api.v1_models import Document
from lunaport.api.v1_routes import READING, errors
from lunaport.api.v1_words import PAGE_COUNT_DEFAULT, PAGE_COUNT_MAX, make_cursor, parse_cursor, parse_limit, when
from lunaport.model.audit import AuditEntry, Outcome
from lunaport.service.nas import Nas


class ChangeOut(Document):
    """A field before and after; null: there was, or is, nothing."""

    before: Any
    after: Any


class AuditEntryOut(Document):
    """A change that somebody asked for. Secrets stand as `(secret)` and `(changed)`."""

    id: int
    at: datetime
    user: str
    way: str = Field(description="`password`, or `token` and its name.")
    address: str
    action: str = Field(description="Such as `update_target`.")
    subject: str = Field(description="Such as `target iqn.2026-11.io.lunaport:vm-disk`.")
    request: dict[str, Any] = Field(description="What was asked for.")
    outcome: Outcome = Field(description="`begun`: a crash cut it off, and the next start finished or undid it.")
    changes: dict[str, ChangeOut] = Field(description="By the path of the field.")
    error: str


class AuditPage(Document):
    """A page of the audit log, the newest entry first."""

    items: list[AuditEntryOut]
    next_cursor: str | None = Field(description="Give it as `cursor` to get older entries; null on the last page.")


def entry_out(entry: AuditEntry) -> AuditEntryOut:
    """An entry as a document."""
    return AuditEntryOut(
        id=entry.id,
        at=when(entry.at),
        user=entry.user,
        way=entry.way,
        address=entry.address,
        action=entry.action,
        subject=entry.subject,
        request=entry.request,
        outcome=entry.outcome,
        changes={path: ChangeOut(before=before, after=after) for path, (before, after) in entry.changes.items()},
        error=entry.error,
    )


def add_audit_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get("/audit", tags=["audit"], operation_id="list_audit", responses=errors(*READING, 403, 422))
    async def list_audit(
        limit: Annotated[str, Query(description=f"1 to {PAGE_COUNT_MAX}.")] = str(PAGE_COUNT_DEFAULT),
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
        user: Annotated[str | None, Query(description="Only what this user asked for.")] = None,
        subject: Annotated[str | None, Query(description="Only what is about exactly this.")] = None,
    ) -> AuditPage:
        """Who changed what, when, from where. For administrators."""
        count = parse_limit(limit)
        before_id = None if cursor is None else parse_cursor(cursor)
        found = await nas.audit(before_id=before_id, count_max=count + 1, user=user, subject=subject)
        page = found[:count]
        return AuditPage(
            items=[entry_out(entry) for entry in page],
            next_cursor=make_cursor(page[-1].id) if len(found) > count else None,
        )

    async def lines() -> AsyncIterator[str]:
        before_id: int | None = None
        while found := await nas.audit(before_id=before_id, count_max=PAGE_COUNT_MAX):
            for entry in found:
                yield f"{entry_out(entry).model_dump_json()}\n"
            before_id = found[-1].id

    @router.get(
        "/audit/export",
        tags=["audit"],
        operation_id="export_audit",
        response_class=StreamingResponse,
        responses={
            **errors(*READING, 403),
            200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}, "description": "The log."},
        },
    )
    async def export_audit() -> StreamingResponse:
        """The whole log, an entry a line as JSON, the newest first. For administrators."""
        return StreamingResponse(lines(), media_type="application/x-ndjson")
