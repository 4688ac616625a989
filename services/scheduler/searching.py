"""A bounded search over what can happen to a payer under a policy: the linter's model checker, over the pure planner.

The rule it protects: what it says can happen did happen in a play of `decide`, and is told with its days. It plays
invoices that fall due one after the other; every notice arrives but for up to two events, in every order: a notice
comes back, the oldest invoice is paid, half of it is paid, or it is paid and the money is taken back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, product
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from libs.common.ids import named
from services.scheduler.calendar import Calendar
from services.scheduler.case import Case, Item, MarkState, Party, Pause
from services.scheduler.grouping import Notice
from services.scheduler.playing import Course, Said, most_within
from services.scheduler.policy import CAME_BACK, GAPPED, PROMISED, Policy, Step

Model = TypeVar("Model", bound=BaseModel)
Happens = Literal["bounces", "paid", "part", "returned"]
EVENTS: tuple[Happens, ...] = ("bounces", "paid", "part", "returned")
START = date(2026, 3, 2)
"""A Monday; no holiday of the calendar used is near, so that weeks are whole."""
SPAN = 30
STAGGERS = (((0,), 1), ((0, 9), 2), ((0, 7, 14, 21), 2))
"""Days after the first on which the invoices of a play fall due, and how many events happen to them at most."""
NOTICES = 6
"""Notices of a play after which something may happen."""
AFTER = timedelta(days=75)
CALENDAR = Calendar("FR", "Europe/Paris")


@dataclass(frozen=True, slots=True)
class Crowd:
    """The most reminders that a payer got within 30 days, and the steps and days of them."""

    count: int
    days: int
    witness: str


def invoices(stagger: Sequence[int], amount: int, currency: str, start: date = START) -> tuple[Item, ...]:
    """Invoices due so many days after the start."""
    return tuple(
        Item(
            item_id=named("lint", place),
            invoice_id=named("lint invoice", place),
            debtor_id=named("lint debtor"),
            number=f"F{place + 1}",
            issue_date=start + timedelta(days=days - 30),
            due_date=start + timedelta(days=days),
            currency=currency,
            amount=amount,
            residual=amount,
        )
        for place, days in enumerate(stagger)
    )


def case_of(items: tuple[Item, ...]) -> Case:
    """A live case whose entity leaves approvals to the policy."""
    payer = named("lint debtor")
    return Case(named("lint"), named("lint case"), named("lint entity"), payer, Party(named("lint party")), items)


def free(policy: Policy) -> Policy:
    """The policy without conditions of its steps: they may hold or not, the search looks at both as if they held."""
    return like(policy, steps=[like(step, when=None) for step in policy.steps])


def like(model: Model, **changes: Any) -> Model:
    """The same with some fields changed; a plain copy would keep what was already worked out from the old ones."""
    return type(model).model_construct(**{name: getattr(model, name) for name in type(model).model_fields} | changes)


def crowds(policy: Policy, amount: int, currency: str) -> Crowd:
    """The worst 30 days that the search found."""
    worst = Crowd(0, SPAN, "")
    for stagger, events in ((stagger, each) for stagger, many in STAGGERS for each in _orders(many)):
        course = _played(policy, invoices(stagger, amount, currency), events)
        left = [said for said in course.said if said.step.kind in GAPPED and said.outcome == "completed"]
        count, first = most_within([said.on for said in left], SPAN)
        if count > worst.count and first is not None:
            last = first + timedelta(days=SPAN)
            witness = ", ".join(_told(said, course) for said in left if first <= said.on < last)
            worst = Crowd(count, SPAN, witness)
    return worst


def _told(said: Said, course: Course) -> str:
    """`final D+21 of F1`, counted from the due date of its first row."""
    anchor = said.notice.anchor
    return f"{said.step.key} D{(said.on - anchor.due_date).days:+d} {anchor.number}"


def _orders(most: int) -> Iterator[dict[int, Happens]]:
    """Which event follows which notice: none, one, or up to so many."""
    for many in range(most + 1):
        for places in combinations(range(NOTICES), many):
            for events in product(EVENTS, repeat=many):
                yield dict(zip(places, events, strict=True))


def _played(policy: Policy, items: tuple[Item, ...], events: dict[int, Happens]) -> Course:
    def outcome(notice: Notice, count: int) -> MarkState:
        return "bounced" if events.get(count) == "bounces" else "completed"

    course = Course(case_of(items), policy, CALENDAR, outcome)
    start = datetime(START.year, START.month, START.day, 6, tzinfo=UTC) + timedelta(days=-40)
    end = start + timedelta(days=40) + timedelta(days=max(i.due_date for i in items).toordinal() - START.toordinal())
    for said in course.play(start, end + AFTER):
        happens = events.get(len(course.said) - 1)
        if happens is not None and happens != "bounces":
            _happen(course, happens, said)
    return course


def _happen(course: Course, what: Happens, said: Said) -> None:
    oldest = min((item for item in course.case.items if item.open), key=lambda item: item.due_date, default=None)
    if oldest is None:
        return
    changed = {
        "paid": replace(oldest, residual=0, settled_on=said.on, to_thank=True),
        "part": replace(oldest, residual=max(1, oldest.residual // 2)),
        "returned": replace(oldest, cycle=oldest.cycle + 1, cycle_on=said.on, cycle_reason="returned"),
    }[what]
    course.change(lambda item: changed if item.item_id == oldest.item_id else item)
    if what != "returned":
        course.case = replace(course.case, answered_on=said.on)


def reached(policy: Policy, amounts: Sequence[tuple[str, int]]) -> dict[str, set[int]]:
    """Step key → the weekdays of due dates with which it left, of one invoice of each amount, unanswered.

    Steps for imported history of an invoice from before, thank-yous of one that is paid.
    """
    found: dict[str, set[int]] = {}
    for (currency, minor), weekday in product(amounts, range(7)):
        start = START + timedelta(days=weekday)
        for way, said in _ways(policy, invoices((0,), minor, currency, start)):
            if _way_of(said.step) == way:
                found.setdefault(said.step.key.partition("-")[0], set()).add(weekday)
    return found


def _ways(policy: Policy, items: tuple[Item, ...]) -> Iterator[tuple[str, Said]]:
    before = tuple(replace(i, take_over="statement", take_over_on=i.due_date) for i in items)
    courses = {
        "owed": _whole(policy, items),
        "imported": _whole(policy, before),
        "settled": _whole(policy, items, settles=True),
    }
    for anchor, reasons in CAME_BACK.items() if policy.comebacks else ():
        back = (replace(i, cycle=2, cycle_on=i.due_date, cycle_reason=min(reasons)) for i in items)
        courses[anchor] = _whole(policy, tuple(back))
    if policy.broken_promise is not None:
        courses["promise_broken"] = _whole(policy, tuple(replace(i, broken=(i.due_date,)) for i in items))
    if policy.on_promise:
        courses["promise_due"] = _whole(policy, tuple(replace(i, pauses=(_word(i.due_date),)) for i in items))
    yield from ((way, said) for way, course in courses.items() for said in course.said)


def _way_of(step: Step) -> str:
    if step.kind == "acknowledge":
        return "settled"
    return step.anchor if step.anchor in {"imported"} | CAME_BACK.keys() | PROMISED else "owed"


def _word(due: date) -> Pause:
    """A promise for three weeks after the due date."""
    given = due + timedelta(days=21)
    return Pause(named("lint promise"), "promise", "item", given + timedelta(days=4), due_on=given)


def _whole(policy: Policy, items: tuple[Item, ...], *, settles: bool = False) -> Course:
    """From before the courtesy to after the last step; with `settles` it is paid once a reminder arrived."""
    course = Course(case_of(items), policy, CALENDAR)
    first = items[0].due_date
    begins = datetime(first.year, first.month, first.day, 6, tzinfo=UTC)
    offsets = [abs(step.offset) for step in policy.steps]
    for said in course.play(begins - timedelta(days=65), begins + timedelta(days=sum(offsets) + 60)):
        if settles and said.step.kind in GAPPED and course.case.items[0].open:
            settled = replace(course.case.items[0], residual=0, settled_on=said.on, to_thank=True)
            course.change(lambda item, settled=settled: settled)  # type: ignore[misc]
    return course
