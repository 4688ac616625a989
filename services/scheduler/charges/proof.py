"""A sheet as a person checks it: every row with its formula, in French or English, and the articles behind it.

The rule it protects: a row says all that its sum needs, so that it can be recomputed by hand; the last line says how
often it was rounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from libs.common.money import Money, exponent
from services.scheduler.charges.interest import Row, Sheet, total
from services.scheduler.charges.regimes import Language, Regime

PLACES = 6
"""Decimals of a row's exact interest as it is shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the proof as it is shown: `interest` is exact to six decimals of the currency's unit."""

    first: date
    last: date
    days: int
    balance: Money
    percent: str
    interest: str
    formula: str
    sources: tuple[str, ...]


def lines(sheet: Sheet) -> list[Line]:
    """The rows of a sheet, each with its formula."""
    return [
        Line(
            first=row.first,
            last=row.last,
            days=row.days,
            balance=Money(row.balance, sheet.currency),
            percent=str(row.percent),
            interest=_exact(row.interest, sheet.currency),
            formula=_formula(row, sheet.currency),
            sources=tuple(_source(rate) for rate in row.rates),
        )
        for row in sheet.rows
    ]


def _formula(row: Row, currency: str) -> str:
    base = Money(row.balance, currency).decimal()
    if row.capitalised:
        base = f"({base} + {_exact(row.capitalised, currency)})"
    return f"{base} × {row.percent} % × {row.days} / {row.year}"


def _exact(minor: Fraction, currency: str) -> str:
    units = minor / 10 ** exponent(currency)
    shown = Decimal(units.numerator) / Decimal(units.denominator)
    return str(shown.quantize(Decimal(1).scaleb(-PLACES), ROUND_HALF_UP))


def _source(rate: object) -> str:
    index, valid_from, percent, source = (
        getattr(rate, name) for name in ("index", "valid_from", "percent", "source")
    )  # fmt: skip
    return f"{index} {percent} % ({valid_from.isoformat()}): {source}"


def exact_sum(sheet: Sheet) -> str:
    """The sum of the rows before its one rounding."""
    return _exact(total(sheet.rows), sheet.currency)


_SAID: dict[Language, dict[str, str]] = {
    "fr": {
        "law": "Fondement : {basis}.",
        "once": "Somme des lignes {exact}, arrondie une seule fois : {total}.",
        "to": "Décompte arrêté au {day} inclus.",
        "rate_unpublished": "Provisoire : le taux n'est pas publié après le {counted}.",
        "rate_unconfirmed": "Provisoire : un taux de ce décompte n'est pas encore confirmé.",
        "floor_unpublished": "Provisoire : le plancher de trois fois le taux légal n'est pas publié.",
    },
    "en": {
        "law": "Basis: {basis}.",
        "once": "Sum of the rows {exact}, rounded once: {total}.",
        "to": "Counted up to and including {day}.",
        "rate_unpublished": "Provisional: no rate is published after {counted}.",
        "rate_unconfirmed": "Provisional: a rate of this sheet is not confirmed yet.",
        "floor_unpublished": "Provisional: the floor of three times the legal rate is not published.",
    },
}


def remarks(sheet: Sheet, regime: Regime, language: Language) -> Sequence[str]:
    """What stands under the rows: the law, the one rounding, the day, and why it may still change."""
    said = _SAID[language]
    facts = {
        "basis": regime.basis[language],
        "exact": exact_sum(sheet),
        "total": str(Money(sheet.interest, sheet.currency)),
        "day": sheet.counted_to.isoformat(),
        "counted": sheet.counted_to.isoformat(),
    }
    return [said[name].format(**facts) for name in ("law", "once", "to", *sheet.doubts)]


def kept(sheet: Sheet) -> dict[str, Any]:
    """The sheet as it is kept beside a claim: what was claimed can be shown as it was counted then."""
    return {
        "rows": [
            {
                "first": line.first.isoformat(),
                "last": line.last.isoformat(),
                "formula": line.formula,
                "interest": line.interest,
                "sources": list(line.sources),
            }
            for line in lines(sheet)
        ],
        "exact": exact_sum(sheet),
        "total": Money(sheet.interest, sheet.currency).wire(),
        "doubts": list(sheet.doubts),
    }
