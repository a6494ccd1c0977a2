"""Access rules, more CHAP users of a target, old secrets that stay valid for a while, CHAP of discovery."""

import sqlalchemy as sa
from alembic import op

revision = "access"
down_revision = "steering"
branch_labels = None
depends_on = None


def _old_secret() -> tuple[sa.Column[str], sa.Column[bytes], sa.Column[float]]:
    return (
        sa.Column("old_username", sa.String, nullable=False, server_default=sa.text("''")),
        sa.Column("old_secret", sa.LargeBinary, nullable=True),
        sa.Column("old_valid_until", sa.Float, nullable=False, server_default=sa.text("0")),
    )


def upgrade() -> None:
    """Everybody may use what there is, as before."""
    op.add_column("target", sa.Column("rules", sa.String, nullable=False, server_default=sa.text("'[]'")))
    op.add_column("target", sa.Column("single_initiator", sa.Boolean, nullable=False, server_default=sa.text("0")))
    for column in _old_secret():
        op.add_column("chap", column)
    op.create_table(
        "credential",
        sa.Column("target_id", sa.Integer, nullable=False),
        sa.Column("username", sa.String, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("initiators", sa.String, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("secret_changed_at", sa.Float, nullable=False),
        *_old_secret(),
        sa.PrimaryKeyConstraint("target_id", "username", name="pk_credential"),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name="fk_credential_target_id", ondelete="CASCADE"),
    )
    op.create_table(
        "discovery_chap",
        sa.Column("direction", sa.String, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("username", sa.String, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=True),
        sa.Column("secret_changed_at", sa.Float, nullable=False),
        *_old_secret(),
        sa.PrimaryKeyConstraint("direction", name="pk_discovery_chap"),
        sa.CheckConstraint("direction IN ('one_way', 'mutual')", name="ck_discovery_chap_direction"),
    )


def downgrade() -> None:
    """Take it all away again."""
    op.drop_table("discovery_chap")
    op.drop_table("credential")
    for name in ("old_valid_until", "old_secret", "old_username"):
        op.drop_column("chap", name)
    op.drop_column("target", "single_initiator")
    op.drop_column("target", "rules")
