"""The rungs of an item: which of its policy's steps it climbs in its present cycle, which is next, and on which day.

The rule it protects: no step is skipped and none is said twice in a cycle; what came back hears the tone it had
reached once more, never a softer one.
"""

from collections.abc import Iterable
from datetime import date

from services.scheduler.calendar import Calendar
from services.scheduler.case import DONE, UNENDED, Item, Mark
from services.scheduler.policy import CAME_BACK, LADDER, Policy, Step

BEGUN: frozenset[str] = DONE | UNENDED


def rungs(item: Item, policy: Policy) -> tuple[Step, ...]:
    """The rungs of the item's present cycle: all of them, or from the level it had reached.

    What another policy said before the case came to this one is not said again: only what is harder is left. A broken
    promise puts its own step before what is left of the ladder, unless something harder was said.
    """
    left = _left(item, policy)
    step = policy.broken_promise
    if step is None or not item.broken:
        return left
    said = any(_is_of(mark, step) and mark.cycle == item.cycle and mark.state in DONE for mark in item.marks)
    kept = tuple(each for each in left if not said or each.tone > step.tone or _begun(item, each))
    last = policy.nth(step, len(item.broken))
    if not _begun(item, last) and step.tone < item.level():
        return kept
    done = tuple(each for each in kept if _begun(item, each))
    return (*done, last, *(each for each in kept if each not in done and each.tone > step.tone))


def _is_of(mark: Mark, step: Step) -> bool:
    """Whether it is of this step or a repetition of it."""
    return mark.step_key.partition("-")[0] == step.key


def _begun(item: Item, step: Step) -> bool:
    mark = item.mark(step.key)
    return mark is not None and mark.state in BEGUN


def _left(item: Item, policy: Policy) -> tuple[Step, ...]:
    left = policy.rungs
    if item.marks and (heard := _heard_elsewhere(item, policy)):
        now = (mark for mark in item.marks if mark.cycle == item.cycle and mark.state in BEGUN)
        said = {mark.step_key for mark in now}
        left = tuple(step for step in left if step.tone > heard or step.key in said)
    if item.cycle == 1:
        return (*policy.imported, *left) if item.take_over == "statement" else left
    reached = item.level(before_cycle=item.cycle)
    first = tuple(step for step in policy.comebacks if _fits(step, item, reached))[:1]
    if first:
        return (*first, *(step for step in left if step.tone > first[0].tone))
    return tuple(step for step in left if step.tone >= reached) or policy.rungs[-1:]


def _fits(step: Step, item: Item, reached: int) -> bool:
    """Whether an item that came back hears this step first: for why it did, and no softer than before."""
    return item.cycle_reason in CAME_BACK[step.anchor] and step.tone >= reached


def _heard_elsewhere(item: Item, policy: Policy) -> int:
    """The hardest tone of this cycle that steps said which this policy does not have; 0 if there are none."""
    known = policy.by_key
    unknown = [mark for key, mark in item.told.present.items() if key not in known]
    tones = [mark.tone for mark in unknown if mark.state in DONE and mark.kind in LADDER]
    return max(tones) if tones else 0


def next_rung(item: Item, steps: Iterable[Step]) -> tuple[Step | None, Mark | None]:
    """The lowest rung that is not completed, with what became of it so far."""
    present = item.told.present
    for step in steps:
        mark = present.get(step.key)
        if mark is None or mark.state not in DONE:
            return step, mark
    return None, None


def planned_on(step: Step, item: Item, climbed: tuple[Step, ...], calendar: Calendar) -> date:
    """The working day of a step. In a later cycle the ladder is counted from the day the item came back."""
    if step.anchor == "imported":
        return calendar.moved(item.take_over_on or item.due_date)
    if step.anchor == "promise_broken" and item.broken:
        return calendar.step_day(item.broken[-1], step.offset, step.unit)
    if step.anchor in CAME_BACK:
        return calendar.step_day(item.cycle_on or item.due_date, step.offset, step.unit)
    if step.anchor == "previous_completed" and (last := item.last_completed_on()) is not None:
        return calendar.step_day(last, step.offset, step.unit)
    start = item.issue_date if step.anchor == "issue_date" else item.due_date
    by_due_date = calendar.step_day(start, step.offset, step.unit)
    if item.cycle == 1 or item.cycle_on is None:
        return by_due_date
    first = climbed[0].offset if climbed else 0
    return max(by_due_date, calendar.step_day(item.cycle_on, step.offset - first, step.unit))
