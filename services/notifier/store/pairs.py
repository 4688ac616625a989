"""Asking for many (tenant, id) at once: the pairs travel as two arrays, so one statement serves any number."""

from collections.abc import Collection
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Select,
    Table,
    TableValuedAlias,
    Uuid,
    and_,
    bindparam,
    func,
    select,
)
from sqlalchemy import column as named
from sqlalchemy.ext.asyncio import AsyncConnection

Pair = tuple[UUID, UUID]


@cache
def pairs() -> TableValuedAlias:
    """The set that `parameters` fills: pair.tenant_id, pair.id."""
    arrays = (bindparam("pair_tenants", type_=ARRAY(Uuid)), bindparam("pair_ids", type_=ARRAY(Uuid)))
    made = func.unnest(*arrays).table_valued(named("tenant_id", Uuid), named("id", Uuid), name="pair")
    return made.render_derived()


def parameters(asked: Collection[Pair]) -> dict[str, Any]:
    ordered = sorted(set(asked))
    return {"pair_tenants": [tenant for tenant, _ in ordered], "pair_ids": [identity for _, identity in ordered]}


def of_pairs(column: Column[Any]) -> ColumnElement[bool]:
    """The rows whose tenant and `column` are one of the pairs."""
    pair = pairs()
    return and_(column.table.c.tenant_id == pair.c.tenant_id, column == pair.c.id)


@cache
def _reading(table: Table, column: Column[Any]) -> Select[Any]:
    return select(table).join(pairs(), of_pairs(column))


async def rows_of(db: AsyncConnection, column: Column[Any], asked: Collection[Pair]) -> list[Any]:
    """All rows of the column's table for these (tenant, id); one statement whatever their number."""
    if not asked:
        return []
    table = column.table
    assert isinstance(table, Table)
    return list(await db.execute(_reading(table, column), parameters(asked)))
