"""The thank-you on settlement: after a delivered reminder, once, behind the gap, never instead of anything else."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import yaml

from libs.common.ids import named
from services.scheduler.case import Item, Money, Party
from services.scheduler.errors import PolicyInvalid
from services.scheduler.explain import explain
from services.scheduler.policy import check
from tests.unit.scheduler.test_policy import TEXT
from tests.unit.scheduler.world import STANDARD, case, decided, item, mark, pause

DUE = date(2026, 9, 1)
FRIENDLY = date(2026, 9, 3)
PAID = date(2026, 9, 9)
THANKED = date(2026, 9, 10)
HEARD = Party(named("party"), FRIENDLY)


def paid(number: str = "A", **facts: Any) -> Item:
    """Reminded on 3 September, paid on the 9th, the gap since the reminder over on the 10th."""
    settled: dict[str, Any] = {"residual": 0, "settled_on": PAID, "settled_version": 2, "to_thank": True}
    return item(number, DUE, **({"marks": (mark("friendly", FRIENDLY),)} | settled | facts))


def said(today: date, *items: Item, **world: Any) -> list[tuple[str, list[str]]]:
    notices = decided(today, *items, **({"party": HEARD} | world)).notices
    return [(notice.step.key, [row.item.number for row in notice.rows]) for notice in notices]


def why(today: date, *items: Item, **world: Any) -> str:
    facts = {"party": HEARD} | world
    return explain(items[0], case(*items, **facts), decided(today, *items, **facts)).reasons[0].code


def test_what_was_paid_after_a_reminder_is_thanked_for_in_one_message() -> None:
    assert said(THANKED, paid("A"), paid("B")) == [("thanks", ["A", "B"])]
    assert said(THANKED, paid("A", marks=())) == []


def test_a_thank_you_waits_behind_the_gap_and_not_for_ever() -> None:
    assert (said(PAID, paid()), why(PAID, paid())) == ([], "gap")
    assert said(date(2026, 9, 23), paid()) == [("thanks", ["A"])]
    assert (said(date(2026, 9, 24), paid()), why(date(2026, 9, 24), paid())) == ([], "thanks_passed")


def test_a_reminder_that_is_due_leaves_and_the_thank_you_does_not() -> None:
    late = item("C", date(2026, 9, 8))
    assert said(THANKED, paid(), late) == [("friendly", ["C"])]
    assert "A" not in [row.item.number for row in decided(THANKED, paid(), late, party=HEARD).notices[0].rows]


def test_a_thank_you_delays_no_reminder_and_starts_no_gap() -> None:
    out = paid(marks=(mark("friendly", FRIENDLY), mark("thanks", THANKED, state="released", reminder_id=named("r"))))
    assert said(THANKED, out, item("C", date(2026, 9, 8))) == [("friendly", ["C"])]


def test_one_thank_you_a_payer_a_day() -> None:
    assert said(THANKED, paid(), thanked_on=THANKED) == []
    assert why(THANKED, paid(), thanked_on=THANKED) == "thanked_today"
    assert said(THANKED + timedelta(days=1), paid(), thanked_on=THANKED) == [("thanks", ["A"])]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"pauses": (pause("exclusion"),)}, "excluded"),
        ({"pauses": (pause("dispute"),)}, "disputed"),
        ({"pauses": (pause("reply"),)}, "reply_unread"),
        ({"not_chased": ("consumer",)}, "not_chased"),
        ({"cancelled": True}, "cancelled"),
        ({"to_thank": False}, "settled"),
        ({"marks": (mark("courtesy", FRIENDLY),)}, "not_reminded"),
        ({"marks": (mark("friendly", FRIENDLY, state="bounced"),)}, "not_reminded"),
        ({"marks": (mark("friendly", FRIENDLY, state="uncertain"),)}, "in_flight"),
        ({"marks": (mark("friendly", FRIENDLY), mark("formal", FRIENDLY))}, "escalated"),
        ({"marks": (mark("friendly", FRIENDLY), mark("thanks", THANKED))}, "thanked"),
        ({"marks": (mark("friendly", FRIENDLY), mark("thanks", THANKED, state="rejected"))}, "thanks_failed"),
    ],
)
def test_nobody_is_thanked_when(facts: dict[str, Any], code: str) -> None:
    assert (said(THANKED, paid(**facts)), why(THANKED, paid(**facts))) == ([], code)


def test_nobody_is_thanked_while_something_else_is_formally_claimed() -> None:
    claimed = item("C", date(2026, 7, 1), marks=(mark("formal", date(2026, 8, 20)),))
    assert why(THANKED, paid(), claimed) == "escalated"


def test_money_on_account_keeps_no_thank_you_back() -> None:
    assert said(THANKED, paid(), cash=(Money("EUR", 10_000, PAID),)) == [("thanks", ["A"])]
    assert said(THANKED, paid(), credits=(Money("EUR", 10_000, PAID),)) == [("thanks", ["A"])]
    assert said(THANKED, paid(), feed_required=True) == [("thanks", ["A"])]


def test_what_comes_back_is_not_thanked_for_and_its_waiting_thank_you_is_withdrawn() -> None:
    out = mark("thanks", THANKED, state="proposed", reminder_id=named("r"), invoice_version=1)
    back = paid(residual=50_000, cycle=2, cycle_on=THANKED, marks=(mark("friendly", FRIENDLY), out))
    assert decided(THANKED, back, party=HEARD).withdrawn == ((named("r"), "reopened"),)
    still = replace(back, residual=0, cycle=1)
    assert decided(THANKED, still, party=HEARD).withdrawn == ()


def test_an_item_paid_a_second_time_is_thanked_for_only_if_it_was_reminded_again() -> None:
    before = (mark("friendly", FRIENDLY), mark("thanks", THANKED))
    again = date(2026, 10, 20)
    second = {"cycle": 2, "cycle_on": date(2026, 10, 1), "settled_on": again}
    assert why(again, paid(marks=before, **second)) == "not_reminded"
    reminded = (*before, mark("friendly", date(2026, 10, 1), cycle=2))
    assert said(again, paid(marks=reminded, **second)) == [("thanks", ["A"])]


@pytest.mark.parametrize("change", [{"tone": 2}, {"offset": 9}, {"conditions": {"delivered_notices": 1}}])
def test_a_thank_you_that_is_none_is_refused(change: dict[str, Any]) -> None:
    policy = yaml.safe_load(TEXT)
    step = next(one for one in policy["steps"] if one["kind"] == "acknowledge")
    with pytest.raises(PolicyInvalid):
        check(policy | {"steps": [one if one is not step else step | change for one in policy["steps"]]})
    with pytest.raises(PolicyInvalid):
        check(policy | {"steps": [*policy["steps"], step | {"key": "again"}]})
    assert STANDARD.thanks is not None
