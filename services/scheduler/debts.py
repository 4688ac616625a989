"""The debts behind items: what each asked for less credits, and the money that came for it by value date.

The rule it protects: interest, promises, plans and disputes are judged by the same facts.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.charges.interest import Debt, Payment
from services.scheduler.charges.ledger import Told, debt_of
from services.scheduler.store import charges, items

Row = Mapping[str, Any]


async def debts(db: AsyncConnection, tenant: UUID, rows: Sequence[Row]) -> dict[UUID, Debt]:
    """Item → its debt, for rows of items that were invoiced."""
    known = [row for row in rows if row["due_date"] is not None]
    told: dict[UUID, list[Told]] = defaultdict(list)
    if known:
        for fact in await charges.money_of(db, tenant, {row["item_id"] for row in known}):
            told[fact.item_id].append(_told(fact))
    return {row["item_id"]: _debt(row, told[row["item_id"]]) for row in known}


async def of_items(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> tuple[dict[UUID, Debt], int]:
    """The debts of these items, and what they owe together; items of one currency."""
    rows = await items.of_ids(db, tenant, ids)
    return await debts(db, tenant, rows), sum(residual(row) for row in rows)


def payments(found: Mapping[UUID, Debt]) -> list[Payment]:
    """All money for these debts."""
    return [each for debt in found.values() for each in debt.payments]


def residual(row: Row) -> int:
    """What an item owes by its row; nothing once it is cancelled."""
    if _cancelled(row):
        return 0
    minor: int = row["amount_minor"] if row["residual_minor"] is None else row["residual_minor"]
    return minor


def _cancelled(row: Row) -> bool:
    return bool(row["cancelled_version"] >= row["invoice_version"])


def _debt(row: Row, told: Sequence[Told]) -> Debt:
    if _cancelled(row):
        return Debt(row["currency"], row["due_date"], 0)
    amount: int = row["amount_minor"]
    return debt_of(row["currency"], row["due_date"], amount, min(residual(row), amount), told)


def _told(fact: Any) -> Told:
    return Told(
        version=fact.item_version,
        residual=fact.residual_minor,
        cause=fact.cause or "other",
        payment_id=fact.payment_id,
        given=fact.given_minor or 0,
        on=fact.on_date,
    )
