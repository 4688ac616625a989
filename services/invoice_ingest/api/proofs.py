"""Which documents prove some invoices, for a recovery file: copies, orders, delivery notes, with their hashes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy import and_, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from libs.common.auth import Caller, requires_service
from libs.common.http import Wire
from services.invoice_ingest.api.invoices import Here
from services.invoice_ingest.tables import document, invoice_document

routes = APIRouter(tags=["internal"])


class AskedInvoices(Wire):
    """The invoices of a recovery file."""

    invoices: Annotated[list[UUID], Field(max_length=500)]


class ProofShown(BaseModel):
    """A document of an invoice; its bytes are at /internal/v1/documents/{document_id}."""

    invoice_id: UUID
    document_id: UUID
    kind: str
    name: str | None
    media_type: str
    sha256: str
    size: int


class Proofs(BaseModel):
    """What there is of all of them."""

    proofs: list[ProofShown]


@routes.post("/internal/v1/proofs")
async def list_proofs(
    asked: AskedInvoices, caller: Annotated[Caller, Depends(requires_service())], room: Here
) -> Proofs:
    """The documents of these invoices, by invoice, kind and hash."""
    same = and_(
        document.c.tenant_id == invoice_document.c.tenant_id, document.c.document_id == invoice_document.c.document_id
    )
    facts = (document.c.document_id, document.c.name, document.c.media_type, document.c.sha256, document.c.size)
    wanted = (
        select(invoice_document.c.invoice_id, invoice_document.c.kind, *facts)
        .join(document, same)
        .where(invoice_document.c.tenant_id == caller.tenant_id)
        .where(invoice_document.c.invoice_id == any_(literal(sorted(asked.invoices), ARRAY(Uuid))))
        .order_by(invoice_document.c.invoice_id, invoice_document.c.kind, document.c.sha256)
    )
    async with room.database.transaction(caller.tenant_id) as db:
        rows = (await db.execute(wanted)).all()
    found = [
        ProofShown(
            invoice_id=row.invoice_id,
            document_id=row.document_id,
            kind=row.kind,
            name=row.name,
            media_type=row.media_type,
            sha256=row.sha256.hex(),
            size=row.size,
        )
        for row in rows
    ]
    return Proofs(proofs=found)
