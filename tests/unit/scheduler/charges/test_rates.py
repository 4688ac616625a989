"""The table that ships, half-year by half-year, and what happens where it ends."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from services.scheduler.charges.interest import interest
from services.scheduler.charges.rates import Rate, RateBook
from services.scheduler.charges.regimes import REGIMES, RateRule, by_contract, of_country
from tests.unit.scheduler.charges.sample import BOOK, by_law, day, debt

HALVES = [date(year, month, 1) for year in range(2019, 2027) for month in (1, 7)]
FR = "10 10 10 10 10 10 10 10 12.50 14 14.50 14.25 13.15 12.15 12.15 12.40".split()
DE = "8.12 8.12 8.12 8.12 8.12 8.12 8.12 8.12 10.62 12.12 12.62 12.37 11.27 10.27 10.27 10.52".split()
EU = "8 8 8 8 8 8 8 8 10.50 12 12.50 12.25 11.15 10.15 10.15 10.40".split()
BE = "8 8 8 8 8 8 8 8 10.5 12 12.5 12.5 11.5 10.5 10.5 10.5".split()
AT = "8.58 8.58 8.58 8.58 8.58 8.58 8.58 8.58 11.08 12.58 13.08 13.08 11.73 10.73 10.73 10.73".split()
UK = "8.75 8.75 8.75 8.10 8.10 8.10 8.25 9.25 11.50 13 13.25 13.25 12.75 12.25 11.75 11.75".split()


@pytest.mark.parametrize(
    ("regime", "percents"),
    [("fr_private", FR), ("fr_public", EU), ("de", DE), ("eu", EU), ("nl", EU), ("es", EU), ("it", EU), ("be", BE),
     ("at", AT), ("uk", UK)],
)  # fmt: skip
def test_the_rate_of_each_half_year_since_2019(regime: str, percents: list[str]) -> None:
    rule = REGIMES[regime].rule  # type: ignore[index]
    found = [rule.on(half, half, BOOK) for half in HALVES]
    assert [each and each.percent for each in found] == [Decimal(percent) for percent in percents]


def test_the_french_floor_was_above_the_default_rate_in_both_halves_of_2024() -> None:
    agreed = by_contract(REGIMES["fr_private"], RateRule(percent=Decimal(12)), None).rule
    found = [agreed.on(half, half, BOOK) for half in (day("2023-07-01"), day("2024-01-01"), day("2024-07-01"))]
    assert [each and str(each.percent) for each in found] == ["12.66", "15.21", "14.76"]
    later = agreed.on(day("2025-01-01"), day("2025-01-01"), BOOK)
    assert later is not None and later.percent == 12


def test_an_agreed_rate_whose_floor_is_not_published_is_counted_and_provisional() -> None:
    agreed = by_contract(REGIMES["fr_private"], RateRule(percent=Decimal(15)), None).rule
    sheet = interest(debt(1000, "2026-06-30"), agreed, BOOK, day("2026-07-10"))
    assert (sheet.interest, sheet.doubts) == (4_11, ("floor_unpublished",))


def test_the_count_ends_where_no_rate_is_published_and_nothing_is_carried_on() -> None:
    known = RateBook(rate for rate in BOOK.rows() if rate.valid_from < day("2026-01-01"))
    sheet = interest(debt(10_000, "2025-11-30"), REGIMES["fr_private"].rule, known, day("2026-02-15"))
    assert (sheet.counted_to, sheet.asked_to, sheet.doubts) == (
        day("2025-12-31"),
        day("2026-02-15"),
        ("rate_unpublished",),
    )
    assert [row.days for row in sheet.rows] == [31]
    assert sheet.provisional


def test_a_rate_that_nobody_vouched_for_makes_the_sheet_provisional_until_two_people_have() -> None:
    owed = debt(10_000, "2026-06-30")
    assert by_law("fr_private", owed, "2026-07-31").doubts == ("rate_unconfirmed",)
    ours = Rate("ecb_mro", day("2026-07-01"), Decimal("2.40"), "ECB press release", approved_by="bob")
    book = BOOK.with_more([ours])
    sheet = interest(owed, REGIMES["fr_private"].rule, book, day("2026-07-31"))
    assert (sheet.doubts, sheet.rows[0].rates) == ((), (ours,))


def test_a_debt_paid_before_the_unpublished_half_year_is_not_provisional() -> None:
    known = RateBook(rate for rate in BOOK.rows() if rate.valid_from < day("2026-01-01"))
    owed = debt(10_000, "2025-11-30", ("2025-12-20", 10_000))
    sheet = interest(owed, REGIMES["fr_private"].rule, known, day("2026-02-15"))
    assert (sheet.doubts, sheet.rows[0].days, sheet.left.principal) == ((), 20, 0)


def test_every_shipped_row_says_where_it_comes_from_and_begins_a_half_year() -> None:
    for rate in BOOK.rows():
        assert rate.source and rate.entered_by
        assert rate.index == "bam" or (rate.valid_from.month in (1, 7) and rate.valid_from.day == 1)
    doubtful = {(rate.index, rate.valid_from.isoformat()) for rate in BOOK.rows() if not rate.approved_by}
    assert {("ecb_mro", "2026-07-01"), ("de_base", "2026-07-01")} <= doubtful
    assert BOOK.at("fr_legal", day("2026-07-01")) is None
    assert (BOOK.known_to("ecb_mro"), BOOK.known_to("fr_legal")) == (day("2026-12-31"), day("2026-06-30"))


@pytest.mark.parametrize("wrong", ["10.76", "12.06", "14.22", "15.07", "13.65"])
def test_figures_that_others_print_by_mistake_are_in_no_row(wrong: str) -> None:
    assert Decimal(wrong) - 10 not in {rate.percent for rate in BOOK.rows("ecb_mro")}


def test_a_public_buyer_in_france_pays_the_rate_of_the_half_year_in_which_the_delay_began() -> None:
    sheet = by_law("fr_public", debt(10_000, "2024-09-30"), "2025-03-31")
    assert [(row.days, str(row.percent)) for row in sheet.rows] == [(182, "12.25")]
    assert "L. 2192-13" in REGIMES["fr_public"].basis["fr"] and "441-10" not in REGIMES["fr_public"].basis["fr"]


def test_the_regime_follows_the_creditors_country() -> None:
    assert [of_country(each) for each in ("FR", "DE", "AT", "GB", "LU", "CH", "MA")] == [
        "fr_private", "de", "at", "uk", "eu", "ch", "ma"
    ]  # fmt: skip
    assert of_country("FR", public_debtor=True) == "fr_public"
    assert (of_country("US"), of_country("SE")) == (None, None)


def test_a_swiss_debt_bears_five_percent_and_no_lump_sum() -> None:
    assert by_law("ch", debt(10_000, "2025-06-30", currency="CHF"), "2025-12-31").interest == 252_05
    assert REGIMES["ch"].lump_sum is None


def test_an_austrian_sheet_is_provisional_where_its_base_rate_is_derived() -> None:
    sure = by_law("at", debt(10_000, "2024-06-30"), "2024-12-31")
    assert (sure.interest, sure.doubts) == (659_38, ())  # 184 days at 13.08 %: 659.375
    derived = by_law("at", debt(10_000, "2024-12-31"), "2025-01-31")
    assert derived.doubts == ("rate_unconfirmed",)


def test_thirty_days_a_month_as_courts_count() -> None:
    rule = replace(REGIMES["ch"].rule, day_count="30_360")
    assert interest(debt(12_000, "2024-12-31"), rule, BOOK, day("2025-12-31")).interest == 600_00
