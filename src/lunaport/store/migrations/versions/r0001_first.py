"""The first form: targets with LUNs and CHAP, volumes, the service object, users."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATES = "state IN ('creating', 'active', 'trashed')"


def upgrade() -> None:
    """Make every table, and the rows that are always there."""
    _make_single_row_tables()
    _make_target_tables()
    op.execute(sa.text("INSERT INTO revision (id, value) VALUES (1, 1)"))
    op.execute(sa.text("INSERT INTO volume (name, path, overcommit_factor, revision) VALUES ('default', '', 10, 1)"))
    op.execute(
        sa.text("INSERT INTO service (id, enabled, port, isns, isns_address, revision) VALUES (1, 1, NULL, 0, '', 1)")
    )


def _make_single_row_tables() -> None:
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("value", sa.Integer, nullable=False),
        sa.Column("key_check", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_revision"),
        sa.CheckConstraint("id = 1", name="ck_revision_single"),
    )
    op.create_table(
        "service",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("port", sa.Integer, nullable=True),
        sa.Column("isns", sa.Boolean, nullable=False),
        sa.Column("isns_address", sa.String, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_service"),
        sa.CheckConstraint("id = 1", name="ck_service_single"),
    )
    op.create_table(
        "user",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_user"),
    )


def _make_target_tables() -> None:
    op.create_table(
        "volume",
        sa.Column("name", sa.String, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("overcommit_factor", sa.Float, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_volume"),
    )
    op.create_table(
        "target",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("header_digest", sa.Boolean, nullable=False),
        sa.Column("data_digest", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("trashed_at", sa.Float, nullable=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_target"),
        sa.CheckConstraint(_STATES, name="ck_target_state"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_target_name", "target", ["name"], unique=True, sqlite_where=sa.text("state != 'trashed'"))
    op.create_table(
        "lun",
        sa.Column("uuid", sa.String, nullable=False),
        sa.Column("target_id", sa.Integer, nullable=False),
        sa.Column("lun", sa.Integer, nullable=False),
        sa.Column("volume", sa.String, nullable=False),
        sa.Column("file", sa.String, nullable=False),
        sa.Column("trash_file", sa.String, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("uuid", name="pk_lun"),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name="fk_lun_target_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["volume"], ["volume.name"], name="fk_lun_volume"),
        sa.CheckConstraint(_STATES, name="ck_lun_state"),
    )
    op.create_index("uq_lun_target_id", "lun", ["target_id", "lun"], unique=True)
    op.create_index("ix_lun_volume", "lun", ["volume"])
    op.create_table(
        "chap",
        sa.Column("target_id", sa.Integer, nullable=False),
        sa.Column("direction", sa.String, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("username", sa.String, nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=True),
        sa.Column("secret_changed_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("target_id", "direction", name="pk_chap"),
        sa.ForeignKeyConstraint(["target_id"], ["target.id"], name="fk_chap_target_id", ondelete="CASCADE"),
        sa.CheckConstraint("direction IN ('one_way', 'mutual')", name="ck_chap_direction"),
    )


def downgrade() -> None:
    """There is nothing before the first form."""
    raise NotImplementedError("there is nothing before the first revision")
