"""Limits and draining of targets, draining of the NAS, blocked initiators; none of it until somebody says so."""

import sqlalchemy as sa
from alembic import op

revision = "steering"
down_revision = "nas_identity"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and table."""
    for name in ("iops_max", "bytes_per_second_max"):
        op.add_column("target", sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0")))
    for table in ("target", "service"):
        op.add_column(table, sa.Column("draining", sa.Boolean, nullable=False, server_default=sa.text("0")))
    op.create_table(
        "block",
        sa.Column("initiator", sa.String, nullable=False),
        sa.Column("until", sa.Float, nullable=True),
        sa.Column("note", sa.String, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("created_by", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("initiator", name="pk_block"),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("block")
    op.drop_column("service", "draining")
    for name in ("draining", "bytes_per_second_max", "iops_max"):
        op.drop_column("target", name)
