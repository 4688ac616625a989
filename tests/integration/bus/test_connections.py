"""Connections that the server has ended: whoever comes next does not notice."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from libs.common.db import Database, driver_url, make_engine
from libs.common.settings import Settings
from tests.support import eventually

HELD = 3


async def _driver(database: Database, together: asyncio.Barrier) -> Any:
    """The driver's connection of one transaction, while others hold theirs."""
    async with database.transaction() as db:
        await together.wait()
        raw = await db.get_raw_connection()
        return raw.driver_connection


@pytest.mark.usefixtures("postgres")
async def test_a_pool_whose_connections_were_ended_serves_at_once(settings: Settings) -> None:
    database = Database(settings, "scheduler", "loop", pool=HELD)
    admin = make_engine(driver_url(settings.admin_url or ""), 1)
    try:
        together = asyncio.Barrier(HELD)
        before = await asyncio.gather(*(_driver(database, together) for _ in range(HELD)))
        async with admin.begin() as db:
            pids = [each.get_server_pid() for each in before]
            await db.execute(
                text("select pg_terminate_backend(pid, 5000) from unnest(:pids ::int[]) pid"), {"pids": pids}
            )
        await eventually(lambda: all(each.is_closed() for each in before))
        after = await asyncio.gather(*(_driver(database, together) for _ in range(HELD)))
        assert not set(map(id, after)) & set(map(id, before))
    finally:
        await database.close()
        await admin.dispose()
