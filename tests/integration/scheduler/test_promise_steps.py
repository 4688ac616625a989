"""A ladder with steps about promises, from the promise to the reminder that follows when it is broken."""

from datetime import date

import httpx

from libs.common.settings import Settings
from services.scheduler.tables import item
from tests.integration.scheduler.test_commitments import review
from tests.integration.scheduler.test_doors import got, posted
from tests.integration.scheduler.test_policies import named
from tests.integration.scheduler.versions import activated
from tests.integration.scheduler.world import World
from tests.unit.scheduler.test_promise_steps import BROKEN, CALL


async def test_a_promise_is_called_about_on_its_eve_and_answered_for_when_it_is_broken(
    world: World, doors: httpx.AsyncClient, settings: Settings
) -> None:
    ladder = named("standard")
    ladder["steps"] += [CALL, BROKEN]
    await activated(doors, await posted(doors, "/v1/policies", {"policy": ladder}), world, settings)
    world.go_to(date(2026, 9, 3))
    await world.tell(world.issued("F1", date(2026, 9, 1)))
    [friendly] = await world.day(date(2026, 9, 3))
    await world.tell(world.sent(friendly))
    told = {"case_id": str(world.case("A")), "amount": {"amount": "500.00", "currency": "EUR"},
            "promised_for": "2026-09-15"}  # fmt: skip
    await posted(doors, "/v1/promises", told)
    assert await world.day(date(2026, 9, 11)) == []
    [call] = await world.day(date(2026, 9, 14))
    assert (call.step_key, call.kind, call.channels) == ("promise_call", "task_call", ["call_task"])
    assert await world.day(date(2026, 9, 15)) == []
    await review(world, date(2026, 9, 18))
    [row] = await world.rows(item)
    assert [day for day, _ in row["broken"].values()] == ["2026-09-18"]
    await world.tell(world.sent(call))
    found = [due for day in range(18, 30) for due in await world.day(date(2026, 9, day)) if due.kind == "reminder"]
    assert [due.step_key for due in found] == ["broken"]
    explained = await got(doors, f"/v1/items/{world.item('F1')}/explain", at="2026-09-16T08:00:00Z")
    assert explained["reasons"][0]["code"] in {"promised", "in_flight", "task_open"}
