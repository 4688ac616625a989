"""Whether the ERP's ledger and ours agree: an item list of the ERP against what is open here. Pure arithmetic.

Protects: what agrees to the cent is never touched; what cannot be an ordinary day (wrong totals, more than a fifth
gone at once) waits for a person; money that we matched and the ERP has not booked yet is not a difference.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal
from uuid import UUID

Kind = Literal["missing", "extra", "amount", "ahead"]
"""missing: open here alone; extra: open in the ERP alone; amount: open in both, not the same; ahead: matched here and
not booked there yet."""
Why = Literal["count_differs", "sum_differs", "too_many_vanished"]
VANISHED_MOST = 20
"""Percent of what is open that an ordinary day settles."""


@dataclass(frozen=True, slots=True)
class Ours:
    """An item that owes something here. `key` is its number's letters and digits."""

    item_id: UUID
    debtor_id: UUID
    key: str
    number: str
    sequence: int
    currency: str
    residual: int
    issued_on: date


@dataclass(frozen=True, slots=True)
class Theirs:
    """A line of the ERP's list: minor units, negative for what the customer has to its credit."""

    key: str
    number: str
    sequence: int | None
    currency: str
    residual: int
    debtor: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not the same. `ours` and `theirs` are minor units, 0 where it is not open."""

    kind: Kind
    number: str
    sequence: int | None
    currency: str
    ours: int
    theirs: int
    item_id: UUID | None = None
    debtor_id: UUID | None = None
    settled: bool = False
    """Carried out: a missing item is settled by the ERP, one that came back is owed again."""

    @property
    def counts(self) -> int:
        """By how much the ledgers differ here, as far as that is not explained."""
        return 0 if self.settled or self.kind == "ahead" else abs(self.ours - self.theirs)


@dataclass(frozen=True, slots=True)
class Compared:
    """How many items agree, how many are open here, and what differs."""

    agreed: int
    open_here: int
    differences: tuple[Difference, ...]


def compare(ours: Sequence[Ours], theirs: Iterable[Theirs], as_of: date) -> Compared:
    """Item by item, by number and instalment; a line without instalment stands for the whole invoice.

    What was issued on the day itself may have come after the list was made: it is not missing yet.
    """
    here: dict[tuple[str, str], list[Ours]] = {}
    for one in ours:
        here.setdefault((one.key, one.currency), []).append(one)
    there: dict[tuple[str, str], list[Theirs]] = {}
    for line in theirs:
        if line.residual > 0:
            there.setdefault((line.key, line.currency), []).append(line)
    agreed = 0
    found: list[Difference] = []
    for key, lines in there.items():
        same, differing = _invoice(here.pop(key, []), lines, as_of)
        agreed, found = agreed + same, found + differing
    found += [_missing(one) for items in here.values() for one in items if one.issued_on < as_of]
    return Compared(agreed, len(ours), tuple(found))


def _invoice(items: list[Ours], lines: list[Theirs], as_of: date) -> tuple[int, list[Difference]]:
    if any(line.sequence is None for line in lines):
        owed, told = sum(one.residual for one in items), sum(line.residual for line in lines)
        first = min(items, key=lambda one: one.sequence, default=None)
        return (len(items), []) if owed == told else (0, [_other(lines[0], first, owed, told)])
    told_by: dict[int, Theirs] = {}
    for line in lines:
        known = told_by.get(line.sequence or 0)
        told_by[line.sequence or 0] = replace(line, residual=line.residual + known.residual) if known else line
    agreed, found = 0, []
    for one in items:
        line_ = told_by.pop(one.sequence, None)
        if line_ is None:
            found += [_missing(one)] if one.issued_on < as_of else []
        elif line_.residual == one.residual:
            agreed += 1
        else:
            found.append(_other(line_, one, one.residual, line_.residual))
    return agreed, found + [_other(line, None, 0, line.residual) for line in told_by.values()]


def _missing(one: Ours) -> Difference:
    return Difference("missing", one.number, one.sequence, one.currency, one.residual, 0, one.item_id, one.debtor_id)


def _other(line: Theirs, item: Ours | None, ours: int, theirs: int) -> Difference:
    if item is None:
        return Difference("extra", line.number, line.sequence, line.currency, ours, theirs)
    facts = (item.number, line.sequence, line.currency, ours, theirs, item.item_id, item.debtor_id)
    return Difference("amount", *facts)


def explained(differences: Iterable[Difference], unbooked: Mapping[UUID, int]) -> tuple[Difference, ...]:
    """What we gave to an item and the ERP has not booked explains that it still lists just so much more."""
    return tuple(
        replace(one, kind="ahead")
        if one.item_id and one.kind != "missing" and 0 < one.theirs - one.ours == unbooked.get(one.item_id, 0)
        else one
        for one in differences
    )


def doubts(told: tuple[int, Mapping[str, int]], theirs: Sequence[Theirs], found: Compared) -> list[Why]:
    """Why a person must look first. `told` are the count and the sums by currency that the ERP says its list has."""
    count, sums = told
    real: dict[str, int] = {}
    for line in theirs:
        real[line.currency] = real.get(line.currency, 0) + line.residual
    why: list[Why] = ["count_differs"] if count != len(theirs) else []
    if {name: sum_ for name, sum_ in sums.items() if sum_} != {name: sum_ for name, sum_ in real.items() if sum_}:
        why.append("sum_differs")
    missing = sum(one.kind == "missing" for one in found.differences)
    if missing * 100 > VANISHED_MOST * found.open_here:
        why.append("too_many_vanished")
    return why
