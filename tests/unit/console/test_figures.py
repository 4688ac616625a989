"""Days sales outstanding: worked examples, and the laws between the three."""

from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.console.figures import MONTHS, Standing, month_ends, month_lengths, month_starts, together

DAY = date(2026, 11, 15)


def standing(outstanding: int, not_due: int = 0, recent: int = 0, sold: tuple[int, ...] = ()) -> Standing:
    return Standing(DAY, "EUR", outstanding, not_due, recent, (*sold, *(0,) * (MONTHS - len(sold))))


def test_the_simple_one_is_what_is_owed_over_ninety_days_of_sales() -> None:
    found = standing(50_000, 20_000, recent=90_000)
    assert found.simple == 50
    assert found.best == 20
    assert found.overdue == 30_000


def test_the_countback_uses_up_the_newest_months_first() -> None:
    assert standing(30_000, sold=(40_000,)).countback == Fraction(15 * 3, 4)
    assert standing(50_000, sold=(20_000, 60_000)).countback == 15 + Fraction(31, 2)
    assert standing(50_000, sold=(20_000, 0, 60_000)).countback == 15 + 31 + Fraction(30, 2)


def test_without_enough_sales_there_is_no_answer() -> None:
    assert standing(50_000).simple is None
    assert standing(50_000).best is None
    assert standing(50_000, sold=(20_000,)).countback is None
    assert standing(0).countback == 0


def test_months_are_counted_back_over_years() -> None:
    assert list(month_lengths(DAY))[:4] == [15, 31, 30, 31]
    assert list(month_starts(date(2026, 1, 3)))[:3] == [date(2026, 1, 1), date(2025, 12, 1), date(2025, 11, 1)]
    assert month_ends(DAY, 2) == [date(2026, 9, 30), date(2026, 10, 31)]


money = st.integers(0, 10**12)


@given(money, money, st.integers(1, 10**12))
def test_the_best_possible_is_the_not_due_share_of_the_simple_one(not_due: int, overdue: int, recent: int) -> None:
    found = standing(not_due + overdue, not_due, recent)
    assert found.best is not None
    assert found.simple is not None
    assert found.best * found.outstanding == found.simple * found.not_due
    assert found.best <= found.simple


@given(st.integers(0, 10**9), st.lists(money, min_size=MONTHS, max_size=MONTHS))
def test_owing_more_never_takes_fewer_days(owed: int, sold: list[int]) -> None:
    less, more = standing(owed, sold=tuple(sold)).countback, standing(owed + 1_000, sold=tuple(sold)).countback
    assert more is None or (less is not None and less <= more)


@given(st.lists(st.tuples(money, money), min_size=1, max_size=4))
def test_entities_together_owe_what_each_owes(parts: list[tuple[int, int]]) -> None:
    found = together(standing(a + b, a, b, (b,)) for a, b in parts)
    assert found[DAY, "EUR"].outstanding == sum(a + b for a, b in parts)
    assert found[DAY, "EUR"].overdue == sum(b for _, b in parts)
