"""Days and hours: business and banking days, windows across clock changes, month ends and 29 February."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.workdays import has_calendar, regions
from services.scheduler.calendar import (
    Calendar,
    add_banking_days,
    is_banking_day,
    previous_banking_day,
    promise_until,
)
from services.scheduler.explain import explain
from services.scheduler.planner import decide
from services.scheduler.policy_parts import Window
from tests.unit.scheduler.world import PARIS, STANDARD, at, case, item

WINDOW = STANDARD.window
ZONES = ["Europe/Paris", "Africa/Casablanca", "America/Guadeloupe", "Indian/Reunion", "America/New_York", "UTC"]
DAYS = st.dates(date(2023, 1, 1), date(2031, 12, 31))
INSTANTS = st.datetimes(datetime(2023, 1, 1), datetime(2031, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
CALENDARS = st.sampled_from([Calendar(country, zone) for country in ("FR", "MA", "GB", "XX") for zone in ZONES])


def test_a_day_that_is_no_working_day_moves_to_the_next() -> None:
    assert PARIS.step_day(date(2026, 7, 12), 2, "calendar") == date(2026, 7, 15)  # 14 July
    assert PARIS.step_day(date(2028, 2, 27), 2, "calendar") == date(2028, 2, 29)
    assert PARIS.step_day(date(2026, 1, 30), 2, "calendar") == date(2026, 2, 2)
    assert PARIS.step_day(date(2026, 12, 30), 2, "business") == date(2027, 1, 4)
    assert PARIS.step_day(date(2026, 9, 1), -5, "calendar") == date(2026, 8, 27)


def test_banking_days_are_those_of_target2_not_of_france() -> None:
    assert not is_banking_day(date(2026, 4, 3))  # Good Friday
    assert is_banking_day(date(2026, 7, 14))
    assert promise_until(date(2026, 4, 2)) == date(2026, 4, 8)
    assert previous_banking_day(date(2026, 4, 7)) == date(2026, 4, 2)


def test_a_window_opens_at_its_local_hour_before_and_after_the_clock_changes() -> None:
    before, after = PARIS.opening(date(2026, 3, 27), WINDOW), PARIS.opening(date(2026, 3, 30), WINDOW)
    assert (before.hour, after.hour) == (8, 7)
    october = PARIS.opening(date(2026, 10, 26), WINDOW)
    assert october == datetime(2026, 10, 26, 8, tzinfo=UTC)


def test_a_zone_or_country_nobody_knows_counts_in_utc_by_weekends_and_says_so() -> None:
    nowhere = Calendar("XX", "Mars/Olympus")
    assert nowhere.clock == ZoneInfo("UTC")
    assert nowhere.is_business_day(date(2026, 12, 25))
    assert not nowhere.is_business_day(date(2026, 12, 26))


@given(DAYS, st.integers(1, 12))
def test_business_days_are_counted_back_to_where_they_started(day: date, count: int) -> None:
    later = PARIS.add_business_days(day, count)
    assert PARIS.is_business_day(later)
    assert PARIS.business_days_between(day, later) == count


@given(DAYS, st.integers(1, 12))
def test_banking_days_never_end_on_a_closed_day(day: date, count: int) -> None:
    assert is_banking_day(add_banking_days(day, count))


@given(CALENDARS, INSTANTS)
def test_the_next_opening_lies_ahead_in_an_open_window_of_a_business_day(calendar: Calendar, now: datetime) -> None:
    opens = calendar.next_opening(now, WINDOW)
    local = opens.astimezone(calendar.clock)
    assert opens > now
    assert calendar.is_business_day(local.date())
    assert local.time() == WINDOW.opens
    assert calendar.closing(opens, WINDOW) is not None
    assert opens - now < timedelta(days=12)


@given(CALENDARS, INSTANTS)
def test_a_window_that_is_open_closes_later_the_same_local_day(calendar: Calendar, now: datetime) -> None:
    ends = calendar.closing(now, WINDOW)
    if ends is None:
        return
    assert ends > now
    assert ends.astimezone(calendar.clock).date() == calendar.today(now)


def test_a_saturday_window_is_open_on_a_saturday_that_is_no_holiday() -> None:
    shop = Window.model_validate({"days": ["sat"], "opens": "10:00", "closes": "12:00"})
    assert PARIS.opening(date(2026, 8, 14), shop).date() == date(2026, 8, 22)  # 15 August is a holiday


@pytest.mark.parametrize(
    ("country", "zone", "unknown"), [("ZZ", "Europe/Paris", "ZZ"), ("FR", "Mars/Olympus", "Mars/Olympus")]
)
def test_nothing_is_said_by_a_calendar_that_nobody_knows(country: str, zone: str, unknown: str) -> None:
    calendar, late = Calendar(country, zone), item("A", date(2026, 9, 1))
    decision = decide(case(late), STANDARD, calendar, at(date(2026, 9, 3)))
    assert decision.notices == ()
    told = explain(late, case(late), decision).reasons
    assert [(reason.code, reason.facts["what"]) for reason in told] == [("calendar_unknown", unknown)]


def test_a_region_has_its_own_holidays_and_a_company_its_closed_days() -> None:
    stephen, bridge = date(2024, 12, 26), date(2024, 12, 27)
    alsace = Calendar("FR", "Europe/Paris", "6AE", frozenset({bridge}))
    assert PARIS.is_business_day(stephen) and not alsace.is_business_day(stephen)
    assert not alsace.is_business_day(bridge)
    assert alsace.moved(date(2024, 12, 25)) == date(2024, 12, 30)
    assert alsace.opening(stephen, WINDOW).date() == date(2024, 12, 30)
    assert Calendar("FR", "Europe/Paris", "nowhere").is_business_day(stephen), "a region nobody knows is its country"


def test_regions_are_told_by_name_and_school_zones_are_none() -> None:
    assert regions("FR")["57"] == "Moselle" and regions("FR")["974"] == "La Réunion"
    assert not any("Zone" in code for code in regions("FR"))
    assert regions("ZZ") == {} and "BY" in regions("DE")


def test_every_country_of_the_union_has_a_calendar() -> None:
    union = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE"
    assert all(has_calendar(country) for country in [*union.split(), "GB", "CH", "NO", "MA", "TN", "US"])
    assert not any(has_calendar(country) for country in ("ZZ", "EU", "FRA", "fr", ""))
