"""Credit notes: the same contract as invoices, the other way round."""

from fastapi import APIRouter, Response

from libs.common.errors import Refused
from services.invoice_ingest.api import answers
from services.invoice_ingest.api.invoices import Here, Writes, take_one
from services.invoice_ingest.sources.canonical import CanonicalInvoice

routes = APIRouter(tags=["invoices"])


@routes.post("/v1/credit-notes", responses=answers.ONE, response_model=answers.Answer, status_code=201)
async def take_credit_note(note: CanonicalInvoice, caller: Writes, room: Here) -> Response:
    """Take one credit note. Nothing more leaves for what it reduces once this answered."""
    if "kind" in note.model_fields_set and note.kind != "credit_note":
        raise Refused(
            f"This is a {note.kind}.", field="kind", remedy="Send it to /v1/invoices, or leave kind out here."
        )
    return await take_one(room, caller, note.model_copy(update={"kind": "credit_note"}))
