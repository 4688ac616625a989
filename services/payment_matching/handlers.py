"""What matching hears, and who does it. Every list is locked by its debtors before, in the order of their ids."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import directory
from libs.common.clock import Clock
from libs.common.consumer import Handler
from libs.common.events import Body, Event
from libs.common.events.debtors import DebtorChanged
from libs.common.events.directory import BankDetailsApproved
from libs.common.events.invoices import (
    CreditNoteIssued,
    DebtorErased,
    InvoiceAmended,
    InvoiceCancelled,
    InvoiceIssued,
)
from libs.common.events.reminders import HoldLifted, PlanAgreed, PlanDefaulted
from services.payment_matching import crediting, opening
from services.payment_matching.store import debtors, feeds, plans
from services.payment_matching.store.debtors import Account, Identity


async def lock(db: AsyncConnection, events: Sequence[Event]) -> None:
    """Lock all accounts that these events are about."""
    keys = {(event.tenant, event.body.debtor_id) for event in events if hasattr(event.body, "debtor_id")}
    if keys:
        await debtors.lock(db, keys)


class Hearing:
    """The handlers, with the clock that dates what they say."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def handlers(self) -> Mapping[type[Body], Handler]:
        """What the service's consumer merges."""
        return {
            **directory.handlers(),
            InvoiceIssued: self.invoices_told,
            InvoiceAmended: self.invoices_told,
            InvoiceCancelled: self.invoices_cancelled,
            CreditNoteIssued: self.credits_told,
            DebtorChanged: debtors_changed,
            DebtorErased: debtors_erased,
            PlanAgreed: plans_agreed,
            PlanDefaulted: plans_defaulted,
            HoldLifted: holds_lifted,
            BankDetailsApproved: self.bank_details_approved,
        }

    async def invoices_told(self, db: AsyncConnection, events: list[Event]) -> None:
        await opening.invoices_told(db, events, self.clock.now())

    async def invoices_cancelled(self, db: AsyncConnection, events: list[Event]) -> None:
        await opening.invoices_cancelled(db, events, self.clock.now())

    async def credits_told(self, db: AsyncConnection, events: list[Event]) -> None:
        await crediting.credits_told(db, events, self.clock.now())

    async def bank_details_approved(self, db: AsyncConnection, events: list[Event]) -> None:
        """An account of ours: its feed is watched from now on."""
        await directory.keep(db, events)
        await feeds.approve(db, self.clock.now(), [event.body for event in events])


async def debtors_changed(db: AsyncConnection, events: list[Event]) -> None:
    """Who pays for an account, and what that payer is known by."""
    accounts = [
        Account(e.tenant, b.debtor_id, b.entity_id, b.payer_id, b.group_id, b.external_id, b.version)
        for e in events
        if (b := e.body)
    ]
    changed = await debtors.change(db, accounts)
    bodies = [event.body for event in events if event.body.debtor_id in changed]
    if not bodies:
        return
    keys = {(body.tenant_id, body.debtor_id) for body in bodies}
    await debtors.forget(db, keys)
    known = [
        Identity(body.tenant_id, "iban", iban.replace(" ", "").upper(), body.debtor_id, "file")
        for body in bodies
        for iban in body.ibans
    ]
    known += [one for body in bodies for one in debtors.named_so(body.tenant_id, body.debtor_id, body.name)]
    await debtors.know(db, known)
    await debtors.try_again(db, keys, {(one.tenant_id, one.value) for one in known if one.kind == "iban"})


async def debtors_erased(db: AsyncConnection, events: list[Event]) -> None:
    """Personal data of a debtor goes; the ledger stays."""
    await debtors.forget(db, {(event.tenant, event.subject) for event in events}, everything=True)
    for event in events:
        await debtors.anonymise(db, event.tenant, event.subject)


async def plans_agreed(db: AsyncConnection, events: list[Event]) -> None:
    """The payer pays these amounts by these days from now on; money that waits may be the first."""
    rows = [
        {
            "tenant_id": event.tenant,
            "plan_id": body.plan_id,
            "payer_id": body.payer_id,
            "currency": body.amounts[0].currency,
            "parts": [[day.isoformat(), part.minor] for day, part in zip(body.dates, body.amounts, strict=True)],
            "items": [str(item) for item in body.item_ids],
            "agreed_on": event.time.date(),
        }
        for event in events
        if (body := event.body).amounts
    ]
    await plans.agree(db, rows)
    await debtors.try_again(db, {(row["tenant_id"], row["payer_id"]) for row in rows}, ())


async def plans_defaulted(db: AsyncConnection, events: list[Event]) -> None:
    """A plan fell."""
    await plans.end(db, {(event.tenant, event.body.plan_id) for event in events})


async def holds_lifted(db: AsyncConnection, events: list[Event]) -> None:
    """A plan that a person took off, or that is over, says so by its holds; one item of it settled ends none."""
    ended = {
        (event.tenant, body.scope_id)
        for event in events
        if (body := event.body).kind == "plan" and body.scope == "item" and body.reason != "settled"
    }
    if ended:
        await plans.lifted(db, ended)
