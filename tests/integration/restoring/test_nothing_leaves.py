"""While an installation recovers no door says yes; the commands, as an operator types them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import restoring
from libs.common.db import Database
from libs.common.devstack.kafka import Kafka
from libs.common.devstack.postgres import Postgres
from libs.common.ids import uuid7
from libs.common.permits import Answer, Ask, Scope, grant, stopping, yes
from libs.common.settings import SCHEMAS, Settings
from tests.integration.bus.test_commands import answer, relance, set_aside
from tests.integration.permits.test_permits import ask


@pytest.fixture(autouse=True)
async def over(settings: Settings, postgres: Postgres) -> AsyncIterator[None]:
    """No service recovers afterwards."""
    yield
    for service in SCHEMAS:
        database = Database(settings, service, "loop", pool=1)
        async with database.transaction() as db:
            await restoring.stop(db)
        await database.close()


@pytest.fixture
async def loops(settings: Settings, postgres: Postgres) -> AsyncIterator[Database]:
    database = Database(settings, "payment_matching", "loop")
    yield database
    await database.close()


async def look(db: AsyncConnection, tenant: UUID, asks: Sequence[Ask]) -> list[Answer]:
    return [yes(one) for one in asks]


@pytest.mark.parametrize("role", ["api", "loop"])
async def test_no_permit_says_yes_while_the_service_recovers(
    settings: Settings, loops: Database, tenant: UUID, role: str
) -> None:
    database = Database(settings, "payment_matching", "api" if role == "api" else "loop")
    async with loops.transaction() as db:
        await restoring.start(db, datetime.now(UTC), {})
    [refused] = await grant(database, tenant, [ask(uuid7())], look)
    assert (refused.answer, refused.reason) == ("again", "recovering")
    await asyncio.wait_for(stopping(database, Scope(tenant)), 1)
    async with loops.transaction() as db:
        await restoring.stop(db)
    assert [one.answer for one in await grant(database, tenant, [ask(uuid7())], look)] == ["yes"]
    await database.close()


async def test_recovery_is_begun_shown_and_not_ended_over_what_was_set_aside(
    settings: Settings, postgres: Postgres, kafka: Kafka, tenant: UUID
) -> None:
    assert {row["restored_to"] for row in await answer(settings, "restore", "status")} == {None}
    code, _, err = await relance(settings, "restore", "end")
    assert code == 1 and "relance restore begin" in err
    begun = await answer(settings, "restore", "begin", "--restored-to", datetime.now(UTC).isoformat())
    assert set(begun) == {"restored_to", "releases", "groups"}
    shown = await answer(settings, "restore", "status")
    assert {row["service"] for row in shown if row["restored_to"]} == set(SCHEMAS)
    await set_aside(settings, tenant, ValueError("no such notice"))
    [notifier] = [row for row in await answer(settings, "restore", "status") if row["service"] == "notifier"]
    assert notifier["set_aside"] == 1
    code, _, err = await relance(settings, "restore", "end")
    assert code == 1 and "notifier has" in err and "set 1 aside" in err and "relance dead-letters list" in err


async def test_what_did_not_finish_to_begin_does_not_end(settings: Settings, loops: Database) -> None:
    async with loops.transaction() as db:
        await restoring.start(db, datetime.now(UTC))
    code, _, err = await relance(settings, "restore", "end")
    assert code == 1 and "did not finish" in err and "relance restore begin" in err


@pytest.mark.parametrize("instant", ["yesterday", "2026-11-23T05:40:00"])
async def test_an_instant_without_zone_or_sense_is_refused_with_an_example(settings: Settings, instant: str) -> None:
    code, _, err = await relance(settings, "restore", "begin", "--restored-to", instant)
    assert code == 2 and "2026-11-23T05:40:00Z" in err


async def test_a_restore_point_that_has_not_come_is_refused(settings: Settings) -> None:
    later = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    code, _, err = await relance(settings, "restore", "begin", "--restored-to", later)
    assert code == 1 and "has not come yet" in err
