"""What is owed and since when: the pieces that the questions about customers, invoices and balances are made of.

An item is open while it owes; it is overdue from the day after its due date. Days gone by are those of `past`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, Subquery, and_, func, literal, or_, select, true

from services.console.tables import read_model as model

EDGES = (0, 30, 60, 90)
"""Days overdue at which the buckets of the aged balance end: not due, 1-30, 31-60, 61-90, more."""
BUCKETS = len(EDGES) + 1
PAGE = 100


@dataclass(frozen=True)
class Chosen:
    """What a list is narrowed to; the same words stand in the page's address.

    `mine` are the portfolios of whoever looks, when only those are wanted. `only` are the sales owners to whom this
    person's sight is limited; None where it is not.
    """

    entity: UUID | None = None
    collector: str = ""
    profile: str = ""
    words: str = ""
    mine: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None

    def debtors(self) -> list[ColumnElement[bool]]:
        """The conditions on debtors."""
        debtor = model.debtor
        found: list[ColumnElement[bool]] = []
        if self.entity is not None:
            found.append(debtor.c.entity_id == self.entity)
        if self.collector:
            found.append(debtor.c.collector == self.collector)
        if self.profile:
            found.append(debtor.c.profile == self.profile)
        if self.words:
            found.append(named(self.words))
        if self.mine:
            found.append(or_(debtor.c.collector.in_(self.mine), debtor.c.sales_owner.in_(self.mine)))
        if self.only is not None:
            found.append(within(self.only))
        return found


def within(only: Sequence[str] | None) -> ColumnElement[bool]:
    """Debtors that somebody may see who is limited to the accounts of these sales owners; all when it is None."""
    return true() if only is None else model.debtor.c.sales_owner.in_(list(only))


def named(words: str) -> ColumnElement[bool]:
    """Debtors whose name holds these words, or whose number begins with them."""
    debtor = model.debtor
    start = begins(words)
    return or_(func.lower(debtor.c.name).like("%" + start), func.lower(debtor.c.external_id).like(start))


def begins(words: str) -> str:
    """The pattern of what begins with these words, in small letters."""
    return words.strip().lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def numbered(words: str) -> ColumnElement[bool]:
    """Invoices whose number begins with these words. A function that may look at rows before the walls around
    tenants are checked, so that its index is used."""
    return func.starts_with(model.invoice.c.number_key, words.strip().lower())


def owed() -> ColumnElement[int]:
    """What an item owes now, in minor units."""
    item = model.item
    amount: ColumnElement[int] = func.coalesce(item.c.residual, item.c.amount)
    return amount


def open_now() -> ColumnElement[bool]:
    """That an item owes now, as its indexes say it."""
    return and_(~model.item.c.gone, owed() != 0)


def owes_exactly(minor: int) -> ColumnElement[bool]:
    """That an item owes this amount now, said so that the indexes of both columns are used: a comparison of what is
    worked out of them may not be made before the walls around tenants."""
    item = model.item
    rest = and_(item.c.residual != 0, item.c.residual == minor)
    return and_(open_now(), or_(item.c.amount == minor, rest), owed() == minor)


def open_items(tenant_id: UUID) -> Select[Any]:
    """Every item that owes now."""
    item = model.item
    return _items(owed()).where(item.c.tenant_id == tenant_id, open_now(), item.c.due_date.is_not(None))


def _items(left: ColumnElement[int]) -> Select[Any]:
    item = model.item
    facts = ("tenant_id", "item_id", "invoice_id", "entity_id", "debtor_id", "issue_date", "due_date", "currency")
    return select(*(item.c[name] for name in facts), left.label("owed"))


def buckets(items: Subquery, day: date) -> Sequence[ColumnElement[int]]:
    """The sums of what is owed by age on a day, not due first."""
    zero = literal(0)
    return [
        func.coalesce(func.sum(items.c.owed).filter(end), zero).label(f"b{index}")
        for index, end in enumerate(ends(items, day))
    ]


def ends(items: FromClause, day: date) -> Sequence[ColumnElement[bool]]:
    """The conditions that an item has each of the ages on a day, not due first."""
    ages = [day - timedelta(days=edge) for edge in EDGES]
    between = [and_(items.c.due_date < newer, items.c.due_date >= older) for newer, older in pairwise(ages)]
    return [items.c.due_date >= ages[0], *between, items.c.due_date < ages[-1]]


def overdue(items: Subquery, day: date) -> ColumnElement[int]:
    """The sum of what is overdue on a day."""
    total: ColumnElement[int] = func.coalesce(func.sum(items.c.owed).filter(items.c.due_date < day), 0)
    return total.label("overdue")


def of_debtor(items: FromClause) -> ColumnElement[bool]:
    """The join of items and their debtors."""
    debtor = model.debtor
    return and_(debtor.c.tenant_id == items.c.tenant_id, debtor.c.debtor_id == items.c.debtor_id)


def of_payer(table: Any) -> ColumnElement[bool]:
    """The join of a table that names payers and their files."""
    debtor = model.debtor
    return and_(debtor.c.tenant_id == table.c.tenant_id, debtor.c.debtor_id == table.c.payer_id)
