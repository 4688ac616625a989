"""What the scheduler hears, by type; and the lock that all of it takes first.

Handlers only keep facts and mark cases as to be looked at. They commute: any order of the topics ends in the same
rows (property-tested), because versions, flags and sets of facts only ever rise.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import directory
from libs.common.consumer import Handler, each
from libs.common.events import Event
from libs.common.events.debtors import DebtorChanged
from libs.common.events.deliveries import (
    ReminderBounced,
    ReminderFailed,
    ReminderProposed,
    ReminderSent,
    ReminderStopped,
    ReminderUncertain,
    ReplyReceived,
    TaskDone,
)
from libs.common.events.directory import EntityConfigured, TenantConfigured
from libs.common.events.envelope import Body
from libs.common.events.invoices import CreditNoteIssued, InvoiceAmended, InvoiceCancelled, InvoiceIssued
from libs.common.events.payments import (
    CreditApplied,
    FeedAdvanced,
    InvoiceReopened,
    InvoiceSettled,
    PaymentMatched,
    PaymentReceived,
    PaymentReversed,
    PaymentUnmatched,
)
from services.scheduler.handlers import deliveries, entities, invoices, money
from services.scheduler.store import cases, debtors


def handlers() -> Mapping[type[Body], Handler]:
    """Type → handler of a list of its events."""
    return {
        **directory.handlers(),
        EntityConfigured: entities.entities_configured,
        TenantConfigured: entities.tenants_configured,
        InvoiceIssued: invoices.invoiced,
        InvoiceAmended: invoices.invoiced,
        InvoiceCancelled: invoices.cancelled,
        CreditNoteIssued: each(invoices.credit_noted),
        DebtorChanged: invoices.debtors_changed,
        PaymentReceived: money.paid,
        PaymentMatched: money.paid,
        PaymentUnmatched: money.paid,
        PaymentReversed: money.paid,
        CreditApplied: each(money.credit_applied),
        InvoiceSettled: money.settled,
        InvoiceReopened: each(money.reopened),
        FeedAdvanced: money.feeds_advanced,
        ReminderProposed: deliveries.noticed,
        ReminderSent: deliveries.noticed,
        ReminderFailed: deliveries.noticed,
        ReminderStopped: deliveries.noticed,
        ReminderUncertain: deliveries.noticed,
        ReminderBounced: deliveries.noticed,
        ReplyReceived: each(deliveries.replied),
        TaskDone: each(deliveries.task_done),
    }


async def lock(db: AsyncConnection, events: Sequence[Event]) -> None:
    """Lock the debtors of a batch, those who pay for them, then their cases and those of its items, each in order."""
    if not events:
        return
    first = min(event.time for event in events)
    pairs = {(event.tenant, debtor) for event in events for debtor in _debtors(event.body)}
    await debtors.lock(db, pairs, first)
    files = await cases.payers_now(db, pairs)
    await debtors.lock(db, {(tenant, file["payer_id"]) for (tenant, _), file in files.items()} - pairs, first)
    payers = {(tenant, file["payer_id"]) for (tenant, _), file in files.items()} | pairs
    mine = {(tenant, cases.case_id(tenant, payer)) for tenant, payer in payers}
    theirs = await cases.of_items(db, {(event.tenant, item) for event in events for item in _items(event.body)})
    await cases.lock(db, mine | theirs)


def _items(body: Any) -> Iterable[UUID]:
    """The items that it is about: their case may be another payer's than the one it names."""
    for part in (body, *getattr(body, "residuals", ()), *getattr(body, "covers", ())):
        found = getattr(part, "item_id", None)
        if found is not None:
            yield found
    yield from getattr(body, "item_ids", ())


def _debtors(body: Any) -> Iterable[UUID]:
    for name in ("debtor_id", "payer_id"):
        found = getattr(body, name, None)
        if found is not None:
            yield found
