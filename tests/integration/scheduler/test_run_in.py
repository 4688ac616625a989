"""The run-in on the real database: bounded first days, steps that earn their `none`, whoever sweeps or asks at once."""

import asyncio
from collections import Counter
from datetime import date

import httpx
from sqlalchemy import insert

from libs.common.events.reminders import ReminderDue
from libs.common.ids import uuid7
from services.scheduler.sweep import Sweep
from services.scheduler.tables import bounded_day, earned_step, notice
from tests.integration.scheduler.test_doors import asked, got, permit
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)
FIRST = date(2026, 9, 3)


async def starting(world: World, debtors: int, **entity: str) -> None:
    await world.tell(world.entity_configured(run_in="required", **entity))
    names = [f"D{n:03d}" for n in range(debtors)]
    await world.tell(*(world.debtor_changed(name) for name in names))
    await world.tell(*(world.issued(f"F{name}", DUE, debtor=name) for name in names))
    await world.sweep()


async def decided_before(world: World, step: str, approved: int, rejected: int = 0) -> None:
    """So many notices of a step that people approved or rejected in August."""
    blank = {
        "tenant_id": world.tenant, "entity_id": world.entity, "kind": "reminder", "step_key": step, "tone": 2,
        "said_on": date(2026, 8, 1),
    }  # fmt: skip
    rows = [
        blank | {name: uuid7() for name in ("notice_id", "party_id", "case_id", "reminder_id")}
        | {"approved": n < approved, "sent": n < approved, "rejected": n >= approved}
        for n in range(approved + rejected)
    ]  # fmt: skip
    async with world.database.transaction() as db:
        await db.execute(insert(notice).values(rows))


async def bounded(world: World, most: int) -> None:
    """Today's bound is this one."""
    row = {"tenant_id": world.tenant, "entity_id": world.entity, "bound": "ramp", "cap": most}
    async with world.database.transaction() as db:
        await db.execute(insert(bounded_day).values(row | {"day": world.clock.now().date()}))


async def test_the_first_live_day_hands_over_100_notices_and_the_next_clean_day_the_rest(
    world: World, doors: httpx.AsyncClient
) -> None:
    await starting(world, 130)
    released = await world.day(FIRST)
    assert (len(released), {due.approval for due in released}) == (100, {"confirm"})
    assert await world.sweep() == []
    spoken = {line.number for due in released for line in due.lines}
    silent = next(f"FD{n:03d}" for n in range(130) if f"FD{n:03d}" not in spoken)
    told = await got(doors, f"/v1/items/{world.item(silent)}/explain")
    assert [reason["code"] for reason in told["reasons"]] == ["ramping_up"]
    (shown,) = (await got(doors, "/v1/run-ins"))["items"]
    assert (shown["most"], shown["released"], shown["run_in"]) == (100, 100, "required")
    for due in released:
        await world.tell(world.sent(due).model_copy(update={"approved": True}))
    assert len(await world.day(date(2026, 9, 4))) == 30
    (shown,) = (await got(doors, "/v1/run-ins"))["items"]
    assert (shown["most"], shown["released"]) == (200, 30)
    assert {step["step"]: step["approved"] for step in shown["steps"]}["friendly"] == 100


async def test_two_sweeps_at_once_stay_within_the_bound(world: World) -> None:
    await starting(world, 40)
    world.go_to(FIRST)
    await bounded(world, 25)
    sweeps = [Sweep(world.database, world.clock, world.policies, cases=6) for _ in range(3)]

    async def until_nothing(sweep: Sweep) -> None:
        while (await sweep.once()).cases:
            pass

    await asyncio.gather(*(until_nothing(sweep) for sweep in sweeps))
    assert len(await world.said(ReminderDue)) == 25
    assert [row["released"] for row in await world.rows(bounded_day)] == [25]


async def test_what_was_approved_later_leaves_within_the_bound_of_the_day_it_leaves_on(
    world: World, doors: httpx.AsyncClient
) -> None:
    await starting(world, 4)
    released = await world.day(FIRST)
    world.go_to(date(2026, 9, 4))
    await bounded(world, 3)
    answers = await permit(doors, *(asked(world, due) for due in released))
    assert Counter(answers) == {("yes", None): 3, ("again", "ramping_up"): 1}
    assert await permit(doors, *(asked(world, due) for due in released)) == answers
    world.go_to(date(2026, 9, 7))
    last = next(due for due, answer in zip(released, answers, strict=True) if answer[0] == "again")
    assert await permit(doors, asked(world, last)) == [("yes", None)]


async def test_a_step_leaves_without_a_person_once_200_of_its_notices_were_approved(world: World) -> None:
    await starting(world, 1)
    await decided_before(world, "friendly", 200)
    assert [due.approval for due in await world.day(FIRST)] == ["none"]
    assert [row["step_key"] for row in await world.rows(earned_step)] == ["friendly"]


async def test_a_step_that_people_reject_too_often_stays_in_their_hands(world: World, doors: httpx.AsyncClient) -> None:
    await starting(world, 1)
    await decided_before(world, "friendly", 200, rejected=5)
    (due,) = await world.day(FIRST)
    assert due.approval == "confirm"
    (shown,) = (await got(doors, "/v1/run-ins"))["items"]
    friendly = next(step for step in shown["steps"] if step["step"] == "friendly")
    assert (friendly["approved"], friendly["marred"], friendly["trusted"]) == (200, 5, False)
    await world.tell(world.stopped(due, "rejected"))
    (shown,) = (await got(doors, "/v1/run-ins"))["items"]
    assert next(step for step in shown["steps"] if step["step"] == "friendly")["marred"] == 6


async def test_an_entity_whose_run_in_was_waived_is_bound_by_nothing(world: World, doors: httpx.AsyncClient) -> None:
    await starting(world, 110)
    await world.tell(world.entity_configured(run_in="waived"))
    released = await world.day(FIRST)
    assert (len(released), {due.approval for due in released}) == (110, {"none"})
    (shown,) = (await got(doors, "/v1/run-ins"))["items"]
    assert (shown["most"], {step["trusted"] for step in shown["steps"]}) == (None, {True})
