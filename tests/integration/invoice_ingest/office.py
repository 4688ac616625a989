"""The service as a client sees it: signed requests, and what it recorded to be said."""

import base64
import json
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select

from libs.common import directory
from libs.common.auth import service_token
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.events import event
from libs.common.events.directory import ApiKeyIssued, DirectoryBody, EntityConfigured, SourceConfigured
from libs.common.ids import uuid7
from libs.common.runtime import App
from libs.common.seal import seal
from libs.common.settings import Settings
from libs.common.tables import NOBODY, outbox
from libs.common.webhooks import sign
from services.invoice_ingest.app import wire
from tests.support import fresh_tenant

NOW = datetime(2026, 10, 5, 9, 0, tzinfo=UTC)
SCOPES = ["invoices:read", "invoices:write", "debtors:read", "debtors:write"]


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def invoice(number: str = "F-1", gross: str = "1200.00", **told: Any) -> dict[str, Any]:
    """A plain invoice of customer C042, due at the end of October."""
    return {
        "number": number,
        "issue_date": "2026-10-01",
        "due_date": "2026-10-31",
        "totals": {"gross": eur(gross)},
        "debtor": {"external_id": "C042", "name": "Dupont SARL"},
    } | told


@dataclass
class Office:
    """One tenant's view of the service."""

    settings: Settings
    app: App
    clock: FixedClock
    loops: Database
    client: httpx.AsyncClient
    tenant: UUID = NOBODY
    entity: UUID = NOBODY
    source: UUID = NOBODY
    secret: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def for_a_tenant(self) -> AsyncIterator["Office"]:
        """A tenant of its own with one entity, one key and one webhook source."""
        tenant = fresh_tenant()
        secret = "whsec_" + base64.b64encode(os.urandom(24)).decode()
        mine = replace(self, tenant=tenant, entity=uuid7(), source=uuid7(), secret=secret)
        await mine.add_entity(mine.entity)
        key = directory.new_key("test")
        await mine.tell(
            ApiKeyIssued(
                tenant_id=tenant,
                version=1,
                directory_version=1,
                key_id=uuid7(),
                prefix=key.prefix,
                secret_sha256=key.secret_sha256,
                scopes=SCOPES,
            )
        )
        await mine.tell(
            SourceConfigured(
                tenant_id=tenant,
                version=1,
                directory_version=1,
                source_id=mine.source,
                entity_id=mine.entity,
                slug="sage",
                purpose="invoices",
                sealed_secrets=[seal(self.settings.seal_keys, secret)],
            )
        )
        mine.headers = {"Authorization": f"Bearer {key.token}"}
        yield mine

    async def add_entity(self, entity: UUID, siren: str | None = None) -> None:
        """One more creditor company."""
        await self.tell(
            EntityConfigured(
                tenant_id=self.tenant,
                version=1,
                directory_version=1,
                entity_id=entity,
                name="Nous SA",
                siren=siren,
                sender_name="Nous",
                sender_email="compta@nous.example",
            )
        )

    async def tell(self, body: DirectoryBody) -> None:
        """Let the service hear an entry of the directory."""
        async with self.loops.transaction() as db:
            await directory.keep(db, [event(body, NOW)])

    async def post(self, path: str, told: Any, status: int = 200, **how: Any) -> dict[str, Any]:
        """POST as this tenant; the JSON answer, whose status is asserted."""
        answer = await self.client.post(path, json=told, headers=self.headers | how.pop("headers", {}), **how)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return dict(answer.json())

    async def put(self, path: str, told: Any, status: int = 200, **how: Any) -> dict[str, Any]:
        answer = await self.client.put(path, json=told, headers=self.headers | how.pop("headers", {}), **how)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return dict(answer.json())

    async def get(self, path: str, status: int = 200, **params: Any) -> dict[str, Any]:
        answer = await self.client.get(path, params=params, headers=self.headers)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return dict(answer.json())

    async def ask(self, path: str, told: Any) -> dict[str, Any]:
        """POST as another service of ours."""
        token = service_token(
            self.settings, audience="invoice_ingest", tenant=self.tenant, subject="service:notifier", roles=()
        )
        answer = await self.client.post(path, json=told, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return dict(answer.json())

    async def webhook(self, told: Any, **how: Any) -> httpx.Response:
        """Post a signed webhook; `webhook_id`, `at` and `secret` may be bent."""
        body = json.dumps(told).encode() if not isinstance(told, bytes) else told
        name, at = how.get("webhook_id") or f"msg_{uuid7().hex}", how.get("at") or int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(how.get("secret") or self.secret, name, at, body),
        }
        return await self.client.post(f"/v1/webhooks/invoices/{self.source}", content=body, headers=headers)

    async def events(self, *types: str) -> list[Mapping[str, Any]]:
        """The bodies recorded for this tenant, of these types or all, in their order; each with its `type`."""
        asked = select(outbox.c.headers, outbox.c.body).where(outbox.c.tenant_id == self.tenant).order_by(outbox.c.seq)
        async with self.loops.transaction() as db:
            rows = (await db.execute(asked)).all()
        told = [
            {"type": json.loads(row.headers)["ce_type"].split(".")[1]} | json.loads(row.body or b"{}")
            for row in rows
            if "ce_type" in json.loads(row.headers)
        ]
        return [each for each in told if not types or each["type"] in types]

    async def close(self) -> None:
        await self.client.aclose()
        for each in self.app.close:
            await each()
        await self.loops.close()


def open_office(settings: Settings, clock: FixedClock) -> Office:
    """The service wired in this process; its loops do not run."""
    app = wire(settings, clock)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app.http), base_url="http://ingest", timeout=30)
    return Office(settings, app, clock, Database(settings, "invoice_ingest", "loop"), client)
