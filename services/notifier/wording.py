"""How amounts, dates and lists read in French and English. For eyes only: nothing here is ever parsed back."""

import re
from collections.abc import Sequence
from datetime import date

from babel.dates import format_date

from libs.common.spoken import LOCALES, NBSP, Language, money

__all__ = ["LOCALES", "NBSP", "Language", "day", "days", "iban", "joined", "money", "one_line", "short_day", "spaced"]
_BEFORE = re.compile(r" (?=[:;?!»%])")
_AFTER = re.compile(r"(?<=«) ")


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
