"""Random histories of a case: no double, no step before its predecessor, no contact within the gap, no look behind."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.ids import named
from services.scheduler.case import Item
from services.scheduler.policy import LADDER
from tests.unit.scheduler.world import PARIS, STANDARD, World, at, item, pause

START = date(2026, 1, 5)
Event = tuple[int, str, str]
"""Days after the one before, what happens, to which invoice."""
NUMBERS = ("A", "B", "C")
HAPPENS = ("paid", "part", "reopened", "held", "lifted", "bounce", "fine", "outage", "moved", "nothing")
EVENTS = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(HAPPENS), st.sampled_from(NUMBERS)), max_size=14)


def _change(world: World, what: str, number: str, today: date) -> None:
    held = world.items[named("item", number)]
    changes: dict[str, dict[str, object]] = {
        "paid": {"residual": 0},
        "part": {"residual": max(held.residual - 10_000, 0)},
        "held": {"pauses": (pause(),)},
        "lifted": {"pauses": ()},
        "moved": {"due_date": held.due_date + timedelta(days=5)},
    }
    if what == "reopened" and held.residual == 0:
        changes["reopened"] = {"residual": held.amount, "cycle": held.cycle + 1, "cycle_on": today}
    if what in ("bounce", "fine"):
        world.outcome = "bounced" if what == "bounce" else "completed"
    world.change(number, **changes.get(what, {}))


def _play(events: list[Event], dues: list[int]) -> World:
    world = World.of(*(item(number, START + timedelta(days=due)) for number, due in zip(NUMBERS, dues, strict=True)))
    now = at(START)
    for days, what, number in events:
        end = now + timedelta(days=days)
        if what != "outage":
            world.play(now, end)
        _change(world, what, number, PARIS.today(end))
        now = end
    world.play(now, now + timedelta(days=60))
    return world


@settings(max_examples=150)
@given(EVENTS, st.lists(st.integers(0, 20), min_size=3, max_size=3))
def test_over_random_histories_no_occurrence_is_completed_twice(events: list[Event], dues: list[int]) -> None:
    world = _play(events, dues)
    for each in world.items.values():
        ended = [(m.step_key, m.cycle) for m in each.marks if m.state == "completed"]
        assert len(ended) == len(set(ended))
        _no_step_before_its_predecessor(each)


def _no_step_before_its_predecessor(each: Item) -> None:
    """In every cycle the steps said are a stretch of the ladder without a gap, from its foot or the level reached."""
    ladder = [step for step in STANDARD.rungs if step.kind in LADDER]
    for cycle in range(1, each.cycle + 1):
        said = [m for m in each.marks if m.cycle == cycle and m.kind in LADDER and m.state == "completed"]
        assert len({m.on for m in said}) == len(said), "two steps of an item on one day"
        reached = replace(each, cycle=cycle).level(before_cycle=cycle)
        wanted = [step.key for step in ladder if step.tone >= reached] or [ladder[-1].key]
        in_order = [m.step_key for m in sorted(said, key=lambda m: m.on)]
        assert in_order == wanted[: len(in_order)]


@settings(max_examples=150)
@given(EVENTS, st.lists(st.integers(0, 20), min_size=3, max_size=3))
def test_two_notices_that_arrived_are_never_closer_than_the_gap(events: list[Event], dues: list[int]) -> None:
    arrived = [left for left in _play(events, dues).left if left.kind in LADDER and left.outcome == "completed"]
    for first, second in pairwise(arrived):
        assert PARIS.business_days_between(first.on, second.on) >= STANDARD.gap_days


@settings(max_examples=150)
@given(EVENTS, st.lists(st.integers(0, 20), min_size=3, max_size=3))
def test_everything_leaves_in_a_window_and_no_look_lies_behind(events: list[Event], dues: list[int]) -> None:
    world = _play(events, dues)
    assert all(PARIS.closing(left.at, STANDARD.window) is not None for left in world.left)
    for now, following in world.looks:
        assert following is None or (following > now and _opening(following))


def _opening(instant: datetime) -> bool:
    return PARIS.opening(PARIS.today(instant), STANDARD.window) == instant


@settings(max_examples=100)
@given(st.integers(0, 60), st.integers(0, 45))
def test_whenever_the_service_comes_back_the_lowest_step_is_first(due: int, outage: int) -> None:
    world = World.of(item("A", START + timedelta(days=due)))
    back = START + timedelta(days=due + 2 + outage)
    world.play(at(back), at(back + timedelta(days=200)))
    rungs = [left.step for left in world.left if left.kind in LADDER]
    assert rungs == ["friendly", "firm", "final", "formal"]
