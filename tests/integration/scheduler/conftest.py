"""A world of its own for every test, and the scheduler's loops on the real Postgres."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from libs.common.db import Database
from libs.common.devstack.postgres import Postgres
from libs.common.settings import Settings
from tests.integration.scheduler.world import World


@pytest.fixture
async def database(postgres: Postgres, settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings, "scheduler", "loop")
    yield database
    await database.close()


@pytest.fixture
async def world(database: Database, tenant: UUID) -> World:
    """A live entity with one debtor, `A`."""
    made = World(database, tenant)
    await made.tell(made.tenant_configured(), made.entity_configured(), made.debtor_changed("A"))
    return made
