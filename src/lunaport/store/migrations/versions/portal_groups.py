"""Portals that are set while the NAS runs, the portal groups of targets, and targets that iSNS is not told of."""

import sqlalchemy as sa
from alembic import op

revision = "portal_groups"
down_revision = "lun_kind"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The portals are those of the command line, and every target is served through all of them, as before."""
    op.add_column("service", sa.Column("portals", sa.String, nullable=True))
    op.add_column("target", sa.Column("portal_groups", sa.String, nullable=False, server_default=sa.text("'[]'")))
    op.add_column("target", sa.Column("isns", sa.Boolean, nullable=False, server_default=sa.text("1")))


def downgrade() -> None:
    """Take it all away again."""
    op.drop_column("target", "isns")
    op.drop_column("target", "portal_groups")
    op.drop_column("service", "portals")
