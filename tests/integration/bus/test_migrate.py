"""Migrations: safe to repeat, safe twice at once, and nothing but the owner can change a table."""

import asyncio

import pytest
from sqlalchemy import MetaData, Table, text
from sqlalchemy.exc import DBAPIError

from libs.common.db import Database
from libs.common.devstack.postgres import Postgres
from libs.common.migrate import TenantMissing, create_all, migrate
from libs.common.settings import SCHEMAS, Settings


async def test_migrating_again_and_twice_at_once_changes_nothing(settings: Settings, postgres: Postgres) -> None:
    columns = (
        "select md5(string_agg(table_schema || table_name || column_name || data_type, ',' order by 1))"
        " from (select * from information_schema.columns order by table_schema, table_name, column_name) as c"
        " where table_schema = 'notifier'"
    )
    before = postgres.query(columns)
    await asyncio.gather(migrate(settings), migrate(settings, ["notifier", "scheduler"]))
    assert postgres.query(columns) == before


@pytest.mark.parametrize("service", SCHEMAS)
async def test_every_table_of_every_service_keeps_tenants_apart(
    settings: Settings, postgres: Postgres, service: str
) -> None:
    database = Database(settings, service, "loop", pool=1)
    loose = text("""
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = current_schema() and c.relkind in ('r', 'p') and c.relname <> 'alembic_version'
           and not (c.relrowsecurity and c.relforcerowsecurity and exists (
               select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id'))
    """)
    unpoliced = text("""
        select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = current_schema() and c.relkind in ('r', 'p') and not c.relispartition
           and c.relname <> 'alembic_version' and (
               select count(*) from pg_policy p where p.polrelid = c.oid and p.polname in ('tenants', 'loops')) <> 2
    """)
    async with database.transaction() as db:
        assert (await db.scalars(loose)).all() == []
        assert (await db.scalars(unpoliced)).all() == []
    await database.close()


def test_the_planner_knows_about_the_tenants_of_every_table_before_its_first_analysis(postgres: Postgres) -> None:
    unknown = """
        select count(*) from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
         where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace::regnamespace::text = any(array[
               'ingest', 'scheduler', 'notifier', 'matching', 'console'])
           and not exists (select from pg_statistic s where s.starelid = c.oid and s.staattnum = a.attnum)
    """
    assert postgres.query(unknown).strip() == "0"


@pytest.mark.parametrize("role", ["api", "loop"])
async def test_doors_and_loops_cannot_change_tables(settings: Settings, postgres: Postgres, role: str) -> None:
    database = Database(settings, "notifier", role, pool=1)  # type: ignore[arg-type]
    for statement in ("create table mine (tenant_id uuid)", "alter table outbox no force row level security"):
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
            async with database.transaction() as db:
                await db.execute(text(statement))
    await database.close()


def test_a_table_without_a_tenant_is_refused_before_anything_is_made() -> None:
    metadata = MetaData()
    Table("loose", metadata)

    class Op:
        """What create_all asks of alembic before it looks at the tables."""

        def get_bind(self) -> "Op":
            return self

        def scalar(self, asked: object) -> str:
            return "scheduler"

    with pytest.raises(TenantMissing, match="loose"):
        create_all(Op(), metadata)
