"""Reference rates by the day from which they hold, each with where it comes from and who vouches for it.

The rule it protects: the rate of a half-year is that half-year's own row or none; the one before is never carried on.
Directive 2011/7/EU art. 2(7): the rate of 1 January holds for the first half of a year, that of 1 July for the second.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

Index = Literal["ecb_mro", "fr_legal", "de_base", "at_base", "boe", "bam"]
INDICES: tuple[Index, ...] = get_args(Index)
HALF_YEARLY: frozenset[str] = frozenset({"ecb_mro", "fr_legal", "de_base", "at_base", "boe"})
"""A row of these holds for its half-year only; one of the others until the next."""
SHIPPED = Path(__file__).parent / "rates.yaml"


@dataclass(frozen=True, slots=True)
class Rate:
    """A percentage a year from a day on. With `approved_by` None its sheets are provisional: nobody vouches."""

    index: Index
    valid_from: date
    percent: Decimal
    source: str
    published_on: date | None = None
    entered_by: str = ""
    approved_by: str | None = None


def half_year(day: date) -> date:
    """The first day of a day's half-year."""
    return date(day.year, 1 if day.month <= 6 else 7, 1)


def next_half_year(day: date) -> date:
    """The first day of the half-year after a day's own."""
    return date(day.year, 7, 1) if day.month <= 6 else date(day.year + 1, 1, 1)


class RateBook:
    """Rates by index and day; of two rows for one day the later given wins, so that a tenant's own outrank ours."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        chosen = {(rate.index, rate.valid_from): rate for rate in rates}
        self._rows: dict[Index, list[Rate]] = {index: [] for index in INDICES}
        for key in sorted(chosen):
            self._rows[key[0]].append(chosen[key])

    def with_more(self, rates: Iterable[Rate]) -> "RateBook":
        """This book and other rows, which outrank its own."""
        return RateBook([*(rate for rows in self._rows.values() for rate in rows), *rates])

    def at(self, index: Index, day: date) -> Rate | None:
        """The rate of a day; None when it is not published."""
        rows = self._rows[index]
        place = bisect_right(rows, day, key=lambda rate: rate.valid_from)
        found = rows[place - 1] if place else None
        if found is None or (index in HALF_YEARLY and found.valid_from != half_year(day)):
            return None
        return found

    def changes(self, index: Index, first: date, last: date) -> list[date]:
        """The days after `first` up to `last` from which another row of the index may hold."""
        if index not in HALF_YEARLY:
            return [rate.valid_from for rate in self._rows[index] if first < rate.valid_from <= last]
        found, day = [], next_half_year(first)
        while day <= last:
            found.append(day)
            day = next_half_year(day)
        return found

    def known_to(self, index: Index) -> date | None:
        """The last day with a published rate; None for an index without any, or one that holds until changed."""
        rows = self._rows[index]
        if not rows or index not in HALF_YEARLY:
            return None
        return next_half_year(rows[-1].valid_from) - timedelta(days=1)

    def rows(self, index: Index | None = None) -> list[Rate]:
        """Every row, or those of an index, by index and day."""
        return [rate for name, rows in self._rows.items() if index in (None, name) for rate in rows]


def shipped(path: Path = SHIPPED) -> RateBook:
    """The table that comes with the product, read from its file."""
    return RateBook(_read(yaml.safe_load(path.read_text("utf-8"))))


def _read(told: Mapping[str, Any]) -> Iterable[Rate]:
    for index, about in told["indices"].items():
        for day, row in about["rates"].items():
            more = row if isinstance(row, dict) else {"percent": row}
            yield Rate(
                index=index,
                valid_from=day,
                percent=Decimal(str(more["percent"])),
                source=more.get("source", about["source"]),
                published_on=more.get("published_on"),
                entered_by=told["entered_by"],
                approved_by=told["approved_by"] if more.get("confirmed", True) else None,
            )
