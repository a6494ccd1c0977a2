"""The key of a LUN that is encrypted at rest, itself encrypted; disks there were before are not."""

import sqlalchemy as sa
from alembic import op

revision = "lun_encryption"
down_revision = "users_and_audit"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("lun", sa.Column("key", sa.LargeBinary, nullable=True))


def downgrade() -> None:
    """Take it away again."""
    op.drop_column("lun", "key")
