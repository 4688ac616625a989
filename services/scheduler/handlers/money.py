"""What payment_matching says: money, residuals, items settled and reopened, credits applied, feeds.

The rule it protects: only matching says what an item owes; what is told of an item without an invoice is kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.events import Event, event
from libs.common.events.payments import (
    CreditApplied,
    FeedAdvanced,
    InvoiceReopened,
    InvoiceSettled,
    PaymentBody,
    PaymentMatched,
    PaymentReversed,
    Residual,
)
from libs.common.ids import named
from services.scheduler import speaking
from services.scheduler.calendar import Calendar
from services.scheduler.store import cases, charges, holds, items, money, zones
from services.scheduler.tables import dispute

INVESTIGATED_IN = 10
"""Working days after which somebody looks again at a dispute that the payer's bank opened."""


async def paid(db: AsyncConnection, events: Sequence[Event]) -> None:
    """PaymentReceived, Matched, Unmatched, Reversed: money on account, and what items owe after it."""
    days = await zones.days(db, events)
    bodies: list[PaymentBody] = [each.body for each in events]
    await money.payments(db, [_payment_row(each.body, days[each.id]) | {"told_at": each.time} for each in events])
    told = [(body.tenant_id, part) for body in bodies for part in getattr(body, "residuals", ())]
    latest = max(each.time for each in events)
    await items.owing(db, list(_owing(told)), latest)
    await charges.told(db, [row for body in bodies for row in _causes(body)])
    payers = {(body.tenant_id, cases.case_id(body.tenant_id, body.payer_id)) for body in bodies if body.payer_id}
    answers = [
        cases.answer(each.tenant, cases.case_id(each.tenant, each.body.payer_id), days[each.id], each.time)
        for each in events
        if each.body.payer_id and not isinstance(each.body, PaymentReversed)
    ]
    await cases.answered(db, answers)
    await holds.judge_disputes(db, {(tenant, part.item_id) for tenant, part in told}, latest)
    await holds.judge_promises(db, {(body.tenant_id, body.payer_id) for body in bodies if body.payer_id}, latest)
    await cases.look_at(db, payers, latest)
    await cases.look_at_items(db, {(tenant, part.item_id) for tenant, part in told}, latest)


async def credit_applied(db: AsyncConnection, told: Event) -> None:
    """CreditApplied: the items owe less, and what is left of the credit is on account."""
    body: CreditApplied = told.body
    row = {
        "tenant_id": body.tenant_id,
        "credit_note_id": body.credit_note_id,
        "entity_id": body.entity_id,
        "payer_id": body.payer_id,
        "currency": body.unapplied.currency,
        "unapplied_minor": body.unapplied.minor,
        "applied_version": body.version,
        "answered_version": body.note_version,
        "seen_on": told.time.date(),
    }
    await money.credit_applied(db, row, told.time)
    await items.owing(db, list(_owing((body.tenant_id, part) for part in body.residuals)), told.time)
    await holds.judge_disputes(db, {(body.tenant_id, part.item_id) for part in body.residuals}, told.time)
    await holds.judge_promises(db, {(body.tenant_id, body.payer_id)}, told.time)
    await cases.look_at(db, {(body.tenant_id, cases.case_id(body.tenant_id, body.payer_id))}, told.time)
    await cases.look_at_items(db, {(body.tenant_id, part.item_id) for part in body.residuals}, told.time)


async def settled(db: AsyncConnection, events: Sequence[Event]) -> None:
    """InvoiceSettled: these items owe nothing any more."""
    bodies: list[InvoiceSettled] = [each.body for each in events]
    rows = [_residual_row(body.tenant_id, body.item_id, body.invoice_id, 0, body.version) for body in bodies]
    latest = max(each.time for each in events)
    await items.owing(db, rows, latest)
    await items.settled(db, [_settled_row(body) for body in bodies])
    await charges.collected(db, rows)
    await cases.look_at_items(db, {(body.tenant_id, body.item_id) for body in bodies}, latest)


async def reopened(db: AsyncConnection, told: Event) -> None:
    """InvoiceReopened: it owes again, a cycle more; a payment refused by the debtor opens a dispute."""
    body: InvoiceReopened = told.body
    row = _residual_row(body.tenant_id, body.item_id, body.invoice_id, body.residual.minor, body.version)
    await items.owing(db, [row], told.time)
    back = {f"reopened:{body.version}": [body.on.isoformat(), body.reason, told.time.isoformat()]}
    keys = {"tenant_id": body.tenant_id, "item_id": body.item_id, "invoice_id": body.invoice_id}
    await items.came_back(db, [{**keys, "cycles": back}])
    await charges.reopened(db, body.tenant_id, body.item_id)
    if body.reason == "refused_by_debtor":
        await _refused(db, told, body)
    await cases.look_at_items(db, {(body.tenant_id, body.item_id)}, told.time)


async def _refused(db: AsyncConnection, told: Event, body: InvoiceReopened) -> None:
    tenant, case = body.tenant_id, cases.case_id(body.tenant_id, body.payer_id)
    identity = named("dispute", tenant, body.item_id, body.version)
    calendar = (await zones.calendars(db, {tenant})).get((tenant, body.entity_id), Calendar("FR", "Europe/Paris"))
    about = {"tenant_id": tenant, "entity_id": body.entity_id, "case_id": case, "payer_id": body.payer_id}
    amount = {"amount_minor": body.residual.minor, "currency": body.residual.currency}
    hold = {
        **about,
        **amount,
        "hold_id": named("hold", identity),
        "scope": "item",
        "scope_id": body.item_id,
        "kind": "dispute",
        "reason": "refused_by_debtor",
        "author": "bank",
        "review_on": calendar.add_business_days(calendar.today(told.time), INVESTIGATED_IN),
        "placed_at": told.time,
        "version": 1,
    }
    if not await holds.place(db, [hold]):
        return
    row = {
        **about,
        **amount,
        "dispute_id": identity,
        "item_id": body.item_id,
        "hold_id": hold["hold_id"],
        "reason": "refused_by_debtor",
        "author": "bank",
        "respond_by": hold["review_on"],
        "look_at": told.time,
        "opened_at": told.time,
        "version": 1,
    }
    await holds.add(db, dispute, row)
    said = [speaking.placed(hold), speaking.disputed(row)]
    await outbox.record(db, *(event(each, told.time, cause=told) for each in said))


async def feeds_advanced(db: AsyncConnection, events: Sequence[Event]) -> None:
    """FeedAdvanced: cases that wait for bank data are looked at again."""
    bodies: list[FeedAdvanced] = [each.body for each in events]
    names = ("tenant_id", "bank_account_id", "entity_id", "version", "covered_to", "required", "unreadable")
    rows = [{name: getattr(each.body, name) for name in names} | {"told_at": each.time} for each in events]
    await money.feeds(db, rows)
    latest = max(each.time for each in events)
    for tenant, entity in sorted({(body.tenant_id, body.entity_id) for body in bodies}):
        await cases.look_at_entity(db, tenant, entity, latest, waits="feed")


def _owing(told: Iterable[tuple[UUID, Residual]]) -> Iterable[dict[str, Any]]:
    for tenant, part in told:
        yield _residual_row(tenant, part.item_id, part.invoice_id, part.residual.minor, part.item_version)


def _causes(body: PaymentBody) -> Iterable[dict[str, Any]]:
    """How each residual of a payment came to be: the money it gave to the item, or took back."""
    given: dict[UUID, int] = defaultdict(int)
    for part in getattr(body, "allocations", ()):
        given[part.item_id] += part.amount.minor
    for part in getattr(body, "residuals", ()):
        matched = isinstance(body, PaymentMatched)
        yield {
            "tenant_id": body.tenant_id,
            "item_id": part.item_id,
            "item_version": part.item_version,
            "cause": "taken_back" if not matched else "given" if given[part.item_id] else "other",
            "payment_id": body.payment_id,
            "given_minor": given[part.item_id],
            "on_date": body.value_date,
        }


def _residual_row(tenant: UUID, item: UUID, invoice: UUID, minor: int, version: int) -> dict[str, Any]:
    return {
        "tenant_id": tenant,
        "item_id": item,
        "invoice_id": invoice,
        "residual_minor": minor,
        "item_version": version,
    }


def _settled_row(body: InvoiceSettled) -> dict[str, Any]:
    return {
        "tenant_id": body.tenant_id,
        "item_id": body.item_id,
        "settled_version": body.version,
        "settled_by": body.by,
        "settled_on": body.settled_on,
    }


def _payment_row(body: PaymentBody, day: Any) -> dict[str, Any]:
    return {
        "tenant_id": body.tenant_id,
        "payment_id": body.payment_id,
        "entity_id": body.entity_id,
        "payer_id": body.payer_id,
        "version": body.version,
        "amount_minor": body.amount.minor,
        "unapplied_minor": 0 if isinstance(body, PaymentReversed) else body.unapplied.minor,
        "currency": body.amount.currency,
        "value_date": body.value_date,
        "seen_on": day,
        "reversed": isinstance(body, PaymentReversed),
    }
