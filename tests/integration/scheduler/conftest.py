"""A world of its own for every test, and the scheduler's loops on the real Postgres."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from uuid import UUID

import httpx
import pytest
import typer
import uvicorn
from sqlalchemy import update
from typer.testing import CliRunner, Result

from libs.common.auth import service_token
from libs.common.cli import policy
from libs.common.db import Database
from libs.common.devstack.postgres import Postgres
from libs.common.settings import Settings
from services.scheduler.app import wire
from services.scheduler.tables import payer_case
from tests.integration.scheduler.world import World
from tests.support import eventually

Relance = Callable[..., Awaitable[Result]]


@pytest.fixture
async def database(postgres: Postgres, settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings, "scheduler", "loop")
    yield database
    await database.close()


@pytest.fixture
async def world(database: Database, tenant: UUID) -> AsyncIterator[World]:
    """A live entity with one debtor, `A`. Afterwards none of its cases is due for the sweeps of other tests."""
    made = World(database, tenant)
    await made.tell(made.tenant_configured(), made.entity_configured(), made.debtor_changed("A"))
    yield made
    async with database.transaction() as db:
        await db.execute(update(payer_case).where(payer_case.c.tenant_id == tenant).values(next_at=None))


@pytest.fixture
async def owing(world: World) -> World:
    """A owes 500 overdue, 700 to come and 300 dollars; 200 euros are on account."""
    world.go_to(date(2026, 9, 10))
    await world.tell(
        world.issued("F1", date(2026, 9, 1)),
        world.issued("F2", date(2026, 10, 1), 700),
        world.issued("F3", date(2026, 10, 1), 300, currency="USD"),
        world.received("P1", 200),
    )
    return world


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


@pytest.fixture
async def relance(world: World, settings: Settings) -> AsyncIterator[Relance]:
    """A command (`of`, policies by itself) as ada, or as somebody else, with the scheduler behind a real port."""
    app = wire(settings, world.clock)
    server = uvicorn.Server(uvicorn.Config(app.http, port=0, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]

    async def run(*words: str, by: str = "ada", of: typer.Typer = policy.app) -> Result:
        token = service_token(settings, audience="scheduler", tenant=world.tenant, subject=by, roles=("manager",))
        env = {"RELANCE_SCHEDULER_URL": f"http://127.0.0.1:{port}", "RELANCE_API_KEY": token, "COLUMNS": "200"}
        return await asyncio.to_thread(CliRunner().invoke, of, list(words), env=env)

    yield run
    server.should_exit = True
    await serving
    for close in app.close:
        await close()
