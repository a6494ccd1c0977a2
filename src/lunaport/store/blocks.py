"""Statements on blocked initiators. Each function runs inside the caller's transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from lunaport.model.block import Block
from lunaport.store import rows
from lunaport.store.tables import BLOCK
from lunaport.store.targets import next_revision


def read(connection: Connection) -> Sequence[Block]:
    """All of them, by name; those whose time is over too."""
    return [rows.block_of(row) for row in connection.execute(select(BLOCK).order_by(BLOCK.c.initiator)).mappings()]


def put(connection: Connection, block: Block) -> None:
    """Add one, in place of an earlier one of the same initiator."""
    remove(connection, block.initiator)
    connection.execute(
        insert(BLOCK).values(
            initiator=block.initiator,
            until=block.until,
            note=block.note,
            created_at=block.created_at,
            created_by=block.created_by,
        )
    )


def remove(connection: Connection, initiator: str) -> None:
    """Take one away."""
    next_revision(connection)
    connection.execute(delete(BLOCK).where(BLOCK.c.initiator == initiator))
