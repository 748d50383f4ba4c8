"""settings of props, transforms, event types, tags and collections; macros with validation"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stanzas",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("app", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("updated", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "app", "name"),
    )
    with op.batch_alter_table("macros") as macros:
        macros.add_column(sa.Column("validation", sa.Text(), nullable=False, server_default=""))
        macros.add_column(sa.Column("errormsg", sa.Text(), nullable=False, server_default=""))
        macros.add_column(sa.Column("iseval", sa.Boolean(), nullable=False, server_default=sa.false()))
        macros.add_column(sa.Column("app", sa.String(length=200), nullable=False, server_default="search"))
