"""Allocation: giving money to items in whole minor units. Pure arithmetic.

Protects invariant I5: per payment allocated + unapplied + returned = amount; per item allocated + credited is never
more than its total, each in its own currency. Only a part of a line between two currencies is rounded, down, and what
stays of it has the rest: nothing is lost on either side. The same facts give the same lines.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate, pairwise
from uuid import UUID

from services.payment_matching.errors import OverAllocated

Named = Sequence[tuple[UUID, int | None]]
"""The invoices that a credit note names, each with the most it is credited, or None for whatever it owes."""


@dataclass(frozen=True, slots=True)
class Line:
    """A part of a payment or credit given to an item; `amount` > 0 in minor units of the item's currency."""

    item_id: UUID
    amount: int
    paid: int | None = None
    """What the payment gives for it, in its own currency, where that is another than the item's."""

    @property
    def taken(self) -> int:
        """What the payment or credit has less, in minor units of its currency."""
        return self.amount if self.paid is None else self.paid


@dataclass(frozen=True, slots=True)
class Owing:
    """What an item owes now, and what orders it among others."""

    item_id: UUID
    invoice_id: UUID
    due_on: date
    residual: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Money or credit that stands on an item; `order` rises with time."""

    allocation_id: UUID
    amount: int
    order: int
    by_person: bool = False
    credit: bool = False
    written_off: bool = False


def fitting(available: int, lines: Sequence[Line], residuals: Mapping[UUID, int]) -> list[Line]:
    """The lines, one per item, if all of them fit. Raises OverAllocated naming the first that does not."""
    fit = _summed(lines)
    for line in lines:
        if line.amount <= 0 or line.taken <= 0:
            raise OverAllocated("An allocation is more than nothing.", field="amount")
    for line in fit:
        if line.amount > residuals.get(line.item_id, 0):
            raise OverAllocated(f"Item {line.item_id} owes less than is given to it.", field="amount")
    if sum(line.taken for line in fit) > available:
        raise OverAllocated("The payment has less left than is given.", field="amount")
    return fit


def share(part: int, whole: int, other: int) -> int:
    """What `part` of `whole` is of `other`, its worth in another currency: all for all, else rounded down."""
    return other * part // whole


def between(lines: Sequence[Line], paid: int) -> list[Line]:
    """The lines with what a payment in another currency gives for each, by their size, `paid` in all to the last minor
    unit; none where that is not enough for every one of them."""
    amounts = [line.amount for line in lines]
    upto = [share(part, sum(amounts), paid) for part in accumulate(amounts, initial=0)] if lines else []
    parts = [end - start for start, end in pairwise(upto)]
    return [replace(line, paid=part) for line, part in zip(lines, parts, strict=True)] if all(parts) else []


def in_order(items: Iterable[Owing]) -> list[Owing]:
    """Oldest due first; the id decides between equals, so that the order never depends on who asks."""
    return sorted(items, key=lambda item: (item.due_on, item.item_id))


def oldest_first(available: int, items: Iterable[Owing]) -> list[Line]:
    """Give what there is to the oldest items first; the last one may get a part."""
    return in_turn(available, in_order(items))


def in_turn(available: int, items: Iterable[Owing]) -> list[Line]:
    """Give what there is to these items in their order; the last one may get a part."""
    lines = []
    for item in items:
        given = min(available, item.residual)
        if given > 0:
            lines.append(Line(item.item_id, given))
            available -= given
    return lines


def credited(available: int, named: Named, items: Sequence[Owing]) -> list[Line]:
    """A credit note's lines: the invoices it names, each up to the amount it names; without names the oldest first.

    What the named invoices do not owe is left over: it is the debtor's, and no machine gives it to something else.
    """
    if not named:
        return oldest_first(available, items)
    lines: list[Line] = []
    left = {item.item_id: item.residual for item in items}
    for invoice, most in named:
        owing = [
            Owing(item.item_id, item.invoice_id, item.due_on, left[item.item_id])
            for item in items
            if item.invoice_id == invoice
        ]
        given = oldest_first(available if most is None else min(available, most), owing)
        for line in given:
            left[line.item_id] -= line.amount
            available -= line.amount
        lines += given
    return _summed(lines)


def _summed(lines: Iterable[Line]) -> list[Line]:
    sums: dict[UUID, Line] = {}
    for line in lines:
        known = sums.get(line.item_id)
        paid = line.paid if known is None or line.paid is None else known.taken + line.paid
        sums[line.item_id] = replace(line, amount=line.amount + (known.amount if known else 0), paid=paid)
    return list(sums.values())


def taken_back(excess: int, standing: Iterable[Standing]) -> list[tuple[UUID, int]]:
    """Which allocations give back how much when an item comes to owe less than stands on it.

    What was written off first, credits last, a person's match after the machine's, the newest first.
    """
    order = sorted(
        standing,
        key=lambda one: (not one.written_off, one.credit, one.by_person, -one.order, one.allocation_id),
    )
    back = []
    for one in order:
        amount = min(excess, one.amount)
        if amount > 0:
            back.append((one.allocation_id, amount))
            excess -= amount
    return back


def no_longer_granted(amount: int, named: Named, standing: Sequence[tuple[UUID, Standing]]) -> dict[UUID, int]:
    """Which allocations of an amended credit note give back how much: allocation → minor units.

    `standing` are (invoice, what stands on it). What is not named any more goes, then what is over the most that an
    invoice is credited, then what is over the new amount; the newest first.
    """
    caps = dict(named)
    back: dict[UUID, int] = {}
    for invoice in {invoice for invoice, _ in standing} if named else ():
        mine = [one for of, one in standing if of == invoice]
        most = caps.get(invoice, 0)
        if most is not None:
            back |= taken_back(sum(one.amount for one in mine) - most, mine)
    kept = [replace(one, amount=one.amount - back.get(one.allocation_id, 0)) for _, one in standing]
    for allocation, part in taken_back(sum(one.amount for one in kept) - amount, kept):
        back[allocation] = back.get(allocation, 0) + part
    return back


def netted(lines: Sequence[Line], notes: Sequence[Line]) -> tuple[list[Line], list[tuple[UUID, Line]]]:
    """Items paid partly by credit notes: what the payment gives, and which credit gives what to which item.

    `notes` are (credit note, amount used), together at most the lines. The first lines are credited first.
    """
    if not notes:
        return list(lines), []
    owed = {line.item_id: line.amount for line in lines}
    given: list[tuple[UUID, Line]] = []
    for used in notes:
        amount = used.amount
        for item, open_part in owed.items():
            part = min(amount, open_part)
            if part > 0:
                given.append((used.item_id, Line(item, part)))
                owed[item], amount = open_part - part, amount - part
    return [Line(item, amount) for item, amount in owed.items() if amount > 0], given
