"""Kinds of LUN: what differs from the usual kind is kept with the LUN."""

import sqlalchemy as sa
from alembic import op

revision = "lun_kind"
down_revision = "access"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; every LUN until now is of the usual kind."""
    op.add_column("lun", sa.Column("kind", sa.String, server_default="{}", nullable=False))


def downgrade() -> None:
    """Earlier versions know one kind only."""
    op.drop_column("lun", "kind")
