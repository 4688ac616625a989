"""The aged balance at any date: one line a customer and currency, with the totals of everything that matches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    Uuid,
    and_,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
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
    asked = _now if on.how == "now" else _then
    both = asked(tenant_id, on, chosen.debtors(), size, (page - 1) * size).subquery("both")
    debtor = model.debtor
    names = (debtor.c.name, debtor.c.external_id, debtor.c.profile)
    of_line = and_(debtor.c.tenant_id == tenant_id, debtor.c.debtor_id == both.c.debtor_id)
    rows = list(await db.execute(select(both, *names).select_from(both.outerjoin(debtor, of_line))))
    lines = sorted((row for row in rows if row.debtor_id), key=lambda row: (-row.total, row.debtor_id.hex))
    sums = sorted((row for row in rows if not row.debtor_id), key=lambda row: -row.total)
    return Balance([_aged(row) for row in sums], [_customer(row) for row in lines], sums[0].customers if sums else 0)


_SUMS = ("total", *AGES, "items")
Narrowed = Sequence[ColumnElement[bool]]


def _nobody() -> list[ColumnElement[Any]]:
    """What stands for the customer where all of them are added up."""
    return [cast(null(), Uuid).label(name) for name in ("debtor_id", "entity_id")]


def _now(tenant_id: UUID, _: Day, narrowed: Narrowed, size: int, offset: int) -> CompoundSelect[Any]:
    """The totals, and the lines of a page, from the accounts: which they are is found by their sums alone."""
    account = model.account
    source = account.join(model.debtor, of_debtor(account)) if narrowed else account
    mine = (account.c.tenant_id == tenant_id, *narrowed)
    sums = [cast(func.sum(account.c[name]), BigInteger).label(name) for name in _SUMS]
    number = select(func.count(account.c.debtor_id.distinct())).select_from(source).where(*mine).scalar_subquery()
    totals = select(*_nobody(), account.c.currency, *sums, number.label("customers")).select_from(source).where(*mine)
    keys = (account.c.debtor_id, account.c.entity_id, account.c.currency)
    total = func.sum(account.c.total)
    which = select(*keys).select_from(source).where(*mine).group_by(*keys)
    cut = which.order_by(total.desc(), *keys[::2]).limit(size).offset(offset).subquery("cut")
    same = and_(account.c.tenant_id == tenant_id, *(each == cut.c[each.name] for each in keys))
    lines = select(*keys, *sums, literal(0)).select_from(cut.join(account, same)).group_by(*keys)
    return union_all(totals.group_by(account.c.currency), lines)


def _then(tenant_id: UUID, on: Day, narrowed: Narrowed, size: int, offset: int) -> CompoundSelect[Any]:
    """The same of a day gone by, whose items are looked through once."""
    per = _counted(tenant_id, on, narrowed).cte("per")
    number = select(func.count(per.c.debtor_id.distinct())).scalar_subquery()
    sums = [cast(func.sum(per.c[name]), BigInteger).label(name) for name in _SUMS]
    totals = select(*_nobody(), per.c.currency, *sums, number.label("customers")).group_by(per.c.currency)
    order = (per.c.total.desc(), per.c.debtor_id, per.c.currency)
    one_page = select(per, literal(0)).order_by(*order).limit(size).offset(offset)
    return union_all(totals, select(one_page.subquery("one_page")))


def _counted(tenant_id: UUID, on: Day, narrowed: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """What every customer owed on a day gone by, a line a currency, from the items."""
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
