"""The statement of account after the last step: every month, softly, until a person decides.

The rule it protects: it says what is open and raises no level; a payer gets one in a month, whatever became of the
ladders of its items; each repetition is an occurrence of its own, so none is said twice.
"""

from datetime import date

from services.scheduler.calendar import Calendar, months_after
from services.scheduler.case import DONE, Case, Item, Mark
from services.scheduler.policy import Policy, Step


def next_statement(item: Item, case: Case, policy: Policy, calendar: Calendar) -> tuple[Step, Mark | None, date] | None:
    """The next repetition, what became of it so far and its day; None before the proposal and after the last one."""
    step = policy.statement
    start = _proposed_on(item, policy)
    if step is None or step.repeat is None or start is None:
        return None
    last: date | None = None
    for count in range(1, step.repeat.most + 1):
        nth = policy.nth(step, count)
        mark = item.mark(nth.key)
        if mark is None or mark.state not in DONE:
            return nth, mark, _day(step, start, last, case, calendar)
        last = mark.on
    return None


def _proposed_on(item: Item, policy: Policy) -> date | None:
    """The day on which the step before the statement was done in this cycle."""
    before = policy.before_statement
    mark = item.mark(before.key) if before is not None else None
    return mark.on if mark is not None and mark.state in DONE else None


def _day(step: Step, start: date, last: date | None, case: Case, calendar: Calendar) -> date:
    """Counted from the proposal, then from the last statement; a statement about other items counts for all."""
    months = step.repeat.months if step.repeat else 1
    on = calendar.step_day(start, step.offset, step.unit) if last is None else months_after(last, months)
    stated = case.stated_on
    return calendar.moved(on if stated is None else max(on, months_after(stated, months)))
