"""A console on the real database, reached through its own ASGI door; no broker and no other service is needed."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from argon2 import PasswordHasher

from libs.common.auth import service_token
from libs.common.clock import FixedClock
from libs.common.devstack.postgres import Postgres
from libs.common.directory import INSTALLATION
from libs.common.ids import uuid7
from libs.common.runtime import App
from libs.common.settings import Settings
from services.console.app import wire
from services.console.directory.spreading import Spreading
from services.console.people.passwords import Passwords
from services.console.room import Room

NOW = datetime(2026, 11, 23, 8, 42, tzinfo=UTC)
PASSWORD = "correct horse battery staple"


@dataclass
class Console:
    """The application and what tests ask of it."""

    settings: Settings
    app: App
    clock: FixedClock

    @property
    def room(self) -> Room:
        room: Room = self.app.http.state.room
        return room

    def client(self) -> httpx.AsyncClient:
        """A browser, or a machine: cookies are kept."""
        transport = httpx.ASGITransport(self.app.http, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=self.settings.public_url)

    def token(self, tenant: UUID, subject: str = "cli", roles: tuple[str, ...] = ("administrator",)) -> dict[str, str]:
        """The header of an administrator's service token."""
        shown = service_token(self.settings, audience="console", tenant=tenant, subject=subject, roles=roles)
        return {"authorization": f"Bearer {shown}"}

    async def call(self, method: str, path: str, tenant: UUID, json: Any = None, **how: Any) -> httpx.Response:
        """One call of the directory's API as an administrator of a tenant."""
        async with self.client() as client:
            headers = self.token(tenant, **how)
            return await client.request(method, f"/v1/directory{path}", json=json, headers=headers)

    async def tenant(self, name: str = "Groupe Armoréa") -> tuple[UUID, str]:
        """A fresh tenant and the e-mail of its administrator, whose password is PASSWORD."""
        email = f"claire.{uuid7().hex}@armorea.example"
        first = {"email": email, "name": "Claire Dumont", "password": PASSWORD}
        made = await self.call("POST", "/tenants", INSTALLATION, {"name": name, "administrator": first})
        assert made.status_code == 201, made.text
        return UUID(made.json()["tenant_id"]), email

    async def entity(self, tenant: UUID, name: str = "Armoréa Distribution") -> UUID:
        facts = {"name": name, "sender_name": "Claire Dumont", "sender_email": "relance@armorea.example"}
        made = await self.call("POST", "/entities", tenant, facts)
        assert made.status_code == 201, made.text
        return UUID(made.json()["entity_id"])

    async def user(self, tenant: UUID, *roles: str) -> str:
        """A person with these roles and PASSWORD; answers the e-mail."""
        email = f"person.{uuid7().hex}@armorea.example"
        facts = {"email": email, "name": "Yanis Benali", "roles": list(roles), "password": PASSWORD}
        made = await self.call("POST", "/users", tenant, facts)
        assert made.status_code == 201, made.text
        return email

    async def sign_in(self, email: str, password: str = PASSWORD) -> httpx.AsyncClient:
        """A browser in which this person is signed in; close it after use."""
        browser = self.client()
        answer = await submit(browser, "/login", {"email": email, "password": password})
        assert answer.status_code == 303, answer.text
        return browser


def csrf(page: httpx.Response) -> str:
    """The form token of a page."""
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


async def submit(browser: httpx.AsyncClient, path: str, fields: dict[str, str], at: str = "") -> httpx.Response:
    """Open a page (`at`, else the path itself), take its token and send the form, as a browser would."""
    page = await browser.get(at or path)
    token = csrf(page)
    origin = str(browser.base_url).rstrip("/")
    return await browser.post(path, data={"csrf": token, **fields}, headers={"origin": origin})


@pytest.fixture(scope="session")
async def console(settings: Settings, postgres: Postgres) -> AsyncIterator[Console]:
    """The console, with cheap password hashing and no peers to wait for."""
    clock = FixedClock(NOW)
    app = wire(settings, clock)
    room: Room = app.http.state.room
    quick = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    app.http.state.room = replace(room, passwords=quick, spreading=Spreading(room.spreading.peers, ()))
    yield Console(settings, app, clock)
    for close in app.close:
        await close()
