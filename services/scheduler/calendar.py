"""Days and hours: business days of a country, banking days of TARGET2, and send windows in a time zone.

The rule it protects: a date is a date in the creditor's zone, an instant is UTC, and no window opens twice or never
because a clock changed. Holidays come from the `holidays` library; where it knows none, or nobody knows the zone, the
calendar says so (`unknown`) and nothing is said by it.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays

from libs.common.workdays import has_calendar, regions

DAY = timedelta(days=1)
TARGET2 = "XECB"


class Hours(Protocol):
    """What a window says: weekdays (0 is Monday) and local hours, of which the closing one is outside."""

    @property
    def weekdays(self) -> frozenset[int]: ...
    @property
    def opens(self) -> time: ...
    @property
    def closes(self) -> time: ...


@cache
def _public(country: str, region: str | None, year: int) -> frozenset[date]:
    return frozenset(public_holidays(country, region, year))


def public_holidays(country: str, region: str | None, year: int, language: str | None = None) -> Mapping[date, str]:
    """The public holidays of a year with their names, in the language where the library has it; those of a region
    that nobody knows are its country's."""
    known = region if region in regions(country) else None
    try:
        found = holidays.country_holidays(country, subdiv=known, years=year, language=language)
    except NotImplementedError:
        return {}
    return dict(found)


@cache
def _banking(year: int) -> frozenset[date]:
    return frozenset(holidays.financial_holidays(TARGET2, years=year))


def is_banking_day(day: date) -> bool:
    """Whether TARGET2 books on this day."""
    return day.weekday() < 5 and day not in _banking(day.year)


def add_banking_days(day: date, count: int) -> date:
    """The banking day that many after `day`."""
    while count > 0:
        day += DAY
        count -= is_banking_day(day)
    return day


def months_after(day: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def previous_banking_day(day: date) -> date:
    """The last banking day before `day`."""
    day -= DAY
    while not is_banking_day(day):
        day -= DAY
    return day


def statements_needed(today: date, due: date | None = None) -> date:
    """The day that bank statements must reach before something is asked for: the last banking day, and for a reminder
    of what was `due` one banking day after that, since money paid in time is booked by then."""
    last = previous_banking_day(today)
    return last if due is None else max(last, add_banking_days(due, 1))


@dataclass(frozen=True)
class Calendar:
    """The business days of a company, in its country and region, and the clock of its zone; `closed` are days of its
    own on which it is closed. Answers are remembered for the calendar's life."""

    country: str
    zone: str
    region: str | None = None
    closed: frozenset[date] = frozenset()
    _moved: dict[date, date] = field(default_factory=dict, repr=False, compare=False)
    _added: dict[tuple[date, int], date] = field(default_factory=dict, repr=False, compare=False)
    _openings: dict[tuple[date, time, frozenset[int]], datetime] = field(
        default_factory=dict, repr=False, compare=False
    )
    _instants: dict[tuple[date, time], datetime] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def unknown(self) -> str | None:
        """The country without a calendar, or the zone without a clock; None when both are known."""
        if not has_calendar(self.country):
            return self.country
        return None if _zone(self.zone) is not None else self.zone

    @cached_property
    def clock(self) -> ZoneInfo:
        """The zone; UTC when nobody knows its name, and then nothing is said."""
        return _zone(self.zone) or ZoneInfo("UTC")

    def today(self, now: datetime) -> date:
        """The date at this instant."""
        return now.astimezone(self.clock).date()

    def is_business_day(self, day: date) -> bool:
        return day.weekday() < 5 and not self._free(day)

    def _free(self, day: date) -> bool:
        return day in self.closed or day in _public(self.country, self.region, day.year)

    def moved(self, day: date) -> date:
        """The day itself if work is done on it, else the next business day."""
        found = self._moved.get(day)
        if found is None:
            found = day
            while not self.is_business_day(found):
                found += DAY
            self._moved[day] = found
        return found

    def add_business_days(self, day: date, count: int) -> date:
        """The business day that many after `day`, or before it when negative."""
        found = self._added.get((day, count))
        if found is None:
            found, left, step = day, abs(count), DAY if count > 0 else -DAY
            while left > 0:
                found += step
                left -= self.is_business_day(found)
            self._added[day, count] = found
        return found

    def business_days_between(self, first: date, last: date) -> int:
        """Business days after `first` up to and with `last`; 0 when `last` is not later."""
        days = (last - first).days
        return sum(self.is_business_day(first + timedelta(days=n)) for n in range(1, days + 1))

    def step_day(self, anchor: date, offset: int, unit: str) -> date:
        """The working day of a step: its offset from the anchor, moved to the next working day."""
        if unit == "business":
            return self.moved(self.add_business_days(anchor, offset))
        return self.moved(anchor + timedelta(days=offset))

    def opening(self, day: date, hours: Hours) -> datetime:
        """The instant of the first opening of the window on `day` or later."""
        asked = (day, hours.opens, hours.weekdays)
        found = self._openings.get(asked)
        if found is None:
            while not self._open_on(day, hours):
                day += DAY
            found = self._openings[asked] = self.instant(day, hours.opens)
        return found

    def _open_on(self, day: date, hours: Hours) -> bool:
        """A holiday or a day of the company's own closes; a weekend only when the window does not name it."""
        return not self._free(day) and day.weekday() in hours.weekdays

    def closing(self, now: datetime, hours: Hours) -> datetime | None:
        """When the window that is open now closes; None when it is closed."""
        local = now.astimezone(self.clock)
        day = local.date()
        if not self._open_on(day, hours) or not hours.opens <= local.time() < hours.closes:
            return None
        return self.instant(day, hours.closes)

    def next_opening(self, now: datetime, hours: Hours) -> datetime:
        """The first opening after this instant."""
        found = self.opening(self.today(now), hours)
        day = self.today(found)
        while found <= now:
            day += DAY
            found = self.opening(day, hours)
        return found

    def instant(self, day: date, at: time) -> datetime:
        """A local hour as an instant; one that a clock change leaves out is the hour after it."""
        found = self._instants.get((day, at))
        if found is None:
            found = self._instants[day, at] = datetime.combine(day, at, tzinfo=self.clock).astimezone(UTC)
        return found


@cache
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def promise_until(promised_for: date) -> date:
    """The last day on which money still keeps a promise: its date and two banking days."""
    return add_banking_days(promised_for, 2)
