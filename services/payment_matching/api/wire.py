"""What people decide and read: payments, allocations, suggestions, items, accounts."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from pydantic import BaseModel, Field

from libs.common.events import Amount
from libs.common.http import Wire
from libs.common.money import Money
from services.payment_matching.words import say
from services.payment_matching.writing_off import most

Language = Literal["fr", "en"]
WrittenOffAs = Literal["discount", "fee", "provider_fee", "rounding", "withholding", "other"]
_WRITTEN_OFF: dict[str, WrittenOffAs] = {"discounted": "discount", "rounded": "rounding", "payout": "provider_fee"}
State = Literal["pending", "unmatched", "partly", "matched", "reversed"]


class AllocationWanted(Wire):
    """A part of a payment for an item: as much as it owes and there is, without an amount.

    For an item in another currency than the payment both amounts are said: no rate is known here.
    """

    item_id: UUID
    amount: Amount | None = None
    """What the item owes less, in its currency."""
    paid: Amount | None = None
    """What the payment has less for it, in its currency, where that is another."""
    write_off: WrittenOffAs | None = None
    """Settles the item: what it owes after this is written off as this, within what the kind allows."""


class CreditUsed(Wire):
    """A credit note used to pay the items besides the payment."""

    credit_note_id: UUID
    amount: Amount


class AllocationsIn(Wire):
    """What a person decides about a payment."""

    allocations: Annotated[list[AllocationWanted], Field(min_length=1, max_length=500)]
    credits: Annotated[list[CreditUsed], Field(max_length=50)] = []


class OnAccount(Wire):
    """Whose money it is."""

    debtor_id: UUID


class WriteOffIn(Wire):
    """What an item still owes is written off as this."""

    kind: WrittenOffAs


class AllocationOut(BaseModel):
    """A part of a payment that stands on an item."""

    allocation_id: UUID
    item_id: UUID
    invoice_id: UUID
    number: str
    amount: Amount
    """In the item's currency."""
    paid: Amount | None = None
    """What the payment gives for it, where it is in another currency."""
    how: str
    actor: str
    made_at: datetime
    kind: str | None = None
    """Of a write-off: what it is booked as."""


class PaymentOut(BaseModel):
    """A payment on record."""

    payment_id: UUID
    external_id: str | None
    entity_id: UUID
    source: str
    state: State
    amount: Amount
    unapplied: Amount
    returned: Amount
    value_date: date
    received_at: datetime
    payer_id: UUID | None
    payer_name: str | None
    payer_iban: str | None
    remittance: str
    account: str | None
    instructed: Amount | None = None
    """What the payer ordered in another currency, as the bank told it."""
    exchange_rate: str | None = None
    allocations: list[AllocationOut] = []
    write_offs: list[AllocationOut] = []
    """What of the items was written off beside it; it falls with what the payment gave."""
    proposal_id: UUID | None = None
    """What waits for a second person before it is done."""


class PaymentPage(BaseModel):
    """Payments, the newest first."""

    payments: list[PaymentOut]
    next: str | None


class SuggestedItem(BaseModel):
    """An item of a suggestion and what it would get."""

    item_id: UUID
    invoice_id: UUID | None
    number: str | None
    amount: Amount
    """In the item's currency."""
    paid: Amount | None = None
    """What the payment would give for it, where it is in another currency."""
    write_off: WrittenOffAs | None = None
    """What the rest of the item is to be written off as, if this is accepted."""
    rest: Amount | None = None
    """What the item would still owe; nothing when it would be settled."""
    may_write_off: list[WrittenOffAs] = []
    """What that rest is small enough to be written off as."""


class SuggestionOut(BaseModel):
    """A set of items that the payment may be meant for, with its evidence in words."""

    rank: int
    shape: str
    items: list[SuggestedItem]
    credits: list[SuggestedItem]
    score: float
    share: float
    evidence: list[str]
    unsure: list[str]


class Suggestions(BaseModel):
    """Up to five sets of items, the likeliest first."""

    payment_id: UUID
    suggestions: list[SuggestionOut]


class ItemOut(BaseModel):
    """An open item."""

    item_id: UUID
    invoice_id: UUID
    entity_id: UUID
    debtor_id: UUID
    payer_id: UUID
    number: str
    sequence: int
    issue_date: date
    due_date: date
    amount: Amount
    residual: Amount
    version: int
    settled_on: date | None


class WrittenOff(BaseModel):
    """A write-off, by which it is taken back, and the item after it."""

    write_off_id: UUID | None
    proposal_id: UUID | None = None
    """Nothing is written off yet: this waits for a second person."""
    item: ItemOut


class ItemPage(BaseModel):
    """Open items, the oldest due first."""

    items: list[ItemOut]
    next: str | None


class BankAccountOut(BaseModel):
    """A bank account and how fresh its data are."""

    bank_account_id: UUID
    entity_id: UUID
    account: str
    currency: str
    required: bool
    effective_at: datetime | None
    covered_to: date | None
    gap_after: date | None
    """A statement after this day is missing."""
    unreadable: bool
    fresh: bool
    """Whether it covers the last TARGET2 day."""
    mapped: bool
    """Whether a mapping for its tables (CSV, XLSX) is saved."""


def paid(row: Any) -> Money | None:
    """What of a payment an allocation takes, where that is in another currency than the item."""
    return None if row.paid_currency == row.currency else Money(row.paid_minor, row.paid_currency)


def allocation(row: Any) -> AllocationOut:
    """A row of store.lists.allocations."""
    facts = {
        name: getattr(row, name)
        for name in ("allocation_id", "item_id", "invoice_id", "number", "how", "actor", "kind")
    }
    amount = Money(row.amount_minor, row.currency)
    return AllocationOut(**facts, amount=amount, paid=paid(row), made_at=row.made_at)


def payment(
    row: Any, external_id: str | None, allocations: Sequence[Any] = (), proposal: UUID | None = None
) -> PaymentOut:
    """A row of store.lists.payments."""
    return PaymentOut(
        payment_id=row.payment_id,
        external_id=external_id,
        entity_id=row.entity_id,
        source=row.source,
        state=row.state,
        amount=Money(row.amount_minor, row.currency),
        unapplied=Money(row.unapplied_minor, row.currency),
        returned=Money(row.returned_minor, row.currency),
        value_date=row.value_on,
        received_at=row.received_at,
        payer_id=row.payer_id,
        payer_name=row.payer_name,
        payer_iban=row.payer_iban,
        remittance=row.remittance,
        account=row.account,
        instructed=Money(row.instructed_minor, row.instructed_currency) if row.instructed_minor else None,
        exchange_rate=row.exchange_rate,
        allocations=[allocation(one) for one in allocations if one.kind is None],
        write_offs=[allocation(one) for one in allocations if one.kind is not None],
        proposal_id=proposal,
    )


def item(row: Any) -> ItemOut:
    """A row of store.lists.open_items."""
    names = ("item_id", "invoice_id", "entity_id", "debtor_id", "payer_id", "number", "sequence", "version")
    facts = {name: getattr(row, name) for name in (*names, "settled_on")}
    amount, residual = Money(row.amount_minor, row.currency), Money(row.residual_minor, row.currency)
    return ItemOut(**facts, issue_date=row.issued_on, due_date=row.due_on, amount=amount, residual=residual)


def suggestion(row: Any, known: dict[UUID, Any], currency: str, language: Language) -> SuggestionOut:
    """A row of store.lists.suggestions of a payment in `currency`, with the items it names."""

    off = _WRITTEN_OFF.get(row.shape)
    given: list[Money | None] = [Money(minor, currency) for minor in row.paid] or [None] * len(row.items)
    parts = [
        _part(known.get(one), one, Money(minor, row.currency)).model_copy(update={"write_off": off, "paid": paid})
        for one, minor, paid in zip(row.items, row.amounts, given, strict=True)
    ]
    notes = zip(row.credits, row.credit_amounts, strict=True)
    return SuggestionOut(
        rank=row.rank,
        shape=row.shape,
        items=parts,
        credits=[_part(known.get(one), one, Money(minor, currency)) for one, minor in notes],
        score=round(row.score, 3),
        share=round(row.share, 6),
        evidence=[say(why["code"], why["facts"], language) for why in row.evidence],
        unsure=list(row.unsure),
    )


def _part(found: Any | None, identity: UUID, amount: Money) -> SuggestedItem:
    """An item of a suggestion; `found` is its row, if it is an item that is known."""
    if found is None:
        return SuggestedItem(item_id=identity, invoice_id=None, number=None, amount=amount)
    facts = {"item_id": identity, "invoice_id": found.invoice_id, "number": found.number, "amount": amount}
    left = found.residual_minor - amount.minor if found.currency == amount.currency else 0
    if left <= 0:
        return SuggestedItem(**facts)
    kinds = [kind for kind in get_args(WrittenOffAs) if left <= most(kind, found.amount_minor, found.currency)]
    return SuggestedItem(**facts, rest=Money(left, found.currency), may_write_off=kinds)
