"""Signed webhooks: one invoice or credit note a message, committed together with whatever arrives meanwhile."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from libs.common.http import read_json, unfit
from libs.common.webhooks import verified_webhook
from services.invoice_ingest.api import answers
from services.invoice_ingest.room import Posted, here
from services.invoice_ingest.sources.canonical import CanonicalInvoice

routes = APIRouter(tags=["webhooks"])
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CanonicalInvoice"}}},
    }
}


@routes.post(
    "/v1/webhooks/invoices/{source}",
    responses=answers.ONE,
    response_model=answers.Answer,
    status_code=201,
    openapi_extra=BODY,
)
async def hear_invoice(source: UUID, request: Request) -> Response:
    """Take what a source of ours signed: the answer is that of `POST /v1/invoices`."""
    room = here(request)
    told = await verified_webhook(request, purpose="invoices")
    try:
        invoice = CanonicalInvoice.model_validate(read_json(told.body))
    except ValidationError as error:
        raise unfit(error.errors(include_url=False, include_input=False, include_context=False)) from None
    entity = await room.entity(told.tenant_id, told.entity_id)
    offer = room.offer(entity, invoice, str(source))
    return answers.one(await room.post(Posted(told, offer)))
