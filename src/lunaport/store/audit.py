"""The audit log in the database."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from lunaport.model.audit import AuditEntry, AuditFilter, Outcome
from lunaport.store.tables import AUDIT

JSON_CHARS_MAX: Final = 65536
"""Of a request or its changes; what is longer is not kept, and said so."""


def _json(value: Mapping[str, object]) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= JSON_CHARS_MAX else json.dumps({"": [None, "too long to be kept"]})


def _entry_of(row: RowMapping) -> AuditEntry:
    changes: dict[str, Any] = json.loads(row["changes"])
    return AuditEntry(
        id=row["id"],
        at=row["at"],
        user=row["user"],
        way=row["way"],
        address=row["address"],
        action=row["action"],
        subject=row["subject"],
        request=json.loads(row["request"]),
        outcome=Outcome(row["outcome"]),
        changes={path: (before, after) for path, (before, after) in changes.items()},
        error=row["error"],
    )


def begin(connection: Connection, entry: AuditEntry) -> int:
    """Add an entry; returns its id."""
    result = connection.execute(
        insert(AUDIT).values(
            at=entry.at,
            user=entry.user,
            way=entry.way,
            address=entry.address,
            action=entry.action,
            subject=entry.subject,
            request=_json(entry.request),
            outcome=entry.outcome.value,
            changes=_json(entry.changes),
            error=entry.error,
        )
    )
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def end(
    connection: Connection, entry_id: int, outcome: Outcome, subject: str, changes: Mapping[str, object], error: str
) -> None:
    """Say what became of it."""
    connection.execute(
        update(AUDIT)
        .where(AUDIT.c.id == entry_id)
        .values(outcome=outcome.value, subject=subject, changes=_json(changes), error=error)
    )


def read(connection: Connection, *, before_id: int | None, count_max: int, wanted: AuditFilter) -> Sequence[AuditEntry]:
    """Entries, the newest first."""
    query = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(count_max)
    if before_id is not None:
        query = query.where(AUDIT.c.id < before_id)
    for name in ("user", "subject", "action"):
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(AUDIT.c[name] == value)
    if wanted.since is not None:
        query = query.where(AUDIT.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AUDIT.c.at < wanted.until)
    return [_entry_of(row) for row in connection.execute(query).mappings()]


def forget(connection: Connection, before: float) -> int:
    """Drop the entries of before a time; returns how many."""
    return int(connection.execute(delete(AUDIT).where(AUDIT.c.at < before)).rowcount)
