"""the app and the name under which a dashboard was imported"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dashboards", sa.Column("app", sa.String(length=200), nullable=False, server_default="search"))
    op.add_column("dashboards", sa.Column("view", sa.String(length=200), nullable=True))
    op.create_index("ix_dashboards_app_view", "dashboards", ["app", "view"], unique=True)
