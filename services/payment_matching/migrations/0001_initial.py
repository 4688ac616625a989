"""The matching schema: open items, payments, allocations, statements, identities."""

from collections.abc import Iterator

from alembic import op
from sqlalchemy import Table, Uuid, text

from libs.common.migrate import create_all
from services.payment_matching import tables, tables_decided, tables_learned, tables_ledger  # noqa: F401 - they fill the metadata
from services.payment_matching.tables_columns import matching

revision = "0001"
down_revision = None

_SEED = text("""
    select pg_restore_attribute_stats(
        'schemaname', current_schema()::text, 'relname', cast(:table as text), 'attname', cast(:column as text),
        'inherited', false, 'version', 180000,
        'null_frac', 0::real, 'avg_width', 16, 'n_distinct', cast(:distinct as real))
""")
_RARE = frozenset({"key", "value", "name", "reference", "account", "fingerprint", "external_id", "number"})


def upgrade() -> None:
    """Make everything, and tell the planner what the columns will hold.

    Until the first ANALYZE it would believe that every column has 200 values and read whole tenants to find one row.
    """
    create_all(op, matching)
    for table in matching.sorted_tables:
        for column, distinct in _expected(table):
            told = {"table": table.name, "column": column, "distinct": distinct}
            op.get_bind().execute(_SEED, told)


def _expected(table: Table) -> Iterator[tuple[str, float]]:
    """Column → how many values: few tenants and entities, a share of the rows (negative) for everything else."""
    for column in table.c:
        if column.name in ("tenant_id", "entity_id"):
            yield column.name, 1
        elif isinstance(column.type, Uuid) or column.name in _RARE:
            yield column.name, -1 if column.primary_key else -0.2
