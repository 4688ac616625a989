"""The permit under races: whatever the interleaving, nothing leaves after a stopping command has answered."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.db import Database, driver_url, make_engine
from libs.common.ids import uuid7
from libs.common.money import Money
from libs.common.permits import (
    LEASE_SECONDS,
    STOP_SECONDS,
    Answer,
    Ask,
    AskedItem,
    Scope,
    boottime,
    grant,
    no,
    release,
    stopping,
    yes,
)
from libs.common.settings import Settings

pytestmark = pytest.mark.usefixtures("postgres")


@pytest.fixture(scope="module")
async def database(settings: Settings, postgres: object) -> AsyncIterator[Database]:
    """The scheduler's loops, and a table of stopped items for `look` to read."""
    admin = make_engine(driver_url(settings.admin_url or ""), 1)
    async with admin.begin() as db:
        await db.execute(text("create table scheduler.stopped_item (tenant_id uuid, item_id uuid primary key)"))
        await db.execute(text("grant select, insert on scheduler.stopped_item to scheduler_loop"))
    found = Database(settings, "scheduler", "loop", pool=8)
    yield found
    await found.close()
    async with admin.begin() as db:
        await db.execute(text("drop table scheduler.stopped_item"))
    await admin.dispose()


def ask(item: UUID, payer: UUID | None = None) -> Ask:
    payer = payer or uuid7()
    line = AskedItem(
        occurrence_id=uuid7(),
        release=1,
        item_id=item,
        invoice_id=uuid7(),
        invoice_version=1,
        debtor_id=payer,
        amount=Money(100, "EUR"),
    )
    return Ask(
        delivery_id=uuid7(),
        notice_id=uuid7(),
        reminder_id=uuid7(),
        entity_id=uuid7(),
        payer_id=payer,
        party_id=uuid7(),
        kind="reminder",
        tone=2,
        debtor_version=1,
        items=[line],
    )


async def look(db: AsyncConnection, tenant: UUID, asks: Sequence[Ask]) -> list[Answer]:
    """No for what is stopped."""
    found = await db.scalars(text("select item_id from stopped_item where tenant_id = :t"), {"t": tenant})
    stopped = set(found)
    return [no(one, "held") if {item.item_id for item in one.items} & stopped else yes(one) for one in asks]


async def stop(database: Database, tenant: UUID, item: UUID, scope: Scope) -> float:
    """A stopping command: commits, looks, and tells how long it waited."""
    async with database.transaction(tenant) as db:
        await db.execute(text("insert into stopped_item values (:t, :i)"), {"t": tenant, "i": item})
    began = time.monotonic()
    await stopping(database, scope)
    return time.monotonic() - began


async def test_a_stop_waits_for_the_mail_that_is_on_its_way(database: Database, tenant: UUID) -> None:
    item = uuid7()
    asked = ask(item)
    assert [one.answer for one in await grant(database, tenant, [asked], look)] == ["yes"]
    stopped = asyncio.create_task(stop(database, tenant, item, Scope(tenant, item_ids=[item])))
    done, _ = await asyncio.wait([stopped], timeout=0.3)
    assert not done
    await release(database, tenant, [asked.delivery_id])
    await asyncio.wait_for(stopped, 1)
    assert [one.answer for one in await grant(database, tenant, [ask(item)], look)] == ["no"]


async def test_a_sender_that_died_holds_a_stop_no_longer_than_its_lease(database: Database, tenant: UUID) -> None:
    item = uuid7()
    await grant(database, tenant, [ask(item)], look)
    waited = await stop(database, tenant, item, Scope(tenant))
    assert waited <= STOP_SECONDS
    assert waited > LEASE_SECONDS / 2


async def test_a_database_that_hangs_holds_a_stop_no_longer_than_leases_can_live(
    database: Database, tenant: UUID
) -> None:
    class Hanging:
        @asynccontextmanager
        async def transaction(self, *tenants: UUID) -> AsyncIterator[AsyncConnection]:
            await asyncio.Event().wait()
            yield

    began = time.monotonic()
    await stopping(Hanging(), Scope(tenant))
    waited = time.monotonic() - began
    assert LEASE_SECONDS < waited < STOP_SECONDS + 1
    await asyncio.wait_for(stopping(database, Scope(tenant)), 1)


async def test_how_long_a_stop_waited_is_measured(database: Database, tenant: UUID) -> None:
    before = REGISTRY.get_sample_value("relance_stop_wait_seconds_count") or 0
    await stop(database, tenant, uuid7(), Scope(tenant))
    assert REGISTRY.get_sample_value("relance_stop_wait_seconds_count") == before + 1


async def test_a_stop_over_other_things_does_not_wait(database: Database, tenant: UUID) -> None:
    payer = uuid7()
    await grant(database, tenant, [ask(uuid7(), payer)], look)
    elsewhere = Scope(tenant, item_ids=[uuid7()], debtor_ids=[uuid7()], party_ids=[uuid7()], entity_ids=[uuid7()])
    await asyncio.wait_for(stop(database, tenant, uuid7(), elsewhere), 1)
    await asyncio.wait_for(stop(database, uuid7(), uuid7(), Scope(uuid7())), 1)
    mine = asyncio.create_task(stopping(database, Scope(tenant, debtor_ids=[payer])))
    done, _ = await asyncio.wait([mine], timeout=0.3)
    assert not done
    mine.cancel()


async def test_a_refused_ask_leaves_no_lease(database: Database, tenant: UUID) -> None:
    item = uuid7()
    await stop(database, tenant, item, Scope(tenant))
    assert [one.answer for one in await grant(database, tenant, [ask(item)], look)] == ["no"]
    await asyncio.wait_for(stopping(database, Scope(tenant)), 1)


async def test_nothing_leaves_after_a_stop_has_answered(database: Database, tenant: UUID) -> None:
    """400 sends race with 400 stops, each of which comes while its own item is about to be sent or just was; each
    send that happens is before the answer to the stop of its item."""
    dice = random.Random(7)
    items = [uuid7() for _ in range(400)]
    begun = {item: asyncio.Event() for item in items}
    sent: dict[UUID, float] = {}
    answered: dict[UUID, float] = {}
    limit = asyncio.Semaphore(30)

    async def send(item: UUID) -> None:
        async with limit:
            begun[item].set()
            asked = ask(item)
            until = boottime() + LEASE_SECONDS
            (answer,) = await grant(database, tenant, [asked], look)
            await asyncio.sleep(dice.random() * 0.02)
            if answer.answer == "yes" and boottime() < until:
                sent[item] = boottime()
            await release(database, tenant, [asked.delivery_id])

    async def settle(item: UUID) -> None:
        await begun[item].wait()
        await asyncio.sleep(dice.random() * 0.3)
        scope = Scope(tenant, item_ids=[item]) if dice.random() < 0.5 else Scope(tenant)
        await stop(database, tenant, item, scope)
        answered[item] = boottime()

    await asyncio.gather(*(send(item) for item in items), *(settle(item) for item in items))
    assert len(answered) == len(items)
    assert sent, "no send won its race: the test would prove nothing"
    assert len(sent) < len(items), "no stop won its race: the test would prove nothing"
    assert [item for item, at in sent.items() if at > answered[item]] == []
