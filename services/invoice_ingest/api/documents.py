"""Documents: UBL, CII and Factur-X are read as invoices; copies and proofs are kept beside an invoice."""

from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Caller, requires_service
from libs.common.directory import Entity
from libs.common.errors import NotFound, UnsupportedMedia
from libs.common.ids import named
from services.invoice_ingest import changes, debtors
from services.invoice_ingest.accounts import Offer
from services.invoice_ingest.api import answers
from services.invoice_ingest.api.invoices import Here, Writes
from services.invoice_ingest.doubts import doubt, set_aside
from services.invoice_ingest.room import Room
from services.invoice_ingest.sources import reader
from services.invoice_ingest.sources.canonical import CanonicalInvoice, DocumentKind
from services.invoice_ingest.store import documents as store
from services.invoice_ingest.store import invoices, quarantine
from services.invoice_ingest.taking import Outcome, invoice_of, take

routes = APIRouter(tags=["documents"])
SOURCE = "document"
MAX_BYTES = 20_000_000
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/xml": {"schema": {"type": "string", "format": "binary"}},
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class Kept(BaseModel):
    """A document that is kept; `kind` says what it is to the invoice."""

    document_id: UUID
    sha256: str
    size: int
    invoice_id: UUID
    kind: DocumentKind


class Document:
    """What was sent, before anybody read it."""

    def __init__(self, tenant: UUID, entity: UUID, data: bytes, name: str | None) -> None:
        media = reader.media_type(data)
        if media is None:
            raise UnsupportedMedia("It is neither XML nor PDF.", remedy="Send application/xml or application/pdf.")
        self.digest = sha256(data)
        self.tenant_id, self.entity_id, self.data, self.media, self.name = tenant, entity, data, media, name
        self.document_id = named("document", tenant, self.digest.hexdigest())

    async def keep(self, db: AsyncConnection, room: Room) -> None:
        """Store the bytes."""
        row = {
            "tenant_id": self.tenant_id,
            "document_id": self.document_id,
            "entity_id": self.entity_id,
            "media_type": self.media,
            "name": self.name,
            "sha256": self.digest.digest(),
            "size": len(self.data),
            "bytes": self.data,
            "received_at": room.clock.now(),
        }
        await store.add(db, row)


Name = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f/\\]*$")]


@routes.post("/v1/documents", responses=answers.ONE, response_model=answers.Answer, status_code=201, openapi_extra=BODY)
async def take_document(
    request: Request, caller: Writes, room: Here, entity_id: UUID | None = None, name: Name = None
) -> Response:
    """Read an invoice out of UBL, CII or a Factur-X PDF, take it, and keep the document as its copy."""
    entity = await room.entity(caller.tenant_id, entity_id)
    document = Document(caller.tenant_id, entity.entity_id, await request.body(), name)
    told = await room.reader.read(document.data)
    offer = Offer(
        caller.tenant_id, entity.entity_id, SOURCE, told, room.today(entity), document_id=document.document_id
    )

    async def work(db: AsyncConnection) -> Outcome:
        await document.keep(db, room)
        if not _ours(entity, told):
            return await _aside(db, offer, room)
        return await _taken(db, offer, room)

    outcome = await room.commit(caller.tenant_id, work)
    await room.taken([outcome])
    return answers.one(outcome)


def _ours(entity: Entity, told: CanonicalInvoice) -> bool:
    """Whether the document's seller is the entity, as far as both tell a SIREN."""
    seller = debtors.siren_of(told.seller.siren, told.seller.vat_number) if told.seller else None
    return entity.siren is None or seller is None or seller == entity.siren


async def _aside(db: AsyncConnection, offer: Offer, room: Room) -> Outcome:
    why = doubt("other_seller")
    row = set_aside(offer, invoice_of(offer), why, room.clock.now())
    await quarantine.add(db, [row])
    return Outcome("quarantined", offer.external_id, quarantine_id=row["quarantine_id"], problem=why)


async def _taken(db: AsyncConnection, offer: Offer, room: Room) -> Outcome:
    """Take it; an invoice that another system told alike gets the document as its copy."""
    outcome = (await take(db, [offer], room.clock.now()))[0]
    if outcome.result == "unchanged" and outcome.invoice_id is not None:
        row = {
            "tenant_id": offer.tenant_id,
            "invoice_id": outcome.invoice_id,
            "document_id": offer.document_id,
            "kind": "invoice",
        }
        await invoices.link(db, [row])
        told = {"document_id": offer.document_id}
        return await changes.restate(db, offer.tenant_id, outcome.invoice_id, room.clock.now(), **told)
    return outcome


@routes.post("/v1/invoices/{invoice_id}/documents", status_code=201, openapi_extra=BODY)
async def attach_document(
    *, request: Request, invoice_id: UUID, caller: Writes, room: Here, kind: DocumentKind = "invoice", name: Name = None
) -> Kept:
    """Keep a document beside an invoice: its copy, or the quote, order or delivery note that proves it."""
    data = await request.body()

    async def work(db: AsyncConnection) -> tuple[Document, Outcome | None]:
        row = await invoices.one(db, caller.tenant_id, invoice_id)
        if row is None:
            raise NotFound(f"There is no invoice {invoice_id}.")
        document = Document(caller.tenant_id, row.entity_id, data, name)
        await document.keep(db, room)
        link = {"tenant_id": caller.tenant_id, "invoice_id": invoice_id, "document_id": document.document_id}
        await invoices.link(db, [link | {"kind": kind}])
        if kind != "invoice":
            return document, None
        told = {"document_id": document.document_id}
        return document, await changes.restate(db, caller.tenant_id, invoice_id, room.clock.now(), **told)

    document, outcome = await room.commit(caller.tenant_id, work)
    await room.stopped([outcome] if outcome else [])
    return Kept(
        document_id=document.document_id,
        sha256=document.digest.hexdigest(),
        size=len(data),
        invoice_id=invoice_id,
        kind=kind,
    )


@routes.get("/internal/v1/documents/{document_id}", response_class=Response)
async def read_document(
    document_id: UUID, caller: Annotated[Caller, Depends(requires_service())], room: Here
) -> Response:
    """The bytes of a document, for our own services."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await store.one(db, caller.tenant_id, document_id)
    if row is None:
        raise NotFound(f"There is no document {document_id}.")
    told = {
        "x-document-sha256": row.sha256.hex(),
        "x-document-name": (row.name or "").encode("ascii", "replace").decode(),
    }
    return Response(row.bytes, media_type=row.media_type, headers=told)
