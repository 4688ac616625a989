"""Payment terms: vectors from practice, and the readings that are refused."""

from datetime import date

import pytest

from libs.common.money import Money
from services.invoice_ingest.errors import TermsAmbiguous, TermsUnreadable
from services.invoice_ingest.terms import parse

HUNDRED = Money(10_001, "EUR")

VECTORS = [
    ("45 days, end of month", "2023-01-15", "2023-03-31"),
    ("end of month, 45 days", "2023-01-15", "2023-03-17"),
    ("45 days, end of month", "2025-03-10", "2025-04-30"),
    ("end of month, 45 days", "2025-03-10", "2025-05-15"),
    ("45 jours puis fin de mois", "2025-04-10", "2025-05-31"),
    ("fin de mois, 45 jours", "2025-04-10", "2025-06-14"),
    ("45 days, eom", "2011-10-05", "2011-11-30"),
    ("45 days, eom", "2011-10-22", "2011-12-31"),
    ("eom, 45 days", "2011-10-22", "2011-12-15"),
    ("30 jours, fin de décade", "2023-01-15", "2023-02-20"),
    ("30 jours, fin de mois, le 10", "2023-01-15", "2023-03-10"),
    ("net 30", "2026-01-31", "2026-03-02"),
    ("30", "2026-01-31", "2026-03-02"),
    ("1 month", "2026-01-31", "2026-02-28"),
    ("1 month", "2028-01-31", "2028-02-29"),
    ("end of month", "2024-02-10", "2024-02-29"),
    ("on receipt", "2026-05-04", "2026-05-04"),
    ("comptant", "2026-05-04", "2026-05-04"),
    ("14 Tage netto", "2026-05-04", "2026-05-18"),
]


@pytest.mark.parametrize(("text", "issued", "due"), VECTORS)
def test_terms_give_the_due_date_that_practice_gives(text: str, issued: str, due: str) -> None:
    found = parse(text).due(date.fromisoformat(issued), HUNDRED)
    assert found == [(date.fromisoformat(due), HUNDRED)]


@pytest.mark.parametrize(
    "text", ["45 days end of month", "45 jours fin de mois", "45 jours FDM", "fin de mois 45 jours", "45j fdm le 15"]
)
def test_terms_with_two_readings_are_refused_with_both_readings_named(text: str) -> None:
    with pytest.raises(TermsAmbiguous) as refused:
        parse(text)
    assert refused.value.field == "terms"
    assert "45 days, end of month" in refused.value.remedy_text


def test_the_two_readings_differ_on_every_day_of_four_years() -> None:
    days = [date.fromordinal(day) for day in range(date(2024, 1, 1).toordinal(), date(2028, 1, 1).toordinal())]
    first, second = parse("45 days, end of month"), parse("end of month, 45 days")
    assert all(first.due(day, HUNDRED) != second.due(day, HUNDRED) for day in days)


@pytest.mark.parametrize("text", ["as agreed", "", " ; ", "30 lunar days", "9999 days", "le 40", "50% 30 days, eom"])
def test_what_is_not_in_the_language_is_refused(text: str) -> None:
    with pytest.raises(TermsUnreadable):
        parse(text)


def test_shares_split_the_amount_and_the_last_takes_what_rounding_leaves() -> None:
    found = parse("30% 30 days; 70% 60 days").due(date(2026, 1, 31), HUNDRED)
    assert [(day.isoformat(), amount.minor) for day, amount in found] == [("2026-03-02", 3000), ("2026-04-01", 7001)]


def test_shares_that_do_not_make_a_hundred_are_refused() -> None:
    with pytest.raises(TermsUnreadable):
        parse("30% 30 days; 60% 60 days")


@pytest.mark.parametrize("text", ["2/10 net 30", "2% 10 days, 30 days", "2 % à 10 jours, 30 jours"])
def test_a_discount_is_read_beside_the_due_date(text: str) -> None:
    read = parse(text)
    assert read.discount is not None
    assert (str(read.discount.percent), read.discount.days) == ("2", 10)
    assert read.due(date(2026, 1, 31), HUNDRED)[0][0] == date(2026, 3, 2)
