"""Media of LUNs: which image lies in a CD-ROM drive, and whether the medium is taken out."""

import sqlalchemy as sa
from alembic import op

revision = "lun_medium"
down_revision = "low_space"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; every LUN until now is a disk with its own medium in it."""
    op.add_column("lun", sa.Column("medium", sa.String, server_default="{}", nullable=False))


def downgrade() -> None:
    """Earlier versions know no other medium."""
    op.drop_column("lun", "medium")
