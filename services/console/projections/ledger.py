"""The ledger: invoices and their instalments, payments, credits, feeds, and every move of a residual."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, or_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.consumer import Handler
from libs.common.events import Event
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
    Residual,
)
from libs.common.sets import columns, given
from services.console.projections.keeping import Row, add, keep, keep_new
from services.console.projections.tables import ReadModel

STATES: dict[type[Body], str] = {
    PaymentReceived: "received",
    PaymentMatched: "matched",
    PaymentUnmatched: "received",
    PaymentReversed: "reversed",
}


def handlers(model: ReadModel) -> dict[type[Body], Handler]:
    """What these tables hear."""
    ledger = Ledger(model)
    return {
        InvoiceIssued: ledger.invoices,
        InvoiceAmended: ledger.invoices,
        InvoiceCancelled: ledger.cancelled,
        CreditNoteIssued: ledger.credits,
        CreditApplied: ledger.applied,
        PaymentReceived: ledger.payments,
        PaymentMatched: ledger.payments,
        PaymentUnmatched: ledger.payments,
        PaymentReversed: ledger.payments,
        InvoiceSettled: ledger.settled,
        InvoiceReopened: ledger.reopened,
        FeedAdvanced: ledger.feeds,
    }


class Ledger:
    """Writes one set of tables."""

    def __init__(self, model: ReadModel) -> None:
        self.model = model

    async def invoices(self, db: AsyncConnection, events: list[Event]) -> None:
        """An invoice as it stands, whole; an instalment that it no longer has is gone."""
        new = await keep_new(db, self.model.invoice, [_invoice(event) for event in events], "invoice_id")
        await keep(db, self.model.item, [row for event in events for row in _items(event)], "told_version")
        if again := [event for event in events if event.subject not in new]:
            await self._drop_others(db, again)
        await self._tell(db, events)

    async def _drop_others(self, db: AsyncConnection, events: list[Event]) -> None:
        """Instalments that only an earlier version of the invoice had are gone, whichever version came last."""
        item, invoice = self.model.item, self.model.invoice
        told = given(invoice, ("tenant_id", "invoice_id"))
        dropping = update(item).values(gone=True, told_version=invoice.c.version, told_at=invoice.c.changed_at)
        named = (invoice.c.tenant_id == told.c.tenant_id, invoice.c.invoice_id == told.c.invoice_id)
        of_invoice = (item.c.tenant_id == invoice.c.tenant_id, item.c.invoice_id == invoice.c.invoice_id)
        older = (item.c.told_version >= 0, item.c.told_version < invoice.c.version)
        rows = [{"tenant_id": event.tenant, "invoice_id": event.subject} for event in events]
        await db.execute(dropping.where(*named, *of_invoice, *older), columns(rows))

    async def cancelled(self, db: AsyncConnection, events: list[Event]) -> None:
        """An invoice is void; what came before or comes after with a lower version changes nothing."""
        facts = ("tenant_id", "invoice_id", "version", "entity_id", "debtor_id", "payer_id")
        void = [{"cancelled": True, "changed_at": event.time} for event in events]
        rows = [{name: getattr(e.body, name) for name in facts} | said for e, said in zip(events, void, strict=True)]
        await keep(db, self.model.invoice, rows)
        await keep(db, self.model.item, [row for event in events for row in _void(event)], "told_version")
        await self._tell(db, events)

    async def _tell(self, db: AsyncConnection, events: list[Event]) -> None:
        """What each version said, for the days that it stood."""
        await add(db, self.model.telling, [_telling(event) for event in events])
        await self._mark(db, [(event, event.subject) for event in events])
        await reopen(db, self.model, events)

    async def credits(self, db: AsyncConnection, events: list[Event]) -> None:
        rows = [
            {
                "tenant_id": event.tenant,
                "credit_note_id": event.subject,
                "told_version": event.body.version,
                "entity_id": event.body.entity_id,
                "debtor_id": event.body.debtor_id,
                "payer_id": event.body.payer_id,
                "number": event.body.number,
                "issue_date": event.body.issue_date,
                "currency": event.body.amount.currency,
                "amount": event.body.amount.minor,
            }
            for event in events
        ]
        await keep(db, self.model.credit, rows, "told_version")

    async def applied(self, db: AsyncConnection, events: list[Event]) -> None:
        rows = [
            {
                "tenant_id": event.tenant,
                "credit_note_id": event.subject,
                "applied_version": event.body.version,
                "payer_id": event.body.payer_id,
                "unapplied": event.body.unapplied.minor,
            }
            for event in events
        ]
        await keep(db, self.model.credit, rows, "applied_version")
        await self._residuals(db, events)

    async def payments(self, db: AsyncConnection, events: list[Event]) -> None:
        """A payment as it stands, and what the items it touched still owe."""
        await keep(db, self.model.payment, [_payment(event) for event in events])
        await self._residuals(db, [event for event in events if hasattr(event.body, "residuals")])

    async def settled(self, db: AsyncConnection, events: list[Event]) -> None:
        """An item owes nothing: by a payment or credit that said so before, or by a write-off that says it here."""
        rows = [
            {
                "tenant_id": event.tenant,
                "item_id": event.body.item_id,
                "item_version": event.body.version,
                "invoice_id": event.body.invoice_id,
                "residual": 0,
                "on": event.body.settled_on,
                "at": event.time,
            }
            for event in events
        ]
        await self._owe(db, rows)
        await self._mark(db, [(event, event.body.invoice_id) for event in events])
        await reopen(db, self.model, events)

    async def reopened(self, db: AsyncConnection, events: list[Event]) -> None:
        await self._owe(db, [_owed(event, _told(event), event.body.on) for event in events])
        await self._mark(db, [(event, event.body.invoice_id) for event in events])
        await reopen(db, self.model, events)

    async def _residuals(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        rows = [_owed(event, told, _on(event)) for event in events for told in event.body.residuals]
        await self._owe(db, rows)
        await self._mark(db, [(event, told.invoice_id) for event in events for told in event.body.residuals])
        await reopen(db, self.model, events)

    async def _mark(self, db: AsyncConnection, about: Iterable[tuple[Event, UUID]]) -> None:
        """What is kept of these invoices is to be worked out anew; one mark an invoice and batch will do."""
        last = {(event.tenant, invoice): event.id for event, invoice in about}
        rows = [{"tenant_id": whose, "invoice_id": what, "event_id": by} for (whose, what), by in last.items()]
        await add(db, self.model.mark, rows)

    async def _owe(self, db: AsyncConnection, rows: list[dict[str, Any]]) -> None:
        moved = ("on", "at")
        stays = [{name: value for name, value in row.items() if name not in moved} for row in rows]
        items = [each | {"moved_at": row["at"]} for each, row in zip(stays, rows, strict=True)]
        await keep(db, self.model.item, items, "item_version")
        move = ("tenant_id", "item_id", "item_version", "on", "residual", "at")
        await add(db, self.model.move, [_only(row, move) for row in rows])

    async def feeds(self, db: AsyncConnection, events: list[Event]) -> None:
        facts = ("tenant_id", "bank_account_id", "version", "entity_id", "covered_to", "required", "unreadable")
        await keep(db, self.model.feed, [_only(event.body.model_dump(), facts) for event in events])


async def reopen(db: AsyncConnection, model: ReadModel, events: Iterable[Event]) -> None:
    """Figures kept of days that are over are worked out anew when something is told of those days: figures as shown
    by when it was told, those from the books by the dates that it names."""
    told: dict[UUID, date] = {}
    dated: dict[UUID, date] = {}
    for event in events:
        tenant, on = event.tenant, event.time.date() - timedelta(days=1)
        told[tenant] = min(on, told.get(tenant, on))
        named = getattr(event.body, "issue_date", None) or (date.min if hasattr(event.body, "item_ids") else _on(event))
        dated[tenant] = min(named, dated.get(tenant, named))
    closing = model.closing.c
    for tenant in sorted(told):
        late = or_(and_(~closing.books, closing.day >= told[tenant]), and_(closing.books, closing.day >= dated[tenant]))
        await db.execute(delete(model.closing).where(closing.tenant_id == tenant, late))


def _telling(event: Event) -> dict[str, Any]:
    body = event.body
    parts = [] if isinstance(body, InvoiceCancelled) else body.instalments
    payable = getattr(body, "payable", None)
    return {
        "tenant_id": body.tenant_id,
        "invoice_id": body.invoice_id,
        "version": body.version,
        "at": event.time,
        "entity_id": body.entity_id,
        "debtor_id": body.debtor_id,
        "issue_date": getattr(body, "issue_date", None),
        "currency": payable.currency if payable else None,
        "payable": payable.minor if payable else None,
        "items": [[str(part.item_id), part.due_date.isoformat(), part.amount.minor] for part in parts],
    }


def _only(row: Row, names: Iterable[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _on(event: Event) -> date:
    """The date that a move belongs to in the books: the money's value date, else the day it was told."""
    for name in ("value_date", "settled_on", "on"):
        if hasattr(event.body, name):
            return getattr(event.body, name)  # type: ignore[no-any-return]
    return event.time.date()


def _told(event: Event) -> Residual:
    body = event.body
    return Residual(item_id=body.item_id, invoice_id=body.invoice_id, residual=body.residual, item_version=body.version)


def _owed(event: Event, told: Residual, on: date) -> dict[str, Any]:
    return {
        "tenant_id": event.tenant,
        "item_id": told.item_id,
        "item_version": told.item_version,
        "invoice_id": told.invoice_id,
        "currency": told.residual.currency,
        "residual": told.residual.minor,
        "on": on,
        "at": event.time,
    }


def _invoice(event: Event) -> dict[str, Any]:
    body = event.body
    facts = ("entity_id", "debtor_id", "payer_id", "number", "issue_date", "due_source", "payment_means")
    more = ("payment_reference", "order_number", "document_id", "take_over")
    return {
        "tenant_id": body.tenant_id,
        "invoice_id": body.invoice_id,
        "version": body.version,
        **{name: getattr(body, name) for name in (*facts, *more)},
        "currency": body.payable.currency,
        "payable": body.payable.minor,
        "not_chased": list(body.not_chased),
        "cancelled": False,
        "told_at": event.time,
        "changed_at": event.time,
    }


def _items(event: Event) -> list[dict[str, Any]]:
    body = event.body
    return [
        {
            "tenant_id": body.tenant_id,
            "item_id": part.item_id,
            "told_version": body.version,
            "invoice_id": body.invoice_id,
            "entity_id": body.entity_id,
            "debtor_id": body.debtor_id,
            "payer_id": body.payer_id,
            "sequence": part.sequence,
            "issue_date": body.issue_date,
            "due_date": part.due_date,
            "currency": part.amount.currency,
            "amount": part.amount.minor,
            "gone": False,
            "told_at": event.time,
        }
        for part in body.instalments
    ]


def _void(event: Event) -> list[dict[str, Any]]:
    body = event.body
    return [
        {
            "tenant_id": body.tenant_id,
            "item_id": item,
            "told_version": body.version,
            "invoice_id": body.invoice_id,
            "entity_id": body.entity_id,
            "debtor_id": body.debtor_id,
            "payer_id": body.payer_id,
            "gone": True,
            "told_at": event.time,
        }
        for item in body.item_ids
    ]


def _payment(event: Event) -> dict[str, Any]:
    body = event.body
    return {
        "tenant_id": body.tenant_id,
        "payment_id": body.payment_id,
        "version": body.version,
        "entity_id": body.entity_id,
        "payer_id": body.payer_id,
        "currency": body.amount.currency,
        "amount": body.amount.minor,
        "unapplied": body.unapplied.minor,
        "value_date": body.value_date,
        "state": STATES[type(body)],
        "how": getattr(body, "how", None),
        "told_at": event.time,
    }
