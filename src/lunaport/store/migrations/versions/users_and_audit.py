"""Roles of users, tokens, and the audit log. Who was a user before may do everything, as before."""

import sqlalchemy as sa
from alembic import op

revision = "users_and_audit"
down_revision = "discovery_open"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the tables."""
    op.add_column("user", sa.Column("role", sa.String, nullable=False, server_default=sa.text("'admin'")))
    op.create_table(
        "token",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.CheckConstraint("role IN ('viewer', 'operator', 'admin')", name="ck_token_role"),
        sa.ForeignKeyConstraint(["user"], ["user.name"], name="fk_token_user", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_token_digest", "token", ["digest"], unique=True)
    op.create_index("uq_token_user", "token", ["user", "name"], unique=True)
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        *(
            sa.Column(name, sa.String, nullable=False)
            for name in ("user", "way", "address", "action", "subject", "request", "outcome", "changes", "error")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_at", "audit", ["at"])


def downgrade() -> None:
    """Take it all away again."""
    op.drop_table("audit")
    op.drop_table("token")
    op.drop_column("user", "role")
