"""The scheduler's schema: cases, items, occurrences, holds and what keeps silent, policies."""

from alembic import op

from libs.common.migrate import create_all
from services.scheduler.tables import scheduler

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make everything."""
    create_all(op, scheduler)
