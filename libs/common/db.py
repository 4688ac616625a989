"""How a process reaches its schema: one pool per role, one transaction per edge, tenants set inside it.

The rule it protects: whatever runs as `<schema>_api` sees the rows of the tenants its transaction names and no
others, because the setting dies with the transaction. Nothing of a session is relied upon (no LISTEN, no session
settings, prepared statements under unique names), so a transaction-mode PgBouncer may stand in between.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal
from uuid import UUID, uuid4

from sqlalchemy import bindparam, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from libs.common.settings import SCHEMAS, Settings

Role = Literal["api", "loop", "owner"]
POOLS: dict[Role, int] = {"api": 5, "loop": 3, "owner": 1}
"""Connections a process may hold; there is no overflow."""

RECORDED = "recorded"
"""The mark that `outbox.record` leaves in `db.info`, so that the commit wakes the relay."""

_TENANTS = text("select set_config('relance.tenants', :tenants, true)").bindparams(bindparam("tenants"))


def role_url(settings: Settings, schema: str, role: Role) -> URL:
    """The database as one role of one schema sees it."""
    passwords = {"api": settings.api_password, "loop": settings.loop_password, "owner": settings.owner_password}
    return driver_url(settings.database_url).set(username=f"{schema}_{role}", password=passwords[role])


def driver_url(url: str) -> URL:
    """A postgresql:// address, to be spoken by asyncpg; its query is kept.

    A PgBouncer that follows no prepared statements (before 1.21, or without max_prepared_statements) needs
    `?prepared_statement_cache_size=0`.
    """
    return make_url(url).set(drivername="postgresql+asyncpg")


def _statement_name() -> str:
    return f"relance_{uuid4().hex}"


def make_engine(url: URL, pool: int) -> AsyncEngine:
    """An engine that never prints parameters (they hold personal data) and never waits for ever."""
    engine = create_async_engine(
        url,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=5,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={"timeout": 5, "command_timeout": 65, "prepared_statement_name_func": _statement_name},
    )
    event.listen(engine.sync_engine, "checkout", _still_open)
    return engine


def _still_open(connection: Any, *_: object) -> None:
    """A connection that the server has ended meanwhile is replaced before anything is asked of it; costs no round
    trip, so one whose end is not yet known here still fails its first statement."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


class Database:
    """One role's pool on one service's schema; api 5 connections and loop 3 unless told otherwise."""

    def __init__(self, settings: Settings, service: str, role: Role, *, pool: int | None = None) -> None:
        self.service = service
        self.schema = SCHEMAS[service]
        self.role = role
        self.told: list[Callable[[], None]] = []
        """Called after each commit of a transaction that recorded events: the relay's nudge."""
        self.engine = make_engine(role_url(settings, self.schema, role), pool or POOLS[role])
        self.before_commit: Callable[[AsyncConnection], Awaitable[None]] | None = None
        """Called inside each transaction that is about to commit: the mark of an Idempotency-Key."""

    @asynccontextmanager
    async def transaction(self, *tenants: UUID) -> AsyncIterator[AsyncConnection]:
        """One transaction, committed at the end and rolled back by any error; `_api` sees `tenants` only."""
        async with self.engine.begin() as db:
            if tenants:
                await db.execute(_TENANTS, {"tenants": "{" + ",".join(map(str, tenants)) + "}"})
            db.info.pop(RECORDED, None)
            yield db
            recorded = db.info.pop(RECORDED, False)
            if self.before_commit is not None:
                await self.before_commit(db)
        if recorded:
            for nudge in self.told:
                nudge()

    @asynccontextmanager
    async def snapshot(self, *tenants: UUID) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, and whose statements all see the rows of one instant."""
        async with self.engine.connect() as free:
            db = await free.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with db.begin():
                await db.execute(_TENANTS, {"tenants": "{" + ",".join(map(str, tenants)) + "}"})
                yield db

    async def close(self) -> None:
        """Give the connections back."""
        await self.engine.dispose()
