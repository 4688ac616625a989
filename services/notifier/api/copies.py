"""The copies behind a notice's link, for the console, which is the door that the world reaches."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from libs.common.auth import Caller, requires_service
from libs.common.errors import NotFound
from services.notifier.store import facts, notices
from services.notifier.store.pairs import rows_of
from services.notifier.tables import delivery, notice
from services.notifier.wording import Language

from .shared import Here

routes = APIRouter(tags=["internal"])
OPEN_FOR = timedelta(days=180)
"""How long a link opens after its mail was sent."""


class Copy(BaseModel):
    """An invoice and the document that shows it."""

    document_id: UUID
    number: str


class Copies(BaseModel):
    """What a link shows: whose invoices, in the language of the mail."""

    tenant_id: UUID
    language: Language
    creditor: str
    copies: list[Copy]


@routes.get("/internal/v1/copies/{token}")
async def linked_copies(token: str, caller: Annotated[Caller, Depends(requires_service())], room: Here) -> Copies:
    """The copies of a delivery that left, for 180 days. Raises NotFound for every other token."""
    named = room.links.read(token)
    if named is None:
        raise NotFound("This link opens nothing.")
    tenant, delivery_id = named
    async with room.database.transaction(tenant) as db:
        sent = await rows_of(db, delivery.c.delivery_id, {(tenant, delivery_id)})
        if not sent or not _opens(sent[0], room.clock.now()):
            raise NotFound("This link opens nothing any more.")
        key = (tenant, sent[0].notice_id)
        [row] = await rows_of(db, notice.c.notice_id, {key})
        lines = (await notices.lines(db, {key}))[row.notice_id]
        known = await facts.invoices(db, {(tenant, line.invoice_id) for line in lines})
        entities = await facts.entities(db, {(tenant, row.entity_id)})
    documents = {invoice: found.document_id for invoice, found in known.items() if found.document_id}
    numbers = {documents[line.invoice_id]: line.number for line in lines if line.invoice_id in documents}
    copies = [Copy(document_id=one, number=number) for one, number in numbers.items()]
    name = entities[tenant, row.entity_id].name
    return Copies(tenant_id=tenant, language=row.language, creditor=name, copies=copies)


def _opens(sent: Any, now: datetime) -> bool:
    """What left, or may have left, can be followed up."""
    return sent.state == "uncertain" or (sent.sent_at is not None and now <= sent.sent_at + OPEN_FOR)
