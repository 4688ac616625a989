"""Simulations: the live policy played over the past says what was really sent, another one says what it would have."""

import csv
from datetime import date, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import httpx
import pytest

from libs.common.settings import Settings
from services.scheduler.tables import occurrence
from tests.integration.scheduler.test_doors import got, posted
from tests.integration.scheduler.test_policies import brought
from tests.integration.scheduler.world import World
from tests.unit.scheduler.world import PARIS

FIRST, LAST = date(2026, 9, 1), date(2026, 10, 9)
NEWS = 6
"""The hour (UTC) at which the day's facts are told, before the window opens."""


async def happens(world: World, doors: httpx.AsyncClient, day: date, facts: dict[str, Any]) -> None:
    """What the days of this history bring."""
    if day == date(2026, 9, 8):
        await world.tell(world.issued("FA2", date(2026, 9, 9)))
    if day == date(2026, 9, 14):
        await world.tell(world.received("P1", 2000, payer="B"), world.matched("P1", 2000, "FB", 0, payer="B"))
        await world.tell(world.settled("FB", payer="B"))
    if day == date(2026, 9, 16):
        told = {"scope": "payer", "scope_id": str(world.debtor("A")), "reason": "x", "review_on": "2026-12-30"}
        facts["hold"] = (await posted(doors, "/v1/holds", told))["hold_id"]
    if day == date(2026, 9, 22):
        await posted(doors, f"/v1/holds/{facts['hold']}/lift", status=200)
    if day == date(2026, 9, 24):
        await world.tell(world.amended("FD", date(2026, 9, 28), 900, debtor="D"))


@pytest.fixture
async def lived(world: World, doors: httpx.AsyncClient) -> World:
    """Six weeks of a company: four payers, money, a hold, a bounce, a new due date; a sweep every working day."""
    await world.tell(*(world.debtor_changed(name) for name in "BCD"))
    await world.tell(world.issued("FA", FIRST), world.issued("FB", FIRST, 2000, debtor="B"))
    await world.tell(world.issued("FC", FIRST, debtor="C"), world.issued("FD", date(2026, 9, 20), 900, debtor="D"))
    facts: dict[str, Any] = {}
    day = FIRST
    while day <= LAST:
        if PARIS.is_business_day(day):
            world.go_to(day, NEWS)
            await happens(world, doors, day, facts)
            for due in await world.day(day):
                await world.tell(world.sent(due))
                if due.payer_id == world.debtor("C") and due.step_key == "friendly" and "bounced" not in facts:
                    facts["bounced"] = due
                    await world.tell(world.bounced(due))
        day += timedelta(days=1)
    world.go_to(LAST + timedelta(days=3))
    return world


async def simulated(doors: httpx.AsyncClient, version: Any, **facts: Any) -> Any:
    told = {"first": FIRST.isoformat(), "last": LAST.isoformat(), **facts}
    return await posted(doors, f"/v1/policies/{version}/simulations", told, status=200)


async def standard(doors: httpx.AsyncClient) -> UUID:
    known = (await got(doors, "/v1/policies"))["items"]
    return next(each["version_id"] for each in known if each["name"] == "standard")


async def test_the_live_policy_over_the_past_says_what_was_really_sent(
    lived: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    version = await standard(doors)
    async with lived.database.transaction() as db:  # what was decided is gone: facts and what left are enough
        await db.execute(occurrence.delete().where(occurrence.c.tenant_id == lived.tenant))
    found = await simulated(doors, version)
    assert (found["mode"], found["compared_with"], found["cases"]) == ("past", "sent", 4)
    assert found["agreement"]["both"] >= 8
    assert (found["agreement"]["here"], found["agreement"]["there"]) == (0, 0)
    assert found["summary"]["by_step"]["friendly"] >= 4
    assert found["summary"]["most_in_30_days"] <= 4


async def test_a_ladder_that_is_a_day_late_is_found_out_and_compared(
    lived: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    version = await standard(doors)
    late = await brought(doors, lived, settings, "late", later=1)
    planted = await simulated(doors, late["version_id"])
    assert planted["agreement"]["here"] > 0
    assert planted["agreement"]["there"] > 0
    against = await simulated(doors, late["version_id"], against=str(version))
    assert against["compared_with"] == "version"
    assert against["other"]["notices"] == (await simulated(doors, version))["summary"]["notices"]
    same = await simulated(doors, version, against=str(version))
    assert (same["agreement"]["here"], same["agreement"]["there"]) == (0, 0)
    soft = await brought(doors, lived, settings, "soft", later=14)
    told = await simulated(doors, soft["version_id"])
    assert told["summary"]["by_step"]["friendly"] == 3
    assert not any(each["items"] == ["FB"] for each in told["contacts"] if each["kind"] == "reminder")


async def test_the_days_ahead_are_played_and_given_as_a_table(lived: World, doors: httpx.AsyncClient) -> None:
    version = await standard(doors)
    days = {"first": "2026-10-12", "last": "2026-12-31"}
    found = await simulated(doors, version, **days)
    assert (found["mode"], found["compared_with"], found["agreement"]) == ("ahead", None, None)
    formal = [each for each in found["contacts"] if each["kind"] == "formal_notice"]
    assert formal
    assert all(each["approval"] == "four_eyes" for each in formal)
    assert formal[0]["asked"][0]["currency"] == "EUR"
    path = f"/v1/policies/{version}/simulations/table"
    table = await doors.post(path, json=days | {"limit": 1})
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(StringIO(table.text)))
    more = table.headers["relance-next"]
    while more:
        table = await doors.post(path, json=days | {"limit": 1, "cursor": more})
        rows += list(csv.DictReader(StringIO(table.text)))
        more = table.headers.get("relance-next", "")
    assert sorted((row["date"], row["step"]) for row in rows) == sorted(
        (each["date"], each["step"]) for each in found["contacts"]
    )


async def test_the_totals_of_days_ahead_are_those_of_all_the_pages(lived: World, doors: httpx.AsyncClient) -> None:
    version, days = await standard(doors), {"first": "2026-10-12", "last": "2026-12-31"}
    pages = (await simulated(doors, version, **days))["summary"]
    path = f"/v1/policies/{version}/simulations/totals"
    totals = await posted(doors, path, days, status=200)
    same = ("notices", "by_step", "tasks_by_day", "approvals", "disputed", "most_in_30_days")
    assert {name: totals[name] for name in same} == {name: pages[name] for name in same}
    assert (totals["cases"], sum(totals["notices_by_day"].values())) == (4, totals["notices"])
    past = await doors.post(path, json={"first": "2026-10-11", "last": "2026-12-31"})
    assert (past.status_code, past.json()["code"], past.json()["field"]) == (422, "days_mixed", "first")
    long = await doors.post(path, json={"first": "2026-10-12", "last": "2027-12-31"})
    assert (long.status_code, long.json()["code"]) == (422, "days_too_many")


async def test_days_that_lie_on_both_sides_of_today_are_refused(world: World, doors: httpx.AsyncClient) -> None:
    path = f"/v1/policies/{await standard(doors)}/simulations"
    for first, last, field, code in (
        ("2026-08-01", "2026-10-01", "first", "days_mixed"),
        ("2026-08-20", "2026-08-10", "last", "days_reversed"),
        ("2025-08-20", "2026-08-10", "last", "days_too_many"),
        ("0001-01-01", "2026-08-10", "first", "days_out_of_reach"),
        ("2026-08-20", "9999-12-31", "last", "days_out_of_reach"),
    ):
        answer = await doors.post(path, json={"first": first, "last": last})
        told = answer.json()
        assert (answer.status_code, told["field"], told["code"]) == (422, field, code)


async def test_a_ladder_that_nobody_keeps_yet_is_played_instead_of_its_version(
    lived: World, doors: httpx.AsyncClient
) -> None:
    version = await standard(doors)
    kept = (await got(doors, f"/v1/policies/{version}"))["policy"]
    typed = kept | {"steps": [step for step in kept["steps"] if step["key"] != "friendly"]}
    found = await simulated(doors, version, policy=typed, against=str(version))
    assert "friendly" not in found["summary"]["by_step"] and found["other"]["by_step"]["friendly"] >= 4
    assert (await got(doors, f"/v1/policies/{version}"))["policy"] == kept
    days = {"first": FIRST.isoformat(), "last": LAST.isoformat()}
    wrong = await doors.post(f"/v1/policies/{version}/simulations", json=days | {"policy": {"name": "x"}})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "policy_invalid")


async def test_a_reminder_of_what_had_been_paid_by_then_is_counted(world: World, doors: httpx.AsyncClient) -> None:
    await world.tell(world.issued("FA", FIRST))
    for due in await world.day(date(2026, 9, 3)):
        await world.tell(world.sent(due))
    world.go_to(date(2026, 9, 8), NEWS)
    await world.tell(world.matched("P1", 500, "FA", 0))
    await world.tell(world.settled("FA").model_copy(update={"settled_on": date(2026, 9, 2)}))
    found = await simulated(doors, await standard(doors), last="2026-09-07")
    assert [(each["step"], each["paid_already"]) for each in found["contacts"]] == [("friendly", True)]
    assert found["summary"]["paid_already"] == 1
    assert found["agreement"] == {"both": 1, "here": 0, "there": 0}


async def test_a_reminder_that_was_stopped_before_it_left_is_known_again(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.issued("FA", FIRST))
    first = await world.day(date(2026, 9, 3))
    await world.tell(world.stopped(first[0], "feed_stale"))
    second = await world.day(date(2026, 9, 3), 9)
    assert second[0].lines[0].release == 2
    await world.tell(world.sent(second[0]))
    world.go_to(date(2026, 9, 14))
    found = await simulated(doors, await standard(doors), last="2026-09-09")
    assert found["agreement"] == {"both": 1, "here": 0, "there": 0}
