"""Writing whole lists at once: rows that are new are added, rows that are older are overwritten, never newer ones."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Select, Table, TableValuedAlias, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from libs.common.errors import RelanceError
from libs.common.sets import adding, columns, given


class Raced(RelanceError):
    """Another transaction wrote the same row in between: look again and decide again."""

    code = "raced"


def each(
    table: Table, asked: TableValuedAlias, by: Sequence[str], take: Sequence[str], *, lock: bool = False
) -> Select[Any]:
    """The columns `take` of `table` for every row of `asked`, looked up by the columns `by`, in the order of `asked`.

    A lateral sub-select with a limit: one look-up a row by the key, whatever the planner believes of a tenant's size.
    As a plain join it may read all rows of the tenant; and as the tenants' policy asks for the tenant too, a second
    equality with it would let the planner believe that hardly a row has it, hence `is not distinct from`.
    """
    same = [table.c[name] == asked.c[name] for name in by]
    mine = table.c.tenant_id.is_not_distinct_from(asked.c.tenant_id)
    found = select(*(table.c[name] for name in take)).where(*same, mine).limit(1)
    inner = (found.with_for_update(of=table) if lock else found).lateral()
    return select(*inner.c).select_from(asked.join(inner, true()))


@cache
def _raising(table: Table, names: tuple[str, ...]) -> ReturningInsert[Any]:
    made = insert(table).from_select(list(names), select(*given(table, names).c))
    keys = [column.name for column in table.primary_key]
    told = {column.name: made.excluded[column.name] for column in table.c if column.name not in keys}
    return made.on_conflict_do_update(
        index_elements=keys, set_=told, where=table.c.version < made.excluded.version
    ).returning(table.c.version)


async def raise_rows(db: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that carry a `version`, each once and whole: a column that is left out gets its default.

    Raises Raced when a row stands at that version already.
    """
    if not rows:
        return
    written = await db.execute(_raising(table, tuple(rows[0])), columns(rows))
    if len(written.all()) != len(rows):
        raise Raced


async def add_rows(db: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows; those that are there already are left as they are."""
    if rows:
        await db.execute(adding(table, tuple(rows[0])), columns(rows))
