"""The schema of invoice_ingest: debtors, invoices, instalments, credits, documents, imports, quarantine."""

from alembic import op

from libs.common.migrate import create_all
from services.invoice_ingest.tables import ingest

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make everything."""
    create_all(op, ingest)
