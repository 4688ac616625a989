"""Bringing a database to what this release needs: roles and schemas by an administrator, tables by each owner.

The rules it protects: every service has its own schema, which no other service's role can enter; every table has a
`tenant_id` and forced row-level security; migrations only add. Two runs at once wait for one another.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, MetaData, Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import permits  # noqa: F401 - its table is one of the common ones
from libs.common.db import driver_url, make_engine, role_url
from libs.common.definers import owner_functions
from libs.common.directory import credential_functions
from libs.common.errors import RelanceError
from libs.common.settings import SCHEMAS, Settings
from libs.common.tables import common

_REPOSITORY = Path(__file__).parents[2]
_SESSION = {
    "plan_cache_mode": "force_custom_plan",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "10s",
}
_TIMEOUTS = {
    "owner": {"statement_timeout": "10min", "lock_timeout": "4s", "transaction_timeout": "15min"},
    "api": {"statement_timeout": "15s", "lock_timeout": "5s", "transaction_timeout": "60s"},
    "loop": {"statement_timeout": "30s", "lock_timeout": "5s", "transaction_timeout": "60s"},
}
_TENANT = "tenant_id = any((select nullif(current_setting('relance.tenants', true), '')::uuid[])::uuid[])"


class TenantMissing(RelanceError):
    """A table has no tenant_id, so nothing could keep tenants apart in it."""

    code = "tenant_missing"


async def migrate(settings: Settings, services: Iterable[str] | None = None) -> None:
    """Make roles and schemas if `settings.admin_url` is set, then bring each service's schema to its newest version.

    Services without migrations are left out. Safe to run at any time, and twice at once.
    """
    chosen = [name for name in (services or SCHEMAS) if _versions(name).is_dir()]
    if settings.admin_url:
        await prepare(settings, chosen)
    for service in chosen:
        await _upgrade(settings, service)


def _versions(service: str) -> Path:
    return _REPOSITORY / "services" / service / "migrations"


async def prepare(settings: Settings, services: Sequence[str]) -> None:
    """As the administrator: the schemas of these services, their three roles each, and what their sessions keep to."""
    engine = make_engine(driver_url(settings.admin_url or ""), 1)
    try:
        async with engine.begin() as db:
            await db.execute(text("select pg_advisory_xact_lock(hashtext('relance.migrate'))"))
            await db.execute(text("create extension if not exists pg_trgm schema public"))
            for service in services:
                await _make_schema(db, settings, SCHEMAS[service])
    finally:
        await engine.dispose()


async def _make_schema(db: AsyncConnection, settings: Settings, schema: str) -> None:
    passwords = {"owner": settings.owner_password, "api": settings.api_password, "loop": settings.loop_password}
    for role, password in passwords.items():
        await _make_role(db, f"{schema}_{role}", password)
        for name, value in ({"search_path": f"{schema}, public"} | _SESSION | _TIMEOUTS[role]).items():
            shown = value if name == "search_path" else f"'{value}'"
            await db.execute(text(f"alter role {schema}_{role} set {name} = {shown}"))
    if not await db.scalar(text("select to_regnamespace(:schema)"), {"schema": schema}):
        await db.execute(text(f"grant {schema}_owner to current_user"))
        await db.execute(text(f"create schema {schema} authorization {schema}_owner"))
    await db.execute(text(f"grant usage on schema {schema} to {schema}_api, {schema}_loop"))


async def _make_role(db: AsyncConnection, name: str, password: str) -> None:
    known = await db.scalar(text("select 1 from pg_roles where rolname = :name"), {"name": name})
    if not known:
        await db.execute(text(f"create role {name} login nosuperuser nobypassrls nocreatedb nocreaterole"))
    quoted = await db.scalar(text("select quote_literal(cast(:password as text))"), {"password": password})
    # A colon inside the literal must not be read as a parameter.
    await db.exec_driver_sql(f"alter role {name} password {quoted}")


async def _upgrade(settings: Settings, service: str) -> None:
    engine = make_engine(role_url(settings, SCHEMAS[service], "owner"), 1)
    try:
        async with engine.connect() as db:
            await db.run_sync(_run, service)
    finally:
        await engine.dispose()


def _run(connection: Connection, service: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(_versions(service)))
    config.attributes.update(connection=connection, schema=SCHEMAS[service])
    # One lock for all services: Alembic keeps what it is at in the process, one upgrade at a time.
    connection.execute(text("select pg_advisory_lock(hashtext('relance.migrate.upgrade'))"))
    connection.commit()
    command.upgrade(config, "head")
    schema = SCHEMAS[service]
    # The doors ask it whether the schema is at least what this release needs.
    connection.exec_driver_sql(f"grant select on alembic_version to {schema}_api, {schema}_loop")
    connection.commit()


def create_all(op: Any, *metadatas: MetaData) -> None:
    """Make the common tables and the service's own, each with its policies and grants; for a first migration.

    `op` is alembic's. Raises TenantMissing before anything is made.
    """
    connection: Connection = op.get_bind()
    schema = str(connection.scalar(text("select current_schema()")))
    statements = [*owner_functions(schema), *credential_functions(schema)]
    tables = [table for metadata in (common, *metadatas) for table in metadata.sorted_tables]
    for table in tables:
        _check(table)
    for metadata in (common, *metadatas):
        metadata.create_all(connection, checkfirst=False)
    for table in tables:
        protect(op, table.name)
    for statement in statements:
        connection.exec_driver_sql(statement)


def _check(table: Table) -> None:
    if "tenant_id" not in table.c:
        raise TenantMissing(f"The table {table.name} has no tenant_id.")


def protect(op: Any, table: str) -> None:
    """Force row-level security on one table of this schema and let its three roles in. Every later migration that
    adds a table calls this for it."""
    schema = str(op.get_bind().scalar(text("select current_schema()")))
    for statement in protection(schema, table):
        op.execute(statement)


def protection(schema: str, table: str) -> list[str]:
    """The statements that build the walls around the tenants of one table."""
    return [
        f"alter table {table} enable row level security, force row level security",
        f"create policy tenants on {table} to {schema}_api using ({_TENANT}) with check ({_TENANT})",
        f"create policy loops on {table} to {schema}_loop using (true) with check (true)",
        f"create policy owner on {table} to {schema}_owner using (true) with check (true)",
        f"grant select, insert, update, delete on {table} to {schema}_api, {schema}_loop",
        _presumption(schema, table),
    ]


def _presumption(schema: str, table: str) -> str:
    """Until the table is analysed for the first time, the planner takes all of its rows to be one tenant's. Knowing
    nothing it would expect one row in 200, of these one in 20 for the policy, and join whole tables by nested loops
    in the minutes after a first large import.

    Source: PostgreSQL 18, "Statistics Manipulation Functions"; what is analysed later replaces it.
    """
    facts = "'null_frac', 0::real, 'avg_width', 16, 'n_distinct', 1::real"
    place = f"'schemaname', '{schema}', 'relname', '{table}', 'attname', 'tenant_id', 'inherited', relkind = 'p'"
    this = f"from pg_class where oid = '{table}'::regclass"
    return f"select pg_restore_attribute_stats({place}, {facts}) {this}"
