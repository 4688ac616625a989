"""Verdicts that last: for whoever decides about one case again and again, as a simulation does.

The rule it protects: what is kept is what `judge` would say again. A verdict that more than a day may change, that
rests on a condition, or on anything else of the case that is not compared, is judged anew each time.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

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
        self._kept: dict[int, _Kept] = {}

    def judge(self, items: Sequence[Item], day: Day) -> list[Verdict]:
        """What `judge` says of each."""
        stated = day.case.stated_on
        rests_on = (day.case.escalated, day.case.answered_on, day.fresh_cash)
        last, self._kept = self._kept, {}
        verdicts: list[Verdict] = []
        for item in items:
            kept = last.get(id(item))
            if kept is None or not kept.holds(item, day.today, rests_on, stated):
                kept = _Kept(item, judge(item, day), rests_on, stated, day.today)
            self._kept[id(item)] = kept
            verdicts += kept.found
        return verdicts


class _Kept:
    """The verdicts on an item, and what they rest on: so much of the case, and for a statement the last one."""

    __slots__ = ("found", "item", "of_statement", "rests_on", "stated", "until")

    def __init__(self, item: Item, found: list[Verdict], rests_on: Any, stated: date | None, today: date) -> None:
        self.item, self.found, self.rests_on, self.stated = item, found, rests_on, stated
        self.of_statement = any(verdict.step is not None and verdict.step.kind == "statement" for verdict in found)
        self.until = _same_until(item, found, today)

    def holds(self, item: Item, today: date, rests_on: Any, stated: date | None) -> bool:
        same = self.item is item and today < self.until and self.rests_on == rests_on
        return same and (not self.of_statement or self.stated == stated)


def _same_until(item: Item, found: Sequence[Verdict], today: date) -> date:
    """The first day on which these verdicts may be others; today when more than a day may change them."""
    until = item.due_date if today < item.due_date else date.max
    for verdict in found:
        if not item.open or not _sleeps(verdict):
            return today
        if verdict.look_on is not None and verdict.look_on < until:
            until = verdict.look_on
    return until


def _sleeps(verdict: Verdict) -> bool:
    """Whether it waits for its day, or is over. A courtesy looks at its condition before its day has come; what may be
    missed is looked at again."""
    step, block = verdict.step, verdict.block
    if block is None or step is None:
        return block is not None and block.code in SLEEPING
    if step.kind == "pre_due":
        return block.code in SLEEPING | AMOUNTS and step.condition is None
    return block.code in SLEEPING or (block.code in AMOUNTS and step.catch_up != "skip")
