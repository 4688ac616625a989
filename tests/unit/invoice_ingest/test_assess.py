"""What an invoice comes to: owed, due, by which evidence, chased or not."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from libs.common.errors import CurrencyMismatch
from services.invoice_ingest.assess import assess, content, core, not_chased, takes_over
from services.invoice_ingest.errors import Doubt
from services.invoice_ingest.sources.canonical import CanonicalInvoice

DEBTOR = UUID(int=42)


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def told(**more: Any) -> CanonicalInvoice:
    plain = {
        "number": "F-1",
        "issue_date": "2026-01-31",
        "due_date": "2026-03-02",
        "totals": {"gross": eur("1200.00")},
        "debtor": {"external_id": "C1"},
    }
    return CanonicalInvoice.model_validate(plain | more)


def test_what_is_left_out_of_the_totals_is_derived() -> None:
    totals = {"gross": eur("100.00"), "prepaid": eur("30.00"), "rounding": eur("0.02")}
    assert str(assess(told(totals=totals)).owed) == "70.02 EUR"


def test_instalments_keep_their_order_and_their_dates() -> None:
    parts = [{"due_date": "2026-03-01", "amount": eur("700.00")}, {"due_date": "2026-02-01", "amount": eur("500.00")}]
    facts = assess(told(instalments=parts, due_date=None))
    assert [str(amount) for _, amount in facts.due] == ["700.00 EUR", "500.00 EUR"]


def test_an_instalment_of_nothing_is_a_doubt() -> None:
    parts = [{"due_date": "2026-03-01", "amount": eur("1200.00")}, {"due_date": "2026-02-01", "amount": eur("0.00")}]
    with pytest.raises(Doubt):
        assess(told(instalments=parts, due_date=None))


def test_the_printed_due_date_wins_over_the_terms() -> None:
    facts = assess(told(terms="60 days"))
    assert (facts.due[0][0], facts.due_source) == (date(2026, 3, 2), "structured")


def test_terms_win_over_the_terms_of_the_file() -> None:
    facts = assess(told(due_date=None, terms="2/10 net 30"), "60 days")
    assert (facts.due[0][0], facts.due_source) == (date(2026, 3, 2), "terms_computed")
    assert (facts.discount_percent, facts.discount_until) == ("2", date(2026, 2, 10))


def test_a_date_in_free_text_is_no_due_date() -> None:
    with pytest.raises(Doubt) as doubt:
        assess(told(due_date=None, terms_note="Zahlbar ohne Abzug bis 22.12.2020"))
    assert doubt.value.reason == "due_date_missing"
    assert "22.12.2020" in doubt.value.detail


def test_currencies_never_meet() -> None:
    with pytest.raises(CurrencyMismatch):
        assess(told(currency="USD"))


def test_a_person_may_trust_totals_that_do_not_add_up() -> None:
    odd = told(totals={"gross": eur("336.90"), "payable": eur("366.86")})
    with pytest.raises(Doubt):
        assess(odd)
    assert str(assess(odd, trusted=True).owed) == "366.86 EUR"


def test_an_invoice_more_than_thirty_days_late_waits_in_take_over() -> None:
    invoice = told()
    facts = assess(invoice)
    assert not takes_over(invoice, facts, date(2026, 4, 1))
    assert takes_over(invoice, facts, date(2026, 4, 2))
    assert takes_over(told(take_over=True), facts, date(2026, 2, 1))


@pytest.mark.parametrize("means", ["direct_debit", "card", "bill_of_exchange", "cheque"])
def test_money_that_we_collect_ourselves_is_not_chased(means: str) -> None:
    invoice = told(payment_means=means, not_chased=["factored"])
    assert not_chased(invoice, consumer=False, intercompany=True) == ["collected_otherwise", "factored", "intercompany"]


def test_two_systems_agree_on_the_core_though_their_words_differ() -> None:
    first, second = told(), told(references={"order_number": "PO-1"}, payment_reference="RF1")
    facts = assess(first)
    assert core(facts, DEBTOR, first.issue_date) == core(assess(second), DEBTOR, second.issue_date)
    assert content(first, facts, DEBTOR) != content(second, assess(second), DEBTOR)


def test_versions_and_contacts_are_no_part_of_the_content() -> None:
    first = told(version=1, debtor={"external_id": "C1", "name": "Old"})
    second = told(version=2, debtor={"external_id": "C1", "name": "New"})
    assert content(first, assess(first), DEBTOR) == content(second, assess(second), DEBTOR)
