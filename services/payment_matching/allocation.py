"""Allocation: giving money to items in whole minor units. Pure arithmetic.

Protects invariant I5: per payment allocated + unapplied + returned = amount; per item allocated + credited is never
more than its total. Nothing here rounds, and the same facts give the same lines.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from services.payment_matching.errors import OverAllocated

Named = Sequence[tuple[UUID, int | None]]
"""The invoices that a credit note names, each with the most it is credited, or None for whatever it owes."""


@dataclass(frozen=True, slots=True)
class Line:
    """A part of a payment or credit given to an item; `amount` > 0 in minor units."""

    item_id: UUID
    amount: int


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
    wanted: dict[UUID, int] = {}
    for line in lines:
        if line.amount <= 0:
            raise OverAllocated("An allocation is more than nothing.", field="amount")
        wanted[line.item_id] = wanted.get(line.item_id, 0) + line.amount
    for item, amount in wanted.items():
        if amount > residuals.get(item, 0):
            raise OverAllocated(f"Item {item} owes less than is given to it.", field="amount")
    if sum(wanted.values()) > available:
        raise OverAllocated("The payment has less left than is given.", field="amount")
    return [Line(item, amount) for item, amount in wanted.items()]


def in_order(items: Iterable[Owing]) -> list[Owing]:
    """Oldest due first; the id decides between equals, so that the order never depends on who asks."""
    return sorted(items, key=lambda item: (item.due_on, item.item_id))


def oldest_first(available: int, items: Iterable[Owing]) -> list[Line]:
    """Give what there is to the oldest items first; the last one may get a part."""
    lines = []
    for item in in_order(items):
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
    sums: dict[UUID, int] = {}
    for line in lines:
        sums[line.item_id] = sums.get(line.item_id, 0) + line.amount
    return [Line(item, amount) for item, amount in sums.items()]


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
