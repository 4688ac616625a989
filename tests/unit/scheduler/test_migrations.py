"""Random histories of a case that is moved between policies: nothing twice, nothing softer, never closer."""

from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.scheduler.playing import most_within
from services.scheduler.policy import GAPPED, LADDER, Policy, parse
from tests.unit.scheduler.test_histories import NUMBERS, _change
from tests.unit.scheduler.world import PARIS, World, at, item

START = date(2026, 1, 5)
NAMES = ("good", "public_body", "slow", "standard", "strategic")
HAPPENS = ("paid", "part", "reopened", "held", "lifted", "bounce", "fine", "nothing", *NAMES)
EVENTS = st.lists(st.tuples(st.integers(1, 12), st.sampled_from(HAPPENS), st.sampled_from(NUMBERS)), max_size=16)
DUES = st.lists(st.integers(0, 25), min_size=3, max_size=3)

BOUNCED_THERE = [(6, "bounce", "A"), (1, "good", "A"), (8, "fine", "A"), (1, "slow", "A"), (1, "good", "A")]
"""What bounced under one policy is said under another; back under the first it is not said again."""
CAME_BACK_THERE = [(2, "paid", "C"), (1, "reopened", "C"), (1, "good", "A"), (5, "standard", "A")]
"""What one policy said in the cycle before is not said again by it after another said it in this one."""


@cache
def policy(name: str) -> Policy:
    return parse((Path("services/scheduler/policies") / f"{name}.yaml").read_text("utf-8"))


def renamed(known: Policy) -> Policy:
    """The same ladder with keys that no other policy has."""
    told = known.model_dump(mode="json")
    for step in told["steps"]:
        step["key"] = f"{known.name}_{step['key']}"
    return Policy.model_validate(told)


def played(events: list[tuple[int, str, str]], dues: list[int], *, own_keys: bool) -> World:
    world = World.of(*(item(number, START + timedelta(days=due)) for number, due in zip(NUMBERS, dues, strict=True)))
    chosen = {name: renamed(policy(name)) if own_keys else policy(name) for name in NAMES}
    world.policy = chosen["standard"]
    now = at(START)
    for days, what, number in events:
        end = now + timedelta(days=days)
        world.play(now, end)
        if what in NAMES:
            world.policy = chosen[what]
        else:
            _change(world, what, number, PARIS.today(end))
        now = end
    world.play(now, now + timedelta(days=60))
    return world


def holds_everywhere(world: World) -> None:
    for each in world.items.values():
        done = [m for m in each.marks if m.state == "completed" and m.kind in LADDER]
        assert len({(m.step_key, m.cycle) for m in done}) == len(done)
        for cycle in range(1, each.cycle + 1):
            tones = [m.tone for m in sorted((m for m in done if m.cycle == cycle), key=lambda m: (m.on, m.tone))]
            assert tones == sorted(tones)
            assert len(set(tones)) == len(tones)
    arrived = [left for left in world.left if left.kind in GAPPED and left.outcome == "completed"]
    for first, second in pairwise(arrived):
        assert PARIS.business_days_between(first.on, second.on) >= 5
    assert most_within([left.on for left in arrived], 30)[0] <= 4


@settings(max_examples=200)
@given(EVENTS, DUES)
def test_a_case_that_is_moved_about_hears_nothing_twice_or_softer(
    events: list[tuple[int, str, str]], dues: list[int]
) -> None:
    holds_everywhere(played(events, dues, own_keys=False))


@settings(max_examples=200)
@given(EVENTS, DUES)
@example(BOUNCED_THERE, [0, 0, 0])
@example(CAME_BACK_THERE, [0, 0, 0])
def test_policies_whose_steps_have_other_names_repeat_no_tone(
    events: list[tuple[int, str, str]], dues: list[int]
) -> None:
    holds_everywhere(played(events, dues, own_keys=True))
