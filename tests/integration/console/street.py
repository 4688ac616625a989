"""The console with the real doors of the other services beside it, in one process and on one database.

No loop of theirs runs and there is no broker: what the console's directory says is put into their tables by `spread`.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from sqlalchemy import select

from libs.common.calls import Peers
from libs.common.clock import SystemClock
from libs.common.db import Database
from libs.common.directory.hearing import TABLES, keep
from libs.common.events import TYPES
from libs.common.incoming import Record, read
from libs.common.runtime import App
from libs.common.settings import Settings
from libs.common.tables import outbox
from services.console.room import Room
from tests.integration.console.conftest import Console, csrf
from tests.integration.console.history import History, played
from tests.integration.console.test_read_model import hear

OTHERS = ("invoice_ingest", "scheduler", "notifier", "payment_matching")


async def lived(settings: Settings, tenant: UUID, seed: int, *, debtors: int, invoices: int) -> History:
    """A history of so many that the console has heard."""
    history = played(tenant, seed, debtors=debtors, invoices=invoices)
    loops = Database(settings, "console", "loop")
    await hear(loops, history.events, 200)
    await loops.close()
    return history


class Doors(httpx.AsyncBaseTransport):
    """Each request goes through the door of the service whose address it has."""

    def __init__(self, settings: Settings, apps: dict[str, App]) -> None:
        self.doors = {settings.urls[name]: httpx.ASGITransport(app.http) for name, app in apps.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        door = next((door for url, door in self.doors.items() if str(request.url).startswith(url)), None)
        if door is None:
            raise httpx.ConnectError("nobody is there", request=request)
        return await door.handle_async_request(request)


@dataclass
class Street:
    """The console and its neighbours."""

    console: Console
    settings: Settings
    databases: dict[str, Database]
    doors: Doors
    apps: dict[str, App]

    async def forget(self, name: str) -> None:
        """Let a service look up callers anew, as it does by itself after some seconds."""
        self.apps[name].http.state.doorkeeper.forget()

    async def spread(self, tenant: UUID) -> None:
        """Let every service know what the directory says of a tenant."""
        ours = self.databases["console"]
        async with ours.transaction() as db:
            asked = select(outbox).where(outbox.c.tenant_id == tenant).order_by(outbox.c.seq)
            rows = list(await db.execute(asked))
        heard = {kind.__name__: kind for kind in TABLES}
        for row in rows:
            record = Record(row.topic, 0, 0, row.key.encode(), orjson.loads(row.headers), bytes(row.body))
            found = read(record, {name: TYPES[name] for name in heard}, SystemClock().now())
            if found is None or found.event is None:
                continue
            for name in OTHERS:
                async with self.databases[name].transaction() as db:
                    await keep(db, [found.event])

    async def person(self, tenant: UUID, *roles: str) -> "Resident":
        """Somebody of a tenant with these roles, signed in."""
        browser = await self.console.sign_in(await self.console.user(tenant, *roles))
        return Resident(browser, self.settings.public_url)


@dataclass
class Resident:
    """A signed-in person's browser."""

    client: httpx.AsyncClient
    origin: str

    async def page(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text[-3_000:]
        return answer.text

    async def send(self, path: str, fields: dict[str, Any], *, at: str, **how: Any) -> httpx.Response:
        """Open the page `at`, take its token and send a form of it to `path`."""
        told = {"csrf": csrf(await self.client.get(at)), "next": at, **fields}
        return await self.client.post(path, data=told, headers={"origin": self.origin}, **how)


@pytest.fixture(scope="module")
async def street(console: Console, settings: Settings) -> AsyncIterator[Street]:
    apps = {name: import_module(f"services.{name}.app").wire(settings, console.clock) for name in OTHERS}
    before: Room = console.app.http.state.room
    doors = Doors(settings, apps)
    client = httpx.AsyncClient(transport=doors)
    console.app.http.state.room = replace(before, peers=Peers(settings, "console", client=client))
    databases = {name: Database(settings, name, "loop", pool=2) for name in (*OTHERS, "console")}
    yield Street(console, settings, databases, doors, apps)
    console.app.http.state.room = before
    for database in databases.values():
        await database.close()
    for app in apps.values():
        for close in app.close:
            await close()
