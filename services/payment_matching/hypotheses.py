"""Hypotheses: the sets of items that a receipt may pay, by name, by payer and by amount.

Protects: every hypothesis gives exactly what there is (lines + rest = amount, credits netted), no item more than it
owes. Without names only structured sets are tried beyond 20 items (all due, oldest first, one month, neighbours):
the number of exact subsets explodes (measured: median 1 at 20 items, 354 at 30; notes/matching.md §4.5).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import accumulate, chain, combinations, islice, pairwise
from typing import Literal
from uuid import UUID

from libs.common.events.payments import WriteOffKind
from services.payment_matching.allocation import Line, between, share
from services.payment_matching.evidence import STRENGTHS, Evidence, Item, Provider, Receipt
from services.payment_matching.writing_off import most

Shape = Literal[
    "quoted", "netted", "single", "all_due", "oldest_first", "month", "neighbours", "subset", "partial", "over",
    "extended", "amount_only", "discounted", "rounded",
    "payout", "plan", "unconverted",
]  # fmt: skip
WRITTEN_OFF: Mapping[Shape, WriteOffKind] = {"discounted": "discount", "rounded": "rounding", "payout": "provider_fee"}
"""Shapes that leave out what may be left out: the rest of their items is written off as this."""

SUBSETS_UP_TO = 20
PAIRS_UP_TO = 100
NEIGHBOURS_UP_TO = 60
QUOTED_UP_TO = 12
UNKNOWN_PROVIDER = Provider("", 500, 0)
"""What somebody whose account is not a provider's may have kept of several customers' invoices: shown, never more."""
GRACE = 3
"""Days after its last day for which a cash discount is still granted: banks take their time."""
MOST = 40


@dataclass(frozen=True)
class Hypothesis:
    """Items paid (`lines`), credits used to pay them (`credits`), and what stays unapplied (`rest`)."""

    shape: Shape
    lines: tuple[Line, ...]
    payer_id: UUID | None
    credits: tuple[Line, ...] = ()
    rest: int = 0
    solutions: int = 1
    """How many sets of this payer give exactly this amount, counted up to 2."""
    written_off: tuple[Line, ...] = ()
    """What the items owe beyond the lines, of a shape that settles them all the same."""

    @cached_property
    def items(self) -> frozenset[UUID]:
        """The items that are paid."""
        return frozenset(line.item_id for line in self.lines)


def propose(receipt: Receipt, evidence: Evidence) -> list[Hypothesis]:
    """Every hypothesis worth weighing, each set of lines once, in an order that depends on the facts alone."""
    found: dict[tuple[object, ...], Hypothesis] = {}
    named = [*_by_plan(receipt, evidence), *_by_name(receipt, evidence)]
    # What is named to the cent needs no search for sums: only another single item could be its rival.
    settled = any(one.shape == "quoted" and one.solutions == 1 for one in named)
    for one in (*named, *_by_payer(receipt, evidence, settled), *_by_amount(receipt, evidence)):
        key = (tuple(sorted((line.item_id, line.amount) for line in one.lines)), one.credits)
        found.setdefault(key, one)
        if len(found) >= MOST:
            break
    return list(found.values())


def ordered(receipt: Receipt, evidence: Evidence, booked: int) -> list[Hypothesis]:
    """What a payment may pay that was ordered in another currency; of what was booked each part has its share.

    Credit notes are left out: what of the booked amount they spare, no figure of the bank says.
    """
    found = [one for one in propose(receipt, evidence) if not one.credits]
    shared = (between(one.lines, share(_given(one), receipt.amount, booked)) for one in found)
    return [replace(one, lines=tuple(lines)) for one, lines in zip(found, shared, strict=True) if lines]


def _given(one: Hypothesis) -> int:
    return sum(line.amount for line in one.lines)


def unconverted(evidence: Evidence, booked: int) -> list[Hypothesis]:
    """What is surely named in another currency of which the bank told no amount: all of the payment for all of it, for
    a person to put right."""
    named = oldest(evidence.items[quote.item_id] for quote in evidence.sure)
    whole = _whole("unconverted", [item for item in named if not item.credit])
    lines = between(whole.lines, booked)
    return [replace(whole, lines=tuple(lines))] if lines else []


def oldest(items: Iterable[Item]) -> list[Item]:
    """Oldest due first, then by issue date, number and id."""
    return sorted(items, key=lambda item: (item.due_on, item.issued_on, item.number, item.sequence, item.item_id))


def _payer(items: Sequence[Item]) -> UUID | None:
    payers = {item.payer_id for item in items}
    return payers.pop() if len(payers) == 1 else None


def _whole(shape: Shape, items: Sequence[Item], solutions: int = 1) -> Hypothesis:
    lines = tuple(Line(item.item_id, item.residual) for item in items)
    return Hypothesis(shape, lines, _payer(items), solutions=solutions)


def _total(items: Iterable[Item]) -> int:
    return sum(item.residual for item in items)


# What was agreed


def _by_plan(receipt: Receipt, evidence: Evidence) -> Iterator[Hypothesis]:
    """The next instalment of a plan: to those of its items that are named, then to the oldest."""
    for plan in evidence.awaited:
        if (plan.amount, plan.currency) != (receipt.amount, receipt.currency) or receipt.value_on < plan.since:
            continue
        items = oldest(evidence.items[item] for item in plan.item_ids & evidence.items.keys())
        items.sort(key=lambda item: item.item_id not in evidence.quoted)
        if len({item.payer_id for item in items}) == 1 and _total(items) >= receipt.amount:
            yield replace(_partial(receipt, items), shape="plan")


# What the text names


def _by_name(receipt: Receipt, evidence: Evidence) -> Iterator[Hypothesis]:
    quoted = [
        evidence.items[item]
        for item, quote in evidence.quoted.items()
        if evidence.items[item].currency == receipt.currency
    ]
    named = [item for item in quoted if STRENGTHS[evidence.quoted[item.item_id].strength] > STRENGTHS["group"]]
    payers = {known.payer_id for known in evidence.payers}
    at_home = [item for item in quoted if item.payer_id in payers]
    for chosen in (named, at_home):
        yield from _quoted(receipt, evidence, oldest(item for item in chosen if not item.credit))
    yield from (_whole("quoted", [item]) for item in oldest(quoted) if item.residual == receipt.amount)


def _quoted(receipt: Receipt, evidence: Evidence, items: list[Item]) -> Iterator[Hypothesis]:
    if not items:
        return
    total = _total(items)
    if total == receipt.amount:
        yield _whole("quoted", items)
        return
    yield from _some_quoted(receipt.amount, items)
    yield from _netted(receipt, items, _credits(evidence, items, receipt.currency))
    if total > receipt.amount:
        yield from _short(receipt, items)
        yield from _payout(receipt.amount, items, evidence.provider)
        yield _partial(receipt, items)
        return
    yield from _extended(receipt.amount, items, evidence)
    yield replace(_whole("over", items), rest=receipt.amount - total)


def _some_quoted(amount: int, items: list[Item]) -> Iterator[Hypothesis]:
    """Some of what is named: one instalment of an invoice, or not all of a long list."""
    if len(items) > QUOTED_UP_TO:
        return
    exact: dict[tuple[tuple[UUID, int], ...], tuple[Item, ...]] = {}
    for size in range(1, len(items)):
        for chosen in combinations(items, size):
            if _total(chosen) == amount:
                exact.setdefault(tuple(sorted((item.invoice_id, item.residual) for item in chosen)), chosen)
    yield from (_whole("quoted", chosen, solutions=min(2, len(exact))) for chosen in list(exact.values())[:5])


def _short(receipt: Receipt, items: list[Item]) -> Iterator[Hypothesis]:
    """Items paid less the cash discounts that are still granted, or less a few cents."""
    parts = [granted(item, receipt.value_on) for item in items]
    missing = _total(items) - receipt.amount
    if any(parts) and sum(parts) == missing:
        yield _less("discounted", items, parts)
    elif len(items) == 1 and missing <= most("rounding", items[0].residual, receipt.currency):
        yield _less("rounded", items, [missing])


def _payout(amount: int, items: list[Item], provider: Provider | None) -> Iterator[Hypothesis]:
    """What a provider pays out of these items: their sum less its fee, which each bears by its size."""
    if provider is None and len({item.payer_id for item in items}) == 1:
        return
    total = _total(items)
    fee = total - amount
    if fee > (provider or UNKNOWN_PROVIDER).most(total, len(items)):
        return
    borne = [fee * upto // total for upto in accumulate(item.residual for item in items)]
    parts = [upto - before for before, upto in pairwise([0, *borne])]
    if all(part <= most("provider_fee", item.residual, item.currency) for item, part in zip(items, parts, strict=True)):
        yield _less("payout", items, parts)


def granted(item: Item, on: date) -> int:
    """The cash discount that a payment of this value date may still take; a few days late is in time (§4.6)."""
    in_time = item.discount_until is not None and on <= item.discount_until + timedelta(days=GRACE)
    return item.discount if in_time and item.discount < item.residual else 0


def _less(shape: Shape, items: Sequence[Item], parts: Sequence[int]) -> Hypothesis:
    pairs = list(zip(items, parts, strict=True))
    lines = tuple(Line(item.item_id, item.residual - part) for item, part in pairs)
    off = tuple(Line(item.item_id, part) for item, part in pairs if part)
    return Hypothesis(shape, lines, _payer(items), written_off=off)


def _credits(evidence: Evidence, items: Sequence[Item], currency: str) -> list[Item]:
    payers = {item.payer_id for item in items}
    found = [item for item in evidence.items.values() if item.credit and item.payer_id in payers]
    return oldest(item for item in found if item.currency == currency)


def _netted(receipt: Receipt, items: list[Item], credit_notes: list[Item]) -> Iterator[Hypothesis]:
    """Items less one, two or all of the payer's credit notes, to the cent."""
    over = _total(items) - receipt.amount
    if over <= 0 or not credit_notes:
        return
    sets = [chosen for size in (1, 2) for chosen in combinations(credit_notes[:SUBSETS_UP_TO], size)]
    sets += [tuple(credit_notes)] if len(credit_notes) > 2 else []
    exact = [chosen for chosen in sets if _total(chosen) == over]
    for chosen in exact[:3]:
        used = tuple(Line(note.item_id, note.residual) for note in chosen)
        yield replace(_whole("netted", items, solutions=min(2, len(exact))), credits=used)


def _partial(receipt: Receipt, items: list[Item]) -> Hypothesis:
    lines, left = [], receipt.amount
    for item in items:
        given = min(left, item.residual)
        if given:
            lines.append(Line(item.item_id, given))
        left -= given
    return Hypothesis("partial", tuple(lines), _payer(items))


def _extended(amount: int, items: list[Item], evidence: Evidence) -> Iterator[Hypothesis]:
    """What is named and one more item of the same payer that makes it exact: a suggestion, never more."""
    payer, named, rest = _payer(items), {item.item_id for item in items}, amount - _total(items)
    others = [item for item in evidence.items.values() if item.payer_id == payer and not item.credit]
    exact = [item for item in others if item.residual == rest and item.item_id not in named]
    yield from (_whole("extended", [*items, item]) for item in oldest(exact)[:3])


# What the payer owes


def _by_payer(receipt: Receipt, evidence: Evidence, settled: bool) -> Iterator[Hypothesis]:
    for payer in dict.fromkeys(known.payer_id for known in evidence.payers):
        theirs = [item for item in evidence.owed_by.get(payer, ()) if item.currency == receipt.currency]
        items = oldest(item for item in theirs if not item.credit)
        if not items:
            continue
        singles = [item for item in items if item.residual == receipt.amount]
        invoices = len({item.invoice_id for item in singles})
        yield from (_whole("single", [item], solutions=min(2, invoices)) for item in singles[:5])
        if not singles:
            yield from _single_less(receipt, items)
        if settled:
            continue
        solutions = _solutions(receipt.amount, items)
        yield from (_whole(shape, chosen, solutions=solutions) for shape, chosen in _structured(receipt, items))
        yield from _netted(receipt, items, oldest(item for item in theirs if item.credit))
        yield from _subsets(receipt.amount, items, solutions)
        if _total(items) > receipt.amount and not singles:
            yield _partial(receipt, items)
        elif _total(items) < receipt.amount:
            yield replace(_whole("over", items), rest=receipt.amount - _total(items))


def _single_less(receipt: Receipt, items: Sequence[Item]) -> Iterator[Hypothesis]:
    """One item of the payer, less the discount that it still grants."""
    near = [i for i in items if (part := granted(i, receipt.value_on)) and i.residual - part == receipt.amount]
    for item in near[:3]:
        yield replace(_less("discounted", [item], [granted(item, receipt.value_on)]), solutions=min(2, len(near)))


def _structured(receipt: Receipt, items: list[Item]) -> Iterator[tuple[Shape, list[Item]]]:
    amount = receipt.amount
    due = [item for item in items if item.due_on <= receipt.value_on]
    if len(due) > 1 and _total(due) == amount:
        yield "all_due", due
    if len(items) > 1 and _total(items) == amount:
        yield "all_due", items
    running = 0
    for place, item in enumerate(items, 1):
        running += item.residual
        if running == amount and place > 1:
            yield "oldest_first", items[:place]
        if running >= amount:
            break
    for month in sorted({(item.issued_on.year, item.issued_on.month) for item in items}):
        chosen = [item for item in items if (item.issued_on.year, item.issued_on.month) == month]
        if len(chosen) > 1 and _total(chosen) == amount:
            yield "month", chosen
    yield from (("neighbours", chosen) for chosen in _neighbours(amount, items[:NEIGHBOURS_UP_TO]))


def _neighbours(amount: int, items: list[Item]) -> Iterator[list[Item]]:
    """Runs of items next to each other, in the order of their due dates (two pointers: amounts are positive)."""
    start = running = 0
    for end, item in enumerate(items):
        running += item.residual
        while running > amount and start <= end:
            running -= items[start].residual
            start += 1
        if running == amount and end > start:
            yield items[start : end + 1]


def _subsets(amount: int, items: list[Item], solutions: int) -> Iterator[Hypothesis]:
    """Pairs, and triples of a short list: shown to a person, never more."""
    if solutions == 0 or len(items) > PAIRS_UP_TO:
        return
    found = _pairs(amount, items, ())
    if len(items) <= SUBSETS_UP_TO:
        triples = (_pairs(amount - one.residual, items[place + 1 :], (one,)) for place, one in enumerate(items))
        found = chain(found, *triples)
    yield from (_whole("subset", chosen, solutions=solutions) for chosen in islice(found, 5))


def _pairs(amount: int, items: Sequence[Item], first: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
    """Two of the items that give the amount, in their order, after what is chosen already."""
    seen: dict[int, list[Item]] = {}
    for item in items:
        for other in seen.get(amount - item.residual, ()):
            yield (*first, other, item)
        seen.setdefault(item.residual, []).append(item)


def _solutions(amount: int, items: Sequence[Item]) -> int:
    """How many sets of two items or more give the amount, up to 2. Beyond 20 items: assumed many."""
    if len(items) > SUBSETS_UP_TO:
        return 2
    half = len(items) // 2
    left, right = _sums(items[:half]), _sums(items[half:])
    singles = sum(item.residual == amount for item in items)
    keys = sorted(right)
    count = 0
    for value in left:
        place = bisect_left(keys, amount - value)
        while place < len(keys) and keys[place] == amount - value:
            count, place = count + 1, place + 1
            if count - singles > 1:
                return 2
    return max(0, count - singles)


def _sums(items: Sequence[Item]) -> list[int]:
    sums = [0]
    for item in items:
        sums += [value + item.residual for value in sums]
    return sums


# What owes just this much


def _by_amount(receipt: Receipt, evidence: Evidence) -> Iterator[Hypothesis]:
    exact = [
        item
        for item in evidence.items.values()
        if item.residual == receipt.amount and item.currency == receipt.currency and not item.credit
    ]
    yield from (_whole("amount_only", [item], solutions=min(2, evidence.same_amount)) for item in oldest(exact)[:5])
