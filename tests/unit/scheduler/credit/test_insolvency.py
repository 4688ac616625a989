"""Insolvency: by when a claim is filed, and where its interest stops."""

from datetime import date

import pytest

from services.scheduler.charges.account import Account
from services.scheduler.charges.interest import Debt
from services.scheduler.charges.rates import shipped
from services.scheduler.charges.regimes import REGIMES
from services.scheduler.credit.insolvency import ALARMS, Place, earlier, file_by, interest_to
from services.scheduler.credit.insurance import stage


@pytest.mark.parametrize(
    ("published", "place", "by"),
    [
        (date(2026, 9, 15), "mainland", date(2026, 11, 15)),
        (date(2026, 9, 15), "overseas", date(2027, 1, 15)),
        (date(2026, 9, 15), "abroad", date(2027, 1, 15)),
        (date(2025, 12, 31), "mainland", date(2026, 2, 28)),  # no 31 February
        (None, "mainland", None),
    ],
)
def test_a_claim_is_filed_two_months_after_publication_four_from_abroad(
    published: date | None, place: Place, by: date | None
) -> None:
    assert file_by(published, place) == by


def test_it_is_told_of_thirty_fifteen_and_five_days_before() -> None:
    by = date(2026, 11, 15)
    days = (date(2026, 10, 15), date(2026, 10, 16), date(2026, 10, 31), date(2026, 11, 10), date(2026, 11, 16))
    assert [stage(by, day, ALARMS) for day in days] == [None, 30, 15, 5, -1]


def test_an_invoice_of_the_eve_is_an_earlier_claim_and_one_of_the_day_is_not() -> None:
    judgment = date(2026, 9, 1)
    assert (earlier(date(2026, 8, 31), judgment), earlier(judgment, judgment)) == (True, False)
    assert interest_to(judgment) == date(2026, 8, 31)


def test_interest_stops_on_the_eve_of_the_judgment_and_what_fell_due_after_it_bears_no_lump_sum() -> None:
    def account(due: date) -> Account:
        debt = Debt("EUR", due, 1_000_000, stops_on=interest_to(date(2025, 10, 11)))
        return Account(debt, REGIMES["fr_private"], shipped())

    late, not_due = account(date(2025, 9, 30)), account(date(2025, 10, 31))
    assert (late.sheet(date(2026, 1, 10)).interest, late.lump_sum(date(2026, 1, 10))) == (3329, 4000)
    assert (not_due.sheet(date(2026, 1, 10)).interest, not_due.lump_sum(date(2026, 1, 10))) == (0, 0)
