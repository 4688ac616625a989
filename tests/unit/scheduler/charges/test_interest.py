"""What a sheet proves: rows that add up, cut at each payment and rate, rounded once, and no day counted twice."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.charges.imputation import Owed
from services.scheduler.charges.interest import Debt, Payment, interest, rounded, total
from services.scheduler.charges.ledger import Told, debt_of
from services.scheduler.charges.regimes import REGIMES, Key, RateRule
from tests.unit.scheduler.charges.sample import BOOK, at, by_law, day, debt

PAYMENTS = st.lists(st.tuples(st.integers(-20, 900), st.integers(1, 400_000)), max_size=5)
KEYS: tuple[Key, ...] = ("fr_private", "fr_public", "de", "be", "nl", "uk", "ch")
START = date(2023, 3, 15)


def test_the_day_of_the_payment_still_bears_interest_and_the_due_date_does_not() -> None:
    sheet = at("10", debt(3650, "2025-01-31", ("2025-02-10", 1650)), "2025-02-20")
    assert [(str(row.first), str(row.last), row.days, row.balance) for row in sheet.rows] == [
        ("2025-02-01", "2025-02-10", 10, 3650_00),
        ("2025-02-11", "2025-02-20", 10, 2000_00),
    ]
    assert sheet.interest == 10_00 + 5_48
    assert sheet.left == Owed(2000_00, 15_48)


def test_nothing_is_owed_in_time_and_one_day_late_is_one_day() -> None:
    assert at("10", debt(3650, "2025-01-31"), "2025-01-31").rows == ()
    assert at("10", debt(3650, "2025-01-31", ("2025-01-31", 3650)), "2025-12-31").interest == 0
    assert at("10", debt(3650, "2025-01-31", ("2025-02-01", 3650)), "2025-12-31").interest == 1_00


def test_a_payment_before_the_due_date_bears_no_interest() -> None:
    assert at("10", debt(3650, "2025-01-31", ("2025-01-10", 2650)), "2025-02-10").rows[0].balance == 1000_00


def test_three_rows_rounded_each_are_a_cent_too_much() -> None:
    owed = debt(1_000, "2025-01-31", ("2025-02-10", 1), ("2025-02-20", 51))
    sheet = at("12.15", owed, "2025-03-02")
    assert [rounded(row.interest) for row in sheet.rows] == [3_33, 3_33, 3_16]
    assert sheet.interest == 9_81


def test_half_a_cent_is_rounded_up() -> None:
    assert [rounded(Fraction(n, 10)) for n in (4, 5, 14, 15, 25)] == [0, 1, 1, 2, 3]


def test_yen_have_no_cents_and_dinars_three_decimals() -> None:
    rule = RateRule(percent=Decimal(10))
    assert interest(Debt("JPY", day("2025-01-31"), 365_000), rule, BOOK, day("2025-02-01")).interest == 100
    assert interest(Debt("TND", day("2025-01-31"), 365_000), rule, BOOK, day("2025-02-01")).interest == 100


def test_with_interest_first_a_payment_leaves_more_principal_and_more_interest_follows() -> None:
    owed = debt(20_000, "2024-12-31", ("2025-06-30", 18_000))
    plain = by_law("fr_private", owed, "2025-12-31")
    first = by_law("fr_private", owed, "2025-12-31", imputation="costs_interest_principal", costs=40_00)
    assert plain.left.principal == 2_000_00
    accrued = rounded(first.rows[0].interest)
    assert first.left.principal == 2_000_00 + accrued + 40_00
    assert first.left.costs == 0
    assert first.interest > plain.interest


def test_a_leap_day_is_a_day_and_the_year_has_365_all_the_same() -> None:
    assert at("36.5", debt(1000, "2024-02-28"), "2024-03-01").interest == 2_00


def test_what_stops_on_a_day_counts_no_further() -> None:
    owed = Debt("EUR", day("2025-01-31"), 3650_00, stops_on=day("2025-02-10"))
    sheet = interest(owed, RateRule(percent=Decimal(10)), BOOK, day("2025-12-31"))
    assert (sheet.interest, sheet.counted_to, sheet.left.principal) == (10_00, day("2025-02-10"), 3650_00)


@given(st.sampled_from(KEYS), st.integers(1, 5_000_000), PAYMENTS, st.integers(0, 1000))
def test_rows_follow_each_other_and_their_sum_rounded_once_is_the_interest(
    key: Key, principal: int, payments: list[tuple[int, int]], days: int
) -> None:
    paid = tuple(Payment(START + timedelta(days=n), minor) for n, minor in payments)
    sheet = interest(Debt("EUR", START, principal, paid), REGIMES[key].rule, BOOK, START + timedelta(days=days))
    assert sheet.interest == rounded(total(sheet.rows))
    assert all(before.last < after.first for before, after in pairwise(sheet.rows))
    for row in sheet.rows:
        assert row.days == (row.last - row.first).days + 1 > 0
        assert row.balance + row.capitalised > 0 and row.balance <= principal
        assert row.interest == (row.balance + row.capitalised) * Fraction(row.percent) * row.days / 100 / row.year
    for payment in paid:
        assert not any(row.first <= payment.on < row.last for row in sheet.rows if payment.on > START)


@given(st.sampled_from(KEYS), st.integers(1, 5_000_000), PAYMENTS, st.integers(0, 900), st.integers(0, 90))
def test_a_later_day_never_owes_less_interest(
    key: Key, principal: int, payments: list[tuple[int, int]], days: int, more: int
) -> None:
    paid = tuple(Payment(START + timedelta(days=n), minor) for n, minor in payments)
    owed = Debt("EUR", START, principal, paid)
    sooner, later = (interest(owed, REGIMES[key].rule, BOOK, START + timedelta(days=n)) for n in (days, days + more))
    assert sooner.interest <= later.interest


P, Q = UUID(int=1), UUID(int=2)


def test_money_counts_from_its_value_date_and_a_credit_note_from_the_due_date() -> None:
    told = [Told(1, 700_00, "given", P, 300_00, day("2025-02-10")), Told(2, 500_00)]
    owed = debt_of("EUR", day("2025-01-31"), 1000_00, 500_00, told)
    assert (owed.principal, owed.payments) == (800_00, (Payment(day("2025-02-10"), 300_00, P),))


def test_a_returned_debit_counts_as_if_it_had_never_come() -> None:
    told = [Told(1, 0, "given", P, 1000_00, day("2025-02-10")), Told(2, 1000_00, "taken_back", P)]
    owed = debt_of("EUR", day("2025-01-31"), 1000_00, 1000_00, told)
    assert (owed.principal, owed.payments) == (1000_00, ())


def test_of_two_payments_the_one_that_was_taken_back_goes() -> None:
    told = [
        Told(1, 700_00, "given", P, 300_00, day("2025-02-10")),
        Told(2, 300_00, "given", Q, 400_00, day("2025-03-10")),
        Told(3, 600_00, "taken_back", P),
    ]
    owed = debt_of("EUR", day("2025-01-31"), 1000_00, 600_00, told)
    assert owed.payments == (Payment(day("2025-03-10"), 400_00, Q),)


@given(
    st.integers(0, 100_000),
    st.lists(st.tuples(st.sampled_from(["given", "taken_back", "other"]), st.integers(1, 9), st.integers(0, 50_000))),
    st.integers(0, 100_000),
)
def test_whatever_was_told_the_parts_add_up_to_what_matching_says(
    amount: int, facts: list[tuple[str, int, int]], residual: int
) -> None:
    told = [
        Told(n, minor, cause, UUID(int=payment % 3), minor, START)  # type: ignore[arg-type]
        for n, (cause, payment, minor) in enumerate(facts)
    ]
    residual = min(residual, amount)
    owed = debt_of("EUR", START, amount, residual, told)
    paid = sum(each.minor for each in owed.payments)
    assert owed.principal - paid == residual
    assert owed.principal <= amount
