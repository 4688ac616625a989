"""The read model: the same rows whatever the order, figures that agree with the history, and the way through Kafka."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from libs.common import outbox
from libs.common.consumer import Consumer
from libs.common.consumer.rounds import runs
from libs.common.db import Database
from libs.common.devstack.kafka import Kafka
from libs.common.devstack.postgres import Postgres
from libs.common.events import Event, event
from libs.common.events.invoices import DebtorErased
from libs.common.ids import uuid7
from libs.common.outbox import Relay
from libs.common.runtime import Pulse
from libs.common.settings import Settings
from services.console import projections
from services.console.store import kept, work
from services.console.tables import read_model as model
from tests.integration.console.history import History, interleaved, played
from tests.support import eventually, fresh_tenant

TODAY = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
async def loops(settings: Settings, postgres: Postgres) -> AsyncIterator[Database]:
    database = Database(settings, "console", "loop")
    yield database
    await database.close()


async def hear(loops: Database, events: Iterable[Event], size: int = 1) -> None:
    """Hand the events to the handlers as the bus would, in lists cut from batches of `size`."""
    waiting = list(events)
    handlers = projections.handlers(model)
    while waiting:
        batch, waiting = waiting[:size], waiting[size:]
        async with loops.transaction() as db:
            for run in runs(batch):
                handler = handlers.get(type(run[0].body))
                if handler is not None:
                    await handler(db, run)


async def rows(loops: Database, tenant: UUID) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the tenant that the topics alone fill, by table."""
    found = {}
    async with loops.transaction() as db:
        for table in model.facts:
            asked = select(table).where(table.c.tenant_id == tenant).order_by(*table.primary_key)
            found[table.name] = [tuple(row) for row in await db.execute(asked)]
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_every_interleaving_and_every_batch_size_ends_in_the_same_rows(loops: Database, seed: int) -> None:
    tenant = fresh_tenant()
    history = played(tenant, seed)
    await hear(loops, history.events)
    expected = await rows(loops, tenant)
    assert expected["item"]
    dice = random.Random(seed)
    for size in (1, 7, 500):
        async with loops.transaction() as db:
            for table in model.tables:
                await db.execute(table.delete().where(table.c.tenant_id == tenant))
        await hear(loops, interleaved(history, dice), size)
        found = await rows(loops, tenant)
        assert {name: found[name] == expected[name] for name in found} == dict.fromkeys(found, True)


async def test_hearing_everything_twice_changes_nothing(loops: Database) -> None:
    tenant = fresh_tenant()
    history = played(tenant, 11)
    await hear(loops, history.events, 50)
    once = await rows(loops, tenant)
    await hear(loops, history.events, 3)
    assert await rows(loops, tenant) == once


@pytest.mark.parametrize("seed", range(20, 26))
async def test_the_figures_agree_with_the_history_to_the_cent(loops: Database, seed: int) -> None:
    tenant = fresh_tenant()
    history = played(tenant, seed, invoices=30)
    await hear(loops, history.events, 100)
    async with loops.transaction() as db:
        await kept.settle(db, tenant, TODAY.date(), sales=True)
        found = await work.figures(db, tenant, TODAY)
    assert sum(each.amount.minor for each in found.outstanding if each.amount) == history.owed()
    assert sum(each.amount.minor for each in found.overdue if each.amount) == history.owed(TODAY.date())
    assert found.invoices == 30
    sent = [each for each in history.events if each.type == "ReminderSent"]
    assert found.reminders.get("sent", 0) == len(sent)


async def test_an_erased_debtor_keeps_no_name_whichever_version_was_heard(loops: Database) -> None:
    tenant = fresh_tenant()
    history = played(tenant, 3)
    await hear(loops, history.events, 100)
    debtor = history.invoices[next(iter(history.invoices))]["debtor"]
    gone = event(DebtorErased(tenant_id=tenant, version=1, debtor_id=debtor), TODAY)
    await hear(loops, [gone])
    async with loops.transaction() as db:
        asked = select(model.debtor.c.name, model.debtor.c.erased).where(model.debtor.c.debtor_id == debtor)
        assert (await db.execute(asked)).one() == (None, True)


async def test_what_the_services_record_reaches_the_pages_through_the_broker(
    settings: Settings, loops: Database, kafka: Kafka
) -> None:
    tenant = fresh_tenant()
    history = played(tenant, 42)
    async with loops.transaction() as db:
        await outbox.record(db, *history.events)
    group = f"relance.console-{uuid7()}"
    consumer = Consumer(settings, "console", loops, projections.handlers(model), group=group, acts=False)
    relay = Relay(settings, "console", loops)
    await heard(loops, tenant, history, consumer, relay)


async def heard(loops: Database, tenant: UUID, history: History, consumer: Consumer, relay: Relay) -> None:
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for loop in (consumer.run, relay.run):
            group.create_task(loop(Pulse(stopping)))

        async def all_there() -> bool:
            async with loops.transaction() as db:
                await kept.settle(db, tenant, TODAY.date())
                figures = await work.figures(db, tenant, TODAY)
            return sum(each.amount.minor for each in figures.outstanding if each.amount) == history.owed()

        try:
            await eventually(all_there, timeout=60)
        finally:
            stopping.set()


async def test_the_timeline_shows_the_newest_first_with_names(loops: Database) -> None:
    tenant = fresh_tenant()
    history = played(tenant, 5)
    await hear(loops, history.events, 100)
    async with loops.transaction() as db:
        lines = await work.latest(db, tenant, 10)
        told = await work.as_of(db, tenant)
        total = await db.scalar(text("select count(*) from activity where tenant_id = :t").bindparams(t=tenant))
    assert [line["at"] for line in lines] == sorted((line["at"] for line in lines), reverse=True)
    assert all(line["name"] for line in lines)
    assert told == lines[0]["at"]
    assert total and total > 10
