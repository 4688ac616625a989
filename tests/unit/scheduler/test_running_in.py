"""Safe by default: steps earn their `none`, and the first live days are bounded."""

from datetime import date, timedelta

import pytest

from libs.common.ids import named
from services.scheduler.case import Party
from services.scheduler.explain import explain
from services.scheduler.running_in import ENOUGH, FIRST, Ramp, Record, RunIn, Said, today
from tests.unit.scheduler.world import case, decided, item, mark

DUE = date(2026, 9, 1)
DAY = date(2026, 9, 3)
CLEAN = Said(sent=60)


@pytest.mark.parametrize(
    ("record", "trusted"),
    [
        (Record(), False),
        (Record(199, 199, 0), False),
        (Record(200, 200, 0), True),
        (Record(200, 203, 4), True),
        (Record(200, 200, 4), False),
        (Record(245, 250, 5), False),
        (Record(246, 250, 4), True),
    ],
)
def test_a_step_is_trusted_after_200_approvals_with_under_2_percent_edited_or_rejected(
    record: Record, trusted: bool
) -> None:
    assert record.trusted is trusted


def test_the_first_live_day_says_100_notices_and_the_bound_doubles_after_each_clean_day() -> None:
    assert today(None, Said(), DAY) == (FIRST, 0)
    yesterday = Ramp(DAY - timedelta(days=1), 200, 200)
    assert today(yesterday, CLEAN, DAY) == (400, 0)
    assert today(Ramp(DAY, 400, 17), Said(), DAY) == (400, 17)


@pytest.mark.parametrize("said", [Said(), Said(60, uncertain=1), Said(60, bounced=2), Said(200, bounced=5)], ids=str)
def test_a_day_on_which_nothing_left_or_too_much_went_wrong_raises_no_bound(said: Said) -> None:
    assert today(Ramp(DAY - timedelta(days=1), 200, 60), said, DAY) == (200, 0)


def test_one_bounce_or_two_percent_leave_a_day_clean() -> None:
    assert Said(3, bounced=1).clean
    assert Said(200, bounced=4).clean


def test_after_ten_clean_days_there_is_no_bound_any_more() -> None:
    ramp, day, days = Ramp(DAY, FIRST, 0), DAY, 1
    while True:
        day += timedelta(days=1)
        cap, _ = today(ramp, CLEAN, day)
        if cap is None:
            break
        ramp, days = Ramp(day, cap, 0), days + 1
    assert days == 10
    assert today(Ramp(DAY, ENOUGH, 0), Said(), DAY)[0] is None


def test_a_case_beyond_the_days_bound_waits_for_tomorrow_and_says_so() -> None:
    full = RunIn(earned=frozenset({"friendly"}), cap=100, released=100)
    late = item("A", DUE)
    decision = decided(DAY, late, run_in=full)
    assert decision.notices == ()
    assert decision.gate is not None
    assert (decision.gate.code, decision.gate.facts["most"]) == ("ramping_up", 100)
    assert decision.next_at is not None
    assert decision.next_at.date() == DAY + timedelta(days=1)
    assert [reason.code for reason in explain(late, case(late, run_in=full), decision).reasons] == ["ramping_up"]


def test_calls_and_words_to_colleagues_are_not_bounded() -> None:
    full = RunIn(cap=100, released=100)
    called = item("A", DUE, marks=(mark("friendly", DAY), mark("firm", date(2026, 9, 11))))
    assert [n.step.key for n in decided(date(2026, 9, 16), called, run_in=full).notices] == ["call"]


def test_a_step_that_has_not_earned_it_is_confirmed_by_a_person_and_says_so() -> None:
    late = item("A", DUE)
    some = RunIn(records={"friendly": Record(150, 150, 1)})
    decision = decided(DAY, late, run_in=some)
    assert decision.notices[0].approval == "confirm"
    told = explain(late, case(late, run_in=some), decision).reasons
    assert [(reason.code, reason.facts.get("approved")) for reason in told] == [("due", None), ("confirmed_first", 150)]


@pytest.mark.parametrize(
    "run_in", [None, RunIn(earned=frozenset({"friendly"})), RunIn(records={"friendly": Record(200, 200, 0)})]
)
def test_a_step_that_has_earned_it_leaves_as_its_policy_says(run_in: RunIn | None) -> None:
    assert decided(DAY, item("A", DUE), run_in=run_in).notices[0].approval == "none"
    assert decided(DAY, item("A", DUE), run_in=run_in, approvals="confirm").notices[0].approval == "confirm"


def test_a_final_notice_never_earns_its_way_out_of_a_persons_hands() -> None:
    marks = (mark("friendly", DAY), mark("firm", DAY), mark("call", DAY), mark("sales_owner", DAY))
    trusted = RunIn(earned=frozenset({"friendly", "firm", "final"}))
    party = Party(named("party"), DAY)
    (notice,) = decided(date(2026, 9, 25), item("A", DUE, marks=marks), run_in=trusted, party=party).notices
    assert (notice.step.key, notice.approval) == ("final", "confirm")
