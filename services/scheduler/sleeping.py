"""Verdicts that last: for whoever decides about one case again and again, as a simulation does.

The rule it protects: what is kept is what `judge` would say again. A verdict that more than a day may change, that
rests on a condition, or on anything else of the case that is not compared, is judged anew each time.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from services.scheduler.case import Item
from services.scheduler.grouping import Verdict
from services.scheduler.judging import Day, judge

SLEEPING = {"not_yet", "courtesy_passed", "said", "ladder_done", "escalated"}
"""What keeps a verdict as it is until its day."""
AMOUNTS = {"below_threshold", "above_threshold"}


class Asleep:
    """The verdicts on one case's items that nothing but a day changes: whoever plays a case look by look keeps them.

    Good for one case, policy and calendar. A verdict is kept while its item is the same, nothing of the case that it
    rests on has changed, and the day has not come on which time alone may change it.
    """

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self._rests_on: Any = None

    def judge(self, items: Sequence[Item], day: Day) -> list[Verdict]:
        """What `judge` says of each."""
        today, stated = day.today, day.case.told.stated_on
        rests_on = (day.case.escalated, day.case.answered_on, day.fresh_cash, day.case.feed_required)
        if rests_on != self._rests_on or len(items) != len(self._kept):
            self._kept, self._rests_on = [NEVER] * len(items), rests_on
        verdicts: list[Verdict] = []
        for place, item in enumerate(items):
            kept = self._kept[place]
            if kept.item is not item or today >= kept.until or (kept.of_statement and kept.stated != stated):
                kept = self._kept[place] = _kept(item, day)
            verdicts += kept.found
        return verdicts


class _Kept(NamedTuple):
    """The verdicts on an item, the day until which they hold, and for those on a statement the last one."""

    item: Item | None
    found: Sequence[Verdict]
    until: date
    of_statement: bool
    stated: date | None


NEVER = _Kept(None, (), date.min, of_statement=False, stated=None)


def _kept(item: Item, day: Day) -> _Kept:
    """The verdicts with the first day on which they may be others; today when more than a day may change them."""
    found = judge(item, day)
    of_statement, sleeps = False, item.open
    until = item.due_date if day.today < item.due_date else date.max
    for verdict in found:
        of_statement = of_statement or (verdict.step is not None and verdict.step.kind == "statement")
        sleeps = sleeps and _sleeps(verdict, day)
        if verdict.look_on is not None and verdict.look_on < until:
            until = verdict.look_on
    return _Kept(item, found, until if sleeps else day.today, of_statement, day.case.told.stated_on)


def _sleeps(verdict: Verdict, day: Day) -> bool:
    """Whether it waits for its day, is over, or is ready and stays so. A courtesy looks at its condition before its day
    has come; what may be missed is looked at again, and so is what bank data must cover."""
    step, block = verdict.step, verdict.block
    if step is None:
        return block is not None and block.code in SLEEPING
    if block is None:
        return step.condition is None and step.catch_up != "skip" and not day.case.feed_required
    if step.kind == "pre_due":
        return step.condition is None and (block.code in SLEEPING or block.code in AMOUNTS)
    return block.code in SLEEPING or (block.code in AMOUNTS and step.catch_up != "skip")
