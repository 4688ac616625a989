"""Take-over of many items in one call: by list or filter, with the count that was seen."""

from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from libs.common.events.reminders import HoldPlaced
from libs.common.ids import uuid7
from services.scheduler.tables import hold, item
from tests.integration.scheduler.test_doors import posted
from tests.integration.scheduler.world import World

DUE = date(2026, 3, 2)
PATH = "/v1/items/take-over"


async def history(world: World, count: int = 30) -> None:
    """So many items of history of ten payers, due a day apart; and one that does not wait."""
    await world.tell(*(world.debtor_changed(f"D{n}") for n in range(10)))
    told = (
        world.issued(f"F{n:02d}", DUE + timedelta(days=n), debtor=f"D{n % 10}", take_over=True) for n in range(count)
    )
    await world.tell(*told)
    await world.tell(world.issued("NEW", date(2026, 9, 20)))


async def decisions(world: World) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in await world.rows(item):
        key = row["take_over_decision"] or ("waiting" if row["take_over"] else "none")
        found[key] = found.get(key, 0) + 1
    return found


async def test_a_filter_lets_exactly_what_was_seen_into_the_ladder(world: World, doors: httpx.AsyncClient) -> None:
    await history(world)
    chosen = {"filter": {"entity_id": str(world.entity), "due_to": str(DUE + timedelta(days=9))}}
    seen = await posted(doors, PATH, {"decision": "release", "dry_run": True, **chosen}, 200)
    assert (seen["count"], seen["sums"]) == (10, [{"amount": "5000.00", "currency": "EUR"}])
    assert await decisions(world) == {"waiting": 30, "none": 1}
    wrong = await doors.post(PATH, json={"decision": "release", "count": 9, **chosen})
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["count"]) == (409, "set_changed", 10)
    done = await posted(doors, PATH, {"decision": "release", "count": 10, **chosen}, 200)
    assert (done["count"], done["dry_run"]) == (10, False)
    assert await decisions(world) == {"released": 10, "waiting": 20, "none": 1}
    released = await world.day(date(2026, 9, 3))
    assert {due.step_key for due in released} == {"friendly"}
    assert sum(line.completes for due in released for line in due.lines) == 10


async def test_a_list_is_taken_whole_or_not_at_all(world: World, doors: httpx.AsyncClient) -> None:
    await history(world, 4)
    ids = [str(world.item(f"F{n:02d}")) for n in range(3)]
    mixed = await doors.post(PATH, json={"decision": "statement", "item_ids": [*ids, str(world.item("NEW"))]})
    assert (mixed.status_code, mixed.json()["code"]) == (409, "not_in_take_over")
    assert mixed.json()["items"] == [str(world.item("NEW"))]
    assert await decisions(world) == {"waiting": 4, "none": 1}
    await posted(doors, PATH, {"decision": "statement", "item_ids": ids}, 200)
    assert await decisions(world) == {"statement": 3, "waiting": 1, "none": 1}
    assert {due.step_key for due in await world.day(date(2026, 9, 3))} == {"statement"}
    again = await doors.post(PATH, json={"decision": "statement", "item_ids": ids})
    assert again.json()["code"] == "not_in_take_over"


async def test_many_are_held_with_one_review_date(world: World, doors: httpx.AsyncClient) -> None:
    await history(world, 5)
    payer = {"filter": {"payer_id": str(world.debtor("D1"))}, "count": 1}
    late = await doors.post(PATH, json={"decision": "hold", "review_on": "2026-08-01", **payer})
    assert late.json()["code"] == "review_date_invalid"
    assert (await doors.post(PATH, json={"decision": "hold", **payer})).json()["field"] == "review_on"
    held = {"decision": "hold", "review_on": "2026-10-30", "reason": "With our lawyer", "filter": {}, "count": 5}
    assert (await posted(doors, PATH, held, 200))["count"] == 5
    assert {row["reason"] for row in await world.rows(hold)} == {"With our lawyer"}
    assert len(await world.said(HoldPlaced)) == 5
    assert await world.day(date(2026, 9, 3)) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filter": {}},
        {"filter": {}, "item_ids": [str(uuid7())], "count": 1},
        {"item_ids": []},
        {"filter": {"colour": "red"}, "count": 1},
    ],
)
async def test_a_decision_about_many_says_about_which(doors: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await doors.post(PATH, json={"decision": "release", **body})).status_code == 422
