"""Payments: what came in, and what of it nobody has given to an invoice yet."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.ledger import PAGE, Chosen, named
from services.console.tables import read_model as model

State = Literal["left", "matched", "reversed", "all"]


@dataclass(frozen=True, slots=True)
class Payments:
    """A page of payments, how many match, and what of them is left, one sum a currency."""

    lines: list[dict[str, Any]]
    count: int
    left: list[Money]


async def listed(
    db: AsyncConnection, tenant_id: UUID, chosen: Chosen, state: State = "left", page: int = 1
) -> Payments:
    """Payments, the newest first."""
    payment, debtor = model.payment, model.debtor
    of_payer = and_(debtor.c.tenant_id == payment.c.tenant_id, debtor.c.debtor_id == payment.c.payer_id)
    both = payment.outerjoin(debtor, of_payer)
    mine = [payment.c.tenant_id == tenant_id, *_state(state), *_narrowed(chosen)]
    shown = select(payment, debtor.c.name, debtor.c.external_id).select_from(both).where(*mine)
    newest = shown.order_by(payment.c.value_date.desc(), payment.c.payment_id).limit(PAGE).offset((page - 1) * PAGE)
    sums = select(payment.c.currency, func.count(), func.sum(payment.c.unapplied)).select_from(both).where(*mine)
    totals = list(await db.execute(sums.group_by(payment.c.currency)))
    lines = [_line(dict(row._mapping)) for row in await db.execute(newest)]
    return Payments(lines, sum(row[1] for row in totals), [Money(int(row[2]), row[0]) for row in totals])


def _line(told: dict[str, Any]) -> dict[str, Any]:
    currency = told["currency"]
    return told | {"money": Money(told["amount"], currency), "rest": Money(told["unapplied"], currency)}


def _state(state: State) -> list[ColumnElement[bool]]:
    payment = model.payment
    alive = payment.c.state != "reversed"
    return {
        "left": [payment.c.unapplied != 0, alive],
        "matched": [payment.c.unapplied == 0, alive],
        "reversed": [~alive],
        "all": [],
    }[state]


def _narrowed(chosen: Chosen) -> list[ColumnElement[bool]]:
    found = []
    if chosen.entity is not None:
        found.append(model.payment.c.entity_id == chosen.entity)
    if chosen.words:
        found.append(named(chosen.words))
    return found


async def of_payer(db: AsyncConnection, tenant_id: UUID, payer_id: UUID, most: int = 20) -> list[dict[str, Any]]:
    """One payer's payments, the newest first."""
    payment = model.payment
    asked = select(payment).where(payment.c.tenant_id == tenant_id, payment.c.payer_id == payer_id)
    newest = asked.order_by(payment.c.value_date.desc(), payment.c.payment_id).limit(most)
    return [_line(dict(row._mapping)) for row in await db.execute(newest)]
