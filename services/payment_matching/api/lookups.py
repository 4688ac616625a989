"""What our other services ask for when a page is drawn: payers' names and texts, which events do not carry."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from libs.common.auth import Caller, requires_service
from libs.common.errors import Refused
from libs.common.http import Wire
from services.payment_matching.api import wire
from services.payment_matching.api.payments import Here
from services.payment_matching.store import lists, proposals

routes = APIRouter(tags=["internal"])
MOST = 100
Ids = Annotated[list[UUID], Field(max_length=MOST)]


class Asked(Wire):
    """Up to 100 ids in all."""

    payments: Ids = []
    items: Ids = []
    suggestions: Ids = []
    """Payments whose likeliest suggestion is wanted."""


class Found(BaseModel):
    """What is known, by id; unknown ids are left out."""

    payments: dict[UUID, wire.PaymentOut]
    items: dict[UUID, wire.ItemOut]
    suggestions: dict[UUID, wire.SuggestionOut]


@routes.post("/internal/v1/lookups")
async def look_up(asked: Asked, caller: Annotated[Caller, Depends(requires_service())], room: Here) -> Found:
    """Payments with payer, text, allocations and what of them waits; items; the likeliest suggestion of a payment."""
    if len(asked.payments) + len(asked.items) + len(asked.suggestions) > 2 * MOST:
        raise Refused(f"At most {2 * MOST} ids a call.", field="body", remedy="Ask in several calls.")
    tenant = caller.tenant_id
    async with room.database.transaction(tenant) as db:
        rows = await lists.some_payments(db, tenant, asked.payments)
        names = await lists.external_ids(db, tenant, asked.payments)
        given = await lists.allocations(db, tenant, asked.payments)
        waits = await proposals.waiting(db, tenant, asked.payments)
        best = await lists.first_suggestions(db, tenant, asked.suggestions)
        meant = {item for row in best for item in row.items}
        items = await lists.some_items(db, tenant, {*asked.items, *meant})
    payments = {
        row.payment_id: wire.payment(
            row, names.get(row.payment_id), given.get(row.payment_id, ()), waits.get(row.payment_id)
        )
        for row in rows
    }
    return Found(
        payments=payments,
        items={one: wire.item(row) for one, row in items.items() if one in set(asked.items)},
        suggestions={row.payment_id: wire.suggestion(row, items, row.paid_currency, "fr") for row in best},
    )
