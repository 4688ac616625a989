"""The walls of the database: schemas between services, row-level security between tenants."""

from uuid import UUID

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from libs.common.db import Database, make_engine, role_url
from libs.common.settings import Settings
from tests.integration.bus.world import effect
from tests.support import fresh_tenant

_UNPROTECTED = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = current_schema() and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
"""


def row(tenant: UUID) -> dict[str, object]:
    return {"tenant_id": tenant, "event_id": fresh_tenant(), "key": "k", "version": 1}


async def test_a_door_sees_the_rows_of_the_tenants_it_names_and_no_others(door: Database) -> None:
    ours, theirs = fresh_tenant(), fresh_tenant()
    for tenant in (ours, theirs):
        async with door.transaction(tenant) as db:
            await db.execute(insert(effect), row(tenant))
    seen = select(effect.c.tenant_id).where(effect.c.tenant_id.in_([ours, theirs]))
    async with door.transaction(ours) as db:
        assert list(await db.scalars(seen)) == [ours]
    async with door.transaction(ours, theirs) as db:
        assert set(await db.scalars(seen)) == {ours, theirs}
    async with door.transaction() as db:
        assert list(await db.scalars(seen)) == []


async def test_a_door_cannot_write_for_a_tenant_it_did_not_name(door: Database) -> None:
    with pytest.raises(DBAPIError, match="row-level security"):
        async with door.transaction(fresh_tenant()) as db:
            await db.execute(insert(effect), row(fresh_tenant()))


async def test_loops_see_every_tenant(door: Database, database: Database) -> None:
    tenant = fresh_tenant()
    async with door.transaction(tenant) as db:
        await db.execute(insert(effect), row(tenant))
    async with database.transaction() as db:
        assert await db.scalar(select(effect.c.tenant_id).where(effect.c.tenant_id == tenant)) == tenant


async def test_every_table_but_alembics_forces_row_level_security(database: Database) -> None:
    async with database.transaction() as db:
        assert set(await db.scalars(text(_UNPROTECTED))) <= {"alembic_version"}


@pytest.mark.parametrize("role", ["owner", "api", "loop"])
async def test_a_role_cannot_enter_another_services_schema(bus: Settings, role: str) -> None:
    engine = make_engine(role_url(bus, "scheduler", role), 1)  # type: ignore[arg-type]
    with pytest.raises(DBAPIError, match="permission denied for schema notifier"):
        async with engine.connect() as db:
            await db.execute(text("select 1 from notifier.outbox"))
    await engine.dispose()


@pytest.mark.parametrize("role", ["owner", "api", "loop"])
async def test_no_role_bypasses_row_level_security(bus: Settings, role: str) -> None:
    engine = make_engine(role_url(bus, "scheduler", role), 1)  # type: ignore[arg-type]
    async with engine.connect() as db:
        asked = text("select rolsuper or rolbypassrls from pg_roles where rolname = current_user")
        assert await db.scalar(asked) is False
    await engine.dispose()


async def test_sessions_keep_to_their_timeouts_and_plan_every_statement_anew(database: Database) -> None:
    expected = {
        "search_path": "scheduler, public",
        "idle_in_transaction_session_timeout": "10s",
        "transaction_timeout": "1min",
        "lock_timeout": "5s",
        "plan_cache_mode": "force_custom_plan",
        "synchronous_commit": "on",
    }
    async with database.transaction() as db:
        for name, value in expected.items():
            assert await db.scalar(text("select current_setting(:name)"), {"name": name}) == value


async def test_an_error_prints_no_parameters(door: Database) -> None:
    with pytest.raises(DBAPIError) as caught:
        async with door.transaction(fresh_tenant()) as db:
            await db.execute(text("select cast(:name as integer) / 0"), {"name": 4711})
    assert "4711" not in str(caught.value)


async def test_the_months_are_made_ahead_by_whoever_loops(database: Database) -> None:
    parts = text("select count(*) from pg_inherits where inhparent = cast(:name as regclass)")
    async with database.transaction() as db:
        await db.execute(text("select keep_months()"))
        assert await db.scalar(parts, {"name": "inbox"}) == 18
        assert await db.scalar(parts, {"name": "outbox_archive"}) == 5
