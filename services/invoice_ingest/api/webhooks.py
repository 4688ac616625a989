"""Signed webhooks: one invoice or credit note a message, committed together with whatever arrives meanwhile."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from libs.common.http import read_json, unfit
from libs.common.webhooks import VerifiedSource, verified_webhook
from services.invoice_ingest.api import answers
from services.invoice_ingest.api.invoices import Here
from services.invoice_ingest.room import Posted, here
from services.invoice_ingest.sources.canonical import CanonicalInvoice

routes = APIRouter(tags=["webhooks"])
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CanonicalInvoice"}}},
    }
}


async def _verified(request: Request) -> VerifiedSource:
    room = here(request)
    return await verified_webhook(request, room.database, room.settings, purpose="invoices")


@routes.post(
    "/v1/webhooks/invoices/{source}",
    responses=answers.ONE,
    response_model=answers.Answer,
    status_code=201,
    openapi_extra=BODY,
)
async def hear_invoice(source: UUID, told: Annotated[VerifiedSource, Depends(_verified)], room: Here) -> Response:
    """Take what a source of ours signed: the answer is that of `POST /v1/invoices`."""
    try:
        invoice = CanonicalInvoice.model_validate(read_json(told.body))
    except ValidationError as error:
        raise unfit(error.errors(include_url=False, include_input=False, include_context=False)) from None
    entity = await room.entity(told.tenant_id, told.entity_id)
    offer = room.offer(entity, invoice, str(source))
    outcome = await room.together.add(Posted(told, offer))
    await room.stopped([outcome])
    return answers.one(outcome)
