"""The thank-you: one short word when an item was paid after a reminder had really reached the payer.

The rule it protects: it asks for nothing, starts no gap and delays nobody. It waits behind the gap like every notice,
for ten working days at most; then, and after a formal notice, it is left out. One a payer a day, one a settlement.
"""

from collections.abc import Collection
from datetime import date, timedelta

from services.scheduler.calendar import Calendar
from services.scheduler.case import IN_FLIGHT, Case, Item, Mark, Reason
from services.scheduler.policy import LADDER, Step

WITHIN = 10
"""Working days after the settlement in which a thank-you still makes sense."""
OVER: frozenset[str] = frozenset(
    {"settled", "cancelled", "thanked", "thanks_passed", "thanks_failed", "not_reminded", "escalated"}
)
"""Reasons for which nobody looks at a settled item again."""


def thanked_for(
    item: Item, step: Step, case: Case, calendar: Calendar, today: date
) -> tuple[date | None, Reason | None]:
    """The day of the thank-you for a settled item, and what keeps it from being said on `today`, if anything does."""
    if item.cancelled or item.settled_on is None:
        return None, Reason("cancelled" if item.cancelled else "settled")
    mark = item.mark(step.key)
    on = calendar.step_day(item.settled_on, step.offset, step.unit)
    if mark is not None and mark.retry_on is not None:
        on = max(on, calendar.moved(mark.retry_on))
    for found in (_ended(mark), _earned(item, case), _passed(item, calendar, today), _too_soon(on, step, case, today)):
        if found is not None:
            return on, found
    return on, None


def last_day(item: Item, calendar: Calendar) -> date | None:
    """The last day of a thank-you for this item."""
    return None if item.settled_on is None else calendar.add_business_days(item.settled_on, WITHIN)


def over(items: Collection[tuple[Item, Reason | None]]) -> list[Item]:
    """Settled items about which there is nothing left to be thanked for."""
    return [item for item, why in items if item.to_thank and not item.open and why is not None and why.code in OVER]


def _ended(mark: Mark | None) -> Reason | None:
    """A thank-you is tried once; only one that was stopped on purpose may be said later."""
    if mark is None or mark.state == "stopped":
        return None
    facts = {"step": mark.step_key, "on": mark.on, "since": mark.on}
    if mark.state in IN_FLIGHT:
        codes = {"proposed": "awaiting_approval", "uncertain": "uncertain"}
        return Reason(codes.get(mark.state, "in_flight"), facts)
    return Reason("thanked" if mark.state in ("completed", "skipped") else "thanks_failed", facts)


def _earned(item: Item, case: Case) -> Reason | None:
    """A reminder was delivered since the last thank-you, and no formal notice stands between us."""
    thanks = [mark.on for mark in item.marks if mark.kind == "acknowledge" and mark.cycle < item.cycle]
    before = max(thanks, default=None)
    reminders = [mark for mark in item.marks if mark.kind in LADDER and (before is None or mark.on > before)]
    if case.escalated or any(
        mark.kind == "formal_notice" and mark.state in ("opened", "completed") for mark in reminders
    ):
        return Reason("escalated")
    if any(mark.state == "completed" for mark in reminders):
        return None
    waiting = next((mark for mark in reminders if mark.state in IN_FLIGHT), None)
    return Reason("not_reminded") if waiting is None else Reason("in_flight", {"step": waiting.step_key})


def _passed(item: Item, calendar: Calendar, today: date) -> Reason | None:
    last = last_day(item, calendar)
    return Reason("thanks_passed", {"on": last}) if last is not None and today > last else None


def _too_soon(on: date, step: Step, case: Case, today: date) -> Reason | None:
    if on > today:
        return Reason("not_yet", {"on": on, "step": step.key})
    if case.thanked_on is not None and case.thanked_on >= today:
        return Reason("thanked_today", {"until": today + timedelta(days=1)})
    return None
