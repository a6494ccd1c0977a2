"""`/api/v1/audit`."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from lunaport.api.answers import refuse
from lunaport.api.v1_models import Document
from lunaport.api.v1_routes import READING, errors
from lunaport.api.v1_words import (
    PAGE_COUNT_DEFAULT,
    PAGE_COUNT_MAX,
    make_cursor,
    parse_cursor,
    parse_limit,
    parse_when,
    when,
)
from lunaport.model.audit import AuditEntry, AuditFilter, Outcome
from lunaport.model.errors import Fault
from lunaport.service.nas import Nas

FORMS: Final = {"ndjson": "application/x-ndjson", "csv": "text/csv"}
CSV_COLUMNS: Final = (
    "id",
    "at",
    "user",
    "way",
    "address",
    "action",
    "subject",
    "outcome",
    "error",
    "request",
    "changes",
)


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


User = Annotated[str | None, Query(description="Only what this user asked for.")]
Subject = Annotated[str | None, Query(description="Only what is about exactly this.")]
ActionName = Annotated[str | None, Query(description="Only these actions, such as `delete_target`.")]
Since = Annotated[
    str | None,
    Query(description="Not before this time with its zone (RFC 3339).", json_schema_extra={"format": "date-time"}),
]
Until = Annotated[
    str | None,
    Query(description="Before this time with its zone (RFC 3339).", json_schema_extra={"format": "date-time"}),
]


def audit_filter(
    user: User = None, subject: Subject = None, action: ActionName = None, since: Since = None, until: Until = None
) -> AuditFilter:
    """What the parameters of a request look for. Raises RequestError."""
    return AuditFilter(
        user=user,
        subject=subject,
        action=action,
        since=parse_when(since, "since"),
        until=parse_when(until, "until"),
    )


def csv_line(cells: Iterable[object]) -> str:
    """A line of CSV (RFC 4180). No cell is a formula to a program that shows tables: such a text gets a `'`."""
    line = io.StringIO()
    csv.writer(line).writerow([_cell(cell) for cell in cells])
    return line.getvalue()


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def csv_entry(entry: AuditEntry) -> str:
    """An entry as a line of CSV, under CSV_COLUMNS."""
    document = entry_out(entry).model_dump(mode="json")
    return csv_line(
        json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
        for value in (document[name] for name in CSV_COLUMNS)
    )


async def exported(nas: Nas, wanted: AuditFilter, form: str) -> AsyncIterator[str]:
    """The log, an entry a line, the newest first."""
    if form == "csv":
        yield csv_line(CSV_COLUMNS)
    before_id: int | None = None
    while found := await nas.audit(before_id=before_id, count_max=PAGE_COUNT_MAX, wanted=wanted):
        for entry in found:
            yield csv_entry(entry) if form == "csv" else f"{entry_out(entry).model_dump_json()}\n"
        before_id = found[-1].id


def add_audit_routes(router: APIRouter, nas: Nas) -> None:
    """Add the routes."""

    @router.get("/audit", tags=["audit"], operation_id="list_audit", responses=errors(*READING, 403, 422))
    async def list_audit(
        wanted: Annotated[AuditFilter, Depends(audit_filter)],
        limit: Annotated[str, Query(description=f"1 to {PAGE_COUNT_MAX}.")] = str(PAGE_COUNT_DEFAULT),
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    ) -> AuditPage:
        """Who changed what, when, from where. For administrators."""
        count = parse_limit(limit)
        before_id = None if cursor is None else parse_cursor(cursor)
        found = await nas.audit(before_id=before_id, count_max=count + 1, wanted=wanted)
        page = found[:count]
        return AuditPage(
            items=[entry_out(entry) for entry in page],
            next_cursor=make_cursor(page[-1].id) if len(found) > count else None,
        )

    @router.get(
        "/audit/export",
        tags=["audit"],
        operation_id="export_audit",
        response_class=StreamingResponse,
        responses={
            **errors(*READING, 403, 422),
            200: {
                "content": {media: {"schema": {"type": "string"}} for media in FORMS.values()},
                "description": "The log.",
            },
        },
    )
    async def export_audit(
        wanted: Annotated[AuditFilter, Depends(audit_filter)],
        form: Annotated[
            str,
            Query(alias="format", description="`ndjson`: JSON lines; `csv`.", json_schema_extra={"enum": list(FORMS)}),
        ] = "ndjson",
    ) -> StreamingResponse:
        """The whole log, or what the parameters look for, an entry a line, the newest first. For administrators."""
        if form not in FORMS:
            raise refuse(Fault.PARAMETER_INVALID, f"is not one of: {', '.join(FORMS)}", "format")
        return StreamingResponse(exported(nas, wanted, form), media_type=FORMS[form])
