"""Signed webhooks: one payment, or one return, a message; committed together with whatever arrives meanwhile."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ValidationError
from sqlalchemy import text

from libs.common.errors import NotFound
from libs.common.http import read_json, unfit
from libs.common.webhooks import VerifiedSource, verified_webhook
from services.payment_matching.api import incoming
from services.payment_matching.api.payments import CREATED, Here, answer, reverse_one
from services.payment_matching.errors import AlreadyReversed
from services.payment_matching.room import Room

routes = APIRouter(tags=["webhooks"])
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PaymentIn"}}},
    }
}
_NAMED = text("""
    select t.payment_id from payment_telling t
     where t.tenant_id = :tenant and t.name = :name and t.channel = any(cast(:channels as text[]))
     order by t.channel desc limit 1
""")


async def _verified(request: Request) -> VerifiedSource:
    return await verified_webhook(request, purpose="payments")


def _read(kind: type[BaseModel], body: Any) -> Any:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise unfit(error.errors(include_url=False, include_input=False, include_context=False)) from None


@routes.post("/v1/webhooks/payments/{source}", status_code=201, responses=CREATED, openapi_extra=BODY)
async def hear_payment(
    source: UUID, told: Annotated[VerifiedSource, Depends(_verified)], room: Here, response: Response
) -> incoming.Answer:
    """Take what a source of ours signed: `payment.received`, or `payment.reversed` with the return's code."""
    body = read_json(told.body)
    if isinstance(body, dict) and body.get("type") == "payment.reversed":
        response.status_code = 200
        return await _reversed(room, told, _read(incoming.ReversalTold, body))
    payment: incoming.PaymentIn = _read(incoming.PaymentIn, body)
    entity = await room.entity(told.tenant_id, told.entity_id)
    taken = await room.post(told, payment.new(told.tenant_id, entity.entity_id, _channel(told)))
    return answer(taken, payment.external_id, response)


def _channel(told: VerifiedSource) -> str:
    return f"webhook:{told.source_id}"


async def _reversed(room: Room, told: VerifiedSource, reversal: incoming.ReversalTold) -> incoming.Answer:
    """The second telling of a whole return changes nothing. Raises NotFound for a payment nobody told."""
    asked = {"tenant": told.tenant_id, "name": reversal.external_id, "channels": [_channel(told), "api"]}
    async with room.database.transaction(told.tenant_id) as db:
        payment = await db.scalar(_NAMED, asked)
    if payment is None:
        raise NotFound(f"There is no payment {reversal.external_id}.", field="external_id")
    result: incoming.Answer = incoming.Answer(result="created", id=payment, external_id=reversal.external_id)
    try:
        await reverse_one(room, told.tenant_id, payment, reversal, _channel(told))
    except AlreadyReversed:
        return result.model_copy(update={"result": "unchanged"})
    return result
