"""Payment terms: a small language whose every sentence has one reading.

    30 days · net 30 · 2 months · end of month · on receipt · 2% 10 days, 30 days · 2/10 net 30
    45 days, end of month            add 45 days, then go to the end of that month
    end of month, 45 days            go to the end of the month, then add 45 days
    30 days, end of month, on day 10    … then the 10th of the month after
    30 days, end of decade           … then the 10th, 20th or last day
    30% 30 days; 70% 60 days         two instalments

Steps are separated by a comma or `then`, and their order counts. "45 days end of month" has two readings that differ
on every day of the year (French practice knows both): it is refused, never guessed. French and German words are
taken too. A due date stays the date the terms give, working day or not; only our own acts move.
"""

import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial

from libs.common.money import Money
from services.invoice_ingest.errors import TermsAmbiguous, TermsUnreadable

Step = Callable[[date], date]
FARTHEST_DAYS = 720
HIGHEST_DISCOUNT = 20


@dataclass(frozen=True)
class Share:
    """A part of the amount, in percent, and the steps from the issue date to its due date."""

    percent: Decimal
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Discount:
    """So many percent less when paid within so many days of issue."""

    percent: Decimal
    days: int


@dataclass(frozen=True)
class Terms:
    """One share or several that make 100 %, and a discount or none."""

    shares: tuple[Share, ...]
    discount: Discount | None = None

    def due(self, issued: date, payable: Money) -> list[tuple[date, Money]]:
        """Due date and amount of each instalment; the last one takes what rounding leaves."""
        amounts = [Money(int(payable.minor * share.percent / 100), payable.currency) for share in self.shares]
        rest = payable.minor - sum(amount.minor for amount in amounts[:-1])
        amounts[-1] = Money(rest, payable.currency)
        return [(_walk(issued, share.steps), amount) for share, amount in zip(self.shares, amounts, strict=True)]


def _walk(day: date, steps: tuple[Step, ...]) -> date:
    for step in steps:
        day = step(day)
    return day


def parse(text: str) -> Terms:
    """Read terms. Raises TermsAmbiguous for two readings and TermsUnreadable for none."""
    plain = _plain(text)
    discount, rest = _discount(plain)
    parts = [part.strip() for part in rest.split(";") if part.strip()]
    if not parts:
        raise _unreadable(text)
    shares = tuple(_share(part, alone=len(parts) == 1, text=text) for part in parts)
    if sum(share.percent for share in shares) != 100:
        raise TermsUnreadable("The shares of the instalments do not make 100 %.", field="terms")
    return Terms(shares, discount)


def _plain(text: str) -> str:
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return re.sub(r"\s+", " ", bare).strip(" .")


_DAYS = r"(?:days?|jours?|j|d|tagen?)"
_ANGLO = re.compile(rf"(\d{{1,2}}(?:[.,]\d{{1,2}})?)/(\d{{1,3}}),? (net \d{{1,3}}(?: {_DAYS})?)")
_EARLY = re.compile(rf"(\d{{1,2}}(?:[.,]\d{{1,2}})?) ?% ?(?:in |a |within |sous )?(\d{{1,3}}) ?{_DAYS}[,;] ?(.+)")


def _discount(text: str) -> tuple[Discount | None, str]:
    """The discount at the head, if any, and what follows it."""
    found = _ANGLO.fullmatch(text)
    if found is None:
        found = _EARLY.fullmatch(text)
        if found is None or "%" in found[3]:
            return None, text
    percent = Decimal(found[1].replace(",", "."))
    if percent > HIGHEST_DISCOUNT:
        raise TermsUnreadable(f"A discount of {percent} % is not taken for one.", field="terms")
    return Discount(percent, int(found[2])), found[3]


_PERCENT = re.compile(r"(\d{1,3}(?:[.,]\d{1,4})?) ?% ?:? ?(.+)")


def _share(part: str, *, alone: bool, text: str) -> Share:
    found = _PERCENT.fullmatch(part)
    if found is None and not alone:
        raise TermsUnreadable("Every instalment needs its percentage.", field="terms")
    percent = Decimal(found[1].replace(",", ".")) if found else Decimal(100)
    words = re.split(r",| then | puis | dann ", found[2] if found else part)
    steps = tuple(_step(word.strip(), text) for word in words)
    return Share(percent, steps)


_ADD_DAYS = re.compile(rf"(?:net )?(\d{{1,3}})(?: ?{_DAYS})?(?: net(?:to)?)?(?: (?:from|after) issue)?")
_ADD_MONTHS = re.compile(r"(\d{1,2}) (?:months?|mois|monaten?)")
_MONTH_END = re.compile(r"end of (?:the )?month|eom|fin (?:de|du) mois|fdm|monatsende")
_DECADE_END = re.compile(r"end of (?:the )?decade|fin de decade")
_ON_DAY = re.compile(r"(?:on day|on the|le|am) (\d{1,2})(?:st|nd|rd|th|er)?(?: of the following month)?")
_AT_ONCE = re.compile(r"on receipt|due on receipt|immediate(?:ly)?|at once|a reception|comptant|sofort|0")
_MIXED = re.compile(rf"\d{{1,3}} ?{_DAYS}? ?(?:net )?(?:{_MONTH_END.pattern}|{_DECADE_END.pattern}).*|"
                    rf"(?:{_MONTH_END.pattern}|{_DECADE_END.pattern}) ?\+? ?\d{{1,3}}.*")  # fmt: skip


def _step(word: str, text: str) -> Step:
    if _AT_ONCE.fullmatch(word):
        return _plus(0)
    if found := _ADD_DAYS.fullmatch(word):
        return _plus(int(found[1]), text)
    if found := _ADD_MONTHS.fullmatch(word):
        return partial(add_months, months=int(found[1]))
    if _MONTH_END.fullmatch(word):
        return month_end
    if _DECADE_END.fullmatch(word):
        return decade_end
    if (found := _ON_DAY.fullmatch(word)) and 1 <= int(found[1]) <= 31:
        return partial(_following, wanted=int(found[1]))
    if _MIXED.fullmatch(word):
        raise TermsAmbiguous(f"{text[:80]!r} can end on two different days.", field="terms")
    raise _unreadable(text)


def _unreadable(text: str) -> TermsUnreadable:
    return TermsUnreadable(f"{text[:80]!r} is not understood as payment terms.", field="terms")


def _plus(days: int, text: str = "") -> Step:
    if days > FARTHEST_DAYS:
        raise _unreadable(text)
    return lambda day: day + timedelta(days=days)


def month_end(day: date) -> date:
    """The last day of the month that `day` is in."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def decade_end(day: date) -> date:
    """The 10th, the 20th or the last day of the month, whichever comes next."""
    if day.day > 20:
        return month_end(day)
    return day.replace(day=10 if day.day <= 10 else 20)


def add_months(day: date, months: int) -> date:
    """The same day so many months later, or the last day of that month when it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _following(day: date, wanted: int) -> date:
    after = add_months(day.replace(day=1), 1)
    return after.replace(day=min(wanted, monthrange(after.year, after.month)[1]))
