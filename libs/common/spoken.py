"""How an amount reads to a person, in French and English. For eyes only: nothing here is ever parsed back.

CLDR groups French thousands with U+202F, which several mail programs draw as a box; U+00A0 reads the same everywhere.
"""

from decimal import Decimal
from functools import cache
from typing import Literal

from babel.numbers import format_currency

from libs.common.money import Money

Language = Literal["fr", "en"]
NBSP = "\u00a0"
LOCALES: dict[Language, str] = {"fr": "fr_FR", "en": "en_GB"}


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
