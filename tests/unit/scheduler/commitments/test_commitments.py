"""Promises, plans and disputes on paper: value dates, partial amounts, exact scopes, clauses, codes."""

from datetime import date

import pytest

from services.scheduler.calendar import promise_until
from services.scheduler.charges.interest import Payment
from services.scheduler.commitments import disputes, plans, reasons
from services.scheduler.commitments.disputes import Dispute, Ended
from services.scheduler.commitments.plans import Clause, Part, standing
from services.scheduler.commitments.promises import Promise, outcome, paid_in_span, spread

MADE = date(2026, 9, 1)
ON = date(2026, 9, 10)
UNTIL = promise_until(ON)
PROMISE = Promise(500_00, MADE, UNTIL)
LATER = date(2026, 9, 15)


def test_a_promise_lasts_its_date_and_two_banking_days() -> None:
    assert date(2026, 9, 14) == UNTIL
    assert promise_until(date(2026, 12, 24)) == date(2026, 12, 29), "25 and 26 December, and a Sunday, are none"


@pytest.mark.parametrize(
    ("paid", "today", "became"),
    [
        (500_00, MADE, "kept"),
        (499_99, UNTIL, "open"),
        (499_99, LATER, "partly_kept"),
        (0, LATER, "broken"),
        (0, UNTIL, "open"),
    ],
)
def test_a_promise_is_kept_at_once_and_broken_the_day_after_its_last(paid: int, today: date, became: str) -> None:
    assert outcome(PROMISE, paid, today) == became


def test_money_counts_by_its_value_date_whenever_it_is_told() -> None:
    money = [Payment(date(2026, 8, 31), 100), Payment(MADE, 10), Payment(UNTIL, 1), Payment(LATER, 1000)]
    assert paid_in_span(money, MADE, UNTIL) == 11


def test_a_promise_is_not_broken_while_the_bank_does_not_tell_of_its_last_day() -> None:
    assert outcome(PROMISE, 0, LATER, covered_to=date(2026, 9, 13)) == "open"
    assert outcome(PROMISE, 0, LATER, covered_to=UNTIL) == "broken"


def test_a_promise_whose_items_were_credited_has_nothing_to_keep() -> None:
    assert outcome(PROMISE, 100, MADE, owed=0) == "cancelled"
    assert outcome(PROMISE, 500_00, LATER, owed=0) == "kept"


def test_an_amount_covers_items_in_their_order_and_the_last_of_them_in_part() -> None:
    owed = [("a", 100), ("b", 200), ("c", 50)]
    assert spread(250, owed) == [("a", None), ("b", 150)]
    assert spread(100, owed) == [("a", None)]
    assert spread(350, owed) == [("a", None), ("b", None), ("c", None)]


HALVES = (Part(date(2026, 9, 10), 250_00), Part(date(2026, 10, 12), 250_00))
PLAN = {"parts": HALVES, "agreed_on": MADE}


def at(today: date, *money: tuple[date, int], left: int = 500_00, **clause: int) -> plans.Standing:
    paid = [Payment(on, minor) for on, minor in money]
    return standing(HALVES, Clause(**clause), paid, MADE, left, today)


def test_each_instalment_has_two_banking_days_and_its_own_state() -> None:
    first = at(date(2026, 9, 14), (date(2026, 9, 14), 100_00), left=400_00)
    assert (first.state, [each.state for each in first.parts]) == ("running", ["to_come", "to_come"])
    assert (first.parts[0].paid, first.look_after) == (100_00, date(2026, 9, 14))
    missed = at(date(2026, 9, 15), (date(2026, 9, 14), 100_00), left=400_00)
    assert (missed.state, missed.missed_on) == ("defaulted", date(2026, 9, 10))
    paid = at(date(2026, 9, 15), (date(2026, 9, 14), 250_00), left=250_00)
    assert (paid.state, paid.parts[0].state, paid.look_after) == ("running", "paid", date(2026, 10, 14))


def test_money_before_the_agreement_is_not_for_the_plan() -> None:
    assert at(date(2026, 9, 15), (date(2026, 8, 31), 250_00), left=250_00).state == "defaulted"


def test_all_paid_early_completes_the_plan_and_so_does_nothing_left_to_pay() -> None:
    assert at(MADE, (MADE, 500_00), left=100_00).state == "completed"
    assert at(date(2026, 9, 15), left=0).state == "completed"


def test_a_clause_may_forgive_a_late_instalment_and_give_more_days() -> None:
    late = (date(2026, 9, 21), 250_00)
    assert at(date(2026, 9, 22), late, left=250_00).state == "defaulted"
    forgiven = at(date(2026, 9, 22), late, left=250_00, tolerated=1)
    assert (forgiven.state, forgiven.parts[0].state) == ("running", "paid_late")
    assert at(date(2026, 9, 22), late, left=250_00, grace_days=7).parts[0].state == "paid"
    twice = at(date(2026, 10, 15), late, left=250_00, tolerated=1)
    assert (twice.state, twice.missed_on) == ("defaulted", date(2026, 10, 12))


def test_an_instalment_missed_to_the_end_ends_a_plan_that_forgave_it() -> None:
    over = at(date(2026, 10, 15), (date(2026, 9, 10), 250_00), left=250_00, tolerated=5)
    assert (over.state, over.missed_on) == ("defaulted", date(2026, 10, 12))


def test_a_plan_does_not_fall_while_the_bank_does_not_tell_of_the_day() -> None:
    waiting = standing(HALVES, Clause(), [], MADE, 500_00, date(2026, 9, 20), covered_to=date(2026, 9, 11))
    assert waiting.state == "running"
    assert standing(HALVES, Clause(), [], MADE, 500_00, date(2026, 9, 20), covered_to=date(2026, 9, 14)).state == (
        "defaulted"
    )


def test_a_credit_note_that_covers_the_dispute_upholds_it() -> None:
    opened = Dispute("opened", 200_00, 500_00)
    assert disputes.outcome(opened, 400_00, 400_00) is None
    assert disputes.outcome(opened, 300_00, 300_00) == Ended("upheld", "credit_note")


def test_money_for_all_of_the_item_ends_the_dispute() -> None:
    assert disputes.outcome(Dispute("opened", 200_00, 500_00), 500_00, 0) == Ended("withdrawn", "payment")
    assert disputes.outcome(Dispute("upheld", 200_00, 500_00), 500_00, 0) == Ended("upheld", "payment")
    assert disputes.outcome(Dispute("opened", 200_00, 500_00), 500_00, 100_00) is None


def test_an_upheld_dispute_expects_its_credit_note_and_what_is_over_stays_so() -> None:
    upheld = Dispute("upheld", 200_00, 500_00)
    assert [disputes.expected(upheld, principal) for principal in (500_00, 420_00, 300_00)] == [200_00, 120_00, 0]
    assert disputes.outcome(Dispute("upheld", 200_00, 500_00, closed=True), 300_00, 300_00) is None
    assert disputes.outcome(Dispute("rejected", 200_00, 500_00), 300_00, 300_00) is None
    assert disputes.expected(Dispute("opened", 200_00, 500_00), 500_00) == 0


def test_a_dispute_is_overdue_for_its_answer_and_then_for_its_credit_note() -> None:
    day = date(2026, 9, 10)
    assert disputes.overdue("opened", day, None, date(2026, 9, 11), closed=False)
    assert not disputes.overdue("investigating", day, None, day, closed=False)
    assert disputes.overdue("upheld", day, date(2026, 9, 20), date(2026, 9, 21), closed=False)
    assert not disputes.overdue("upheld", day, date(2026, 9, 20), date(2026, 9, 21), closed=True)


@pytest.mark.parametrize("code", reasons.CODES)
def test_every_code_of_the_lifecycle_has_one_reason_of_ours(code: reasons.Code) -> None:
    assert reasons.reason_of(code)


def test_the_codes_mean_what_they_say() -> None:
    said: dict[reasons.Code, reasons.Reason] = {
        "PU_ERR": "price", "QTE_ERR": "quantity", "DOUBLON": "duplicate", "LIVR_INCOMP": "delivery",
        "SIRET_ERR": "invoice_data", "AUTRE": "other",
    }  # fmt: skip
    assert {code: reasons.reason_of(code) for code in said} == said
    assert len(reasons.CODES) == 26
