"""When one person is not enough: beyond a limit, in a currency that has none, or beyond what the bank said was ordered.

Protects: nobody gets around a limit by another currency, or settles alone what the bank's own figure does not pay.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment_matching.allocation import Line, share
from services.payment_matching.pages import ItemPage, PaymentPage
from services.payment_matching.store import proposals
from services.payment_matching.store.proposals import Abroad


class By(Protocol):
    """Who decides, and the person who approved it, where it takes two."""

    @property
    def tenant_id(self) -> UUID: ...
    @property
    def second(self) -> str | None: ...


class TakesTwo(Exception):
    """More is given or written off than one person may; nothing was written."""

    def __init__(self, entity_id: UUID, amount: int, currency: str) -> None:
        super().__init__(f"{amount} {currency}")
        self.entity_id, self.amount, self.currency = entity_id, amount, currency


async def to_write_off(db: AsyncConnection, by: By, item: ItemPage) -> None:
    """Raises TakesTwo where what the item owes is more than one person may write off."""
    if by.second is None:
        above = (await proposals.above(db, by.tenant_id, item.entity_id)).get(item.currency)
        if above is not None and item.residual > above:
            raise TakesTwo(item.entity_id, item.residual, item.currency)


async def to_give(
    db: AsyncConnection,
    by: By,
    payment: PaymentPage,
    items: Mapping[UUID, ItemPage],
    given: tuple[Sequence[Line], Sequence[Line], set[UUID]],
) -> None:
    """Raises TakesTwo where one person may not give so much; `given` are lines, the credit notes used besides, and the
    items whose rest is written off."""
    if by.second is not None:
        return
    lines, notes, off = given
    sums = in_all(payment.currency, items, lines, off)
    limits = await proposals.above(db, by.tenant_id, payment.entity_id)
    abroad = await proposals.given_abroad(db, by.tenant_id, payment.payment_id)
    for currency, amount in sums.items():
        if limits and currency not in limits and currency != payment.currency:
            raise TakesTwo(payment.entity_id, amount, currency)
        if currency in limits and _before(payment, abroad, currency) + amount > limits[currency]:
            raise TakesTwo(payment.entity_id, amount, currency)
    ordered = await proposals.ordered(db, by.tenant_id, payment.payment_id)
    if ordered is None:
        return
    there = [line for line in lines if items[line.item_id].currency == ordered.currency]
    before = abroad.get(ordered.currency, Abroad(0, 0))
    left = payment.unapplied - sum(line.taken for line in lines) + sum(note.amount for note in notes)
    elsewhere = payment.amount - left - before.paid - sum(line.taken for line in there)
    if beyond(ordered.minor, before.amount + sum(line.amount for line in there), elsewhere, payment.amount):
        currency = ordered.currency if there else payment.currency
        raise TakesTwo(payment.entity_id, sums[currency], currency)


def _before(payment: PaymentPage, abroad: Mapping[str, Abroad], currency: str) -> int:
    """What people gave of this payment before, in this currency: in parts, it is no less."""
    if not payment.by_person:
        return 0
    if currency == payment.currency:
        return payment.amount - payment.unapplied - payment.returned
    return abroad[currency].amount if currency in abroad else 0


def in_all(currency: str, items: Mapping[UUID, ItemPage], lines: Sequence[Line], off: set[UUID]) -> Counter[str]:
    """What is given of a payment in this currency, and written off beside it, by currency; what passes between two
    counts in both."""
    parts, sums = Counter[UUID](), Counter[str]()
    for line in lines:
        parts[line.item_id] += line.amount
        sums[currency] += line.taken
        if line.paid is not None:
            sums[items[line.item_id].currency] += line.amount
    for item in off:
        sums[items[item].currency] += max(0, items[item].residual - parts[item])
    return sums


def beyond(ordered: int, given: int, elsewhere: int, booked: int) -> bool:
    """Whether more is given in the currency that was ordered than was ordered, less the share of what of the booked
    amount went elsewhere."""
    return given > max(0, ordered - share(elsewhere, booked, ordered))
