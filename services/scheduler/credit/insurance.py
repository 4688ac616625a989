"""A credit insurer's clocks: how far a payment may be put off, and by when an unpaid invoice has to be declared.

The rule it protects: every deadline is counted in calendar days from the due date and is never moved later, not by a
weekend, a hold, a promise or a dispute; only the insurer's recorded consent moves the clock of a policy that says so.
A file is handed on ten days before the declaration is due at the latest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from uuid import UUID

from services.scheduler.calendar import Calendar

HAND_OVER_BEFORE = timedelta(days=10)
"""A hand-over is proposed so long before the insurer's deadline, whatever the ladder says."""
ALARMS = (30, 15, 10, 5)
"""Days before a deadline on which it is told of, unless the terms say others."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What one policy says. Days are calendar days; `claim_days`, if there are any, count from the declaration."""

    terms_id: UUID
    name: str
    extension_days: int
    declaration_days: int
    counts_from: Literal["due_date", "extended_due_date"] = "due_date"
    claim_days: int | None = None
    alarm_days: tuple[int, ...] = ALARMS


@dataclass(frozen=True, slots=True)
class Consent:
    """The insurer let items of a payer be paid later: up to a day, under its own reference; no items: all of them."""

    extended_to: date
    reference: str
    item_ids: frozenset[UUID] = frozenset()

    def covers(self, item: UUID) -> bool:
        """Whether it speaks of an item."""
        return not self.item_ids or item in self.item_ids


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The dates of one unpaid item. `act_by` is the last working day on which the declaration can still be made."""

    extend_to: date
    declare_by: date
    act_by: date
    hand_over_by: date


def deadlines(due: date, terms: Terms, calendar: Calendar, consented_to: date | None = None) -> Deadlines:
    """The clocks of an item that is due on a day, or that the insurer let be paid by a later one."""
    extended = consented_to is not None and terms.counts_from == "extended_due_date"
    start = max(due, consented_to) if extended and consented_to is not None else due
    declare_by = start + timedelta(days=terms.declaration_days)
    longest = due + timedelta(days=terms.extension_days)
    return Deadlines(
        extend_to=max(longest, consented_to) if consented_to is not None else longest,
        declare_by=declare_by,
        act_by=working_day_before(declare_by, calendar),
        hand_over_by=working_day_before(declare_by - HAND_OVER_BEFORE, calendar),
    )


def claim_by(declared_on: date, terms: Terms) -> date | None:
    """By when a declared item is to be filed as a claim; None when the policy has no such day."""
    return None if terms.claim_days is None else declared_on + timedelta(days=terms.claim_days)


def working_day_before(day: date, calendar: Calendar) -> date:
    """The day itself if work is done on it, else the last business day before it."""
    while not calendar.is_business_day(day):
        day -= timedelta(days=1)
    return day


def stage(deadline: date, today: date, alarm_days: Sequence[int]) -> int | None:
    """The tightest alarm that a deadline has reached, -1 once it has passed; None while it is far away."""
    left = (deadline - today).days
    return -1 if left < 0 else min((days for days in alarm_days if left <= days), default=None)


def consented(item: UUID, consents: Iterable[Consent]) -> date | None:
    """The latest day that the insurer agreed to for an item; None without a consent."""
    return max((each.extended_to for each in consents if each.covers(item)), default=None)


def too_late(items: Sequence[tuple[UUID, date]], last: date, terms: Terms, consents: Sequence[Consent]) -> date | None:
    """The last day that may be agreed for all of these (item, due date) when `last` is beyond it; None if it is not."""
    longest = min(
        max(due + timedelta(days=terms.extension_days), consented(item, consents) or due) for item, due in items
    )
    return longest if last > longest else None
