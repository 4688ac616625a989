"""All five services behind their real doors in one thread, on the test's own database, for tests that knock."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from uuid import UUID

import structlog
import uvicorn
from fastapi import FastAPI

from libs.common import directory, logs
from libs.common.auth import service_token
from libs.common.db import Database
from libs.common.events import event
from libs.common.events.directory import BankDetailsApproved, EntityConfigured, SourceConfigured, TenantConfigured
from libs.common.ids import uuid7
from libs.common.runtime import App
from libs.common.seal import seal
from libs.common.settings import PORTS, Settings
from tests.support import eventually

SERVICES = tuple(name for name in PORTS if find_spec(f"services.{name}.app") is not None)
SECRET = "whsec_" + "c2Vj" * 8
AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Tenant:
    """A tenant that every service knows, with one entity and a source a purpose."""

    tenant_id: UUID
    entity_id: UUID
    sources: dict[str, UUID]

    def bearer(self, settings: Settings, service: str, role: str = "administrator") -> str:
        """The Authorization header of a person of this tenant at one service."""
        token = service_token(settings, audience=service, tenant=self.tenant_id, subject=str(uuid7()), roles=[role])
        return f"Bearer {token}"


@dataclass(frozen=True)
class World:
    """The services as they are served, their documents, and two tenants."""

    settings: Settings
    apps: dict[str, FastAPI]
    mine: Tenant
    theirs: Tenant

    def document(self, service: str) -> dict[str, Any]:
        """The service's OpenAPI document."""
        return dict(self.apps[service].openapi())


def new_tenant() -> Tenant:
    """A tenant nobody knows yet."""
    return Tenant(uuid7(), uuid7(), {"invoices": uuid7(), "payments": uuid7()})


async def make_known(settings: Settings, tenant: Tenant, service: str) -> None:
    """Let one service have heard of a tenant, its entity, sources and bank account."""
    of: dict[str, Any] = {"tenant_id": tenant.tenant_id, "version": 1, "directory_version": 1}
    sealed = [seal(settings.seal_keys, SECRET)]
    entity: dict[str, Any] = of | {"entity_id": tenant.entity_id}
    bodies = [
        [TenantConfigured(**of, name="Contract")],
        [EntityConfigured(**entity, name="Contract SAS", sender_name="Contract", sender_email="ar@example.com")],
        [
            SourceConfigured(**entity, source_id=source, slug=purpose, purpose=purpose, sealed_secrets=sealed)  # type: ignore[arg-type]
            for purpose, source in tenant.sources.items()
        ],
        [
            BankDetailsApproved(
                **entity,
                bank_account_id=uuid7(),
                iban="FR7630006000011234567890189",
                holder="Contract",
                effective_at=AT,
            )
        ],
    ]
    database = Database(settings, service, "loop")
    async with database.transaction() as db:
        for group in bodies:
            await directory.keep(db, [event(body, AT) for body in group])
    await database.close()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Serving(threading.Thread):
    """The thread with the services' own event loop."""

    def __init__(self, settings: Settings, tenants: list[Tenant]) -> None:
        super().__init__(name="services", daemon=True)
        self.settings = settings
        self.tenants = tenants
        self.apps: dict[str, FastAPI] = {}
        self.servers: list[_Server] = []
        self.up = threading.Event()
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self.failed = error
            self.up.set()

    async def _serve(self) -> None:
        for service in SERVICES:
            for tenant in self.tenants:
                await make_known(self.settings, tenant, service)
        wired: list[App] = [import_module(f"services.{name}.app").wire(self.settings) for name in SERVICES]
        self.apps = {app.service: app.http for app in wired}
        # No consumer runs here: the console need not wait until the others have heard.
        self.apps["console"].state.room.spreading.seconds = 0.0
        for app in wired:
            config = uvicorn.Config(
                app.http, port=self.settings.ports[app.service], ws="none", lifespan="off", log_config=None
            )
            self.servers.append(_Server(config))
        serving = [asyncio.create_task(server.serve()) for server in self.servers]
        await eventually(lambda: all(server.started for server in self.servers))
        self.up.set()
        await asyncio.gather(*serving)
        for app in wired:
            for close in app.close:
                await close()

    def stop(self) -> None:
        for server in self.servers:
            server.should_exit = True
        self.join(30)


@contextmanager
def written(settings: Settings) -> Iterator[None]:
    """What the services log goes to a file, as it does in life."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    file = settings.state / "logs" / "contract.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as stream:
        logs.configure("contract", stream=stream)
        try:
            yield
        finally:
            root.handlers = before[0]
            root.setLevel(before[1])
            structlog.reset_defaults()


@contextmanager
def served(settings: Settings) -> Iterator[World]:
    """The world while its services are served."""
    with written(settings):
        yield from _served(settings)


def _served(settings: Settings) -> Iterator[World]:
    mine, theirs = new_tenant(), new_tenant()
    thread = Serving(settings, [mine, theirs])
    thread.start()
    assert thread.up.wait(60)
    if thread.failed is not None:
        raise thread.failed
    try:
        yield World(settings, thread.apps, mine, theirs)
    finally:
        thread.stop()
