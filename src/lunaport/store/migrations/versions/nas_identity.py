"""An identifier of this NAS, by which others know it again after a restart."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "nas_identity"
down_revision = "lun_encryption"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and give the NAS its identifier."""
    table = op.create_table(
        "identity",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("uuid", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity"),
        sa.CheckConstraint("id = 1", name="ck_identity_single"),
    )
    op.bulk_insert(table, [{"id": 1, "uuid": uuid.uuid4().hex}])


def downgrade() -> None:
    """Forget it."""
    op.drop_table("identity")
