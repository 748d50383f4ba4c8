"""tokens in query strings"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tokens", sa.Column("allow_query_string", sa.Boolean(), nullable=False, server_default="0"))
