"""The aged balance at any date: one line a customer and currency, with the totals of everything that matches."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
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
    """The balance at the end of a day; the lines of one page, the largest debts first."""
    items, day = on.items(tenant_id).subquery("owing"), on.day
    narrowed = [*chosen.debtors()]
    both = items.join(model.debtor, of_debtor(items), isouter=not narrowed)
    summed = (func.sum(items.c.owed).label("total"), *buckets(items, day), func.count().label("items"))
    totals = select(items.c.currency, *summed).select_from(both).where(*narrowed).group_by(items.c.currency)
    per = _lines(items, summed).select_from(both).where(*narrowed)
    number = select(func.count()).select_from(
        select(items.c.debtor_id).select_from(both).where(*narrowed).group_by(items.c.debtor_id).subquery()
    )
    ordered = per.order_by(func.sum(items.c.owed).desc(), items.c.debtor_id).limit(size).offset((page - 1) * size)
    return Balance(
        totals=[_aged(row) for row in await db.execute(totals.order_by(func.sum(items.c.owed).desc()))],
        lines=[_customer(row) for row in await db.execute(ordered)],
        customers=int(await db.scalar(number) or 0),
    )


def _lines(items: Any, summed: tuple[Any, ...]) -> Select[Any]:
    debtor = model.debtor
    facts = (debtor.c.name, debtor.c.external_id, debtor.c.profile)
    grouped = (items.c.debtor_id, items.c.entity_id, items.c.currency)
    return select(*grouped, *facts, *summed).group_by(*grouped, *facts)


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
    return Aged(row.currency, Money(int(row.total), row.currency), _ages(row), row.items)


def _customer(row: Any) -> AgedCustomer:
    return AgedCustomer(
        row.currency,
        Money(int(row.total), row.currency),
        _ages(row),
        row.items,
        row.debtor_id,
        row.name,
        row.external_id,
        row.profile,
        row.entity_id,
    )
