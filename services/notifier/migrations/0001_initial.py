"""The notifier's first tables."""

from alembic import op

from libs.common.migrate import create_all
from services.notifier.tables import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make everything."""
    create_all(op, metadata)
