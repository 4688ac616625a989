"""The matching schema: open items, payments, allocations, statements, identities."""

from alembic import op

from libs.common.migrate import create_all
from services.payment_matching.tables import matching

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make everything."""
    create_all(op, matching)
