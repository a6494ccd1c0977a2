"""Whether discovery tells of every target; no, until somebody says so."""

import sqlalchemy as sa
from alembic import op

revision = "discovery_open"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("service", sa.Column("discovery_open", sa.Boolean, nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    """Take it away again."""
    op.drop_column("service", "discovery_open")
