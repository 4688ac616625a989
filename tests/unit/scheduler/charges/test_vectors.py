"""Worked examples of the law and of others' published sums, to the cent."""

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest

from services.scheduler.charges.fines import fine
from services.scheduler.charges.imputation import Owed, paid
from services.scheduler.charges.interest import interest, rounded, total
from services.scheduler.charges.regimes import REGIMES, RateRule
from tests.unit.scheduler.charges.sample import BOOK, at, book, by_law, day, debt


def test_v1_a_german_debt_of_2009_over_leap_and_other_years() -> None:
    rates = book(
        "de_base",
        ("2009-07-01", "0.12"), ("2010-01-01", "0.12"), ("2010-07-01", "0.12"), ("2011-01-01", "0.12"),
        ("2011-07-01", "0.37"), ("2012-01-01", "0.12"),
    )  # fmt: skip
    rule = RateRule(index="de_base", points=Decimal(8), day_count="act_act")
    sheet = interest(debt(1500, "2009-09-14"), rule, rates, day("2012-02-17"))
    assert [_four_decimals(row.interest) for row in sheet.rows] == [
        "36.0395", "60.3995", "61.4005", "60.3995", "63.2910", "15.9738"
    ]  # fmt: skip
    assert sheet.interest == 297_50
    over_365 = interest(debt(1500, "2009-09-14"), replace(rule, day_count="act_365"), rates, day("2012-02-17"))
    assert over_365.interest == 297_55


def _four_decimals(minor: Fraction) -> str:
    exact = Decimal(minor.numerator) / Decimal(minor.denominator) / 100
    return str(exact.quantize(Decimal("0.0001"), ROUND_HALF_UP))


def test_v2_a_german_debt_of_181_days_between_businesses_and_of_a_consumer() -> None:
    owed = debt(10_000, "2022-12-31")
    assert by_law("de", owed, "2023-06-30").interest == 526_64
    assert by_law("de_consumer", owed, "2023-06-30").interest == 328_28
    assert by_law("at_consumer", owed, "2023-06-30").interest == 198_36  # 4 % a year
    assert (REGIMES["de_consumer"].lump_sum, REGIMES["at_consumer"].lump_sum) == (None, None)


@pytest.mark.parametrize(
    ("name", "units", "percent", "days", "minor"),
    [
        ("v3 France, an agreed 15 %", 15_000, "15", 30, 184_93),
        ("v4 Netherlands at 8 %", 1_000, "8", 11, 2_41),
        ("v5 United Kingdom, and not the 169.68 of a daily rate rounded to pence", 5_000, "12.25", 101, 169_49),
        ("v6 United Kingdom, a year", 1_000, "8.5", 365, 85_00),
        ("v6 United Kingdom, a day", 1_000, "8.5", 1, 23),
        ("v6 United Kingdom, fifty days, and not 50 × 0.23", 1_000, "8.5", 50, 11_64),
        ("v7 United Kingdom, a day", 10_000, "11.75", 1, 3_22),
        ("v8 United Kingdom, ninety days", 12_000, "13", 90, 384_66),
    ],
)
def test_others_published_sums(name: str, units: int, percent: str, days: int, minor: int) -> None:
    first = day("2025-02-28")
    until = first.fromordinal(first.toordinal() + days).isoformat()
    assert at(percent, debt(units, "2025-02-28"), until).interest == minor, name


def test_v5_and_v8_the_fixed_sums_of_the_united_kingdom() -> None:
    lump = REGIMES["uk"].lump_sum
    assert lump is not None
    sums = {units: lump.of(units, "GBP") for units in (1, 999_99, 1_000_00, 9_999_99, 10_000_00, 12_000_00)}
    assert list(sums.values()) == [40_00, 40_00, 70_00, 70_00, 100_00, 100_00]
    assert (lump.of(500_000, "EUR"), lump.of(0, "GBP")) == (0, 0)


def test_v9_a_payment_in_part_goes_to_interest_first_where_the_law_says_so() -> None:
    left = paid(Owed(20_000_00, 3_000_00), 18_000_00, "costs_interest_principal")
    assert left == Owed(5_000_00, 0)
    assert paid(Owed(20_000_00, 3_000_00), 18_000_00, "principal_first") == Owed(2_000_00, 3_000_00)
    assert paid(Owed(100_00, 10_00, 40_00), 45_00, "costs_interest_principal") == Owed(100_00, 5_00)


def test_v10_a_french_debt_over_a_half_year_is_rounded_once() -> None:
    sheet = by_law("fr_private", debt(10_000, "2024-09-30", ("2025-03-31", 10_000)), "2025-12-31")
    assert [(row.days, str(row.percent)) for row in sheet.rows] == [(92, "14.25"), (90, "13.15")]
    each = [rounded(row.interest) for row in sheet.rows]
    assert (each, sum(each)) == ([359_18, 324_25], 683_43)
    assert sheet.interest == rounded(total(sheet.rows)) == 683_42
    fixed = interest(
        debt(10_000, "2024-09-30"),
        replace(REGIMES["fr_private"].rule, fixed_at_start=True),
        BOOK,
        day("2025-03-31"),
    )
    assert fixed.interest == 710_55, "what it would be if the rate did not change on 1 January"


def test_v11_a_british_debt_keeps_the_rate_of_its_first_day() -> None:
    owed = debt(10_000, "2024-05-31", ("2025-08-31", 10_000), currency="GBP")
    sheet = by_law("uk", owed, "2025-12-31")
    assert (len(sheet.rows), sheet.rows[0].days, str(sheet.rows[0].percent)) == (1, 457, "13.25")
    assert sheet.interest == 1_658_97
    varying = interest(owed, replace(REGIMES["uk"].rule, fixed_at_start=False), BOOK, day("2025-12-31"))
    assert varying.interest == 1_617_19, "the error of some calculators"


def test_v12_a_dutch_debt_compounds_on_its_anniversary() -> None:
    owed = debt(10_000, "2023-01-31")
    assert by_law("nl", owed, "2025-01-31").interest == 2_512_43
    assert by_law("eu", owed, "2025-01-31").interest == 2_371_96


@pytest.mark.parametrize(
    ("on", "percent"),
    [("2025-07-01", "10.5"), ("2025-01-01", "11.5"), ("2024-07-01", "12.5"), ("2023-07-01", "12.0"),
     ("2021-01-01", "8.0")],
)  # fmt: skip
def test_v13_belgium_rounds_the_rate_up_to_the_next_half_point(on: str, percent: str) -> None:
    found = REGIMES["be"].rule.on(day(on), day(on), BOOK)
    assert found is not None and found.percent == Decimal(percent)


def test_v14_the_moroccan_fine_is_told_and_not_claimed() -> None:
    owed = debt(100_000, "2025-04-30", currency="MAD")
    assert fine(owed, BOOK, day("2025-07-30")) == 3_950_00
    assert fine(owed, BOOK, day("2025-04-30")) == 0
    assert fine(owed, BOOK, day("2025-05-01")) == 2_250_00
    assert fine(debt(100_000, "2020-01-01"), BOOK, day("2020-03-01")) is None
    assert not REGIMES["ma"].claimable
