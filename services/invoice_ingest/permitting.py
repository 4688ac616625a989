"""This service's part of the send permit: is what the notice says still what is on record here?

no   an invoice was amended or made void since, or the file that the recipient was taken from has changed
again  a credit of this debtor is on record that payment_matching has not dealt with yet: its residual may be too high
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.permits import Answer, Ask, again, no, yes
from services.invoice_ingest.store import debtors, invoices


async def look(db: AsyncConnection, tenant: UUID, asks: Sequence[Ask]) -> list[Answer]:
    """An answer for each delivery."""
    told = {item.invoice_id for ask in asks for item in ask.items}
    accounts = {ask.payer_id for ask in asks} | {item.debtor_id for ask in asks for item in ask.items}
    standing = await invoices.versions(db, tenant, told)
    files = await debtors.read(db, [(tenant, one) for one in accounts])
    waiting = await invoices.waiting_credits(db, tenant, told, accounts)
    credited = {row.debtor_id for row in waiting} | {row.invoice_id for row in waiting}
    return [_answer(ask, standing, files, credited) for ask in asks]


def _answer(ask: Ask, standing: Mapping[UUID, Any], files: Mapping[UUID, Any], credited: set[UUID | None]) -> Answer:
    payer = files.get(ask.payer_id)
    if payer is None or payer.erased:
        return no(ask, "debtor_unknown")
    if payer.version != ask.debtor_version:
        return no(ask, "debtor_changed")
    for item in ask.items:
        row = standing.get(item.invoice_id)
        if row is None:
            return no(ask, "invoice_unknown")
        if row.cancelled:
            return no(ask, "invoice_cancelled")
        if row.version != item.invoice_version:
            return no(ask, "invoice_amended")
    touched = {ask.payer_id} | {each for item in ask.items for each in (item.debtor_id, item.invoice_id)}
    return again(ask, "credit_not_applied") if touched & credited else yes(ask)
