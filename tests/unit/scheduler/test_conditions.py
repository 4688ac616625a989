"""A step with a condition waits until it is true, hides nothing meanwhile, and is asked again where time may tell."""

from datetime import date, timedelta

import yaml

from services.scheduler.climbing import rungs
from services.scheduler.linting import lint
from services.scheduler.policy import Policy, check
from services.scheduler.profiling import Paid, Profile, profile, since
from tests.unit.scheduler.test_policy import TEXT
from tests.unit.scheduler.world import case, decided, item, mark

DUE = date(2026, 9, 1)


def policy(step: str, **facts: object) -> Policy:
    told = yaml.safe_load(TEXT)
    next(each for each in told["steps"] if each["key"] == step).update(facts)
    return check(told)


def test_a_step_waits_for_its_condition_and_is_asked_again_the_next_day() -> None:
    asked = policy("friendly", when="item.overdue >= 10 days")
    early = decided(DUE + timedelta(days=7), item("A", DUE), policy=asked)
    assert [v.block.code for v in early.verdicts if v.block] == ["condition_unmet"]
    assert early.next_at is not None
    assert early.next_at.date() == DUE + timedelta(days=8)
    later = decided(DUE + timedelta(days=10), item("A", DUE), policy=asked)
    assert [notice.step.key for notice in later.notices] == ["friendly"]


def test_a_condition_that_only_an_event_can_meet_needs_no_look_of_its_own() -> None:
    asked = policy("friendly", when="item.partly_paid")
    assert decided(DUE + timedelta(days=7), item("A", DUE), policy=asked).next_at is None


def test_an_item_whose_condition_is_not_met_is_listed_but_its_step_does_not_end() -> None:
    asked = policy("friendly", when="item.residual >= 1000.00 EUR")
    found = decided(DUE + timedelta(days=7), item("A", DUE, 2000), item("B", DUE, 20), policy=asked)
    rows = {row.item.number: row.completes for row in found.notices[0].rows}
    assert rows == {"A": True, "B": False}


def test_above_an_amount_a_person_confirms() -> None:
    asked = policy("friendly", approval_above={"EUR": "1000.00"})
    day = DUE + timedelta(days=7)
    assert decided(day, item("A", DUE, 900), policy=asked).notices[0].approval == "none"
    assert decided(day, item("A", DUE, 1001), policy=asked).notices[0].approval == "confirm"


def test_a_step_may_count_from_the_date_of_the_invoice() -> None:
    asked = policy("friendly", anchor="issue_date", offset=35)
    early, due = (decided(DUE + timedelta(days=days), item("A", DUE), policy=asked) for days in (2, 7))
    assert not early.notices
    assert [notice.step.key for notice in due.notices] == ["friendly"]


def test_a_condition_may_ask_for_the_payers_profile() -> None:
    asked = policy("friendly", when="profile.name = 'slow'")
    day = DUE + timedelta(days=7)
    assert not decided(day, item("A", DUE), policy=asked).notices
    slow = case().payer.__class__(profile=Profile("slow", "regular", 4, 31, 75))
    assert decided(day, item("A", DUE), policy=asked, payer=slow).notices


def paid(*late: int) -> list[Paid]:
    return [Paid(DUE, DUE + timedelta(days=days)) for days in late]


def test_a_profile_follows_from_six_months_of_behaviour() -> None:
    today = date(2026, 11, 1)
    assert profile(paid(0, 1, 2), "regular", today) == Profile("good", "regular", 3, 1, 0)
    assert profile(paid(10, 12, 30), "good", today) == Profile("slow", "good", 3, 17, 100)
    assert profile(paid(0, 1, 12), "good", today) == Profile("regular", "good", 3, 4, 33)
    assert profile(paid(40, 50), "good", today) == Profile("good", "good", 2, 45, 100)
    assert profile([], "regular", today) == Profile("regular", "regular")
    assert profile(paid(40, 50, 60), "public_body", today).name == "public_body"


def test_what_is_still_owed_counts_with_its_age_and_what_was_paid_long_ago_does_not() -> None:
    today = date(2027, 3, 31)
    assert since(today) == date(2026, 9, 30)
    owed = [Paid(today - timedelta(days=40), None), Paid(today, None)]
    assert profile([*paid(0, 29, 30), *owed], "regular", today) == Profile("regular", "regular", 2, 35, 100)
    assert profile([*paid(30, 30), *owed], "regular", today) == Profile("slow", "regular", 3, 33, 100)


def test_a_returned_payment_has_its_own_first_reminder_from_the_day_it_came_back() -> None:
    told = yaml.safe_load(TEXT)
    back = {"key": "returned", "kind": "reminder", "tone": 3, "anchor": "payment_returned", "offset": 1,
            "template": "firm", "audience": ["accounts_payable"]}  # fmt: skip
    told["steps"].insert(2, back)
    asked = check(told)
    assert lint(asked) == []
    came = date(2026, 10, 5)
    again = item("A", DUE, cycle=2, cycle_on=came, cycle_reason="returned")
    assert [step.key for step in rungs(again, asked)] == ["returned", "final", "formal"]
    found = decided(came + timedelta(days=1), again, policy=asked)
    assert [notice.step.key for notice in found.notices] == ["returned"]
    other = item("A", DUE, cycle=2, cycle_on=came, cycle_reason="unallocated")
    assert [step.key for step in rungs(other, asked)] == ["friendly", "firm", "final", "formal"]
    heard = item("A", DUE, cycle=2, cycle_on=came, cycle_reason="returned", marks=(mark("final", DUE, cycle=1),))
    assert [step.key for step in rungs(heard, asked)] == ["final", "formal"]
