"""How amounts, dates and lists read in French and English. For eyes only: nothing here is ever parsed back.

CLDR groups French thousands with U+202F, which several mail programs draw as a box; U+00A0 reads the same everywhere.
"""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Literal

from babel.dates import format_date
from babel.numbers import format_currency

from libs.common.money import Money

Language = Literal["fr", "en"]
NBSP = "\u00a0"
LOCALES: dict[Language, str] = {"fr": "fr_FR", "en": "en_GB"}
_BEFORE = re.compile(r" (?=[:;?!»%])")
_AFTER = re.compile(r"(?<=«) ")


def money(amount: Money, language: Language) -> str:
    """1 234,50 € or €1,234.50; decimals are those of ISO 4217, not of CLDR."""
    value = Decimal(amount.decimal())
    places = -int(value.as_tuple().exponent)
    shown: str = format_currency(
        value, amount.currency, _pattern(language, places), locale=LOCALES[language], currency_digits=False
    )
    return shown.replace("\u202f", NBSP)


@cache
def _pattern(language: Language, places: int) -> str:
    figures = "#,##0" + ("." + "0" * places if places else "")
    return f"{figures}{NBSP}¤" if language == "fr" else f"¤{figures}"


def day(value: date, language: Language) -> str:
    """3 mars 2026 or 3 March 2026."""
    if language == "fr" and value.day == 1:
        return format_date(value, f"'1er{NBSP}'MMMM{NBSP}y", locale="fr_FR")
    return format_date(value, f"d{NBSP}MMMM{NBSP}y", locale=LOCALES[language])


def short_day(value: date) -> str:
    """03/03/2026, day first in both languages as French and British ledgers write it."""
    return value.strftime("%d/%m/%Y")


def days(count: int, language: Language) -> str:
    """1 jour, 30 days."""
    word = ("jour" if count < 2 else "jours") if language == "fr" else ("day" if count == 1 else "days")
    return f"{count}{NBSP}{word}"


def joined(parts: Sequence[str], language: Language) -> str:
    """a, b et c."""
    link = " et " if language == "fr" else " and "
    return link.join(([", ".join(parts[:-1])] if parts[:-1] else []) + list(parts[-1:]))


def spaced(text: str, language: Language) -> str:
    """French sets no-break spaces before double punctuation and inside guillemets."""
    if language != "fr":
        return text
    return _AFTER.sub(NBSP, _BEFORE.sub(NBSP, text))


def one_line(value: str) -> str:
    """A value on one line without control or invisible characters: what came from outside cannot shape the text."""
    return " ".join("".join(c if c.isprintable() or c.isspace() else " " for c in value).split())


def iban(value: str) -> str:
    """In groups of four."""
    plain = value.replace(" ", "")
    return NBSP.join(plain[i : i + 4] for i in range(0, len(plain), 4))
