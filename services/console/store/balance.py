"""The aged balance at any date: one line a customer and currency, with the totals of everything that matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Select, Uuid, and_, cast, func, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.projections.kept import AGES
from services.console.store.ledger import BUCKETS, PAGE, Chosen, buckets, ends, of_debtor
from services.console.store.past import Day
from services.console.tables import read_model as model


@dataclass(frozen=True, slots=True)
class Aged:
    """What is owed in one currency, by age."""

    currency: str
    total: Money
    ages: list[Money]
    items: int


@dataclass(frozen=True, slots=True)
class AgedCustomer(Aged):
    """One customer's line."""

    debtor_id: UUID
    name: str | None
    number: str | None
    profile: str | None
    entity_id: UUID


@dataclass(frozen=True, slots=True)
class Balance:
    """A page of the balance and the totals of all that matches, one a currency, the largest first."""

    totals: list[Aged]
    lines: list[AgedCustomer]
    customers: int


async def aged(
    db: AsyncConnection, tenant_id: UUID, on: Day, chosen: Chosen, *, page: int = 1, size: int = PAGE
) -> Balance:
    """The balance at the end of a day; the lines of one page, the largest debts first, and the totals of all.

    Today's is read from the accounts: settle them before.
    """
    narrowed = chosen.debtors()
    per = (_kept(tenant_id, narrowed) if on.how == "now" else _counted(tenant_id, on, narrowed)).cte("per")
    customers = func.count(per.c.debtor_id.distinct())
    summed = [func.sum(per.c[name]).label(name) for name in _SUMS]
    nobody = [cast(null(), Uuid).label(name) for name in ("debtor_id", "entity_id")]
    totals = select(*nobody, per.c.currency, *summed, customers.label("customers")).group_by(per.c.currency)
    number = select(customers).scalar_subquery()
    order = (per.c.total.desc(), per.c.debtor_id, per.c.currency)
    one_page = select(per, number.label("customers")).order_by(*order).limit(size).offset((page - 1) * size)
    both = union_all(totals, select(one_page.subquery("one_page"))).subquery("both")
    debtor = model.debtor
    names = (debtor.c.name, debtor.c.external_id, debtor.c.profile)
    of_line = and_(debtor.c.tenant_id == tenant_id, debtor.c.debtor_id == both.c.debtor_id)
    rows = list(await db.execute(select(both, *names).select_from(both.outerjoin(debtor, of_line))))
    lines = sorted((row for row in rows if row.debtor_id), key=lambda row: (-row.total, row.debtor_id.hex))
    sums = sorted((row for row in rows if not row.debtor_id), key=lambda row: -row.total)
    count = lines[0].customers if lines else await db.scalar(select(number)) if sums else 0
    return Balance([_aged(row) for row in sums], [_customer(row) for row in lines], int(count or 0))


_SUMS = ("total", *AGES, "items")


def _kept(tenant_id: UUID, narrowed: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """What every customer owes now, a line a currency, from the accounts."""
    account = model.account
    keys = (account.c.debtor_id, account.c.entity_id, account.c.currency)
    asked = select(*keys, *(cast(func.sum(account.c[name]), BigInteger).label(name) for name in _SUMS))
    if narrowed:
        asked = asked.select_from(account.join(model.debtor, of_debtor(account)))
    return asked.where(account.c.tenant_id == tenant_id, *narrowed).group_by(*keys)


def _counted(tenant_id: UUID, on: Day, narrowed: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """The same of a day gone by, from the items."""
    items = on.items(tenant_id).subquery("owing")
    keys = (items.c.debtor_id, items.c.entity_id, items.c.currency)
    sums = (func.sum(items.c.owed).label("total"), *buckets(items, on.day), func.count().label("items"))
    asked = select(*keys, *(cast(each, BigInteger).label(each.name) for each in sums))
    if narrowed:
        asked = asked.select_from(items.join(model.debtor, of_debtor(items)))
    return asked.where(*narrowed).group_by(*keys)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the balance: of one customer or of all, of one age or of all, in one currency."""

    currency: str
    debtor_id: UUID | None = None
    age: int | None = None


@dataclass(frozen=True, slots=True)
class Owing:
    """One item of a cell, as it stood that day."""

    invoice_id: UUID
    number: str | None
    document_id: UUID | None
    debtor_id: UUID
    name: str | None
    issue_date: date | None
    due_date: date
    late: int
    owed: Money


@dataclass(frozen=True, slots=True)
class Items:
    """A page of a cell's items, how many there are and what they sum to: the figure of the cell."""

    lines: list[Owing]
    count: int
    total: Money


async def items(
    db: AsyncConnection, tenant_id: UUID, on: Day, chosen: Chosen, cell: Cell, *, limit: int = PAGE, offset: int = 0
) -> Items:
    """What a cell of the balance is made of, the oldest first."""
    owing, debtor, invoice = on.items(tenant_id).subquery("owing"), model.debtor, model.invoice
    narrowed = [owing.c.currency == cell.currency, *chosen.debtors(), *_of(owing, on.day, cell)]
    both = owing.join(debtor, of_debtor(owing), isouter=len(chosen.debtors()) == 0)
    of_invoice = and_(invoice.c.tenant_id == owing.c.tenant_id, invoice.c.invoice_id == owing.c.invoice_id)
    facts = (owing.c.invoice_id, owing.c.debtor_id, owing.c.issue_date, owing.c.due_date, owing.c.owed, debtor.c.name)
    asked = select(*facts, invoice.c.number, invoice.c.document_id).select_from(both.outerjoin(invoice, of_invoice))
    ordered = asked.where(*narrowed).order_by(owing.c.due_date, owing.c.item_id).limit(limit).offset(offset)
    summed = select(func.count(), func.coalesce(func.sum(owing.c.owed), 0)).select_from(both).where(*narrowed)
    count, total = (await db.execute(summed)).one()
    lines = [_owing(row, on.day, cell.currency) for row in await db.execute(ordered)]
    return Items(lines, int(count), Money(int(total), cell.currency))


def _of(owing: Any, day: date, cell: Cell) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if cell.debtor_id is not None:
        found.append(owing.c.debtor_id == cell.debtor_id)
    if cell.age is not None:
        found.append(ends(owing, day)[cell.age])
    return found


def _owing(row: Any, day: date, currency: str) -> Owing:
    return Owing(
        row.invoice_id,
        row.number,
        row.document_id,
        row.debtor_id,
        row.name,
        row.issue_date,
        row.due_date,
        (day - row.due_date).days,
        Money(int(row.owed), currency),
    )


def _ages(row: Any) -> list[Money]:
    return [Money(int(getattr(row, f"b{index}")), row.currency) for index in range(BUCKETS)]


def _aged(row: Any) -> Aged:
    return Aged(row.currency, Money(int(row.total), row.currency), _ages(row), int(row.items))


def _customer(row: Any) -> AgedCustomer:
    return AgedCustomer(
        row.currency,
        Money(int(row.total), row.currency),
        _ages(row),
        int(row.items),
        row.debtor_id,
        row.name,
        row.external_id,
        row.profile,
        row.entity_id,
    )
