"""When the space of a volume is scarce: initiators are told of it from now on, at the share that is the default."""

import sqlalchemy as sa
from alembic import op

revision = "low_space"
down_revision = "portal_groups"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("volume", sa.Column("low_space_percent", sa.Integer, nullable=False, server_default=sa.text("10")))


def downgrade() -> None:
    """Take it away again."""
    op.drop_column("volume", "low_space_percent")
