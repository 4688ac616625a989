"""A plan keeps silent while its payments come; a missed one ends it, and so does the last."""

from datetime import date
from typing import Any

import httpx
from sqlalchemy import select

from libs.common.events.reminders import HoldLifted, PlanDefaulted
from services.scheduler import handlers
from services.scheduler.reviewing import Reviews
from services.scheduler.tables import payer_case
from tests.integration.scheduler.test_doors import got, posted
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)
DATES = ("2026-09-10", "2026-10-12")


async def agreed(world: World, doors: httpx.AsyncClient) -> dict[str, Any]:
    """Two halves of an invoice of 500 euros, the first until 14 September at the latest."""
    await world.tell(world.issued("F1", DUE))
    half = {"amount": "250.00", "currency": "EUR"}
    parts = [{"on": day, "amount": half} for day in DATES]
    body = {"item_ids": [str(world.item("F1"))], "instalments": parts}
    return dict(await posted(doors, "/v1/plans", body))


async def reviewed(world: World, doors: httpx.AsyncClient, plan: dict[str, Any], day: date) -> str:
    """What the plan is on the morning of a day."""
    world.go_to(day)
    await Reviews(world.database, world.clock).once()
    return str((await got(doors, f"/v1/plans/{plan['plan_id']}"))["state"])


async def test_a_payment_that_does_not_come_ends_the_plan_and_the_ladder_goes_on(
    world: World, doors: httpx.AsyncClient
) -> None:
    plan = await agreed(world, doors)
    assert await reviewed(world, doors, plan, date(2026, 9, 14)) == "running"
    assert await world.sweep() == []
    assert await reviewed(world, doors, plan, date(2026, 9, 15)) == "defaulted"
    assert [str(told.missed_on) for told in await world.said(PlanDefaulted)] == ["2026-09-10"]
    assert [told.reason for told in await world.said(HoldLifted)] == ["broken"]
    assert [due.step_key for due in await world.sweep()] == ["friendly"]


async def test_a_plan_whose_payments_come_keeps_silent_until_it_is_completed(
    world: World, doors: httpx.AsyncClient
) -> None:
    plan = await agreed(world, doors)
    world.go_to(date(2026, 9, 11))
    await world.tell(world.matched("P1", 250, "F1", 250))
    assert await reviewed(world, doors, plan, date(2026, 9, 15)) == "running"
    assert await world.day(date(2026, 10, 12)) == []
    await world.tell(world.matched("P2", 250, "F1", 0), world.settled("F1"))
    assert await reviewed(world, doors, plan, date(2026, 10, 12)) == "completed"
    assert await world.said(PlanDefaulted) == []
    assert [told.reason for told in await world.said(HoldLifted)] == ["kept"]


async def test_the_second_payment_of_a_plan_may_be_missed_too(world: World, doors: httpx.AsyncClient) -> None:
    plan = await agreed(world, doors)
    world.go_to(date(2026, 9, 9))
    await world.tell(world.matched("P1", 300, "F1", 200))
    assert await reviewed(world, doors, plan, date(2026, 10, 14)) == "running"
    assert await reviewed(world, doors, plan, date(2026, 10, 15)) == "defaulted"
    assert [str(told.missed_on) for told in await world.said(PlanDefaulted)] == ["2026-10-12"]
    assert [str(line.residual) for due in await world.sweep() for line in due.lines] == ["200.00 EUR"]


async def test_what_is_told_of_an_item_locks_the_case_that_has_it_whoever_paid(world: World) -> None:
    await world.tell(world.debtor_changed("B"), world.issued("F1", DUE))
    paid = world.told(world.matched("P1", 500, "F1", 0, payer="B"))
    async with world.database.transaction() as db:
        await handlers.lock(db, [paid])
        async with world.database.transaction() as other:
            assert await unlocked(other, world) == set()
    async with world.database.transaction() as db:
        assert await unlocked(db, world) == {world.case("A")}


async def unlocked(db: Any, world: World) -> set[Any]:
    """The cases of the tenant that nobody has locked."""
    mine = select(payer_case.c.case_id).where(payer_case.c.tenant_id == world.tenant)
    return set((await db.scalars(mine.with_for_update(skip_locked=True))).all())
