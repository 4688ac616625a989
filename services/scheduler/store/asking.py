"""Small pieces of SQL that every room of the store uses."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Column, ColumnElement, Uuid, any_, literal


def among(column: ColumnElement[Any] | Column[Any], ids: Collection[UUID]) -> ColumnElement[bool]:
    """The column is one of these ids: one parameter, so the statement's text does not change with their number."""
    return column == any_(literal(sorted(ids), ARRAY(Uuid)))


def plain(row: Any) -> dict[str, Any]:
    """A row as a dictionary."""
    found: Mapping[str, Any] = row._mapping
    return dict(found)
