"""Steps about a payer's word: tasks around its day, and the reminder that follows when it is broken."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.common.ids import named
from services.scheduler.case import Item, Pause
from services.scheduler.climbing import rungs
from services.scheduler.errors import PolicyInvalid
from services.scheduler.linting import lint
from services.scheduler.planner import decide
from services.scheduler.policy import Policy, check
from tests.unit.scheduler.world import PARIS, World, at, case, item, mark

DUE = date(2026, 9, 1)
CALL = {"key": "promise_call", "kind": "task_call", "tone": 0, "anchor": "promise_due", "offset": -1,
        "template": "call", "channels": ["call_task"], "audience": ["accounts_payable"]}  # fmt: skip
BROKEN = {"key": "broken", "kind": "reminder", "tone": 3, "anchor": "promise_broken", "offset": 0, "template": "firm",
          "audience": ["accounts_payable"]}  # fmt: skip


def policy(*steps: dict[str, Any]) -> Policy:
    """The standard ladder with these steps too."""
    told = yaml.safe_load(Path("services/scheduler/policies/standard.yaml").read_text("utf-8"))
    return check(told | {"steps": [*told["steps"], *steps]})


def promised(due_on: date) -> Pause:
    """A promise over the case for a day."""
    return Pause(named("hold", "promise"), "promise", "case", date(2026, 9, 24), None, at(date(2026, 9, 7)), due_on)


def keys(of: Item, ladder: Policy) -> list[str]:
    return [step.key for step in rungs(of, ladder)]


def test_the_day_before_a_promise_somebody_calls_and_nothing_else_leaves() -> None:
    world = World.of(item("A", DUE, pauses=(promised(date(2026, 9, 22)),)))
    world.policy = policy(CALL)
    world.play(at(date(2026, 9, 8)), at(date(2026, 9, 23)))
    assert [(left.step, left.on) for left in world.left] == [("promise_call", date(2026, 9, 21))]


def test_a_call_about_a_promise_is_not_withdrawn_by_that_promise_but_by_a_hold_or_money() -> None:
    ladder, now = policy(CALL), at(date(2026, 9, 21))
    called = mark("call", date(2026, 9, 21), state="released", kind="task_call")
    called = replace(called, step_key="promise_call", reminder_id=named("call"), released_at=now, invoice_version=1)
    open_ = item("A", DUE, pauses=(promised(date(2026, 9, 22)),), marks=(replace(called, printed=50_000),))
    held = replace(open_, pauses=(*open_.pauses, Pause(named("hold"), "manual", "item", date(2026, 12, 1))))
    paid = replace(open_, residual=0)
    found = [decide(case(each), ladder, PARIS, now).withdrawn for each in (open_, held, paid)]
    assert found == [(), ((named("call"), "held"),), ((named("call"), "settled"),)]


def test_what_is_not_due_by_the_day_of_the_promise_is_not_called_about() -> None:
    world = World.of(item("A", date(2026, 10, 1), pauses=(promised(date(2026, 9, 22)),)))
    world.policy = policy(CALL)
    world.play(at(date(2026, 9, 8)), at(date(2026, 9, 23)))
    assert world.left == []


def test_a_broken_promise_has_its_own_reminder_and_then_what_is_harder() -> None:
    friendly = mark("friendly", date(2026, 9, 3))
    broke = item("A", DUE, marks=(friendly,), broken=(date(2026, 9, 25),))
    world = World.of(broke)
    world.policy = policy(BROKEN)
    world.play(at(date(2026, 9, 25)), at(date(2026, 11, 5)))
    said = [left.step for left in world.left if left.kind in ("reminder", "final_notice", "formal_notice")]
    assert said == ["broken", "final", "formal"]
    assert world.left[0].on == date(2026, 9, 25)


def test_a_second_broken_promise_is_said_again_and_nothing_softer_comes_back() -> None:
    ladder = policy(BROKEN)
    first = replace(mark("firm", date(2026, 9, 25)), step_key="broken")
    twice = item(
        "A", DUE, marks=(mark("friendly", date(2026, 9, 3)), first), broken=(date(2026, 9, 25), date(2026, 10, 9))
    )
    assert keys(twice, ladder) == ["friendly", "broken-2", "final", "formal"]
    final = replace(twice, marks=(*twice.marks, mark("final", date(2026, 10, 5))))
    assert keys(final, ladder) == ["friendly", "final", "formal"], "something harder was said: it goes on from there"


def test_without_such_a_step_the_ladder_resumes_where_it_stood() -> None:
    broke = item("A", DUE, marks=(mark("friendly", date(2026, 9, 3)),), broken=(date(2026, 9, 25),))
    assert keys(broke, policy()) == ["friendly", "firm", "final", "formal"]


@pytest.mark.parametrize(
    ("step", "place"),
    [
        (CALL | {"kind": "reminder", "tone": 2, "channels": ["email"]}, "a task"),
        (CALL | {"offset": -11}, "ten days"),
        (BROKEN | {"kind": "final_notice", "tone": 4, "approval": "confirm"}, "a reminder"),
    ],
)
def test_a_message_to_who_gave_its_word_is_refused(step: dict[str, Any], place: str) -> None:
    with pytest.raises(PolicyInvalid, match=place):
        policy(step)


def test_a_ladder_has_one_step_about_a_broken_promise() -> None:
    with pytest.raises(PolicyInvalid, match="one step about a broken promise"):
        policy(BROKEN, BROKEN | {"key": "again"})


def test_the_linter_reaches_both_steps_and_neither_moves_the_first_look() -> None:
    ladder = policy(CALL, BROKEN)
    assert [finding for finding in lint(ladder) if finding.severity == "error"] == []
    assert not [finding for finding in lint(ladder) if finding.step in ("promise_call", "broken")]
    assert ladder.first_offset == policy().first_offset
