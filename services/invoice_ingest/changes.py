"""Changes of an invoice that is here: made void, let out of take-over, given its copy.

The rule it protects: the debtor is locked first, the invoice second; every change is one version and one event, whole.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.errors import NotFound
from libs.common.events import event
from libs.common.events.invoices import Instalment, InvoiceAmended
from libs.common.money import Money
from libs.common.permits import Scope
from services.invoice_ingest import rows
from services.invoice_ingest.rows import Account
from services.invoice_ingest.store import debtors
from services.invoice_ingest.store import invoices as store
from services.invoice_ingest.tables import invoice
from services.invoice_ingest.taking import Outcome


async def _locked(db: AsyncConnection, tenant: UUID, invoice_id: UUID) -> tuple[Any, Account]:
    """The invoice's row and its debtor's account, both locked. Raises NotFound."""
    found = await store.one(db, tenant, invoice_id)
    if found is None:
        raise NotFound(f"There is no invoice {invoice_id}.")
    files = await debtors.lock(db, [(tenant, found.debtor_id)])
    row = await store.one(db, tenant, invoice_id, lock=True)
    file = files[found.debtor_id]
    return row, Account(file.debtor_id, file.payer_id, file.terms, file.consumer, file.intercompany, file.erased)


async def cancel(db: AsyncConnection, tenant: UUID, invoice_id: UUID, version: int | None, now: datetime) -> Outcome:
    """Make it void. An older version than the one known is stale. Raises NotFound."""
    row, account = await _locked(db, tenant, invoice_id)
    if row.cancelled:
        return Outcome("cancelled", row.external_id, invoice_id, row.version)
    if version is not None and row.source_version is not None and version < row.source_version:
        return Outcome("stale", row.external_id, invoice_id, row.version)
    raised = row.version + 1
    told = {
        "tenant_id": tenant,
        "invoice_id": invoice_id,
        "version": raised,
        "source_version": row.source_version if version is None else version,
        "changed_at": now,
    }
    await store.cancel(db, [told])
    await outbox.record(db, rows.cancelled(row, account, raised, now))
    return Outcome("cancelled", row.external_id, invoice_id, raised, stops=[_scope(row, account)])


def _scope(row: Any, account: Account) -> Scope:
    touched = rows.items(row.invoice_id, row.items)
    return Scope(row.tenant_id, item_ids=touched, debtor_ids=tuple({account.debtor_id, account.payer_id}))


async def restate(db: AsyncConnection, tenant: UUID, invoice_id: UUID, now: datetime, **told: Any) -> Outcome:
    """Change columns that InvoiceAmended tells (take_over, document_id). Credits and void invoices only keep them.

    Raises NotFound.
    """
    row, account = await _locked(db, tenant, invoice_id)
    if all(getattr(row, name) == value for name, value in told.items()):
        return Outcome("unchanged", row.external_id, invoice_id, row.version)
    said = not row.cancelled and row.owed >= 0
    version = row.version + 1 if said else row.version
    mine = (invoice.c.tenant_id == tenant, invoice.c.invoice_id == invoice_id)
    await db.execute(update(invoice).where(*mine).values(told | {"version": version, "changed_at": now}))
    if not said:
        return Outcome("amended", row.external_id, invoice_id, version)
    parts = (await store.instalments(db, tenant, [invoice_id])).get(invoice_id, [])
    await outbox.record(db, event(_amended(row, account, parts, {**told, "version": version}), now))
    return Outcome("amended", row.external_id, invoice_id, version, stops=[_scope(row, account)])


_IN_EVENT = (
    "tenant_id", "entity_id", "invoice_id", "debtor_id", "number", "issue_date", "due_source", "payment_means",
    "payment_reference", "order_number", "discount_percent", "discount_until", "document_id", "take_over",
)  # fmt: skip


def _amended(row: Any, account: Account, parts: list[Any], told: dict[str, Any]) -> InvoiceAmended:
    facts = {name: getattr(row, name) for name in _IN_EVENT} | told
    return InvoiceAmended(
        **facts,
        payer_id=account.payer_id,
        payable=Money(row.owed, row.currency),
        instalments=[
            Instalment(
                item_id=part.item_id,
                sequence=part.sequence,
                due_date=part.due_date,
                amount=Money(part.amount, row.currency),
            )
            for part in parts
        ],
        not_chased=row.not_chased.split(),
    )
