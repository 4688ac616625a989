"""What the notifier does when it hears something. Facts are kept whether or not a notice needs them yet: no topic waits
for another, and every order of hearing ends in the same notices."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import directory
from libs.common.clock import Clock
from libs.common.consumer import Handler
from libs.common.events import Event
from libs.common.events.debtors import DebtorChanged
from libs.common.events.directory import BankDetailsApproved
from libs.common.events.envelope import Body
from libs.common.events.invoices import DebtorErased, InvoiceAmended, InvoiceCancelled, InvoiceIssued
from libs.common.events.payments import (
    CreditApplied,
    InvoiceReopened,
    PaymentMatched,
    PaymentReversed,
    PaymentUnmatched,
    Residual,
)
from libs.common.events.reminders import HoldPlaced, Line, ReminderDue, ReminderWithdrawn
from services.notifier import contacts_changed, superseding, tasking
from services.notifier.revision import NoticeLine
from services.notifier.store import facts, mail, notices, tasks
from services.notifier.store.pairs import Pair
from services.notifier.superseding import notice_id
from services.notifier.tables import notice, notice_line

Rows = list[dict[str, Any]]


class Handlers:
    """The coroutines, with the clock that their events are stamped by and the nudge that wakes the writing loop."""

    def __init__(self, clock: Clock, nudge: Callable[[], None]) -> None:
        self.clock = clock
        self.nudge = nudge

    def by_type(self) -> Mapping[type[Body], Handler]:
        """What the consumer is given."""
        return dict(directory.handlers()) | {
            ReminderDue: self.reminders_due,
            ReminderWithdrawn: self.reminders_withdrawn,
            HoldPlaced: self.holds_placed,
            InvoiceIssued: self.invoices_told,
            InvoiceAmended: self.invoices_told,
            InvoiceCancelled: self.invoices_cancelled,
            DebtorErased: self.debtors_erased,
            DebtorChanged: self.debtors_changed,
            BankDetailsApproved: self.bank_details_approved,
            PaymentMatched: self.residuals_told,
            PaymentUnmatched: self.residuals_told,
            PaymentReversed: self.residuals_told,
            CreditApplied: self.residuals_told,
            InvoiceReopened: self.items_reopened,
        }

    async def reminders_due(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """A notice is due: kept with its lines, to be written by the writing loop."""
        rows = [_notice(event) for event in events]
        lines = [
            notices.line_row(event.tenant, row["notice_id"], _line(line))
            for event, row in zip(events, rows, strict=True)
            for line in event.body.lines
        ]
        deductions = [
            {"tenant_id": event.tenant, "notice_id": row["notice_id"], "amount": each.minor, "currency": each.currency}
            for event, row in zip(events, rows, strict=True)
            for each in event.body.deductions
        ]
        await notices.add(db, rows, lines, deductions)
        self.nudge()

    async def reminders_withdrawn(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """A notice is due no more: it stops, and so does the task it opened."""
        for event in events:
            key = {(event.tenant, event.body.reminder_id)}
            open_ones = await notices.open_where(db, notice.c.reminder_id, key)
            await superseding.stop(db, open_ones, self.clock.now(), event.body.reason)

    async def holds_placed(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """Nothing leaves over this scope: items are taken out of notices, wider scopes end them."""
        for event in events:
            hold, at = event.body, self.clock.now()
            if hold.scope == "item":
                found = await notices.open_with(db, notice_line.c.item_id, {(event.tenant, hold.scope_id)})
                await superseding.follow_facts(db, found, at, held={hold.scope_id})
            elif hold.scope == "debtor":
                found = await notices.open_with(db, notice_line.c.debtor_id, {(event.tenant, hold.scope_id)})
                await superseding.stop(db, found, at, "held")
            elif hold.scope in _SCOPES:
                found = await notices.open_where(db, _SCOPES[hold.scope], {(event.tenant, hold.scope_id)})
                await superseding.stop(db, found, at, "held")
        self.nudge()

    async def invoices_told(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """The invoice's version and its copy; a notice that printed an older one lets go of it."""
        rows = [
            {
                "tenant_id": event.tenant,
                "invoice_id": event.body.invoice_id,
                "version": event.body.version,
                "cancelled": False,
                "document_id": event.body.document_id,
                "payment_reference": event.body.payment_reference,
            }
            for event in events
        ]
        await facts.keep_invoices(db, rows)
        if isinstance(events[0].body, InvoiceAmended):
            await self._follow(db, notice_line.c.invoice_id, [(row["tenant_id"], row["invoice_id"]) for row in rows])

    async def invoices_cancelled(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """Nothing of it is owed: no notice prints it any more."""
        names = ("tenant_id", "invoice_id", "version")
        rows = [{name: getattr(event.body, name) for name in names} for event in events]
        await facts.cancel_invoices(db, rows)
        await self._follow(db, notice_line.c.invoice_id, [(event.tenant, event.body.invoice_id) for event in events])

    async def residuals_told(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """What items owe now; notices that printed more shrink, those of settled items end."""
        told = [(event.tenant, residual) for event in events for residual in event.body.residuals]
        await self._keep(db, told)

    async def items_reopened(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """A settled item owes again: a notice that was to thank for it does not."""
        told = [(event.tenant, Residual(**_reopened(event.body))) for event in events]
        await self._keep(db, told)

    async def _keep(self, db: AsyncConnection, told: Iterable[tuple[UUID, Residual]]) -> None:
        newest: dict[Pair, Residual] = {}
        for tenant, residual in told:
            known = newest.get((tenant, residual.item_id))
            if known is None or residual.item_version > known.item_version:
                newest[tenant, residual.item_id] = residual
        if newest:
            rows = [
                {
                    "tenant_id": tenant,
                    "item_id": item_id,
                    "item_version": each.item_version,
                    "residual": each.residual.minor,
                    "currency": each.residual.currency,
                }
                for (tenant, item_id), each in sorted(newest.items())
            ]
            await facts.keep_items(db, rows)
            settled = {key for key, each in newest.items() if not each.residual}
            await tasking.settle_calls(db, settled, self.clock.now())
            await self._follow(db, notice_line.c.item_id, list(newest))

    async def _follow(self, db: AsyncConnection, column: Any, asked: Sequence[Pair]) -> None:
        found = await notices.open_with(db, column, set(asked))
        if found and await superseding.follow_facts(db, found, self.clock.now()):
            self.nudge()

    async def debtors_changed(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """The debtor's file, whole; notices to a payer whose recipients changed are written anew."""
        rows = [_debtor(event) for event in events]
        contacts = [_contact(event, contact) for event in events for contact in event.body.contacts]
        news = await facts.keep_debtors(db, rows, contacts)
        await contacts_changed.follow(db, news, self.clock.now())
        self.nudge()

    async def debtors_erased(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """Names, addresses and texts go; that something was sent stays."""
        erased = {(event.tenant, event.body.debtor_id) for event in events}
        await superseding.stop(db, await notices.open_where(db, notice.c.payer_id, erased), self.clock.now(), "erased")
        await facts.forget_debtors(db, erased)
        await notices.forget_payers(db, erased)
        await mail.forget_payers(db, erased)
        await tasks.forget_payers(db, erased)

    async def bank_details_approved(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        """Where to pay changed: what has not left is written anew and, where it was approved, approved anew."""
        await directory.handlers()[BankDetailsApproved](db, list(events))
        entities = {(event.tenant, event.body.entity_id) for event in events}
        await contacts_changed.write_again(
            db, await notices.open_where(db, notice.c.entity_id, entities), self.clock.now()
        )
        self.nudge()


_SCOPES = {
    "case": notice.c.case_id,
    "payer": notice.c.payer_id,
    "party": notice.c.party_id,
    "entity": notice.c.entity_id,
    "tenant": notice.c.tenant_id,
}


def _notice(event: Event) -> dict[str, Any]:
    due: ReminderDue = event.body
    return {
        "tenant_id": due.tenant_id,
        "notice_id": notice_id(due.tenant_id, due.reminder_id, 1),
        "reminder_id": due.reminder_id,
        "entity_id": due.entity_id,
        "case_id": due.case_id,
        "payer_id": due.payer_id,
        "party_id": due.party_id,
        "policy_version_id": due.policy_version_id,
        "anchor_item_id": due.anchor_item_id,
        "kind": due.kind,
        "step_key": due.step_key,
        "tone": due.tone,
        "template": due.template,
        "language": due.language,
        "channels": list(due.channels),
        "audience": list(due.audience),
        "cc": list(due.cc),
        "sender": due.sender.model_dump(),
        "completes_on": due.completes_on,
        "approval": due.approval,
        "charges": due.charges.model_dump(mode="json") if due.charges is not None else None,
        "window_ends_at": due.window_ends_at,
        "due_at": event.time,
        "correlation": event.correlation,
        "cause": event.id,
    }


def _line(line: Line) -> NoticeLine:
    return NoticeLine(
        occurrence_id=line.occurrence_id,
        release=line.release,
        item_id=line.item_id,
        item_version=line.item_version,
        invoice_id=line.invoice_id,
        invoice_version=line.invoice_version,
        debtor_id=line.debtor_id,
        number=line.number,
        issue_date=line.issue_date,
        due_date=line.due_date,
        amount=line.amount,
        residual=line.residual,
        paused=line.paused,
        step_key=line.step_key,
        tone=line.tone,
        completes=line.completes,
        interest=line.interest,
        lump_sum=line.lump_sum,
    )


def _reopened(body: InvoiceReopened) -> dict[str, Any]:
    return {
        "item_id": body.item_id,
        "invoice_id": body.invoice_id,
        "residual": body.residual,
        "item_version": body.version,
    }


def _debtor(event: Event) -> dict[str, Any]:
    body: DebtorChanged = event.body
    names = ("debtor_id", "version", "entity_id", "payer_id", "party_id", "external_id", "name", "siren", "language")
    return {name: getattr(body, name) for name in ("tenant_id", *names, "phone", "sales_owner", "collector")}


def _contact(event: Event, contact: Any) -> dict[str, Any]:
    told = {name: getattr(contact, name) for name in ("contact_id", "name", "email", "phone", "language")}
    return told | {"tenant_id": event.tenant, "debtor_id": event.body.debtor_id, "roles": list(contact.roles)}
