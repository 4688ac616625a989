"""A simulation keeps verdicts from look to look, and says what it would say if it judged everything at every look."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.case import Case, Item, MarkState, Pause, altered
from services.scheduler.grouping import Notice, Verdict
from services.scheduler.judging import Day, day_of, judged
from services.scheduler.playing import Course, Said
from services.scheduler.policy import Policy
from services.scheduler.sleeping import Asleep
from services.scheduler.store.policies import Policies
from tests.unit.scheduler.world import PARIS, STANDARD, at, case, item, mark, pause

START = date(2026, 1, 5)
LADDERS = tuple(Policies().products().values())
NUMBERS = ("A", "B", "C", "D")
HAPPENS = ("paid", "part", "held", "disputed", "lifted", "moved", "answered", "bounces", "arrives", "nothing")
EVENTS = st.lists(st.tuples(st.integers(1, 30), st.sampled_from(HAPPENS), st.sampled_from(NUMBERS)), max_size=10)
DUES = st.lists(st.integers(-60, 90), min_size=4, max_size=4)
AMOUNTS = st.lists(st.sampled_from((500, 9_000, 100_000, 5_000_000)), min_size=4, max_size=4)


class Compared(Asleep):
    """Keeps verdicts, and compares them with those judged anew."""

    def judge(self, items: Sequence[Item], day: Day) -> list[Verdict]:
        found = super().judge(items, day)
        assert found == judged(items, day)
        return found


class Anew(Asleep):
    """Keeps nothing."""

    def judge(self, items: Sequence[Item], day: Day) -> list[Verdict]:
        return judged(items, day)


def happens(known: Case, what: str, number: str, today: date) -> Case:
    """The case after something happened to one of its items, or to its payer."""
    if what == "answered":
        return replace(known, answered_on=today)
    changes: dict[str, object] = {}
    held = next(each for each in known.items if each.number == number)
    pauses: dict[str, tuple[Pause, ...]] = {"held": (pause(),), "disputed": (pause("dispute", 400),), "lifted": ()}
    if what in ("paid", "part"):
        changes["residual"] = 0 if what == "paid" else held.residual // 2 + 1
    elif what in pauses:
        changes["pauses"] = pauses[what]
    elif what == "moved":
        changes["due_date"] = held.due_date + timedelta(days=9)
    fresh = replace(held, **changes)  # type: ignore[arg-type]
    return replace(known, items=tuple(fresh if each is held else each for each in known.items))


def played(policy: Policy, items: Sequence[Item], events: Sequence[tuple[int, str, str]], asleep: Asleep) -> list[Said]:
    bounces = [False]

    def outcome(notice: Notice, count: int) -> MarkState:
        return "bounced" if bounces[0] else "completed"

    course = Course(case(*items), policy, PARIS, outcome, asleep=asleep)
    now: datetime = at(START, 9)
    for days, what, number in (*events, (60, "nothing", "A")):
        list(course.play(now, now + timedelta(days=days)))
        now += timedelta(days=days)
        bounces[0] = what == "bounces" or (bounces[0] and what != "arrives")
        course.case = happens(course.case, what, number, PARIS.today(now))
    return course.said


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(LADDERS), DUES, AMOUNTS, EVENTS)
def test_verdicts_that_are_kept_are_those_that_would_be_judged_anew(
    policy: Policy, dues: list[int], amounts: list[int], events: list[tuple[int, str, str]]
) -> None:
    facts = zip(NUMBERS, dues, amounts, strict=True)
    items = [item(number, START + timedelta(days=due), residual=owed) for number, due, owed in facts]
    assert played(policy, items, events, Compared()) == played(policy, items, events, Anew())


def test_a_verdict_that_is_ready_is_judged_once_while_its_item_stays_as_it_is() -> None:
    late, other = item("A", START - timedelta(days=2)), item("B", START - timedelta(days=2))
    told, asleep = case(late, other), Asleep()
    first = asleep.judge(told.items, day_of(told, STANDARD, PARIS, START))
    paid = altered(told, items=(late, altered(other, residual=0)))
    again = asleep.judge(paid.items, day_of(paid, STANDARD, PARIS, START + timedelta(days=1)))
    assert [verdict.ready for verdict in first] == [True, True]
    assert again[0] is first[0]
    assert [verdict.ready for verdict in again] == [True, False]


def test_where_bank_data_are_needed_what_is_ready_is_judged_anew_each_day() -> None:
    told, asleep = case(item("A", START - timedelta(days=9)), feed_required=True, covered_to=START), Asleep()
    first, later = (day_of(told, STANDARD, PARIS, START + timedelta(days=n)) for n in (1, 9))
    assert [verdict.ready for verdict in asleep.judge(told.items, first)] == [True]
    assert [verdict.block and verdict.block.code for verdict in asleep.judge(told.items, later)] == ["feed_stale"]


def test_what_is_altered_forgets_what_it_remembered_of_itself() -> None:
    owed = item("A", START)
    known = case(owed)
    assert owed.open
    assert not owed.told.present
    assert not known.escalated
    formal = altered(owed, residual=0, marks=(mark("formal", START),))
    after = altered(known, items=(owed, altered(formal, residual=1)))
    assert formal == replace(owed, residual=0, marks=(mark("formal", START),))
    assert not formal.open
    assert formal.mark("formal") is formal.marks[0]
    assert after.escalated
