"""Which law or contract a late payment falls under: its rate rule, its lump sum, and the texts a notice names.

The rule it protects: every figure of a claim has an article behind it. Sources, by regime:
fr_private  Code de commerce L. 441-10 II (ECB + 10 points, the rate of each half-year; an agreed rate is at least
            three times the legal rate) and D. 441-5 (40 € an invoice).
fr_public   Code de la commande publique L. 2192-13, R. 2192-31 (ECB + 8 points, of the half-year in which the delay
            began, for all of it), R. 2192-32 (until the day of payment, included), D. 2192-35 (40 €).
eu          Directive 2011/7/EU art. 2, 3 and 6: ECB + 8 points, 40 €; the floor of the members in the euro.
de          BGB § 288 (2) and (5): § 247 base + 9 points, 40 €; § 289: no interest on interest.
be          Law of 2 August 2002 art. 5 and 6: ECB + 8 points, rounded up to the next half point; 40 €.
nl          BW 6:119a and 6:96: ECB + 8 points, compounded at the end of each year of delay; 40 €.
es, it      Ley 3/2004 art. 7 and 8; D. Lgs. 231/2002 art. 5 and 6: ECB + 8 points, 40 €.
at          UGB § 456 and § 458: base rate of the OeNB on the first day of the half-year + 9.2 points, 40 €.
de_consumer, at_consumer   BGB § 288 (1): § 247 base + 5 points; ABGB § 1000: 4 %; no lump sum. Only where a debtor's
            terms name them: without such terms nothing is claimed of a consumer.
uk          Late Payment of Commercial Debts (Interest) Act 1998 s. 4, 5A, SI 2002/1675: base + 8 points as of the day
            interest starts, for the life of the debt; £40, £70 from £1,000, £100 from £10,000.
ch          CO art. 104 (5 %) and 105 (no interest on interest); no lump sum.
ma          Law 69-21: a fine to the State, shown for information and never claimed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Literal

from services.scheduler.charges.lump_sums import LumpSum, flat
from services.scheduler.charges.rates import Index, Rate, RateBook

Key = Literal[
    "fr_private", "fr_public", "eu", "de", "de_consumer", "at", "at_consumer", "be", "nl", "es", "it", "uk", "ch", "ma"
]
CONSUMER: frozenset[str] = frozenset({"de_consumer", "at_consumer"})
"""Regimes of debts of consumers."""
DayCount = Literal["act_365", "act_act", "30_360"]
Language = Literal["fr", "en"]
EURO = frozenset("AT BE BG CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK".split())


@dataclass(frozen=True, slots=True)
class Found:
    """The percentage of a day, the rows it was read from, and why it may still change."""

    percent: Decimal
    rates: tuple[Rate, ...] = ()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RateRule:
    """A fixed percentage, or an index with points on top; which day's rate, how it is rounded, and its floor."""

    index: Index | None = None
    points: Decimal = Decimal(0)
    percent: Decimal | None = None
    up_to_next: Decimal | None = None
    """Rounded up to a multiple of this."""
    fixed_at_start: bool = False
    floor_index: Index | None = None
    floor_times: int = 1
    compounding: bool = False
    """Unpaid interest bears interest from each anniversary of the first day."""
    day_count: DayCount = "act_365"

    def on(self, day: date, start: date, book: RateBook) -> Found | None:
        """The rate of a day of a delay that began on `start`; None when it is not published."""
        asked = start if self.fixed_at_start else day
        found = self._agreed(asked, book)
        if found is None or self.floor_index is None:
            return found
        floor = book.at(self.floor_index, asked)
        if floor is None:
            return replace(found, doubts=(*found.doubts, "floor_unpublished"))
        least = floor.percent * self.floor_times
        return found if least <= found.percent else Found(least, (floor,), _doubts(floor))

    def _agreed(self, day: date, book: RateBook) -> Found | None:
        if self.index is None:
            return Found(self.percent or Decimal(0))
        rate = book.at(self.index, day)
        if rate is None:
            return None
        percent = rate.percent + self.points
        if self.up_to_next is not None:
            percent = (percent / self.up_to_next).to_integral_value(ROUND_CEILING) * self.up_to_next
        return Found(percent, (rate,), _doubts(rate))

    def changes(self, first: date, last: date, book: RateBook) -> set[date]:
        """The days after `first` up to `last` on which the rate may be another."""
        if self.fixed_at_start:
            return set()
        named = [index for index in (self.index, self.floor_index) if index is not None]
        return {day for index in named for day in book.changes(index, first, last)}


def _doubts(rate: Rate) -> tuple[str, ...]:
    return () if rate.approved_by else ("rate_unconfirmed",)


@dataclass(frozen=True, slots=True)
class Regime:
    """A body of law: how late payment is charged under it and how it is named."""

    key: str
    rule: RateRule
    lump_sum: LumpSum | None
    basis: Mapping[Language, str]
    claimable: bool = True
    """False: a figure for information, never a line of a claim."""


def _ecb(points: int) -> RateRule:
    return RateRule(index="ecb_mro", points=Decimal(points))


_FORTY = flat("EUR", 4000)
REGIMES: Mapping[Key, Regime] = {
    "fr_private": Regime(
        "fr_private",
        _ecb(10),
        _FORTY,
        {
            "fr": "articles L. 441-10 et D. 441-5 du code de commerce",
            "en": "articles L. 441-10 and D. 441-5 of the French Commercial Code",
        },
    ),
    "fr_public": Regime(
        "fr_public",
        replace(_ecb(8), fixed_at_start=True),
        _FORTY,
        {
            "fr": "articles L. 2192-13, R. 2192-31 et D. 2192-35 du code de la commande publique",
            "en": "articles L. 2192-13, R. 2192-31 and D. 2192-35 of the French Public Procurement Code",
        },
    ),
    "eu": Regime("eu", _ecb(8), _FORTY, {"fr": "directive 2011/7/UE", "en": "Directive 2011/7/EU"}),
    "de": Regime(
        "de",
        RateRule(index="de_base", points=Decimal(9)),
        _FORTY,
        {"fr": "§ 288 du code civil allemand (BGB)", "en": "section 288 of the German Civil Code (BGB)"},
    ),
    "de_consumer": Regime(
        "de_consumer",
        RateRule(index="de_base", points=Decimal(5)),
        None,
        {
            "fr": "§ 288, alinéa 1, du code civil allemand (BGB)",
            "en": "section 288 (1) of the German Civil Code (BGB)",
        },
    ),
    "at": Regime(
        "at",
        RateRule(index="at_base", points=Decimal("9.2")),
        _FORTY,
        {
            "fr": "§§ 456 et 458 du code autrichien des entreprises (UGB)",
            "en": "sections 456 and 458 of the Austrian Commercial Code (UGB)",
        },
    ),
    "at_consumer": Regime(
        "at_consumer",
        RateRule(percent=Decimal(4)),
        None,
        {"fr": "§ 1000 du code civil autrichien (ABGB)", "en": "section 1000 of the Austrian Civil Code (ABGB)"},
    ),
    "be": Regime(
        "be",
        replace(_ecb(8), up_to_next=Decimal("0.5")),
        _FORTY,
        {"fr": "loi belge du 2 août 2002, articles 5 et 6", "en": "Belgian Act of 2 August 2002, articles 5 and 6"},
    ),
    "nl": Regime(
        "nl",
        replace(_ecb(8), compounding=True),
        _FORTY,
        {
            "fr": "articles 6:119a et 6:96 du code civil néerlandais",
            "en": "articles 6:119a and 6:96 of the Dutch Civil Code",
        },
    ),
    "es": Regime(
        "es",
        _ecb(8),
        _FORTY,
        {"fr": "loi espagnole 3/2004, articles 7 et 8", "en": "Spanish Act 3/2004, articles 7 and 8"},
    ),
    "it": Regime(
        "it",
        _ecb(8),
        _FORTY,
        {
            "fr": "décret législatif italien 231/2002, articles 5 et 6",
            "en": "Italian Legislative Decree 231/2002, articles 5 and 6",
        },
    ),
    "uk": Regime(
        "uk",
        RateRule(index="boe", points=Decimal(8), fixed_at_start=True),
        LumpSum("GBP", ((100_000, 4000), (1_000_000, 7000), (None, 10_000))),
        {
            "fr": "Late Payment of Commercial Debts (Interest) Act 1998",
            "en": "the Late Payment of Commercial Debts (Interest) Act 1998",
        },
    ),
    "ch": Regime(
        "ch",
        RateRule(percent=Decimal(5)),
        None,
        {"fr": "article 104 du code des obligations suisse", "en": "article 104 of the Swiss Code of Obligations"},
    ),
    "ma": Regime(
        "ma",
        RateRule(index="bam"),
        None,
        {"fr": "loi marocaine n° 69-21", "en": "Moroccan Law 69-21"},
        claimable=False,
    ),
}


def of_country(country: str, *, public_debtor: bool = False) -> Key | None:
    """The regime of a creditor's country (ISO 3166); None where only a contract gives one."""
    if country == "FR":
        return "fr_public" if public_debtor else "fr_private"
    own: dict[str, Key] = {
        "DE": "de", "AT": "at", "BE": "be", "NL": "nl", "ES": "es", "IT": "it", "GB": "uk", "CH": "ch", "MA": "ma"
    }  # fmt: skip
    return own.get(country) or ("eu" if country in EURO else None)


def by_contract(law: Regime, rule: RateRule, lump_sum: LumpSum | None) -> Regime:
    """An agreed rate under a law. In France it is at least three times the legal rate (L. 441-10 II)."""
    if law.key == "fr_private":
        rule = replace(rule, floor_index="fr_legal", floor_times=3)
    return replace(law, rule=rule, lump_sum=lump_sum if lump_sum is not None else law.lump_sum)
