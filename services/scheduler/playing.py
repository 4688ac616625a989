"""A case played from look to look by the one decision that everything shares: what would be said, day by day.

The rule it protects: whoever plays sees what `decide` says and nothing else; what became of a notice, and what happens
beside it, is told by the player's own events. Nothing here reads or writes anything.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from typing import NamedTuple

from services.scheduler.calendar import Calendar
from services.scheduler.case import Case, Item, Mark, MarkState, Party, altered
from services.scheduler.evidence import LATER
from services.scheduler.grouping import Notice, Row
from services.scheduler.planner import Decision, decide
from services.scheduler.policy import CALLS, GAPPED, Policy, Step
from services.scheduler.sleeping import Asleep

Outcome = Callable[[Notice, int], MarkState]
"""(a notice, how many were said before it) → what becomes of it: completed, bounced, failed."""


class Said(NamedTuple):
    """One notice, call or word to a colleague that would have left, and what became of it."""

    at: datetime
    on: date
    step: Step
    notice: Notice
    outcome: MarkState


def arrives(notice: Notice, count: int) -> MarkState:
    """Everything arrives."""
    return "completed"


@dataclass
class Course:
    """The case as it stands, and what was said so far. Approvals are given at once, tasks are done on their day."""

    case: Case
    policy: Policy
    calendar: Calendar
    outcome: Outcome = arrives
    said: list[Said] = field(default_factory=list)
    asleep: Asleep = field(default_factory=Asleep, repr=False)
    _known: tuple[datetime, Case, Decision] | None = field(default=None, repr=False)
    """The decision taken ahead of a look, if that comes at its instant and finds the same case."""

    def _decide(self, now: datetime) -> Decision:
        if self._known is None or self._known[0] != now or self._known[1] is not self.case:
            self._known = (now, self.case, decide(self.case, self.policy, self.calendar, now, self.asleep))
        return self._known[2]

    def play(self, start: datetime, end: datetime) -> Iterator[Said]:
        """Everything said from one instant to another, as it happens: whoever takes it may change the case between."""
        now: datetime | None = start
        while now is not None and now <= end:
            decision = self._decide(now)
            for notice in decision.notices:
                yield self._leaves(notice, now)
            now = self.after(decision, now)

    def look(self, now: datetime) -> tuple[list[Said], datetime | None]:
        """What leaves at an instant, and when to look again."""
        decision = self._decide(now)
        left = [self._leaves(notice, now) for notice in decision.notices]
        return left, self.after(decision, now)

    def after(self, decision: Decision, now: datetime) -> datetime | None:
        """When to look again after a decision that was carried out: at once if it made way for something else."""
        if not decision.notices:
            return decision.next_at
        following = self._decide(now)
        return now if following.notices else following.next_at

    def change(self, change: Callable[[Item], Item]) -> None:
        """Something happened to items."""
        self.case = altered(self.case, items=tuple([change(item) for item in self.case.items]))

    def _leaves(self, notice: Notice, now: datetime) -> Said:
        today = self.calendar.today(now)
        outcome = self.outcome(notice, len(self.said))
        retry = None if outcome == "completed" else today + LATER
        items = list(self.case.items)
        for row in {row.item.item_id: row for row in notice.rows if row.completes}.values():
            place = _place(items, row.item)
            items[place] = _marked(items[place], row, outcome, today, retry)
        self.case = altered(
            self.case,
            items=tuple(items),
            party=_heard(self.case.party, notice.step, outcome, today),
            thanked_on=today if notice.step.kind == "acknowledge" else self.case.thanked_on,
        )
        found = Said(now, today, notice.step, notice, outcome)
        self.said.append(found)
        return found


def _place(items: Sequence[Item], item: Item) -> int:
    """Where an item is among these, as it was decided about or as it has become since."""
    same = [place for place, each in enumerate(items) if each is item]
    return same[0] if same else next(place for place, each in enumerate(items) if each.item_id == item.item_id)


def _heard(party: Party, step: Step, outcome: MarkState, today: date) -> Party:
    """The party after a notice or a call."""
    if outcome == "completed" and step.kind in GAPPED:
        return replace(party, last_notice_on=today, notices=(*party.notices, today))
    if outcome == "completed" and step.kind in CALLS:
        return replace(party, last_notice_on=today)
    return party


def play_together(courses: Sequence[Course], start: datetime, end: datetime) -> Iterator[tuple[Course, Said]]:
    """The cases of one party, in the order of their looks: what one of them says, the others know of."""
    looks = [(start, place) for place in range(len(courses))]
    while looks:
        now, place = heappop(looks)
        course = courses[place]
        left, later = course.look(now)
        for said in left:
            yield course, said
        if left and len(courses) > 1:
            heard = course.case.party
            for other in courses:
                party = replace(other.case.party, last_notice_on=heard.last_notice_on, notices=heard.notices)
                other.case = altered(other.case, party=party)
        if later is not None and later <= end:
            heappush(looks, (later, place))


def _marked(item: Item, row: Row, outcome: MarkState, today: date, retry: date | None) -> Item:
    """An item whose step ended with a notice."""
    step = row.step
    fresh = Mark(
        step_key=step.key, cycle=item.cycle, tone=step.tone, kind=step.kind, state=outcome, release=row.release,
        on=today, channel=step.channels[0], retry_on=retry, printed=item.residual,
        invoice_version=item.invoice_version, completes_on=step.completes_on,
    )  # fmt: skip
    others = [mark for mark in item.marks if mark.step_key != step.key or mark.cycle != item.cycle]
    return altered(item, marks=(*others, fresh), to_thank=item.to_thank and step.kind != "acknowledge")


def most_within(days: Sequence[date], span: int) -> tuple[int, date | None]:
    """The most of these days within any `span` calendar days, and the first day of such a stretch."""
    ordered = sorted(days)
    best, begins = 0, None
    first = 0
    for place, day in enumerate(ordered):
        while day - ordered[first] >= timedelta(days=span):
            first += 1
        if place - first + 1 > best:
            best, begins = place - first + 1, ordered[first]
    return best, begins
