"""A past day's figures equal what was shown that day, under random histories; closings are kept and thrown away."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from libs.common.db import Database
from libs.common.devstack.postgres import Postgres
from libs.common.events import Event
from libs.common.settings import Settings
from services.console.figures import Standing, together
from services.console.store import balance, dso, kept, past
from services.console.store.ledger import Chosen
from services.console.store.past import day_seen
from services.console.tables import read_model as model
from tests.integration.console.history import History, played
from tests.integration.console.test_read_model import hear
from tests.support import fresh_tenant

ZONE = "Europe/Paris"
NOBODY = Chosen()


@pytest.fixture(scope="module")
async def loops(settings: Settings, postgres: Postgres) -> AsyncIterator[Database]:
    database = Database(settings, "console", "loop")
    yield database
    await database.close()


async def shown(loops: Database, tenant: UUID, day: date, today: date) -> tuple[Any, Any]:
    """The aged balance and what stood, for a day as seen on another."""
    async with loops.transaction() as db:
        seen = day_seen(day, today, await past.begun(db, tenant, ZONE), ZONE)
        await kept.settle(db, tenant, today, sales=True)
        aged = await balance.aged(db, tenant, seen, NOBODY)
        standing = [(entity, _bare(told)) for entity, told in await dso.standing(db, tenant, seen)]
    return aged, standing


def _bare(told: Standing) -> tuple[Any, ...]:
    return (told.currency, told.outstanding, told.not_due, told.sold_90, told.sold)


def local(history: History) -> date:
    """The day of the last event in the zone of the pages."""
    return history.at.astimezone(ZoneInfo(ZONE)).date()


def by_day(events: list[Event]) -> dict[date, list[Event]]:
    found: dict[date, list[Event]] = {}
    for each in events:
        found.setdefault(each.time.astimezone(ZoneInfo(ZONE)).date(), []).append(each)
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_a_past_day_shows_what_it_showed(loops: Database, seed: int) -> None:
    tenant = fresh_tenant()
    history = played(tenant, 100 + seed, invoices=25)
    days = by_day(history.events)
    remembered = {}
    for day, events in sorted(days.items()):
        await hear(loops, events, 50)
        remembered[day] = await shown(loops, tenant, day, day)
    last = max(days)
    async with loops.transaction() as db:
        first = await past.begun(db, tenant, ZONE)
    assert first is not None
    assert any(aged.totals for aged, _ in remembered.values())
    for day, before in remembered.items():
        if day < first:
            continue
        assert await shown(loops, tenant, day, last + timedelta(days=40)) == before, day


async def test_an_amendment_and_a_cancellation_change_no_day_before_them(loops: Database) -> None:
    tenant = fresh_tenant()
    history = History(tenant, random.Random(1))
    debtor = history.debtor(1)
    kept = history.invoice(debtor, "F1", 90_000, parts=3)
    gone = history.invoice(debtor, "F2", 10_000)
    await hear(loops, history.events, 10)
    day, told = local(history), len(history.events)
    before = await shown(loops, tenant, day, day)
    assert before[0].totals[0].total.minor == 100_000
    history.at += timedelta(days=20)
    history.amend(kept, parts=1)
    history.cancel(gone)
    await hear(loops, history.events[told:], 10)
    now = local(history)
    assert await shown(loops, tenant, day, now) == before
    assert (await shown(loops, tenant, now, now))[0].totals[0].total.minor == 90_000


async def test_a_payment_with_an_earlier_value_date_changes_no_day_that_was_shown(loops: Database) -> None:
    tenant = fresh_tenant()
    history = History(tenant, random.Random(2))
    invoice = history.invoice(history.debtor(1), "F1", 50_000)
    item = next(item for item, known in history.items.items() if known["invoice"] == invoice)
    day = local(history)
    history.at += timedelta(days=9)
    history.pay(item, 50_000)
    await hear(loops, history.events, 10)
    aged, _ = await shown(loops, tenant, day, local(history))
    assert [total.total.minor for total in aged.totals] == [50_000]


async def test_days_before_the_first_event_come_from_the_books(loops: Database) -> None:
    tenant = fresh_tenant()
    history = History(tenant, random.Random(3))
    history.invoice(history.debtor(1), "F1", 50_000)
    await hear(loops, history.events, 10)
    async with loops.transaction() as db:
        first = await past.begun(db, tenant, ZONE)
    assert first is not None
    assert day_seen(first - timedelta(days=1), first, first, ZONE).how == "books"
    assert day_seen(first, first + timedelta(days=1), first, ZONE).how == "shown"
    aged, standing = await shown(loops, tenant, first - timedelta(days=2), first)
    assert (aged.totals, standing) == ([], [])


async def test_a_cell_is_made_of_items_that_sum_to_its_figure(loops: Database) -> None:
    tenant = fresh_tenant()
    history = played(tenant, 7, debtors=4, invoices=40)
    await hear(loops, history.events, 100)
    end = local(history) + timedelta(days=50)
    for day in (end, local(history) - timedelta(days=5)):
        async with loops.transaction() as db:
            seen = day_seen(day, end, await past.begun(db, tenant, ZONE), ZONE)
            await kept.settle(db, tenant, end)
            aged = await balance.aged(db, tenant, seen, NOBODY)
            assert aged.lines
            for line in aged.lines:
                for age, amount in enumerate(line.ages):
                    cell = balance.Cell(line.currency, line.debtor_id, age)
                    found = await balance.items(db, tenant, seen, NOBODY, cell)
                    assert found.total == amount
                    assert found.count == len(found.lines)


async def test_closings_are_kept_until_something_is_told_of_their_time(loops: Database) -> None:
    tenant = fresh_tenant()
    history = played(tenant, 9, invoices=30)
    cut = len(history.events) // 2
    await hear(loops, history.events[:cut] + history.events[cut + 5 :], 100)
    today = local(history) + timedelta(days=3)
    async with loops.transaction() as db:
        first = await past.begun(db, tenant, ZONE)
        days = [day_seen(today - timedelta(days=back), today, first, ZONE) for back in (60, 30, 10, 2)]
        await kept.settle(db, tenant, today, sales=True)
        found, missing = await dso.closings(db, tenant, days, seconds=60)
        assert missing == []
        again, _ = await dso.closings(db, tenant, days, seconds=0)
        assert sorted(map(repr, again)) == sorted(map(repr, found))
        count = await db.scalar(select(func.count()).where(model.closing.c.tenant_id == tenant))
    assert count and count >= 4
    await hear(loops, history.events[cut : cut + 5], 100)
    async with loops.transaction() as db:
        await kept.settle(db, tenant, today, sales=True)
        fresh, missing = await dso.closings(db, tenant, days, seconds=60)
        exact = [line for day in days for line in await dso.standing(db, tenant, day)]
    assert together(told for _, told in fresh) == together(told for _, told in exact)


async def test_what_there_is_no_time_for_is_named_and_comes_later(loops: Database) -> None:
    tenant = fresh_tenant()
    await hear(loops, played(tenant, 12).events, 100)
    today = datetime(2026, 11, 23, tzinfo=UTC).date()
    days = [day_seen(today - timedelta(days=back), today, date(2026, 9, 1), ZONE) for back in (40, 20)]
    async with loops.transaction() as db:
        found, missing = await dso.closings(db, tenant, days, seconds=-1)
        assert (found, missing) == ([], [today - timedelta(days=20), today - timedelta(days=40)])
        _, missing = await dso.closings(db, tenant, days, seconds=60)
    assert missing == []
