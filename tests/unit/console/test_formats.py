"""Figures read as finance people write them, in both languages."""

from datetime import UTC, date, datetime

import pytest

from libs.common.money import Money
from services.console.pages import formats
from services.console.pages.asking import read_day

N = "\u00a0"


@pytest.mark.parametrize(
    ("minor", "currency", "french", "english"),
    [
        (125000, "EUR", f"1{N}250,00{N}€", "€1,250.00"),
        (-125050, "EUR", f"−1{N}250,50{N}€", "−€1,250.50"),
        (5, "EUR", f"0,05{N}€", "€0.05"),
        (1_234_567_890, "JPY", f"1{N}234{N}567{N}890{N}¥", "¥1,234,567,890"),
        (1_234_567, "TND", f"1{N}234,567{N}TND", f"TND{N}1,234.567"),
        (0, "EUR", f"0,00{N}€", "€0.00"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(minor: int, currency: str, french: str, english: str) -> None:
    amount = Money(minor, currency)
    assert formats.money(amount, "fr").replace("JPY", "¥").replace("JP¥", "¥") == french
    assert formats.money(amount, "en").replace("JP¥", "¥") == english


@pytest.mark.parametrize(
    ("minor", "french", "english"),
    [
        (2_194_863_412, f"21,95{N}M€", "€21.95M"),
        (38_421_000, f"384,2{N}k€", "€384.2k"),
        (95_000, f"950{N}€", "€950"),
        (-38_421_000, f"−384,2{N}k€", "−€384.2k"),
        (0, f"0{N}€", "€0"),
    ],
)
def test_a_tile_shows_thousands_and_millions(minor: int, french: str, english: str) -> None:
    assert formats.short_money(Money(minor, "EUR"), "fr") == french
    assert formats.short_money(Money(minor, "EUR"), "en") == english


def test_no_narrow_space_is_ever_written() -> None:
    shown = formats.money(Money(123456789, "EUR"), "fr") + formats.number(1234567, "fr") + formats.percent(1, 3, "fr")
    assert "\u202f" not in shown


def test_dates_and_moments_are_those_of_the_zone() -> None:
    instant = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert formats.moment(instant, "fr", "Europe/Paris").startswith("23 nov. 2026")
    assert formats.clock(instant, "Europe/Paris") == "00:30"
    assert formats.long_day(date(2026, 11, 23), "fr") == "lundi 23 novembre 2026"
    assert formats.long_day(date(2026, 11, 23), "en") == "Monday, 23 November 2026"


@pytest.mark.parametrize(
    ("minor", "currency", "french", "english"),
    [
        (38_421_000, "CHF", f"384,2{N}kCHF", f"CHF{N}384.2k"),
        (-1_234_567, "JPY", f"−1,23{N}M¥", "−¥1.23M"),
        (1_234_567, "TND", f"1,2{N}kTND", f"TND{N}1.2k"),
        (-49, "EUR", f"0{N}€", "€0"),
        (-50, "EUR", f"−1{N}€", "−€1"),
        (99_950, "EUR", f"1,0{N}k€", "€1.0k"),
        (99_999_999, "EUR", f"1,00{N}M€", "€1.00M"),
    ],
)
def test_a_tile_rounds_and_shows_any_currency(minor: int, currency: str, french: str, english: str) -> None:
    amount = Money(minor, currency)
    assert formats.short_money(amount, "fr").replace("JPY", "¥").replace("JP¥", "¥") == french
    assert formats.short_money(amount, "en").replace("JP¥", "¥") == english


def test_a_credit_balance_has_no_shares() -> None:
    assert formats.percent(100, -1000, "fr") == "–"
    assert formats.percent(-125, 1000, "fr") == f"−12,5{N}%"
    assert formats.percent(-125, 1000, "en") == "−12.5%"


def test_a_share_of_nothing_is_a_dash() -> None:
    assert formats.percent(1, 0, "fr") == "–"
    assert formats.percent(198, 1000, "fr") == f"19,8{N}%"


@pytest.mark.parametrize("typed", ["23/11/2026", "23.11.2026", " 23-11-2026 ", "2026-11-23"])
def test_a_day_is_read_as_people_of_the_page_type_it(typed: str) -> None:
    assert read_day(typed) == date(2026, 11, 23)


@pytest.mark.parametrize("typed", ["11/23/2026", "31/02/2026", "23/11/26", "", "tomorrow"])
def test_what_is_no_day_is_none(typed: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_day(typed)
