"""Which items share a notice: one table for all that a payer owes, one tone, one anchor.

The rule it protects: reminding one invoice never hides the others, and a rider completes only its own next step, if
that is due within the gap and no harder than the notice. A formal notice has no riders.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from libs.common.events.reminders import Approval, Channel
from services.scheduler.calendar import statements_needed
from services.scheduler.case import TO_PAYER, Case, Item, Mark, Reason
from services.scheduler.policy import STRICTNESS, Step


class Verdict(NamedTuple):
    """What is to be said about one item by one step: on which day, and what keeps it from being said now."""

    item: Item
    step: Step | None
    on: date | None = None
    block: Reason | None = None
    look_on: date | None = None
    """When time alone may change this; None when only an event can."""
    mark: Mark | None = None

    @property
    def ready(self) -> bool:
        return self.block is None and self.step is not None


class Row(NamedTuple):
    """One line of a notice. Its step ends with the notice only when it `completes`."""

    item: Item
    step: Step
    completes: bool
    release: int
    """The release it gets; 0 when it is only listed."""


class Notice(NamedTuple):
    """What is due to be said now: the anchor's step, and a row for every item in it."""

    step: Step
    anchor: Item
    rows: tuple[Row, ...]
    approval: Approval
    window_ends_at: datetime
    late: bool = False
    """It catches up with a day that was missed, and counts for what may be caught up with in a day."""

    @property
    def channels(self) -> list[Channel]:
        """In order of fallback: those of its step, or what comes after the one that failed if the step says so."""
        return channels_left(self.step, self.anchor.mark(self.step.key)) or self.step.channels


def channels_left(step: Step, mark: Mark | None) -> list[Channel]:
    """What is left of a step's channels after the one that failed, if it falls back on others; else none."""
    failed = mark is not None and mark.state in ("failed", "bounced") and step.on_failure == "fallback"
    if mark is None or not failed or mark.channel not in step.channels:
        return []
    return step.channels[[str(each) for each in step.channels].index(mark.channel) + 1 :]


RIDES = {"not_yet", "below_threshold"}
"""What keeps an item from a notice of its own, but not from another's."""
LISTED = RIDES | {"ladder_done", "condition_unmet"}
"""What is shown in the notice of another item; a step whose condition is not met does not end with it."""


class Today(Protocol):
    """What of the day of a decision grouping needs."""

    @property
    def case(self) -> Case: ...
    @property
    def today(self) -> date: ...
    @property
    def gap_end(self) -> date: ...


def ladder_notice(ready: Sequence[Verdict], others: Sequence[Verdict], day: Today, ends: datetime) -> Notice:
    """The one notice of the reminders that are ready, with everything else overdue listed in it."""
    anchor = anchor_of(ready)
    step = _step(anchor)
    chosen = [verdict for verdict in ready if _together(verdict, anchor, step)]
    if step.kind == "formal_notice" or step.grouping == "item":
        listed: list[Verdict] = []
    else:
        chosen_ids = {id(verdict.item) for verdict in chosen}
        listed = [
            verdict
            for verdict in (*ready, *others)
            if id(verdict.item) not in chosen_ids and _may_ride(verdict, day, step, anchor)
        ]
    rows = [_row(verdict, True) for verdict in chosen]
    rows += [_row(verdict, _ends_with(verdict, step, day.gap_end), step) for verdict in listed]
    return _notice(step, anchor.item, rows, day.case, ends)


def statement_notice(ready: Sequence[Verdict], open_items: Sequence[Verdict], case: Case, ends: datetime) -> Notice:
    """A statement of account: every open item that nothing keeps silent, due or not."""
    first = min(ready, key=_oldest)
    completing = {id(verdict.item) for verdict in ready}
    rows = [_row(verdict, True) for verdict in ready]
    rows += [_row(each, False, _step(first)) for each in open_items if id(each.item) not in completing]
    return _notice(_step(first), first.item, rows, case, ends)


def plain_notice(ready: Sequence[Verdict], case: Case, ends: datetime) -> Notice:
    """A courtesy notice, a call or a word to a colleague: those items whose step is ready, and no others."""
    first = min(ready, key=_oldest)
    rows = [_row(verdict, True) for verdict in ready]
    return _notice(_step(first), first.item, rows, case, ends)


def anchor_of(ready: Sequence[Verdict]) -> Verdict:
    """The item that gives the tone: the oldest of the hardest step, or plainly the oldest if its step says so."""
    oldest = min(ready, key=_oldest) if len(ready) > 1 else ready[0]
    if len(ready) == 1 or _step(oldest).group_level == "oldest":
        return oldest
    return min(ready, key=lambda verdict: (-_step(verdict).tone, *_oldest(verdict)))


def strictest(steps: Sequence[Step], floor: Approval) -> Approval:
    """The hardest approval that any of the steps asks for."""
    found: Approval = floor
    for step in steps:
        if STRICTNESS[step.approval] > STRICTNESS[found]:
            found = step.approval
    return found


def silent_currencies(verdicts: Sequence[Verdict], on_account: Mapping[str, int], today: date) -> set[str]:
    """Currencies in which money and credit on account cover all that a notice of today would list: none is sent."""
    listed = {verdict.item.item_id: verdict.item for verdict in verdicts if _listed(verdict, today)}
    return {currency for currency, minor in _owed(listed.values()).items() if minor <= on_account.get(currency, 0)}


def covered(notice: Notice, on_account: Mapping[str, int]) -> bool:
    """Whether money and credit on account leave nothing of this notice to ask for."""
    owed = _owed(row.item for row in notice.rows)
    return all(minor <= on_account.get(currency, 0) for currency, minor in owed.items())


def _listed(verdict: Verdict, today: date) -> bool:
    if not verdict.item.open:
        return False
    late = verdict.item.due_date < today and verdict.block is not None and verdict.block.code in RIDES
    return verdict.ready or late


def _owed(items: Iterable[Item]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for item in items:
        sums[item.currency] = sums.get(item.currency, 0) + item.residual - item.paused()
    return sums


def confirmed_first(case: Case, step: Step) -> bool:
    """Whether every notice of a step is confirmed by a person, whatever the policy says."""
    return case.approvals == "confirm" or (case.run_in is not None and not case.run_in.trusts(step.key))


def _oldest(verdict: Verdict) -> tuple[date, UUID]:
    return verdict.item.due_date, verdict.item.item_id


def _step(verdict: Verdict) -> Step:
    if verdict.step is None:
        raise AssertionError("an item without a step is never ready")
    return verdict.step


def _together(verdict: Verdict, anchor: Verdict, step: Step) -> bool:
    other = _step(verdict)
    if verdict.item is anchor.item:
        return True
    if (step.kind == "formal_notice") != (other.kind == "formal_notice") or other.tone > step.tone:
        return False
    return _grouped(verdict, anchor, step) and (step.grouping != "level" or other.tone == step.tone)


def _grouped(verdict: Verdict, anchor: Verdict, step: Step) -> bool:
    if step.grouping == "item":
        return False
    return step.grouping != "account" or verdict.item.debtor_id == anchor.item.debtor_id


def _may_ride(verdict: Verdict, day: Today, step: Step, anchor: Verdict) -> bool:
    """Overdue as far as the bank has told, of the group, and silent only because its own day has not come."""
    due = verdict.item.due_date
    if due >= day.today or not _grouped(verdict, anchor, step) or not _told_unpaid(due, day):
        return False
    return verdict.ready or (verdict.block is not None and verdict.block.code in LISTED)


def _told_unpaid(due: date, day: Today) -> bool:
    """Whether bank statements reach far enough to tell that what was `due` was not paid in time."""
    case = day.case
    if not case.feed_required:
        return True
    return case.covered_to is not None and case.covered_to >= statements_needed(day.today, due)


def _ends_with(verdict: Verdict, step: Step, gap_end: date) -> bool:
    own = verdict.step
    if own is None or own.kind not in ("reminder", "final_notice") or own.tone > step.tone:
        return False
    if verdict.block is not None and verdict.block.code == "condition_unmet":
        return False
    return step.grouping != "level" and verdict.on is not None and verdict.on <= gap_end


def _row(verdict: Verdict, completes: bool, listed_by: Step | None = None) -> Row:
    step = verdict.step or listed_by
    if step is None:
        raise AssertionError("a row needs a step")
    before = verdict.mark.release if verdict.mark is not None else 0
    return Row(verdict.item, step, completes, before + 1 if completes else 0)


def _confirmed_above(row: Row) -> int | None:
    above = row.step.confirmed_above
    return above.get(row.item.currency) if above else None


def _notice(step: Step, anchor: Item, rows: Sequence[Row], case: Case, ends: datetime) -> Notice:
    floor: Approval = "confirm" if step.kind in TO_PAYER and confirmed_first(case, step) else "none"
    if any(above < row.item.residual for row in rows if (above := _confirmed_above(row)) is not None):
        floor = "confirm"
    ordered = sorted(rows, key=lambda row: (row.item.due_date, row.item.number, row.item.item_id))
    return Notice(step, anchor, tuple(ordered), strictest([row.step for row in rows if row.completes], floor), ends)
