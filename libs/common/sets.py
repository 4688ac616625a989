"""Sets in: rows handed to SQL as one array per column, the statement built once per table and column list.

The rule it protects: a store function asks once for a whole list, never once per row. Building such a statement
costs half a millisecond, hence the caches; tables live as long as the process.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Table, TableValuedAlias, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert


@cache
def given(table: Table, names: tuple[str, ...]) -> TableValuedAlias:
    """The rows of `columns(rows)` as a set that SQL can join: `given(t, ("id", "state")).c.id`."""
    # One dimension, said aloud: else a list in a JSON column is taken for a second one.
    arrays = [bindparam("given_" + name, type_=ARRAY(table.c[name].type, dimensions=1)) for name in names]
    return (
        func.unnest(*arrays)
        .table_valued(*[column(name, table.c[name].type) for name in names], name="given")
        .render_derived(name="given")
    )


@cache
def inserting(table: Table, names: tuple[str, ...]) -> Insert:
    """Insert the rows of `columns(rows)`, any number of them: a list of VALUES ends at 32,767 parameters."""
    return insert(table).from_select(list(names), select(*given(table, names).c))


@cache
def adding(table: Table, names: tuple[str, ...]) -> Insert:
    """Insert the rows of `columns(rows)`; those that are there already are left as they are."""
    return inserting(table, names).on_conflict_do_nothing()


@cache
def keeping(table: Table, names: tuple[str, ...], version: str) -> Insert:
    """Insert the rows of `columns(rows)`; one that is there is replaced by a higher version only."""
    put = inserting(table, names)
    told = {name: put.excluded[name] for name in names if not table.c[name].primary_key}
    newer = put.excluded[version] > table.c[version]
    return put.on_conflict_do_update(index_elements=list(table.primary_key), set_=told, where=newer)


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The parameters of `given` and `adding`. All rows have the keys of the first; there is at least one row."""
    return {"given_" + name: [row[name] for row in rows] for name in rows[0]}
