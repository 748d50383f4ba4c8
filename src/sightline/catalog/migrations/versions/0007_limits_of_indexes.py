"""limits of indexes"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("indexes", sa.Column("max_age_s", sa.Float(), nullable=False, server_default="0"))
    op.add_column("indexes", sa.Column("max_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("indexes", sa.Column("deleting", sa.Boolean(), nullable=False, server_default="0"))
