"""A question that a list asks, and what it gets: which lines, in which order, how many match and what they sum to.

Every list of the console asks with a `Question` and is answered with `Found`, so that a page, its paging and its
Excel file show the same lines in the same order.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.ledger import PAGE, Chosen

MOST = 100_000
"""Lines of one Excel file."""


@dataclass(frozen=True)
class Question:
    """Which lines somebody wants to see. `picks` are the list's own choices; `order` names one of its columns."""

    tenant_id: UUID
    day: date
    chosen: Chosen
    picks: Mapping[str, str] = field(default_factory=dict)
    order: str = ""
    down: bool = False
    limit: int = PAGE
    offset: int = 0

    def whole(self) -> "Question":
        """The same lines, not cut into pages."""
        return replace(self, limit=MOST, offset=0)

    def cut(
        self, asked: Select[Any], ways: Mapping[str, Any], *last: ColumnElement[Any], told: bool = False
    ) -> Select[Any]:
        """`asked` in the wanted order and cut: `ways` says what each column is ordered by, `last` makes it total.

        What has no value comes last, both ways. `told`: all have values, so an index gives the order either way.
        """
        way = ways.get(self.order)
        ordered = None if way is None else way.desc() if self.down else way.asc()
        first = [] if ordered is None else [ordered if told else ordered.nulls_last()]
        if told and self.down:
            last = tuple(each.desc() for each in last)
        return asked.order_by(*first, *last).limit(self.limit).offset(self.offset)


@dataclass(frozen=True)
class Found:
    """Some lines of a list, how many match in all, and what those sum to, one sum a currency."""

    lines: Sequence[Any]
    count: int
    sums: Sequence[Money] = ()


Read = Callable[[AsyncConnection, Question], Awaitable[Found]]
