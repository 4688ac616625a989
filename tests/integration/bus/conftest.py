"""A database of its own for the tests of the bus: the scheduler's schema with the common tables and one for effects."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection

from libs.common.db import Database, make_engine, role_url
from libs.common.devstack.kafka import Kafka
from libs.common.devstack.postgres import Postgres
from libs.common.migrate import create_all, prepare
from libs.common.settings import Settings
from tests.integration.bus.world import SERVICE, World, make_world, metadata


def _tables(connection: Connection) -> None:
    create_all(Operations(MigrationContext.configure(connection)), metadata)
    connection.commit()


@pytest.fixture(scope="session")
async def bus(settings: Settings, postgres: Postgres) -> Settings:
    """Settings of a fresh database whose scheduler schema holds the bus and `effect`."""
    postgres.query("create database bus", database="postgres")
    mine = replace(
        settings,
        database_url=settings.database_url.replace("/relance", "/bus"),
        admin_url=postgres.admin_url.replace("/relance", "/bus"),
    )
    await prepare(mine, [SERVICE, "notifier"])
    for schema in ("scheduler", "notifier"):
        engine = make_engine(role_url(mine, schema, "owner"), 1)
        async with engine.connect() as db:
            await db.run_sync(_tables)
        await engine.dispose()
    return mine


@pytest.fixture
async def database(bus: Settings) -> AsyncIterator[Database]:
    """The loops' pool on the scheduler's schema."""
    found = Database(bus, SERVICE, "loop")
    yield found
    await found.close()


@pytest.fixture
async def door(bus: Settings) -> AsyncIterator[Database]:
    """The doors' pool on the scheduler's schema."""
    found = Database(bus, SERVICE, "api")
    yield found
    await found.close()


@pytest.fixture
async def world(bus: Settings, kafka: Kafka, database: Database, monkeypatch: pytest.MonkeyPatch) -> World:
    """A topic and a consumer group of this test's own."""
    return await make_world(bus, database, monkeypatch)
