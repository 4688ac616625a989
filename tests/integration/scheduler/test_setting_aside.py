"""One case or promise that cannot be decided stops no other: it is put off, told about and tried again."""

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from libs.common.aside import ASIDE_FOR, ASIDE_MOST
from libs.common.errors import UnknownCurrency
from libs.common.events.reminders import ReminderDue
from libs.common.metrics import CASES_SET_ASIDE, REVIEWS_FAILED
from services.scheduler.alarming import Alarms
from services.scheduler.reviewing import Reviews
from services.scheduler.store import holds
from services.scheduler.sweep import Sweep
from services.scheduler.tables import deadline_alarm, hold, item, payer_case, promise
from tests.integration.scheduler.test_credit import insured
from tests.integration.scheduler.test_doors import posted
from tests.integration.scheduler.world import World

DUE = date(2026, 9, 1)
DAY = date(2026, 9, 3)
NAMES = ("A", "B", "C", "D")


async def due_on(world: World, number: str, day: date) -> None:
    """The due date on record, whatever was told."""
    async with world.database.transaction() as db:
        mine = (item.c.tenant_id == world.tenant, item.c.number == number)
        await db.execute(update(item).where(*mine).values(due_date=day))


async def look_now(world: World, payer: str) -> None:
    """The time of this case has come."""
    async with world.database.transaction() as db:
        mine = (payer_case.c.tenant_id == world.tenant, payer_case.c.case_id == world.case(payer))
        await db.execute(update(payer_case).where(*mine).values(next_at=world.clock.now()))


async def four_due(world: World, cases: int = 8) -> Sweep:
    await world.tell(*(world.debtor_changed(name) for name in NAMES))
    await world.tell(*(world.issued(name, DUE, debtor=name) for name in NAMES))
    world.go_to(DAY)
    return Sweep(world.database, world.clock, world.policies, cases=cases)


async def released(world: World) -> set[str]:
    return {due.lines[0].number for due in await world.said(ReminderDue)}


async def test_a_case_that_cannot_be_decided_waits_an_hour_and_stops_no_other(world: World) -> None:
    sweep = await four_due(world)
    await due_on(world, "B", date.max)
    before = CASES_SET_ASIDE._value.get()
    while (swept := await sweep.turn()) is None or swept.cases:
        pass
    assert await released(world) == {"A", "C", "D"}
    assert CASES_SET_ASIDE._value.get() == before + 1
    assert await world.next_at("B") == world.clock.now() + ASIDE_FOR
    await due_on(world, "B", DUE)
    world.clock.at += ASIDE_FOR
    await world.sweep()
    assert await released(world) == set(NAMES)


async def test_so_many_are_no_bad_cases_but_a_bad_release(world: World) -> None:
    world.go_to(DAY)
    await world.sweep()
    sweep = await four_due(world, cases=1)
    await due_on(world, "B", date.max)
    try:
        with pytest.raises(OverflowError):
            for _ in range(ASIDE_MOST + 2 * len(NAMES)):
                await look_now(world, "B")
                await sweep.turn()
    finally:
        await due_on(world, "B", DUE)


async def test_a_promise_that_cannot_be_judged_stops_no_other(world: World, doors: httpx.AsyncClient) -> None:
    await four_due(world)
    for name in NAMES[:2]:
        body = {"case_id": str(world.case(name)), "amount": {"amount": "500.00", "currency": "EUR"}}
        await posted(doors, "/v1/promises", body | {"promised_for": "2026-09-07"})
    async with world.database.transaction() as db:
        await db.execute(update(promise).where(promise.c.case_id == world.case("A")).values(until=date.max))
    world.go_to(date(2026, 9, 21))
    before = REVIEWS_FAILED._value.get()
    await Reviews(world.database, world.clock).once()
    assert REVIEWS_FAILED._value.get() == before + 1
    states = {row["case_id"]: row["state"] for row in await world.rows(promise)}
    assert states == {world.case("A"): "open", world.case("B"): "broken"}
    await Reviews(world.database, world.clock).once()
    assert REVIEWS_FAILED._value.get() == before + 1
    world.clock.at += ASIDE_FOR
    async with world.database.transaction() as db:
        await db.execute(update(promise).where(promise.c.case_id == world.case("A")).values(until=date(2026, 9, 9)))
    await Reviews(world.database, world.clock).once()
    assert {row["state"] for row in await world.rows(promise)} == {"broken"}


async def held(world: World, doors: httpx.AsyncClient, *names: str) -> None:
    """A hold over each of these payers that ends by itself on 4 September."""
    for name in names:
        told = {"scope": "payer", "scope_id": str(world.debtor(name)), "reason": "Call", "review_on": "2026-09-04"}
        await posted(doors, "/v1/holds", told | {"lift_at_review": True})


async def kind_of_hold(world: World, name: str, kind: str) -> None:
    """The kind on record, whatever was told."""
    async with world.database.transaction() as db:
        mine = (hold.c.tenant_id == world.tenant, hold.c.scope_id == world.debtor(name))
        await db.execute(update(hold).where(*mine).values(kind=kind))


async def active(world: World) -> set[Any]:
    return {row["scope_id"] for row in await world.rows(hold) if row["state"] == "active"}


async def test_a_hold_that_cannot_be_ended_waits_an_hour_and_fills_no_batch(
    world: World, doors: httpx.AsyncClient
) -> None:
    await four_due(world)
    await held(world, doors, "A", "B")
    await kind_of_hold(world, "A", "nonsense")
    world.go_to(date(2026, 9, 4))
    before = REVIEWS_FAILED._value.get()
    reviews = Reviews(world.database, world.clock)
    await reviews.once()
    assert (await active(world), REVIEWS_FAILED._value.get()) == ({world.debtor("A")}, before + 1)
    async with world.database.transaction() as db:
        waiting = await holds.due_for_review(db, world.clock.now(), 100)
    assert world.debtor("A") not in {row["scope_id"] for row in waiting}
    await kind_of_hold(world, "A", "manual")
    world.clock.at += ASIDE_FOR
    await reviews.once()
    assert await active(world) == set()


async def test_a_hold_whose_day_has_not_begun_at_its_company_waits_for_that_day(
    world: World, doors: httpx.AsyncClient
) -> None:
    await world.tell(world.entity_configured(time_zone="America/Martinique"), world.issued("F1", DUE))
    await held(world, doors, "A")
    world.clock.at = datetime(2026, 9, 4, 1, tzinfo=UTC)
    reviews = Reviews(world.database, world.clock)
    await reviews.once()
    [waits] = await world.rows(hold)
    assert (waits["state"], waits["look_at"]) == ("active", datetime(2026, 9, 4, 4, tzinfo=UTC))
    world.clock.at = waits["look_at"]
    await reviews.once()
    assert await active(world) == set()


async def in_currency(world: World, number: str, currency: str) -> None:
    """The currency on record of one item, whatever was told."""
    async with world.database.transaction() as db:
        mine = (item.c.tenant_id == world.tenant, item.c.number == number)
        await db.execute(update(item).where(*mine).values(currency=currency))


async def raised(world: World) -> set[Any]:
    return {row["subject_id"] for row in await world.rows(deadline_alarm)}


async def test_a_deadline_that_cannot_be_counted_waits_an_hour_and_stops_no_other(
    owing: World, doors: httpx.AsyncClient
) -> None:
    await insured(owing, doors)
    await in_currency(owing, "F2", "???")
    alarms = Alarms(owing.database, owing.clock)
    owing.go_to(date(2026, 12, 15))
    before = REVIEWS_FAILED._value.get()
    await alarms.once()
    assert await raised(owing) == {owing.item("F1"), owing.item("F3")}
    assert REVIEWS_FAILED._value.get() == before + 1
    await alarms.once()
    assert REVIEWS_FAILED._value.get() == before + 1
    await in_currency(owing, "F2", "EUR")
    owing.clock.at += ASIDE_FOR
    await alarms.once()
    assert await raised(owing) == {owing.item(number) for number in ("F1", "F2", "F3")}


async def test_so_many_deadlines_that_fail_are_a_bad_release(owing: World, doors: httpx.AsyncClient) -> None:
    await insured(owing, doors)
    await in_currency(owing, "F1", "???")
    alarms = Alarms(owing.database, owing.clock)
    owing.go_to(date(2026, 12, 15))
    try:
        with pytest.raises(UnknownCurrency):
            for _ in range(ASIDE_MOST + 1):
                await alarms.once()
                owing.clock.at += ASIDE_FOR
    finally:
        await in_currency(owing, "F1", "EUR")
