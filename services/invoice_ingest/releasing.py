"""A person takes what was in quarantine as the truth, maybe corrected.

What cannot be released stays in quarantine, with the reason: the person is told what is still missing.
"""

from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import Refused
from services.invoice_ingest.accounts import Offer
from services.invoice_ingest.sources.canonical import CanonicalInvoice
from services.invoice_ingest.store import quarantine
from services.invoice_ingest.taking import Outcome, take


def corrected(told: str, changes: dict[str, Any]) -> CanonicalInvoice:
    """What was told with fields replaced. Raises pydantic's ValidationError."""
    return CanonicalInvoice.model_validate(orjson.loads(told) | changes)


def offer(row: Any, invoice: CanonicalInvoice, today: date) -> Offer:
    """The offer that a row of `quarantine` makes once it is released."""
    return Offer(row.tenant_id, row.entity_id, row.source, invoice, today, released=True, document_id=row.document_id)


async def release(
    db: AsyncConnection, row: Any, offered: Offer, *, by: str, note: str | None, now: datetime
) -> Outcome:
    """Take a locked entry's offer. Raises Refused, and leaves the entry open, when it is still in doubt."""
    outcome = (await take(db, [offered], now))[0]
    if outcome.problem is not None:
        raise still_in_doubt(outcome)
    await quarantine.decide(db, row.tenant_id, row.quarantine_id, state="released", by=by, note=note, at=now)
    return outcome


def still_in_doubt(outcome: Outcome) -> Refused:
    """Why a release does not help yet."""
    why = outcome.problem
    if isinstance(why, Refused):
        return why
    told = why.problem() if why else {}
    reason = getattr(why, "reason", told.get("code"))
    return Refused(
        str(told.get("detail", "")), field=told.get("field"), remedy=str(told.get("remedy", "")), reason=reason
    )
