"""Set-based writing: rows in one statement, in the order of their ids, and only where they are newer.

Two processes that write the same rows take them in the same order, so neither waits for the other in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Table, literal_column, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from libs.common.sets import columns, given

Row = Mapping[str, Any]


@cache
def _newer(table: Table, names: tuple[str, ...], version: str) -> Insert:
    rows = given(table, names)
    keys = [column.name for column in table.primary_key]
    adding = insert(table).from_select(list(names), select(*rows.c).order_by(*(rows.c[key] for key in keys)))
    told = {name: adding.excluded[name] for name in names if name not in keys}
    newer = adding.excluded[version] > table.c[version]
    return adding.on_conflict_do_update(index_elements=keys, set_=told, where=newer)


@cache
def _newer_told(table: Table, names: tuple[str, ...], identity: str) -> ReturningInsert[tuple[UUID, bool]]:
    new = literal_column("old.tenant_id is null", Boolean).label("new")
    return _newer(table, names, "version").returning(table.c[identity].label("identity"), new)


@cache
def _once(table: Table, names: tuple[str, ...]) -> Insert:
    rows = given(table, names)
    keys = [rows.c[column.name] for column in table.primary_key]
    return insert(table).from_select(list(names), select(*rows.c).order_by(*keys)).on_conflict_do_nothing()


async def keep(db: AsyncConnection, table: Table, rows: Iterable[Row], version: str = "version") -> None:
    """Write rows of equal shape; each column of a row only together with its `version`, and only if that is higher.

    Of rows with one identity the highest version is written.
    """
    if best := _best(table, rows, version):
        await db.execute(_newer(table, tuple(best[0]), version), columns(best))


async def keep_new(db: AsyncConnection, table: Table, rows: Iterable[Row], identity: str) -> set[UUID]:
    """`keep`, answering the `identity` of the rows that were not there in any version before."""
    best = _best(table, rows, "version")
    found = await db.execute(_newer_told(table, tuple(best[0]), identity), columns(best))
    return {row.identity for row in found if row.new}


def _best(table: Table, rows: Iterable[Row], version: str) -> list[Row]:
    """Of rows with one identity the one with the highest version."""
    best: dict[tuple[Any, ...], Row] = {}
    keys = [column.name for column in table.primary_key]
    for row in rows:
        identity = tuple(row[key] for key in keys)
        if identity not in best or row[version] > best[identity][version]:
            best[identity] = row
    return list(best.values())


async def add(db: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Write rows that never change; those that are there stay as they are."""
    if rows:
        await db.execute(_once(table, tuple(rows[0])), columns(rows))
