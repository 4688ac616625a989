"""The key figures on worked examples."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

from services.scheduler.charges.interest import Debt, Payment, rounded
from services.scheduler.kpis.collecting import Lateness, cost, effectiveness, share
from services.scheduler.kpis.reminding import Effect, Sent, Words


def test_the_effectiveness_is_what_was_collected_of_what_could_be() -> None:
    # Start 100, sales 900, end 150 of which 100 are not due: 850 of 900.
    assert effectiveness(100, 900, 150, 100) == Fraction(850, 900)
    assert effectiveness(100, 900, 100, 100) == 1
    assert effectiveness(0, 100, 100, 100) is None


def test_lateness_is_counted_by_item_and_by_money() -> None:
    late = Lateness(items=2, minor=400, days=30, minor_days=3_000)
    assert (late.mean, late.weighted) == (15, Fraction(15, 2))
    assert (Lateness(0, 0, 0, 0).mean, Lateness(0, 0, 0, 0).weighted) == (None, None)


def test_overdue_money_costs_the_entitys_rate_for_the_days_of_the_period() -> None:
    owed = Debt("EUR", date(2025, 12, 31), 36_500_00, (Payment(date(2026, 1, 10), 26_500_00),))
    assert rounded(cost([owed], date(2026, 1, 1), date(2026, 1, 31), Decimal(10))) == 100_00 + 57_53
    assert rounded(cost([owed], date(2026, 1, 11), date(2026, 1, 31), Decimal(10))) == 57_53
    assert cost([owed], date(2025, 1, 1), date(2025, 12, 31), Decimal(10)) == 0


def test_words_kept_reminders_wrong_and_what_follows_a_step() -> None:
    words = Words(kept=6, partly=1, broken=3, promised=1000, paid=700)
    assert (words.kept_rate, words.paid_rate) == (Fraction(3, 5), Fraction(7, 10))
    assert Words(0, 0, 0, 0, 0).kept_rate is None
    assert Sent(200, 1).wrong_rate == Fraction(1, 200)
    assert Effect(100, 40, 1000, 500).settled_rate == Fraction(2, 5)
    assert Effect(100, 40, 1000, 500).lift is None
    assert Effect(100, 40, 1000, 500, control_items=50, control_settled=10).lift == Fraction(1, 5)
    assert share(1, 0) is None
