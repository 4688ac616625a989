"""Erasing a debtor's personal data: the file is blanked, the ledger stays.

Its topic gets a null body for its key, so that every service forgets it too; DebtorErased says so by id alone.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.errors import NotFound
from libs.common.events import event
from libs.common.events.debtors import DebtorChanged
from libs.common.events.invoices import DebtorErased
from libs.common.permits import Scope
from services.invoice_ingest import debtors
from services.invoice_ingest.store import debtors as store
from services.invoice_ingest.taking import Outcome


async def erase(db: AsyncConnection, tenant: UUID, debtor_id: UUID, now: datetime) -> Outcome:
    """Blank the file of a debtor. Raises NotFound."""
    files = await store.lock(db, [(tenant, debtor_id)])
    if debtor_id not in files:
        raise NotFound("There is no such debtor.")
    file = files[debtor_id]
    if file.erased:
        return Outcome("unchanged", None, debtor_id, file.version)
    version = file.version + 1
    blank = {
        "name": "erased",
        "siren": None,
        "vat_number": None,
        "phone": None,
        "ibans": "",
        "collector": None,
        "sales_owner": None,
        "content": debtors.UNTOLD,
        "erased": True,
        "version": version,
        "changed_at": now,
    }
    await store.erase(db, tenant, debtor_id, blank)
    await outbox.erase(db, DebtorChanged, tenant, f"{tenant}:{debtor_id}")
    await outbox.record(db, event(DebtorErased(tenant_id=tenant, version=version, debtor_id=debtor_id), now))
    touched = tuple({debtor_id, file.payer_id})
    return Outcome("amended", None, debtor_id, version, stops=[Scope(tenant, debtor_ids=touched)])
