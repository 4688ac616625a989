"""The verdict on one item: which step comes next, on which day, and what keeps it from being said.

The rule it protects: every silence has exactly one reason, the strongest first: nobody chases it, a person has to
decide, it is paused, it may be paid, its day has not come, its conditions or amounts are not met, bank data are stale.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple

from services.scheduler import stating, thanking
from services.scheduler.calendar import Calendar, statements_needed
from services.scheduler.case import DONE, IN_FLIGHT, STANDS, UNENDED, Case, Item, Mark, Money, Reason, altered
from services.scheduler.climbing import next_rung, planned_on, rungs
from services.scheduler.grouping import Verdict, channels_left
from services.scheduler.policy import Policy, Step

DAY = timedelta(days=1)
PAUSED = {
    "manual": "held",
    "exclusion": "excluded",
    "promise": "promised",
    "plan": "in_plan",
    "dispute": "disputed",
    "reply": "reply_unread",
    "recovery": "in_recovery",
    "insolvency": "insolvent",
}

LASTING = ("insolvency", "recovery")
"""What outlasts every other pause is named first."""


class Day(NamedTuple):
    """The day of a decision, with what does not change from item to item."""

    case: Case
    policy: Policy
    calendar: Calendar
    today: date
    gap_end: date
    """The first day on which another notice may follow one of today."""
    fresh_cash: tuple[Money, ...]
    """Money on account that may still turn out to pay something."""

    @property
    def shadow(self) -> bool:
        """Nothing leaves: the entity or the policy is in shadow."""
        return self.case.mode == "shadow" or self.policy.shadow


def day_of(case: Case, policy: Policy, calendar: Calendar, today: date) -> Day:
    """What a day means for a case."""
    gap_end = calendar.add_business_days(today, policy.gap_days)
    fresh = tuple([money for money in case.cash if _held_until(money, policy, calendar) > today])
    return Day(case, policy, calendar, today, gap_end, fresh)


def arriving(case: Case, calendar: Calendar, today: date) -> tuple[Case, date | None]:
    """The case as its notices count: one that is done when delivered has only left until a working day brought
    nothing back; and the first day on which that is over for one of them."""
    days: list[date] = []

    def stands(mark: Mark) -> Mark:
        if mark.completes_on != "delivered" or mark.state != "completed":
            return mark
        over = calendar.add_business_days(mark.on, 1)
        if today >= over:
            return mark
        days.append(over)
        return replace(mark, state="left")

    items = tuple([altered(item, marks=tuple(map(stands, item.marks))) if item.marks else item for item in case.items])
    return (altered(case, items=items), min(days)) if days else (case, None)


def deductions(day: Day) -> dict[str, int]:
    """Currency → money and credits on account that hold nothing back any more: they are deducted visibly."""
    sums: dict[str, int] = {}
    if not day.case.cash and not day.case.credits:
        return sums
    for money in (*(cash for cash in day.case.cash if cash not in day.fresh_cash), *day.case.credits):
        sums[money.currency] = sums.get(money.currency, 0) + money.minor
    return {currency: minor for currency, minor in sums.items() if minor > 0}


def _held_until(money: Money, policy: Policy, calendar: Calendar) -> date:
    return calendar.add_business_days(money.seen_on, policy.cash.days)


def judge(item: Item, day: Day) -> list[Verdict]:
    """What is to be said about one item: its next rung first, then a courtesy, then calls and words to colleagues."""
    if item.own is not None:
        found = _judged(item, day._replace(policy=item.own.policy))
        return [_unsaid(verdict, day) for verdict in found] if item.own.policy.shadow and not day.shadow else found
    return _judged(item, day)


def judged(items: Sequence[Item], day: Day) -> list[Verdict]:
    """What is to be said about each item, in their order."""
    return [verdict for item in items for verdict in judge(item, day)]


def _unsaid(verdict: Verdict, day: Day) -> Verdict:
    """What an item's own policy would say while that is in shadow."""
    return verdict._replace(block=Reason("shadow"), look_on=day.today + DAY) if verdict.ready else verdict


def _judged(item: Item, day: Day) -> list[Verdict]:
    if not item.open:
        return [_thanks(item, day)]
    silence = standing(item, day)
    climbed = rungs(item, day.policy)
    step, mark = next_rung(item, climbed)
    if silence is not None:
        reason, look_on = silence
        found = [Verdict(item, step, block=reason, look_on=look_on, mark=mark)]
        return found + _on_promises(item, day) if reason.code == "promised" else found
    rung = _rung(item, step, mark, climbed, day)
    over = rung.block is not None and rung.block.code in ("ladder_done", "escalated")
    found = [(_statement(item, day) if over else None) or rung]
    if item.cycle == 1 and day.today < item.due_date:
        found += [_courtesy(item, courtesy, day) for courtesy in day.policy.courtesies]
    elif item.marks:
        found += _asides(item, climbed, day)
    return found + _on_promises(item, day) if item.pauses else found


def standing(item: Item, day: Day) -> tuple[Reason, date | None] | None:
    """What keeps an item silent whatever its step: chased by nobody, waiting for a person, paused, or maybe paid."""
    silence = silence_kept(item)
    if silence is not None:
        return silence, None
    if item.credit_pending:
        return Reason("credit_pending"), None
    return _maybe_paid(item, day)


def silence_kept(item: Item) -> Reason | None:
    """What people decided that keeps an item silent, also for a thank-you: nobody chases it, or it is paused."""
    silenced = item.silenced() if item.not_chased else None
    if silenced:
        return Reason("not_chased", {"why": silenced[0]})
    if item.take_over == "waiting":
        return Reason("take_over")
    if item.pauses and item.paused() >= item.residual:
        pause = max(item.pauses, key=lambda found: (found.kind in LASTING, found.amount is None, found.review_on))
        return Reason(PAUSED[pause.kind], {"until": pause.review_on, "hold_id": pause.hold_id})
    return None


def _thanks(item: Item, day: Day) -> Verdict:
    """What is said about an item that is over: nothing, or a word of thanks."""
    step = day.policy.thanks
    if item.cancelled or step is None or not item.to_thank:
        return Verdict(item, None, block=Reason("cancelled" if item.cancelled else "settled"))
    mark = item.mark(step.key)
    on, why = thanking.thanked_for(item, step, day.case, day.calendar, day.today)
    if why is None:
        why = silence_kept(item)
    last = thanking.last_day(item, day.calendar)
    looks = [look for look in (on, last and last + timedelta(days=1)) if look is not None and look > day.today]
    return Verdict(item, step, on, why, min(looks, default=None) if why is not None else None, mark)


def _maybe_paid(item: Item, day: Day) -> tuple[Reason, date] | None:
    """Fresh money of the payer that could pay this item, within the tolerance."""
    fresh = [money for money in day.fresh_cash if money.currency == item.currency] if day.fresh_cash else None
    if not fresh or item.residual > sum(money.minor for money in fresh) + day.policy.tolerances.get(item.currency, 0):
        return None
    until = max(_held_until(money, day.policy, day.calendar) for money in fresh)
    return Reason("cash_on_account", {"until": until}), until


def _rung(item: Item, step: Step | None, mark: Mark | None, climbed: tuple[Step, ...], day: Day) -> Verdict:
    if step is None:
        return Verdict(item, None, block=Reason("ladder_done"))
    if mark is not None and mark.state in IN_FLIGHT:
        look_on = expires_on(mark, day) if mark.state in UNENDED else None
        return Verdict(item, step, mark.on, _waiting(mark), look_on, mark)
    if day.case.escalated:
        return Verdict(item, step, block=Reason("escalated"), mark=mark)
    on = planned_on(step, item, climbed, day.calendar)
    if mark is not None and mark.retry_on is not None and not channels_left(step, mark):
        on = max(on, day.calendar.moved(mark.retry_on))
    return _when(item, step, on, day, mark)


def _statement(item: Item, day: Day) -> Verdict | None:
    """The monthly statement of an item whose last step is done; None while it has none to come."""
    found = stating.next_statement(item, day.case, day.policy, day.calendar)
    if found is None:
        return None
    step, mark, on = found
    if mark is not None and mark.state in IN_FLIGHT:
        look_on = expires_on(mark, day) if mark.state in UNENDED else None
        return Verdict(item, step, mark.on, _waiting(mark), look_on, mark)
    if mark is not None and mark.retry_on is not None:
        on = max(on, day.calendar.moved(mark.retry_on))
    return _when(item, step, on, day, mark)


def expires_on(mark: Mark, day: Day) -> date:
    """The day from which a release that nobody approved or sent is withdrawn: its facts are older than the gap."""
    released = day.calendar.today(mark.released_at) if mark.released_at is not None else mark.on
    return day.calendar.add_business_days(released, day.policy.gap_days) + timedelta(days=1)


def _when(item: Item, step: Step, on: date, day: Day, mark: Mark | None) -> Verdict:
    """The common end of every step: its day, its conditions, its amounts, and bank data fresh enough."""
    if mark is not None and mark.retry_on is not None and step.on_failure == "hold":
        return Verdict(item, step, on, Reason("undeliverable", {"step": step.key, "since": mark.on}), mark=mark)
    if on > day.today:
        return Verdict(item, step, on, Reason("not_yet", {"on": on, "step": step.key}), on, mark)
    if step.catch_up == "skip" and day.today > day.calendar.add_business_days(on, day.policy.gap_days):
        return Verdict(item, step, on, Reason("missed", {"on": on, "step": step.key}), mark=mark)
    unmet = _unmet(item, step, day)
    if unmet is not None:
        return Verdict(item, step, on, unmet, _asked_again(unmet, step, day), mark)
    stale = _stale(item, step, day)
    if stale is not None:
        return Verdict(item, step, on, stale, day.today + timedelta(days=1), mark)
    return Verdict(item, step, on, mark=mark)


def _asked_again(unmet: Reason, step: Step, day: Day) -> date | None:
    """Tomorrow, where time alone may make a condition true."""
    timed = unmet.code == "condition_unmet" and step.condition is not None and step.condition.timed
    return day.today + timedelta(days=1) if timed else None


def _unmet(item: Item, step: Step, day: Day) -> Reason | None:
    """The condition or amount of a step that an item does not meet; in the item's own currency."""
    wanted = step.conditions
    if wanted.delivered_notices and item.delivered() < wanted.delivered_notices:
        return Reason("too_few_delivered", {"wanted": wanted.delivered_notices})
    if wanted.unanswered_emails and item.unanswered(day.case.answered_on) < wanted.unanswered_emails:
        return Reason("answered", {"wanted": wanted.unanswered_emails})
    if step.kind == "formal_notice" and item.paused():
        return Reason("disputed_part")
    return _outside(item, step) or _not_met(item, step, day)


def _outside(item: Item, step: Step) -> Reason | None:
    """The item owes too little or too much for the step."""
    asked = item.residual - item.paused()
    if asked < step.least.get(item.currency, 0):
        return Reason("below_threshold", {"step": step.key})
    if asked > step.most.get(item.currency, asked):
        return Reason("above_threshold", {"step": step.key})
    return None


def _not_met(item: Item, step: Step, day: Day) -> Reason | None:
    """The condition of the step does not hold."""
    if step.condition is None or step.condition.holds(item, day):
        return None
    return Reason("condition_unmet", {"step": step.key, "condition": step.condition.text})


def _stale(item: Item, step: Step, day: Day) -> Reason | None:
    """Bank data must cover the last TARGET2 day, and for reminders the due date and one banking day more."""
    if not day.case.feed_required or step.kind in ("internal_notice", "hand_over"):
        return None
    covered = day.case.covered_to
    if covered is None:
        return Reason("feed_missing")
    needed = statements_needed(day.today, None if step.kind in ("pre_due", "statement") else item.due_date)
    return None if covered >= needed else Reason("feed_stale", {"covered_to": covered, "needed": needed})


def _waiting(mark: Mark) -> Reason:
    codes = {
        "proposed": "awaiting_approval",
        "uncertain": "uncertain",
        "opened": "task_open",
        "left": "not_delivered_yet",
    }
    return Reason(codes.get(mark.state, "in_flight"), {"since": mark.on, "step": mark.step_key})


def _courtesy(item: Item, step: Step, day: Day) -> Verdict:
    """A notice before the due date: skipped rather than delay anything, and never once the day has come."""
    mark = item.mark(step.key)
    if mark is not None and mark.state in STANDS:
        return Verdict(item, step, mark.on, Reason("said", {"step": step.key, "on": mark.on}), mark=mark)
    on = day.calendar.step_day(item.due_date, step.offset, step.unit)
    if mark is not None and mark.retry_on is not None:
        on = max(on, mark.retry_on)
    if day.case.escalated or on >= item.due_date or item.delivered():
        return Verdict(item, step, on, Reason("courtesy_passed"), mark=mark)
    unmet = _unmet(item, step, day)
    if unmet is not None:
        return Verdict(item, step, on, unmet, _asked_again(unmet, step, day), mark)
    return _when(item, step, on, day, mark)


def _on_promises(item: Item, day: Day) -> list[Verdict]:
    """Calls and words to colleagues around the day for which the payer gave its word, while the word stands."""
    days = [pause.due_on for pause in item.pauses if pause.kind == "promise" and pause.due_on is not None]
    if not days or item.due_date > max(days):
        return []
    found = []
    for each in day.policy.on_promise:
        step = day.policy.nth(each, len(item.broken) + 1)
        mark = item.mark(step.key)
        if mark is None or mark.state not in STANDS:
            on = day.calendar.step_day(max(days), step.offset, step.unit)
            on = max(on, mark.retry_on) if mark is not None and mark.retry_on else on
            found.append(_when(item, step, on, day, mark))
    return found


def _asides(item: Item, climbed: tuple[Step, ...], day: Day) -> list[Verdict]:
    """Calls and words to colleagues whose rung below is completed and the rung above is not."""
    order = day.policy.order
    highest, lowest = _place(item, climbed, order)
    found = []
    for step in day.policy.asides:
        if highest < order[step.key] < lowest:
            mark = item.mark(step.key)
            if mark is not None and mark.state in STANDS:
                continue
            on = planned_on(step, item, climbed, day.calendar)
            on = max(on, mark.retry_on) if mark is not None and mark.retry_on else on
            found.append(_when(item, step, on, day, mark))
    return found


def _place(item: Item, climbed: tuple[Step, ...], order: Mapping[str, int]) -> tuple[int, int]:
    """Where an item stands on the ladder: the place of the highest rung that is done, -1 for none, and that of the
    lowest one that is not, beyond all places for none."""
    highest, lowest, present = -1, len(order), item.told.present
    for step in climbed:
        if step.anchor != "promise_broken":
            mark, place = present.get(step.key), order[step.key]
            if mark is not None and mark.state in DONE:
                highest = place if place > highest else highest
            elif place < lowest:
                lowest = place
    return highest, lowest
