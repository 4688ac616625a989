"""What a person decides: giving money to items or leaving it on account, taking that back, and what the bank took back.

Protects: a decision is made under the locks of what it touches, kept with who and when, and never changed by the
machine; an account that a person matched is known as its payer's from then on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import Conflict, NotFound, Refused
from libs.common.events.payments import WriteOffKind
from libs.common.metrics import PAYMENTS_MATCHED
from libs.common.money import Money
from services.payment_matching import learning, two_people
from services.payment_matching.allocation import Line, netted
from services.payment_matching.book import Book
from services.payment_matching.errors import NothingToGive
from services.payment_matching.pages import ItemPage, PaymentPage
from services.payment_matching.returning import Taken, reverse
from services.payment_matching.store import books, calibrations, debtors, payments, providers
from services.payment_matching.store.debtors import Identity

_AGAIN = text("""
    update payment set pending = true where tenant_id = :tenant and payment_id = :payment and unapplied_minor > 0
""")
_BEST = text("""
    select items, credits, odds, unsure from suggestion
     where tenant_id = :tenant and payment_id = :payment and rank = 1 and not 'erp_unclear' = any(unsure)
""")
_CLEAR = text("delete from suggestion where tenant_id = :tenant and payment_id = :payment")
_BY_PERSON = text("update payment set by_person = :by where tenant_id = :tenant and payment_id = :payment")
_IBAN = text("select payer_iban, currency from payment where tenant_id = :tenant and payment_id = :payment")


class NotAllocated(NotFound):
    """This allocation does not stand on this payment."""

    code = "not_allocated"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person gives to an item: the whole of what it owes, as far as there is money, without an amount.

    In another currency than the payment's, both amounts are said: no rate is known here.
    """

    item_id: UUID
    amount: Money | None = None
    paid: Money | None = None
    """What of the payment it takes, where the item is in another currency."""
    write_off: WriteOffKind | None = None
    """What the rest of the item is written off as."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides about which payment."""

    tenant_id: UUID
    payment_id: UUID
    actor: str
    second: str | None = None
    """The person who approved it, where it takes two."""


def _who(by: "Decision | OfItem") -> dict[str, Any]:
    return {"by": by.actor} | ({"second": by.second} if by.second else {})


async def allocate(
    db: AsyncConnection, at: datetime, decision: Decision, wanted: Sequence[Wanted], notes: Sequence[Line] = ()
) -> list[UUID]:
    """Give a payment, and credit notes besides it, to items; answers the allocations.

    Raises NotFound, Refused where the amounts are not in the currencies, NothingToGive, OverAllocated, TakesTwo.
    """
    tenant, book = decision.tenant_id, Book(at)
    await books.lock_payments(db, book, [(tenant, decision.payment_id)])
    payment = payments.known(book, decision.payment_id)
    await books.lock_credits(db, book, {(tenant, note.item_id) for note in notes})
    await books.lock_items(db, book, {(tenant, one.item_id) for one in wanted})
    lines = _lines(book, payment, wanted, notes)
    off = {one.item_id for one in wanted if one.write_off}
    await two_people.to_give(db, decision, payment, book.items, (lines, notes, off))
    given, credited = netted(lines, notes)
    for note in dict.fromkeys(note for note, _ in credited):
        if note not in book.credits:
            raise NotFound(f"There is no credit note {note}.")
        book.credit(note, [line for other, line in credited if other == note], "person", decision.actor)
    said = _who(decision) | await _foreseen(db, decision, lines, notes)
    made = book.give(decision.payment_id, given, "person", decision.actor, said) if given else []
    made += _write_off_rests(book, decision, wanted)
    await books.write(db, book)
    await _after(db, decision)
    await _kept_by_provider(db, at, decision, book)
    await _learn(db, at, decision, book, lines)
    PAYMENTS_MATCHED.labels("person").inc()
    return made


async def _kept_by_provider(db: AsyncConnection, at: datetime, decision: Decision, book: Book) -> None:
    """A provider's fee was written off: the account that sent the money is a provider's, which keeps that much."""
    currency = book.payments[decision.payment_id].currency
    made = [one for one in book.made if book.items[one.item_id].currency == currency]
    beside = {one.item_id for one in made if one.kind == "provider_fee"}
    fee = sum(one.amount for one in made if one.kind == "provider_fee")
    if fee:
        whole = sum(one.amount for one in made if one.item_id in beside)
        payment = (decision.tenant_id, decision.payment_id)
        await providers.learn(db, payment, -(-fee * 10_000 // whole), decision.actor, at)


async def _foreseen(
    db: AsyncConnection, decision: Decision, lines: Sequence[Line], notes: Sequence[Line]
) -> dict[str, Any]:
    """Whether the likeliest suggestion is what the person decided, for calibration; nothing where none was shown."""
    asked = {"tenant": decision.tenant_id, "payment": decision.payment_id}
    best = (await db.execute(_BEST, asked)).first()
    if best is None:
        return {}
    right = {*best.items, *best.credits} == {line.item_id for line in (*lines, *notes)}
    return {"best": {"odds": best.odds, "guards": len(set(best.unsure)), "right": right}}


def _write_off_rests(book: Book, decision: Decision, wanted: Sequence[Wanted]) -> list[UUID]:
    rests = {one.item_id: one.write_off for one in wanted if one.write_off and book.items[one.item_id].residual}
    payment, who = decision.payment_id, decision.actor
    return [
        book.write_off(item, kind, "person", who, beside=payment, why=_who(decision)) for item, kind in rests.items()
    ]


@dataclass(frozen=True, slots=True)
class OfItem:
    """Who decides about which item."""

    tenant_id: UUID
    item_id: UUID
    actor: str
    second: str | None = None


async def write_off(db: AsyncConnection, at: datetime, decision: OfItem, kind: WriteOffKind) -> UUID:
    """Write off what an item still owes, for itself; answers the line.

    Raises NotFound, NothingToGive, OverTolerance, TakesTwo.
    """
    tenant, item, actor, book = decision.tenant_id, decision.item_id, decision.actor, Book(at)
    await books.lock_items(db, book, [(tenant, item)])
    if item not in book.items:
        raise NotFound(f"There is no item {item}.")
    if not book.items[item].residual:
        raise NothingToGive(f"Item {item} owes nothing.")
    page = book.items[item]
    await two_people.to_write_off(db, decision, page)
    made = book.write_off(item, kind, "person", actor, why=_who(decision))
    await books.write(db, book)
    return made


async def take_back_write_off(db: AsyncConnection, at: datetime, decision: OfItem, allocation: UUID) -> None:
    """Undo a write-off: the item owes that again. Raises NotAllocated."""
    book = Book(at)
    await books.open_around_items(db, book, [(decision.tenant_id, decision.item_id)])
    given = book.standing.get(allocation)
    if given is None or given.source != "write_off":
        raise NotAllocated
    book.take_back({allocation: given.amount}, "unallocated", decision.actor, at.date())
    await books.write(db, book)


def _lines(book: Book, payment: PaymentPage, wanted: Sequence[Wanted], notes: Sequence[Line]) -> list[Line]:
    lines: list[Line] = []
    available = payment.unapplied + sum(note.amount for note in notes)
    for one in wanted:
        item = book.items.get(one.item_id)
        if item is None:
            raise NotFound(f"There is no item {one.item_id}.")
        if item.currency == payment.currency:
            line = _in_its_currency(one, item, available)
        else:
            line = _between(one, item.currency, payment.currency, notes)
        lines.append(line)
        available -= line.taken
    return lines


def _in_its_currency(one: Wanted, item: ItemPage, available: int) -> Line:
    if one.amount is not None and one.amount.currency != item.currency:
        raise Refused(
            f"The payment and item {one.item_id} are in {item.currency}.",
            field="allocations",
            remedy=f"Send the amount in {item.currency}, or none for all that it owes.",
        )
    if one.paid is not None and one.paid != one.amount:
        raise Refused(
            f"The payment is in {item.currency} as item {one.item_id} is: what it takes is the amount itself.",
            field="paid",
            remedy="Leave `paid` out.",
        )
    amount = min(item.residual, available) if one.amount is None else one.amount.minor
    if amount <= 0:
        raise NothingToGive(f"Nothing is left to give to item {one.item_id}, or it owes nothing.")
    return Line(one.item_id, amount)


def _between(one: Wanted, currency: str, paid_in: str, notes: Sequence[Line]) -> Line:
    """A part of a payment in one currency for an item in another, as the person said both amounts."""
    if notes:
        raise Refused(
            f"Item {one.item_id} is in {currency} and the payment in {paid_in}: no credit note goes with that.",
            field="credits",
            remedy="Let the ERP say which invoice the credit note reduces, then give the payment without it.",
        )
    for name, said, wanted in (("amount", one.amount, currency), ("paid", one.paid, paid_in)):
        if said is None or said.currency != wanted:
            raise Refused(
                f"Item {one.item_id} is in {currency} and the payment in {paid_in}: `{name}` is to be in {wanted}.",
                field=name,
                remedy=f"Send `amount` in {currency}, what the item owes less, and `paid` in {paid_in}, what of the "
                "payment that takes.",
            )
    return Line(one.item_id, one.amount.minor if one.amount else 0, one.paid.minor if one.paid else 0)


async def put_on_account(db: AsyncConnection, at: datetime, decision: Decision, debtor: UUID) -> None:
    """Leave what is left on the account of who pays for this debtor. Raises NotFound, or Conflict when none is left."""
    tenant, book = decision.tenant_id, Book(at)
    payers = await debtors.payers(db, [(tenant, debtor)])
    if (tenant, debtor) not in payers:
        raise NotFound(f"There is no debtor {debtor}.", field="debtor_id")
    await books.lock_payments(db, book, [(tenant, decision.payment_id)])
    payment = payments.known(book, decision.payment_id)
    if payment.unapplied <= 0:
        raise Conflict("Nothing of this payment is left.")
    payer = payers[tenant, debtor]
    book.keep(decision.payment_id, payer)
    await books.write(db, book)
    await calibrations.decline(db, tenant, decision.payment_id, at)
    await db.execute(_CLEAR, {"tenant": tenant, "payment": decision.payment_id})
    await _known_as(db, at, decision, payer)


async def reject(db: AsyncConnection, at: datetime, decision: Decision) -> None:
    """None of what was suggested is right: the machine keeps still about this payment. Raises NotFound."""
    tenant, book = decision.tenant_id, Book(at)
    await books.lock_payments(db, book, [(tenant, decision.payment_id)])
    payments.known(book, decision.payment_id)
    asked = {"tenant": tenant, "payment": decision.payment_id}
    await db.execute(_BY_PERSON, asked | {"by": True})
    await calibrations.decline(db, tenant, decision.payment_id, at)
    await db.execute(_CLEAR, asked)


async def look_again(db: AsyncConnection, at: datetime, decision: Decision) -> None:
    """Forget that a person put it on account or rejected what was suggested: it is tried anew. Raises NotFound, or
    Conflict when a person gave a part of it to items."""
    tenant, book = decision.tenant_id, Book(at)
    await books.lock_payments(db, book, [(tenant, decision.payment_id)])
    payment = payments.known(book, decision.payment_id)
    if payment.unapplied < payment.amount - payment.returned:
        raise Conflict("A part of this payment is given to items.", remedy="Take that back first.")
    payment.by_person = False
    await calibrations.undecline(db, tenant, decision.payment_id)
    book.received(payment, None)
    await books.write(db, book)
    await db.execute(_AGAIN, {"tenant": tenant, "payment": decision.payment_id})


async def take_back(db: AsyncConnection, at: datetime, decision: Decision, allocation: UUID) -> list[UUID]:
    """Undo one allocation; answers the items that owe again. Raises NotFound or NotAllocated."""
    book = Book(at)
    await books.open_around_payments(db, book, [(decision.tenant_id, decision.payment_id)])
    payments.known(book, decision.payment_id)
    given = book.standing.get(allocation)
    if given is None:
        raise NotAllocated
    book.take_back({allocation: given.amount}, "unallocated", decision.actor, at.date())
    await books.write(db, book)
    await _after(db, decision)
    if given.how == "auto":
        await learning.canary(db, decision.tenant_id, at)
    return [given.item_id]


async def reversed_by_hand(db: AsyncConnection, at: datetime, decision: Decision, taken: Taken) -> list[UUID]:
    """The bank took money back, as an ERP or a person tells it; answers the items that owe again."""
    items = await reverse(db, at, decision.tenant_id, decision.payment_id, taken)
    await db.execute(_CLEAR, {"tenant": decision.tenant_id, "payment": decision.payment_id})
    return list(items)


async def _after(db: AsyncConnection, decision: Decision) -> None:
    """What is left is looked at again, to suggest; a person's payment is never matched by the machine."""
    asked = {"tenant": decision.tenant_id, "payment": decision.payment_id}
    await db.execute(_CLEAR, asked)
    await db.execute(_AGAIN, asked)


async def _learn(db: AsyncConnection, at: datetime, decision: Decision, book: Book, lines: Sequence[Line]) -> None:
    payers = {book.items[line.item_id].payer_id for line in lines}
    if len(payers) == 1:
        await _known_as(db, at, decision, payers.pop())


async def _known_as(db: AsyncConnection, at: datetime, decision: Decision, payer: UUID) -> None:
    """The account that the money came from is this payer's: a person said so."""
    found = (await db.execute(_IBAN, {"tenant": decision.tenant_id, "payment": decision.payment_id})).first()
    iban, currency = found or (None, "")
    if iban and not await providers.of(db, [(0, decision.tenant_id, iban, currency)]):
        await debtors.know(db, [Identity(decision.tenant_id, "iban", iban, payer, "person", 1, at.date())])
