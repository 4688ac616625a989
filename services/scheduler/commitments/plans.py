"""An instalment plan: payments by dates, a clause that says when it falls, and where it stands by value dates.

The rule it protects: each instalment is judged on its own last day, in banking days after its date, by all money for
the plan's items that came since it was agreed; the first miss that the clause does not forgive ends the plan.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.scheduler.calendar import add_banking_days
from services.scheduler.charges.interest import Payment

State = Literal["running", "completed", "defaulted", "cancelled"]
PartState = Literal["to_come", "paid", "paid_late", "missed"]


@dataclass(frozen=True, slots=True)
class Part:
    """One payment of the plan."""

    on: date
    minor: int


@dataclass(frozen=True, slots=True)
class Clause:
    """When the plan falls: banking days after each date, and how many instalments may be late without ending it."""

    grace_days: int = 2
    tolerated: int = 0

    def last_day(self, on: date) -> date:
        """The last value date that is in time for an instalment of this date."""
        return add_banking_days(on, self.grace_days)


@dataclass(frozen=True, slots=True)
class PartStanding:
    """Where an instalment stands; `paid` is what of it has come, in minor units."""

    on: date
    minor: int
    last_day: date
    paid: int
    state: PartState


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a plan stands: the instalment that ended it, or the day after which to look again."""

    state: State
    parts: tuple[PartStanding, ...]
    missed_on: date | None = None
    look_after: date | None = None


def standing(  # noqa: PLR0917 - a plan and what became of it
    parts: Sequence[Part],
    clause: Clause,
    payments: Iterable[Payment],
    agreed_on: date,
    left: int,
    today: date,
    covered_to: date | None = None,
) -> Standing:
    """Where a plan stands on a day: `payments` are those for its items, `left` what these still owe.

    An instalment whose last day the bank's data do not tell of yet is still to come.
    """
    money = sorted((each for each in payments if each.on >= agreed_on), key=lambda each: each.on)
    known = today if covered_to is None else min(today, covered_to.fromordinal(covered_to.toordinal() + 1))
    stood, due = [], 0
    for part in sorted(parts, key=lambda part: part.on):
        stood.append(_part(part, due, clause, money, known))
        due += part.minor
    forgiven = clause.tolerated
    for each in stood:
        if each.state in ("missed", "paid_late"):
            forgiven -= 1
            if forgiven < 0 and left:
                return Standing("defaulted", tuple(stood), each.on)
    waiting = [each for each in stood if each.state == "to_come"]
    if not left or not (waiting or any(each.state == "missed" for each in stood)):
        return Standing("completed", tuple(stood))
    if not waiting:
        # A miss was forgiven, and no later instalment will ask for it again: the last one's grace ends the plan.
        return Standing("defaulted", tuple(stood), next(each.on for each in stood if each.state == "missed"))
    return Standing("running", tuple(stood), look_after=waiting[0].last_day)


def _part(part: Part, before: int, clause: Clause, money: Sequence[Payment], known: date) -> PartStanding:
    last_day, wanted = clause.last_day(part.on), before + part.minor
    in_time = sum(each.minor for each in money if each.on <= last_day)
    by_now = sum(each.minor for each in money)
    paid = max(0, min(part.minor, by_now - before))
    if in_time >= wanted:
        state: PartState = "paid"
    elif known <= last_day:
        state = "to_come"
    else:
        state = "paid_late" if by_now >= wanted else "missed"
    return PartStanding(part.on, part.minor, last_day, paid, state)
