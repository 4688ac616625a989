"""Writing whole lists at once: rows that are new are added, rows that are older are overwritten, never newer ones."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from libs.common.errors import RelanceError
from libs.common.sets import adding, columns, given


class Raced(RelanceError):
    """Another transaction wrote the same row in between: look again and decide again."""

    code = "raced"


@cache
def _raising(table: Table, names: tuple[str, ...]) -> ReturningInsert[Any]:
    made = insert(table).from_select(list(names), select(*given(table, names).c))
    keys = [column.name for column in table.primary_key]
    told = {name: made.excluded[name] for name in names if name not in keys}
    return made.on_conflict_do_update(
        index_elements=keys, set_=told, where=table.c.version < made.excluded.version
    ).returning(table.c.version)


async def raise_rows(db: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that carry a `version`, each once. Raises Raced when a row stands at that version already."""
    if not rows:
        return
    written = await db.execute(_raising(table, tuple(rows[0])), columns(rows))
    if len(written.all()) != len(rows):
        raise Raced


async def add_rows(db: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows; those that are there already are left as they are."""
    if rows:
        await db.execute(adding(table, tuple(rows[0])), columns(rows))
