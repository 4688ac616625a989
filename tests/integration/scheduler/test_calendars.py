"""Calendars on the real database: closed days and regions move what is said, and the door tells the reason of each."""

from datetime import date

import httpx

from tests.integration.scheduler.test_doors import got
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)


async def test_nothing_is_said_on_a_day_on_which_the_company_is_closed(world: World) -> None:
    closed = [date(2026, 9, 3), date(2026, 9, 4)]
    await world.tell(world.entity_configured(closed_days=closed), world.issued("F1", DUE))
    for day in closed:
        assert await world.day(day) == []
    assert [due.step_key for due in await world.day(date(2026, 9, 7))] == ["friendly"]


async def test_the_calendar_of_a_year_names_its_holidays_and_closed_days(
    world: World, doors: httpx.AsyncClient
) -> None:
    closed = [date(2026, 12, 31), date(2026, 12, 25), date(2027, 1, 4)]
    await world.tell(world.entity_configured(region="6AE", closed_days=closed))
    told = await got(doors, f"/v1/calendars/{world.entity}", year=2026, language="en")
    days = {day["on"]: (day["why"], day["name"]) for day in told["days"]}
    assert days["2026-12-25"] == ("holiday", "Christmas Day")
    assert days["2026-12-26"] == ("holiday", "Saint Stephen's Day")
    assert days["2026-12-31"] == ("closed", None)
    assert (told["country"], told["region"], told["known"], "2027-01-04" in days) == ("FR", "6AE", True, False)
    french = await got(doors, f"/v1/calendars/{world.entity}", year=2027)
    assert {day["on"]: day["name"] for day in french["days"]}["2027-05-01"] == "Fête du Travail"
    assert french["business_days"] == 253 - 1


async def test_a_calendar_of_nobody_is_not_found(world: World, doors: httpx.AsyncClient) -> None:
    assert (await doors.get(f"/v1/calendars/{world.tenant}")).status_code == 404
