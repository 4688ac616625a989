"""The monthly statement after the last step: every open item, once a month, softly, until a person decides."""

from datetime import date, timedelta
from typing import Any

import pytest
import yaml

from libs.common.ids import named
from services.scheduler.case import Item, Party
from services.scheduler.errors import PolicyInvalid
from services.scheduler.policy import check
from tests.unit.scheduler.test_policy import TEXT
from tests.unit.scheduler.world import STANDARD, World, at, decided, item, mark, pause

DUE = date(2026, 9, 1)
PROPOSED = date(2026, 10, 16)
FIRST = date(2026, 11, 16)
LADDER = tuple(mark(step, date(2026, 10, 5)) for step in ("friendly", "firm", "final", "formal"))


def done(number: str = "A", proposed: date = PROPOSED, **facts: Any) -> Item:
    """Every step done, the hand-over proposed."""
    return item(number, DUE, **({"marks": (*LADDER, mark("hand_over", proposed))} | facts))


def test_a_statement_lists_every_open_item_that_nothing_keeps_silent() -> None:
    others = (
        item("B", FIRST + timedelta(days=40)),
        item("C", date(2026, 9, 20)),
        item("D", DUE, pauses=(pause("dispute"),)),
        item("E", DUE, pauses=(pause("dispute", 10_000),)),
        item("F", DUE, residual=0),
    )
    (notice,) = decided(FIRST, done(), *others).notices
    assert (notice.step.key, notice.step.tone) == ("monthly", 1)
    assert {row.item.number: row.completes for row in notice.rows} == {"A": True, "B": False, "C": False, "E": False}


def test_a_payer_gets_one_statement_a_month_whatever_became_of_its_items() -> None:
    world = World.of(done("A"), done("B", PROPOSED + timedelta(days=11), due_date=DUE + timedelta(days=11)))
    world.play(at(PROPOSED), at(date(2027, 1, 31)))
    assert [(left.on, left.step, left.numbers, left.listed) for left in world.left] == [
        (FIRST, "monthly", ("A",), ("B",)),
        (date(2026, 12, 16), "monthly-2", ("A", "B"), ()),
        (date(2027, 1, 18), "monthly-3", ("A", "B"), ()),
    ]


def test_a_statement_waits_behind_the_gap_and_starts_it() -> None:
    assert decided(FIRST, done(), party=Party(named("party"), FIRST - timedelta(days=3))).gate.code == "gap"  # type: ignore[union-attr]
    out = done(marks=(*LADDER, mark("hand_over", PROPOSED), mark("monthly", FIRST, state="released")))
    assert decided(FIRST, out).notices == ()


def test_a_reminder_that_is_due_leaves_first_and_lists_what_has_only_statements_left() -> None:
    quiet = done(marks=(*LADDER[:3], mark("formal", DUE, state="skipped"), mark("hand_over", PROPOSED)))
    (notice,) = decided(FIRST, quiet, item("C", date(2026, 11, 10))).notices
    assert (notice.step.key, {row.item.number: row.completes for row in notice.rows}) == (
        "friendly",
        {"A": False, "C": True},
    )


@pytest.mark.parametrize("kind", ["manual", "exclusion", "promise", "plan", "dispute", "reply"])
def test_whatever_a_person_decides_ends_the_statements(kind: str) -> None:
    assert decided(FIRST, done(pauses=(pause(kind),))).notices == ()


def test_a_statement_that_bounced_is_no_statement() -> None:
    bounced = mark("monthly", FIRST, state="bounced", retry_on=FIRST + timedelta(days=7))
    again = decided(date(2026, 11, 23), done(marks=(*LADDER, mark("hand_over", PROPOSED), bounced)))
    assert [(n.step.key, n.rows[0].release) for n in again.notices] == [("monthly", 2)]


@pytest.mark.parametrize(
    "change",
    [{"tone": 3}, {"repeat": None}, {"repeat": {"months": 0}}, {"kind": "reminder"}],
)
def test_a_statement_that_is_none_is_refused(change: dict[str, Any]) -> None:
    policy = yaml.safe_load(TEXT)
    step = next(one for one in policy["steps"] if one["kind"] == "statement")
    others = [one for one in policy["steps"] if one is not step]
    for steps in ([*others, step | change], [*others, step, step | {"key": "again"}], [step, *others]):
        with pytest.raises(PolicyInvalid):
            check(policy | {"steps": steps})
    assert STANDARD.before_statement is STANDARD.by_key["hand_over"]
