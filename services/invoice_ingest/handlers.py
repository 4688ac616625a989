"""What invoice_ingest hears: the directory, and which credits payment_matching has dealt with."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import directory
from libs.common.consumer import Handler
from libs.common.events import Body, Event
from libs.common.events.payments import CreditApplied
from services.invoice_ingest.store import invoices


async def credits_applied(db: AsyncConnection, events: list[Event]) -> None:
    """These credits are in the residuals: permits need not wait for them any more."""
    await invoices.mark_applied(db, [(each.tenant, each.body.credit_note_id) for each in events])


def handlers() -> Mapping[type[Body], Handler]:
    """Event type → handler."""
    return {**directory.handlers(), CreditApplied: credits_applied}
