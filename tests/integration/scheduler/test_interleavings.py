"""Any order of the topics ends in the same rows; two sweeps never release twice; a hold is seen by every permit."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.db import Database
from libs.common.events import Event
from libs.common.ids import uuid7
from services.scheduler.store import evidence
from services.scheduler.sweep import Sweep
from services.scheduler.tables import (
    credit_note,
    debtor,
    feed,
    hold,
    item,
    item_money,
    notice,
    occurrence,
    party,
    payment,
    residual_fact,
)
from tests.integration.scheduler.test_doors import asked, permit, posted
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)
TABLES = (debtor, item, item_money, residual_fact, payment, credit_note, feed, hold, notice, party)
CASE_FACTS = ("case_id", "party_id", "group_id", "state", "answered_on", "read_at")
OCCURRENCE_FACTS = ("occurrence_id", "state", "release", "reason", "on_date", "retry_on", "ends", "ended_at")


async def story(database: Database, tenant: UUID) -> tuple[World, list[Event]]:
    """A notice that is out, and everything that may be told about it and its case in any order afterwards."""
    world = World(database, tenant)
    await world.tell(world.tenant_configured(), world.entity_configured(), world.debtor_changed("A"))
    await world.tell(world.issued("F1", DUE), world.issued("F2", DUE))
    due = (await world.day(date(2026, 9, 3)))[0]
    told: list[Event] = []
    for hour, bodies in (
        (9, [world.proposed(due), world.debtor_changed("HQ"), world.issued("F3", DUE, debtor="S")]),
        (10, [world.uncertain(due), world.received("P1", 700), world.amended("F2", date(2026, 9, 20))]),
        (11, [world.sent(due), world.matched("P1", 700, "F1", 0, unapplied=200), world.replied()]),
        (12, [world.settled("F1"), world.debtor_changed("S", payer="HQ"), world.cancelled("F2"), world.task_done()]),
        (13, [world.bounced(due), world.reopened("F1", 500), world.feed(date(2026, 9, 2))]),
        (14, [world.amended("F3", DUE, 400, debtor="S", payer="S"), world.matched("P1", 700, "F4", 0)]),
        (15, [world.issued("F4", DUE, 200), world.reopened("F4", 200, reason="refused_by_debtor")]),
    ):
        world.go_to(date(2026, 9, 3), hour)
        told += [world.told(body) for body in bodies]
    return world, told


def order_and_cuts(count: int) -> st.SearchStrategy[tuple[list[int], list[bool]]]:
    return st.tuples(st.permutations(range(count)), st.lists(st.booleans(), min_size=count, max_size=count))


async def test_any_order_of_the_topics_ends_in_the_same_rows(database: Database) -> None:
    world, told = await story(database, uuid7())
    async with database.transaction() as db:
        straight = await _played(world, db, [[event] for event in told])
    assert straight["occurrence"]
    loop = asyncio.get_running_loop()

    @settings(max_examples=25, database=None)
    @given(order_and_cuts(len(told)))
    def any_order(drawn: tuple[list[int], list[bool]]) -> None:
        batches = cut_up(told, *drawn)
        other = asyncio.run_coroutine_threadsafe(_in_its_own(world, batches), loop).result(timeout=60)
        for table, rows in straight.items():
            assert other[table] == rows, table

    await asyncio.to_thread(any_order)


def cut_up(told: list[Event], order: list[int], cuts: list[bool]) -> list[list[Event]]:
    batches: list[list[Event]] = [[]]
    for place, cut in zip(order, cuts, strict=True):
        batches[-1].append(told[place])
        if cut:
            batches.append([])
    return [batch for batch in batches if batch]


async def _in_its_own(world: World, batches: list[list[Event]]) -> dict[str, Any]:
    async with world.database.transaction() as db:
        return await _played(world, db, batches)


async def _played(world: World, db: AsyncConnection, batches: list[list[Event]]) -> dict[str, Any]:
    """What the batches lead to; nothing of it is kept."""
    inner = await db.begin_nested()
    for batch in batches:
        await world.hear_in(db, batch)
    found = await world.state_in(db, TABLES, CASE_FACTS, OCCURRENCE_FACTS)
    await inner.rollback()
    return found


async def test_two_sweeps_at_once_never_release_an_occurrence_twice(world: World) -> None:
    names = [f"D{n}" for n in range(60)]
    await world.tell(*(world.debtor_changed(name) for name in names))
    await world.tell(*(world.issued(f"F{name}", DUE, debtor=name) for name in names))
    await world.sweep()
    world.go_to(date(2026, 9, 3))
    sweeps = [Sweep(world.database, world.clock, world.policies, cases=7) for _ in range(3)]

    async def until_nothing(sweep: Sweep) -> int:
        released = 0
        while (swept := await sweep.once()).cases:
            released += swept.released
        return released

    async with asyncio.TaskGroup() as group:
        sweeping = [group.create_task(until_nothing(sweep)) for sweep in sweeps]
    rows = await world.rows(occurrence)
    assert len(rows) == len({row["item_id"] for row in rows}) == 60
    assert {row["release"] for row in rows} == {1}
    assert sum(each.result() for each in sweeping) >= 60
    assert len({due.reminder_id for due in await world.said_due()}) == len(await world.said_due()) == 60


async def test_a_party_that_another_makes_meanwhile_is_locked_once_it_is_there(world: World) -> None:
    pair, made, over = (world.tenant, uuid7()), asyncio.Event(), asyncio.Event()

    async def makes_it() -> None:
        async with world.database.transaction() as db:
            await evidence.lock_parties(db, {pair})
            made.set()
            await over.wait()

    other = asyncio.ensure_future(makes_it())
    await made.wait()
    async with world.database.transaction() as db:
        mine = await db.scalar(text("select pg_backend_pid()"))
        waiting = asyncio.ensure_future(evidence.lock_parties(db, {pair}))
        await blocked(world.database, mine)
        over.set()
        assert set(await waiting) == {pair}
    await other


async def blocked(database: Database, pid: Any) -> None:
    """Until this session waits for another."""
    asked = text("select count(*) from pg_locks where pid = :pid and not granted")
    async with database.transaction() as db:
        while not await db.scalar(asked, {"pid": pid}):
            pass


async def test_a_hold_that_was_answered_is_seen_by_every_permit_asked_after_it(
    world: World, doors: httpx.AsyncClient
) -> None:
    names = [f"D{n}" for n in range(12)]
    await world.tell(*(world.debtor_changed(name) for name in names))
    await world.tell(*(world.issued(f"F{name}", DUE, debtor=name) for name in names))
    released = {due.payer_id: due for due in await world.day(date(2026, 9, 3))}

    async def hold_then_ask(name: str) -> tuple[str, str | None]:
        payer = world.debtor(name)
        told = {"scope": "payer", "scope_id": str(payer), "reason": "race", "review_on": "2026-09-30"}
        early = asyncio.ensure_future(permit(doors, asked(world, released[payer])))
        await posted(doors, "/v1/holds", told)
        late = (await permit(doors, asked(world, released[payer])))[0]
        await early
        return late

    answers = await asyncio.gather(*(hold_then_ask(name) for name in names))
    assert set(answers) == {("no", "held")}
