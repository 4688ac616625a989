"""A world of its own for every test, and the scheduler's loops on the real Postgres."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from libs.common.auth import service_token
from libs.common.db import Database
from libs.common.devstack.postgres import Postgres
from libs.common.settings import Settings
from services.scheduler.app import wire
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


@pytest.fixture
async def doors(world: World, postgres: Postgres, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The scheduler's doors, with the business clock of the world, for a manager of its tenant."""
    app = wire(settings, world.clock)
    token = service_token(settings, audience="scheduler", tenant=world.tenant, subject="ada", roles=("manager",))
    notifier = service_token(settings, audience="scheduler", tenant=world.tenant, subject="service:notifier")
    shown = {"authorization": f"Bearer {token}", "x-notifier": f"Bearer {notifier}"}
    transport = httpx.ASGITransport(app=app.http)
    async with httpx.AsyncClient(transport=transport, base_url="http://scheduler", headers=shown) as client:
        yield client
    for close in app.close:
        await close()
