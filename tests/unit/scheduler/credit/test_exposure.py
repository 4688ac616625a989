"""What a payer owes against what it may owe."""

from datetime import date

from services.scheduler.credit.exposure import Limit, Owing, advice, standing

TODAY = date(2026, 9, 1)
LIMIT = Limit("EUR", 100_000, date(2026, 1, 1), date(2026, 12, 31))


def test_what_is_on_account_is_no_exposure() -> None:
    owing = Owing("EUR", not_due=60_000, overdue=30_000, on_account=10_000)
    found = standing(owing, LIMIT, TODAY)
    assert (owing.exposure, found.available, found.used_percent, found.over) == (80_000, 20_000, 80, False)
    assert Owing("EUR", overdue=500, on_account=900).exposure == 0


def test_a_limit_holds_in_its_own_currency_and_span_only() -> None:
    assert standing(Owing("USD", overdue=1), LIMIT, TODAY).limit is None
    assert standing(Owing("EUR", overdue=1), LIMIT, date(2027, 1, 1)).limit is None
    assert standing(Owing("EUR", overdue=1), LIMIT, date(2026, 12, 31)).limit == LIMIT


def test_of_a_limit_of_zero_everything_owed_is_over() -> None:
    none = Limit("EUR", 0, date(2026, 1, 1))
    found = standing(Owing("EUR", not_due=1), none, TODAY)
    assert (found.used_percent, found.over) == (100, True)
    assert standing(Owing("EUR"), none, TODAY).used_percent == 0


def test_a_block_is_proposed_over_the_limit_and_its_end_when_nothing_is_late() -> None:
    over = standing(Owing("EUR", not_due=100_001), LIMIT, TODAY)
    late = standing(Owing("EUR", overdue=1), LIMIT, TODAY)
    fine = standing(Owing("EUR", not_due=100_000), LIMIT, TODAY)
    assert [advice([each], blocked=False) for each in (over, late, fine)] == ["block", None, None]
    assert [advice([each], blocked=True) for each in (over, late, fine)] == [None, None, "unblock"]
    assert advice([fine, standing(Owing("USD", overdue=5), None, TODAY)], blocked=True) is None
