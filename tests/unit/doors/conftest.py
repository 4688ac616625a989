"""A small application behind the real door. No database is reached: what it looks up is already remembered."""

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request

from libs.common.auth import Caller, Quota, requires, requires_service, service_token
from libs.common.db import Database
from libs.common.directory.credentials import KnownSource
from libs.common.events import Amount
from libs.common.http import Line, Prose, Wire, make_app, read_json
from libs.common.ids import uuid7
from libs.common.seal import seal
from libs.common.settings import Settings
from libs.common.webhooks import verified_webhook

SECRETS = ("whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8)


class Part(Wire):
    """A line of a thing."""

    text: Line
    amount: Amount


class Thing(Wire):
    """What the small application takes."""

    name: Line
    note: Prose | None = None
    count: int = 0
    parts: list[Part] = []
    free: dict[str, Any] = {}


async def always_open() -> None:
    """No outbox is looked at."""


def routes() -> APIRouter:
    """Its routes: a guarded one, an internal one, a signed one and one that breaks."""
    router = APIRouter()

    @router.post("/v1/things", status_code=201)
    async def make(thing: Thing, caller: Annotated[Caller, Depends(requires("invoices:write"))]) -> dict[str, str]:
        return {"name": thing.name, "tenant": str(caller.tenant_id)}

    @router.get("/v1/things/{thing_id}")
    async def show(thing_id: UUID, caller: Annotated[Caller, Depends(requires("invoices:read"))]) -> dict[str, str]:
        return {"id": str(thing_id)}

    @router.get("/v1/broken")
    async def broken() -> None:
        raise RuntimeError("secret detail of ours")

    @router.get("/v1/away")
    async def away() -> None:
        raise ConnectionRefusedError("the database is away")

    @router.post("/internal/v1/things")
    async def inside(caller: Annotated[Caller, Depends(requires_service())]) -> dict[str, str | None]:
        return {"service": caller.service}

    @router.post("/v1/webhooks/invoices/{source}")
    async def hear(request: Request) -> dict[str, str]:
        heard = await verified_webhook(request, purpose="invoices")
        read_json(heard.body)
        return {"tenant": str(heard.tenant_id), "id": heard.webhook_id}

    return router


@dataclass
class World:
    """The application, who may call it, and a client that calls it in process."""

    app: FastAPI
    settings: Settings
    tenant: UUID
    source: UUID
    client: httpx.AsyncClient

    def bearer(self, *roles: str, tenant: UUID | None = None, subject: str = "somebody") -> dict[str, str]:
        """The header of a person with these roles."""
        token = service_token(
            self.settings, audience="console", tenant=tenant or self.tenant, subject=subject, roles=roles
        )
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    settings = Settings.from_env({"RELANCE_DATABASE_URL": "postgresql://127.0.0.1:1/none"})
    database = Database(settings, "console", "api")
    app = make_app(
        settings,
        "console",
        title="Small",
        routers=[routes()],
        state=database,
        database=database,
        quota=Quota(rate=1e9, burst=1e9),
        closed=always_open,
    )
    tenant, source = uuid7(), uuid7()
    sealed = tuple(seal(settings.seal_keys, secret) for secret in SECRETS)
    known = KnownSource(tenant, source, uuid7(), "invoices", sealed, True)
    app.state.doorkeeper.sources.kept[source] = (math.inf, known)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
        yield World(app, settings, tenant, source, client)
    await database.close()
