"""The insurer's clocks, each with a date counted by hand."""

from datetime import date
from uuid import UUID

import pytest

from services.scheduler.calendar import Calendar
from services.scheduler.credit.insurance import (
    Consent,
    Terms,
    claim_by,
    consented,
    deadlines,
    stage,
    too_late,
    working_day_before,
)

PARIS = Calendar("FR", "Europe/Paris")
TERMS = Terms(UUID(int=1), "Policy 77", extension_days=60, declaration_days=90, claim_days=150)
MOVING = Terms(UUID(int=2), "Policy 78", 60, 90, counts_from="extended_due_date")
ONE, TWO = UUID(int=11), UUID(int=12)


@pytest.mark.parametrize(
    ("due", "extend_to", "declare_by"),
    [
        (date(2026, 1, 31), date(2026, 4, 1), date(2026, 5, 1)),
        (date(2026, 9, 30), date(2026, 11, 29), date(2026, 12, 29)),
        (date(2027, 12, 1), date(2028, 1, 30), date(2028, 2, 29)),  # a leap year has its day
        (date(2026, 12, 31), date(2027, 3, 1), date(2027, 3, 31)),
    ],
)
def test_both_clocks_count_calendar_days_from_the_due_date(due: date, extend_to: date, declare_by: date) -> None:
    found = deadlines(due, TERMS, PARIS)
    assert (found.extend_to, found.declare_by) == (extend_to, declare_by)


def test_a_deadline_on_a_holiday_stays_and_is_acted_on_before() -> None:
    found = deadlines(date(2026, 1, 31), TERMS, PARIS)
    assert (found.declare_by, found.act_by) == (date(2026, 5, 1), date(2026, 4, 30))
    assert working_day_before(date(2026, 5, 3), PARIS) == date(2026, 4, 30)


def test_the_hand_over_is_proposed_ten_days_before_the_declaration() -> None:
    assert deadlines(date(2026, 9, 30), TERMS, PARIS).hand_over_by == date(2026, 12, 18)  # the 19th is a Saturday


def test_a_consent_moves_the_extension_and_the_declaration_only_where_the_policy_says_so() -> None:
    agreed = date(2026, 6, 30)
    fixed, moved = (deadlines(date(2026, 1, 31), each, PARIS, agreed) for each in (TERMS, MOVING))
    assert (fixed.extend_to, fixed.declare_by) == (agreed, date(2026, 5, 1))
    assert (moved.extend_to, moved.declare_by) == (agreed, date(2026, 9, 28))


@pytest.mark.parametrize(
    ("today", "reached"),
    [
        (date(2026, 3, 31), None),
        (date(2026, 4, 1), 30),
        (date(2026, 4, 16), 15),
        (date(2026, 4, 21), 10),
        (date(2026, 4, 26), 5),
        (date(2026, 5, 1), 5),
        (date(2026, 5, 2), -1),
    ],
)
def test_an_alarm_is_reached_on_its_day_and_a_missed_deadline_is_one(today: date, reached: int | None) -> None:
    assert stage(date(2026, 5, 1), today, TERMS.alarm_days) == reached


def test_a_claim_is_filed_so_many_days_after_its_declaration() -> None:
    assert claim_by(date(2026, 4, 20), TERMS) == date(2026, 9, 17)
    assert claim_by(date(2026, 4, 20), MOVING) is None


def test_the_item_that_is_due_first_bounds_what_may_be_agreed_for_all() -> None:
    items = [(ONE, date(2026, 1, 31)), (TWO, date(2026, 3, 31))]
    assert too_late(items, date(2026, 4, 1), TERMS, []) is None
    assert too_late(items, date(2026, 4, 2), TERMS, []) == date(2026, 4, 1)
    for_one = Consent(date(2026, 6, 30), "AT-1", frozenset({ONE}))
    assert too_late(items, date(2026, 5, 30), TERMS, [for_one]) is None
    assert too_late(items, date(2026, 5, 31), TERMS, [for_one]) == date(2026, 5, 30)
    assert too_late(items, date(2026, 6, 30), TERMS, [Consent(date(2026, 6, 30), "AT-2")]) is None


def test_of_several_consents_the_latest_day_counts() -> None:
    told = [
        Consent(date(2026, 6, 30), "a"),
        Consent(date(2026, 5, 30), "b"),
        Consent(date(2027, 1, 1), "c", frozenset({TWO})),
    ]
    assert (consented(ONE, told), consented(TWO, told)) == (date(2026, 6, 30), date(2027, 1, 1))
