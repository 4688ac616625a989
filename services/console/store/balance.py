"""The aged balance at any date: one line a customer and currency, with the totals of everything that matches."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.ledger import BUCKETS, PAGE, Chosen, buckets, items_on, of_debtor, open_items
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
    db: AsyncConnection, tenant_id: UUID, day: date, today: date, chosen: Chosen, *, page: int = 1
) -> Balance:
    """The balance at the end of `day`; the lines of one page, the largest debts first."""
    items = (open_items(tenant_id) if day >= today else items_on(tenant_id, day)).subquery("owing")
    narrowed = [*chosen.debtors()]
    both = items.join(model.debtor, of_debtor(items), isouter=not narrowed)
    summed = (func.sum(items.c.owed).label("total"), *buckets(items, day), func.count().label("items"))
    totals = select(items.c.currency, *summed).select_from(both).where(*narrowed).group_by(items.c.currency)
    per = _lines(items, summed).select_from(both).where(*narrowed)
    number = select(func.count()).select_from(
        select(items.c.debtor_id).select_from(both).where(*narrowed).group_by(items.c.debtor_id).subquery()
    )
    ordered = per.order_by(func.sum(items.c.owed).desc(), items.c.debtor_id).limit(PAGE).offset((page - 1) * PAGE)
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
