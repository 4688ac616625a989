"""What our other services ask for when a page is drawn: names and texts that events do not carry."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field

from libs.common.auth import Caller, requires_service
from libs.common.errors import Refused
from libs.common.http import Wire
from services.invoice_ingest.api import views
from services.invoice_ingest.api.invoices import Here
from services.invoice_ingest.store import debtors, invoices

routes = APIRouter(tags=["internal"])
MOST = 100
Ids = Annotated[list[UUID], Field(max_length=MOST)]


class Asked(Wire):
    """Up to 100 ids in all."""

    debtors: Ids = []
    invoices: Ids = []


class Found(Wire):
    """What is known, by id; unknown ids are left out."""

    debtors: dict[UUID, views.DebtorShown]
    invoices: dict[UUID, views.InvoiceShown]


@routes.post("/internal/v1/lookups")
async def look_up(asked: Asked, caller: Annotated[Caller, Depends(requires_service())], room: Here) -> Found:
    """Debtors' files with their contacts, and invoices."""
    if len(asked.debtors) + len(asked.invoices) > MOST:
        raise Refused(f"At most {MOST} ids a call.", field="body", remedy="Ask in several calls.")
    tenant = caller.tenant_id
    async with room.database.transaction(tenant) as db:
        files: dict[UUID, Any] = await debtors.read(db, [(tenant, each) for each in asked.debtors])
        contacts = await debtors.contacts(db, tenant, asked.debtors)
        rows = await invoices.some(db, tenant, asked.invoices)
        parts = await invoices.instalments(db, tenant, asked.invoices)
    return Found(
        debtors={one: views.debtor(row, contacts.get(one, ())) for one, row in files.items()},
        invoices={row.invoice_id: views.invoice(row, parts.get(row.invoice_id, ())) for row in rows},
    )
