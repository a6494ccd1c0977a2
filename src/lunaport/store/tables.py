"""The tables, as SQLAlchemy Core sees them. The migrations make them; a test compares the two.

`id` columns that users see are AUTOINCREMENT: SQLite then never gives a number twice. A target's name is unique among
those that are not in the trash. Secrets are stored encrypted (`store.key`), times as seconds since 1970.
"""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_DIRECTIONS = "direction IN ('one_way', 'mutual')"
_STATES = "state IN ('creating', 'active', 'trashed')"


def _old_secret() -> tuple[Column[str], Column[bytes], Column[float]]:
    """What a secret has replaced and what is valid for a while: nothing where there is no secret."""
    return (
        Column("old_username", String, nullable=False, server_default=text("''")),
        Column("old_secret", LargeBinary, nullable=True),
        Column("old_valid_until", Float, nullable=False, server_default=text("0")),
    )


REVISION = Table(
    "revision",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("value", Integer, nullable=False),
    Column("key_check", LargeBinary, nullable=True),
)
"""One row: the configuration's counter, and a text encrypted with the key, by which a wrong key is told."""

VOLUME = Table(
    "volume",
    METADATA,
    Column("name", String, primary_key=True),
    Column("path", String, nullable=False),
    Column("overcommit_factor", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("low_space_percent", Integer, nullable=False, server_default=text("10")),
)

TARGET = Table(
    "target",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("state", String, CheckConstraint(_STATES, name="state"), nullable=False),
    Column("header_digest", Boolean, nullable=False),
    Column("data_digest", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("trashed_at", Float, nullable=True),
    Column("revision", Integer, nullable=False),
    Column("iops_max", Integer, nullable=False, server_default=text("0")),
    Column("bytes_per_second_max", Integer, nullable=False, server_default=text("0")),
    Column("draining", Boolean, nullable=False, server_default=text("0")),
    Column("rules", String, nullable=False, server_default=text("'[]'")),
    Column("single_initiator", Boolean, nullable=False, server_default=text("0")),
    Column("portal_groups", String, nullable=False, server_default=text("'[]'")),
    Column("isns", Boolean, nullable=False, server_default=text("1")),
    sqlite_autoincrement=True,
)
Index("uq_target_name", TARGET.c.name, unique=True, sqlite_where=text("state != 'trashed'"))

LUN = Table(
    "lun",
    METADATA,
    Column("uuid", String, primary_key=True),
    Column("target_id", Integer, ForeignKey("target.id", ondelete="CASCADE"), nullable=False),
    Column("lun", Integer, nullable=False),
    Column("volume", String, ForeignKey("volume.name"), nullable=False),
    Column("file", String, nullable=False),
    Column("trash_file", String, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("state", String, CheckConstraint(_STATES, name="state"), nullable=False),
    Column("key", LargeBinary, nullable=True),
    Column("kind", String, server_default="{}", nullable=False),
    Column("medium", String, server_default="{}", nullable=False),
)
"""`kind`, `medium`: what differs from the usual kind of LUN and its medium, as JSON."""
Index("uq_lun_target_id", LUN.c.target_id, LUN.c.lun, unique=True)
Index("ix_lun_volume", LUN.c.volume)

CHAP = Table(
    "chap",
    METADATA,
    Column("target_id", Integer, ForeignKey("target.id", ondelete="CASCADE"), primary_key=True),
    Column(
        "direction",
        String,
        CheckConstraint(_DIRECTIONS, name="direction"),
        primary_key=True,
    ),
    Column("enabled", Boolean, nullable=False),
    Column("username", String, nullable=False),
    Column("secret", LargeBinary, nullable=True),
    Column("secret_changed_at", Float, nullable=False),
    *_old_secret(),
)

CREDENTIAL = Table(
    "credential",
    METADATA,
    Column("target_id", Integer, ForeignKey("target.id", ondelete="CASCADE"), primary_key=True),
    Column("username", String, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("initiators", String, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("secret_changed_at", Float, nullable=False),
    *_old_secret(),
)
"""CHAP names of a target beside the one in `chap`, in the order of their numbers; initiators and rules are JSON."""

DISCOVERY_CHAP = Table(
    "discovery_chap",
    METADATA,
    Column("direction", String, CheckConstraint(_DIRECTIONS, name="direction"), primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("username", String, nullable=False),
    Column("secret", LargeBinary, nullable=True),
    Column("secret_changed_at", Float, nullable=False),
    *_old_secret(),
)

SERVICE = Table(
    "service",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("port", Integer, nullable=True),
    Column("isns", Boolean, nullable=False),
    Column("isns_address", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("discovery_open", Boolean, nullable=False, server_default=text("0")),
    Column("draining", Boolean, nullable=False, server_default=text("0")),
    Column("portals", String, nullable=True),
)
"""`portals` is JSON; NULL: those of the command line."""

BLOCK = Table(
    "block",
    METADATA,
    Column("initiator", String, primary_key=True),
    Column("until", Float, nullable=True),
    Column("note", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("created_by", String, nullable=False),
)

IDENTITY = Table(
    "identity",
    METADATA,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("uuid", String, nullable=False),
)
"""One row: 32 hexadecimal digits, given when the database was made; they never change."""

_ROLES = "role IN ('viewer', 'operator', 'admin')"

USER = Table(
    "user",
    METADATA,
    Column("name", String, primary_key=True),
    Column("password_hash", String, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("role", String, nullable=False, server_default=text("'admin'")),
)

TOKEN = Table(
    "token",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("user", String, ForeignKey("user.name", ondelete="CASCADE"), nullable=False),
    Column("role", String, CheckConstraint(_ROLES, name="role"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=True),
    sqlite_autoincrement=True,
)
Index("uq_token_digest", TOKEN.c.digest, unique=True)
Index("uq_token_user", TOKEN.c.user, TOKEN.c.name, unique=True)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("user", String, nullable=False),
    Column("way", String, nullable=False),
    Column("address", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("request", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("changes", String, nullable=False),
    Column("error", String, nullable=False),
    sqlite_autoincrement=True,
)
"""`request` and `changes` are JSON."""
Index("ix_audit_at", AUDIT.c.at)
