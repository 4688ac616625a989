"""Money is minor units of one currency; the wire's string is the only way in and out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import CurrencyMismatch, InvalidAmount, UnknownCurrency
from libs.common.money import EXPONENTS, Money, exponent, from_wire, total, totals

currencies = st.sampled_from(sorted(EXPONENTS))
amounts = st.builds(Money, st.integers(-(10**15) + 1, 10**15 - 1), currencies)


@given(amounts)
def test_what_is_written_is_read_back(amount: Money) -> None:
    assert from_wire(amount.wire()) == amount


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("1250.00", "EUR", 125000),
        ("1250", "EUR", 125000),
        ("-0.5", "EUR", -50),
        ("1250", "JPY", 1250),
        ("1250.0", "JPY", 1250),
        ("1.234", "TND", 1234),
        ("1.2340", "TND", 1234),
    ],
)
def test_plain_decimals_are_taken(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "text",
    ["", "1e2", "1_000", "٣", "1,00", "+1", " 1", "01", "1.", ".5", "NaN", "Infinity", "1.001", "9" * 16, "0x1", "1\n"],
)
def test_anything_else_is_refused_with_the_field(text: str) -> None:
    with pytest.raises(InvalidAmount) as refused:
        Money.parse(text, "EUR")
    assert refused.value.field == "amount"
    assert refused.value.remedy_text


def test_a_yen_has_no_decimals() -> None:
    with pytest.raises(InvalidAmount):
        Money.parse("1.5", "JPY")


@pytest.mark.parametrize("code", ["eur", "EURO", "XXX", "", "FRF"])
def test_a_currency_out_of_use_is_refused(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        exponent(code)


@pytest.mark.parametrize("told", [12.5, "12.50", None, {"amount": 12.5, "currency": "EUR"}, {"amount": "1"}])
def test_a_json_number_is_never_money(told: object) -> None:
    with pytest.raises((InvalidAmount, UnknownCurrency)):
        from_wire(told)


def test_two_currencies_are_never_added_or_compared() -> None:
    for act in (lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a < b, lambda a, b: a >= b):
        with pytest.raises(CurrencyMismatch):
            act(Money(1, "EUR"), Money(1, "USD"))


def test_sums_keep_currencies_apart() -> None:
    some = [Money(1, "EUR"), Money(2, "USD"), Money(3, "EUR")]
    assert totals(some) == {"EUR": Money(4, "EUR"), "USD": Money(2, "USD")}
    assert total([], "EUR") == Money.zero("EUR")
