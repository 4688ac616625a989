"""A database for one measurement: on the server of the stack that runs, else on an embedded server of its own.

Protects: the tenants' data. The measurement has a whole database to itself, which nobody else opens and which is gone
afterwards.
"""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from libs.common.db import driver_url
from libs.common.devstack.postgres import ADMIN, PASSWORD, Postgres
from libs.common.migrate import migrate
from libs.common.settings import SCHEMAS, Settings

SERVICE = "payment_matching"
_PATIENCE = 30
"""Seconds to wait for a connection."""
_LIMITS = ("idle_in_transaction_session_timeout", "statement_timeout", "transaction_timeout")
"""Of sessions in this database alone: a busy machine must not end a measurement."""


@asynccontextmanager
async def scratch(settings: Settings) -> AsyncIterator[Settings]:
    """Settings that lead to an empty matching schema. Raises StackError when no server can be had."""
    admin = await _running(settings)
    if admin is not None:
        async with _database(settings, admin) as own:
            yield own
        return
    with tempfile.TemporaryDirectory(prefix="relance-evaluate-", ignore_cleanup_errors=True) as folder:
        server = Postgres(Path(folder) / "postgres", _free_port(), Path(folder) / "postgres.log")
        # Here, not in a thread: the server ends with the thread that started it.
        server.start()
        try:
            async with _database(replace(settings, database_url=server.address), server.admin_url) as own:
                yield own
        finally:
            await asyncio.to_thread(server.stop)


async def _running(settings: Settings) -> str | None:
    """The administrator's address of the server that runs, if there is one that lets us in."""
    url = make_url(settings.database_url)
    local = settings.environment == "development"
    known = url.set(username=ADMIN, password=PASSWORD).render_as_string(hide_password=False)
    admin = settings.admin_url or (known if local else None)
    if admin is None:
        return None
    try:
        await command(admin, "select 1")
    except (OSError, TimeoutError, DBAPIError):
        return None
    return admin


@asynccontextmanager
async def _database(settings: Settings, admin: str) -> AsyncIterator[Settings]:
    name = f"relance_scratch_{os.getpid()}_{uuid4().hex[:8]}"
    await command(admin, f"create database {name}")
    try:
        there = make_url(settings.database_url).set(database=name).render_as_string(hide_password=False)
        as_admin = make_url(admin).set(database=name).render_as_string(hide_password=False)
        own = replace(settings, database_url=there, admin_url=as_admin)
        # In a thread: migrations drive an event loop of their own.
        await asyncio.to_thread(lambda: asyncio.run(migrate(own, [SERVICE])))
        for limit in _LIMITS:
            await command(admin, f"alter role {SCHEMAS[SERVICE]}_loop in database {name} set {limit} = 0")
        yield own
    finally:
        await command(admin, f"drop database if exists {name} with (force)")


async def command(admin: str, sql: str) -> None:
    """Run one statement as the administrator, outside a transaction."""
    engine = create_async_engine(driver_url(admin), poolclass=NullPool, connect_args={"timeout": _PATIENCE})
    try:
        async with engine.connect() as db:
            plain = await db.execution_options(isolation_level="AUTOCOMMIT")
            await plain.execute(text(sql))
    finally:
        await engine.dispose()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
