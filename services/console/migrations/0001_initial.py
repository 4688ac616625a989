"""The console's schema: the directory's master, people and sessions, the audit chain, the read model."""

from alembic import op

from libs.common.migrate import create_all
from services.console.people.lookup import lookup_functions
from services.console.tables import console

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make everything. The audit can only be added to, by whichever role."""
    create_all(op, console)
    for statement in lookup_functions("console"):
        op.execute(statement)
    op.execute("revoke update, delete on audit from console_api, console_loop")
