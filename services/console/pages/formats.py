"""How figures, amounts, dates and ages are written in French and English. Spaces inside figures are U+00A0."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from babel.numbers import get_currency_symbol

from libs.common.money import Money, exponent, from_wire

SPACE = "\u00a0"
DASH = "–"
MILLION = 999_950
"""Whole units from which a tile says millions: 999,950 would be 1,000.0 thousands."""


def grouped(digits: str, language: str) -> str:
    """`1234567` → `1 234 567` or `1,234,567`."""
    separator = SPACE if language == "fr" else ","
    return f"{int(digits):,}".replace(",", separator)


def number(value: int, language: str) -> str:
    """A whole number, with a real minus sign."""
    return ("−" if value < 0 else "") + grouped(str(abs(value)), language)


@lru_cache(maxsize=400)
def symbol(currency: str, language: str) -> str:
    """€ for EUR; the code where the language has no sign."""
    return str(get_currency_symbol(currency, locale=language))


def money(value: Money, language: str) -> str:
    """`1 250,00 €` or `€1,250.00`, with all decimals of the currency."""
    sign = "−" if value.minor < 0 else ""
    whole, _, fraction = Money(abs(value.minor), value.currency).decimal().partition(".")
    mark = symbol(value.currency, language)
    if language == "fr":
        return f"{sign}{grouped(whole, language)}{',' if fraction else ''}{fraction}{SPACE}{mark}"
    spaced = SPACE if mark.isalpha() else ""
    return f"{sign}{mark}{spaced}{grouped(whole, language)}{'.' if fraction else ''}{fraction}"


def short_money(value: Money, language: str) -> str:
    """For tiles: `21,95 M€`, `384,2 k€`, `950 €`; rounded, and less than half a unit is nothing, without a sign."""
    unit = 10 ** exponent(value.currency)
    units = (abs(value.minor) + unit // 2) // unit
    sign = "−" if value.minor < 0 and units else ""
    mark = symbol(value.currency, language)
    if language == "en" and mark.isalpha():
        mark += SPACE
    if units < 1000:
        return f"{sign}{units}{SPACE}{mark}" if language == "fr" else f"{sign}{mark}{units}"
    scale, letter, places = (1_000_000, "M", 2) if units >= MILLION else (1_000, "k", 1)
    figure = f"{units / scale:,.{places}f}"
    if language == "fr":
        figure = figure.replace(",", SPACE).replace(".", ",")
        return f"{sign}{figure}{SPACE}{letter}{mark}"
    return f"{sign}{mark}{figure}{letter}"


def percent(part: int, whole: int, language: str) -> str:
    """`19,8 %`; a dash of nothing, and of a credit balance, which has no shares."""
    if whole <= 0:
        return DASH
    figure = one_decimal(Fraction(100 * part, whole), language)
    return f"{figure}{SPACE}%" if language == "fr" else f"{figure}%"


def day(value: date, language: str) -> str:
    """`23/11/2026`, in both languages of Europe."""
    return f"{value:%d/%m/%Y}"


def long_day(value: date, language: str) -> str:
    """`lundi 23 novembre 2026`."""
    return str(format_date(value, "full", locale="fr" if language == "fr" else "en_GB"))


def short_day(value: date, language: str) -> str:
    """`23 nov.`."""
    return str(format_date(value, "d MMM", locale="fr" if language == "fr" else "en_GB"))


def weekday_day(value: date, language: str) -> str:
    """`lun. 23`."""
    return str(format_date(value, "EEE d", locale="fr" if language == "fr" else "en_GB"))


def moment(value: datetime, language: str, zone: str) -> str:
    """`23 nov. 2026, 08:42` in a zone."""
    local = value.astimezone(ZoneInfo(zone))
    return str(format_datetime(local, "d MMM y, HH:mm", locale="fr" if language == "fr" else "en_GB"))


def clock(value: datetime, zone: str) -> str:
    """`08:42` in a zone."""
    return f"{value.astimezone(ZoneInfo(zone)):%H:%M}"


def typed(value: Money, language: str) -> str:
    """An amount as somebody of this language types it: `1250,00` or `1250.00`."""
    return value.decimal().replace(".", "," if language == "fr" else ".")


def one_decimal(value: float | Fraction, language: str) -> str:
    """`47,2`."""
    figure = f"{abs(float(value)):,.1f}"
    sign = "−" if float(value) < 0 and figure != "0.0" else ""
    return sign + (figure.replace(",", SPACE).replace(".", ",") if language == "fr" else figure)


def signed(value: float | Fraction, language: str) -> str:
    """`+3,1` or `−3,1`; `±0` when it rounds to nothing."""
    figure = one_decimal(value, language)
    if figure in ("0,0", "0.0"):
        return "±0"
    return figure if figure.startswith("−") else f"+{figure}"


def tick(value: float, language: str) -> str:
    """A value beside a grid line: `40`, `2,5 k`, `3 M`."""
    scale, letter = next((pair for pair in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if value >= pair[0]), (1.0, ""))
    figure = f"{value / scale:g}"
    return (figure.replace(".", ",") if language == "fr" else figure) + (f"{SPACE}{letter}" if letter else "")


def month(value: date, language: str) -> str:
    """`nov. 26`."""
    name = str(format_date(value, "LLL", locale="fr" if language == "fr" else "en_GB"))
    return f"{name} {value:%y}"


def filters(language: str, zone: str) -> Mapping[str, Callable[..., Any]]:
    """The formats as template filters of one language and zone."""
    return {
        "num": lambda value: number(value, language),
        "money": lambda value: money(value, language),
        "amount": lambda wire: money(from_wire(wire), language),
        "typed": lambda value: typed(value, language),
        "iso_day": lambda text: day(date.fromisoformat(text[:10]), language) if text else DASH,
        "short_money": lambda value: short_money(value, language),
        "day": lambda value: day(value, language),
        "long_day": lambda value: long_day(value, language),
        "short_day": lambda value: short_day(value, language),
        "weekday_day": lambda value: weekday_day(value, language),
        "moment": lambda value: moment(value, language, zone),
        "clock": lambda value: clock(value, zone),
        "told": datetime.fromisoformat,
        "signed_days": lambda value: f"{'−' if value < 0 else '+' if value else ''}{abs(value)}",
        "one_decimal": lambda value: one_decimal(value, language),
        "signed": lambda value: signed(value, language),
        "tick": lambda value: tick(value, language),
        "month": lambda value: month(value, language),
    }
