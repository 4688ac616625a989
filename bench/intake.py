"""How fast invoices come in: lists and signed webhooks over HTTP, each committed with its event.

The service in two processes, doors and loops, as it is deployed. Beside the lists stands what Postgres takes by UNNEST
of the same rows in commits of the same size; beside the webhooks, what the same server answers with no work behind it.
"""

import base64
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from bench.figures import figure
from bench.wire import beside, flood, paced, serving
from libs.common import directory
from libs.common.db import Database, role_url
from libs.common.events import Event, event
from libs.common.events.directory import ApiKeyIssued, EntityConfigured, SourceConfigured
from libs.common.ids import uuid7
from libs.common.seal import seal
from libs.common.settings import Settings
from libs.common.webhooks import sign

SERVICE = "invoice_ingest"
LINES, LISTS = 10_000, 3
DEBTORS = 500
POSTED = 6_000
PACED, PACE = 5_000, 500
CHUNK = 200
AT = datetime.now(UTC)
DOORS, LOOPS = (("libs.common.cli", SERVICE, "--only", part) for part in ("http", "work"))
SCOPES = ["invoices:read", "invoices:write", "debtors:read", "debtors:write"]


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """Lists, the same list again, and signed webhooks, while the loops of another process say them on."""
    limit = await unnest(settings)
    async with serving(settings, SERVICE, *DOORS), serving(beside(settings, SERVICE), SERVICE, *LOOPS):
        tenant = await Tenant.made(settings)
        lists = await tenant.lists()
        again = await tenant.list_again()
        alone = await tenant.posted()
        p99 = await tenant.paced()
    bare = await empty(settings)
    return [
        figure("raw ASGI requests", bare, "requests/s"),
        figure("intake: invoices in lists of 10,000", lists, "invoices/s", limit=limit, target=5_000),
        figure("intake: the same list again", again, "invoices/s", limit=limit),
        figure("intake: signed webhooks one by one", alone, "webhooks/s", limit=bare, target=800),
        figure(f"intake: webhook p99 at {PACE}/s", p99, "ms", target=50, at_most=True),
    ]


def invoice(number: str, debtor: int) -> dict[str, Any]:
    """A plain invoice as an ERP sends it: on the day it is issued, due in 30 days."""
    today = AT.date()

    def eur(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": "EUR"}

    return {
        "external_id": f"x{number}",
        "version": 1,
        "number": number,
        "issue_date": today.isoformat(),
        "due_date": (today + timedelta(days=30)).isoformat(),
        "totals": {"net": eur("1000.00"), "tax": eur("200.00"), "gross": eur("1200.00")},
        "payment_reference": f"RF{number}",
        "debtor": {"external_id": f"C{debtor:05}", "name": f"Client {debtor} SARL", "country": "FR"},
        "references": {"order_number": f"PO-{number}"},
    }


class Tenant:
    """One tenant with a key and a source, as the service's own directory knows it."""

    def __init__(self, settings: Settings, debtors: int = DEBTORS) -> None:
        self.settings = settings
        self.debtors = debtors
        self.url = settings.urls[SERVICE]
        self.tenant, self.entity, self.source = uuid7(), uuid7(), uuid7()
        self.secret = "whsec_" + base64.b64encode(os.urandom(24)).decode()
        self.key = directory.new_key("test")
        self.told: list[Event] = []

    @classmethod
    async def made(cls, settings: Settings, debtors: int = DEBTORS) -> "Tenant":
        """Its entries are written as the service's consumer would."""
        mine = cls(settings, debtors)
        shared: dict[str, Any] = {"tenant_id": mine.tenant, "version": 1, "directory_version": 1}
        entity = EntityConfigured(
            **shared, entity_id=mine.entity, name="Bench", sender_name="Bench", sender_email="bench@example.com"
        )
        key = ApiKeyIssued(
            **shared, key_id=uuid7(), prefix=mine.key.prefix, secret_sha256=mine.key.secret_sha256, scopes=SCOPES
        )
        sealed = [seal(settings.seal_keys, mine.secret)]
        source = SourceConfigured(
            **shared,
            source_id=mine.source,
            entity_id=mine.entity,
            slug="bench",
            purpose="invoices",
            sealed_secrets=sealed,
        )
        mine.told = [event(body, AT) for body in (entity, key, source)]
        database = Database(settings, SERVICE, "loop")
        async with database.transaction() as db:
            for each in mine.told:
                await directory.keep(db, [each])
        await database.close()
        return mine

    def lines(self, name: str) -> bytes:
        """A list as NDJSON."""
        told = [json.dumps(invoice(f"{name}-{n}", n % self.debtors)) for n in range(LINES)]
        return "\n".join(told).encode()

    async def _list(self, body: bytes, result: str) -> float:
        headers = {"authorization": f"Bearer {self.key.token}", "content-type": "application/x-ndjson"}
        async with httpx.AsyncClient(timeout=120, trust_env=False) as client:
            began = time.perf_counter()
            answer = await client.post(f"{self.url}/v1/invoices/batch", content=body, headers=headers)
            took = time.perf_counter() - began
        counts = answer.raise_for_status().json()["counts"]
        assert counts == {result: LINES}, counts
        return LINES / took

    async def take(self, body: bytes) -> float:
        """A list that is new; the invoices a second."""
        return await self._list(body, "created")

    async def lists(self) -> float:
        """Invoices a second, the debtors known: the median of some lists."""
        await self.take(self.lines("warm"))
        return median([await self.take(self.lines(f"list{n}")) for n in range(LISTS)])

    async def list_again(self) -> float:
        """Lines a second of a list that was taken before."""
        return await self._list(self.lines("warm"), "unchanged")

    def message(self, number: str) -> bytes:
        """A signed webhook as the bytes of its request."""
        body = json.dumps(invoice(number, int(number.rpartition("-")[2]) % self.debtors)).encode()
        name, now = f"msg_{uuid7().hex}", int(time.time())
        host = self.url.removeprefix("http://")
        return (
            f"POST /v1/webhooks/invoices/{self.source} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
            f"webhook-id: {name}\r\nwebhook-timestamp: {now}\r\n"
            f"webhook-signature: {sign(self.secret, name, now, body)}\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def posted(self) -> float:
        """Webhooks a second, each answered before its connection sends the next."""
        await flood(self.url, [self.message(f"hot-{n}") for n in range(500)], 201)
        return await flood(self.url, [self.message(f"hook-{n}") for n in range(POSTED)], 201)

    async def paced(self) -> float:
        """The 99th percentile in ms when webhooks come at an even pace, counted from when each was due."""
        waits = await paced(self.url, (self.message(f"paced-{n}") for n in range(PACED)), PACE, 201)
        return quantiles(waits, n=100)[98] * 1000


async def unnest(settings: Settings) -> float:
    """Rows of `invoice` a second that Postgres takes by UNNEST in commits of the same size, its indexes included."""
    address = role_url(settings, "ingest", "owner").set(drivername="postgresql")
    db = await asyncpg.connect(address.render_as_string(hide_password=False))
    try:
        await db.execute("create table bench_invoice (like ingest.invoice including all)")
        names = await db.fetch(
            "select a.attname as name, format_type(a.atttypid, a.atttypmod) as kind from pg_attribute a"
            " where a.attrelid = 'ingest.invoice'::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum"
        )
        statement = _statement([(each["name"], each["kind"]) for each in names])
        batches = [[_column(each["kind"], each["name"]) for each in names] for _ in range(100)]
        began = time.perf_counter()
        for batch in batches:
            await db.execute(statement, *batch)
        return len(batches) * CHUNK / (time.perf_counter() - began)
    finally:
        await db.execute("drop table if exists bench_invoice")
        await db.close()


def _statement(columns: list[tuple[str, str]]) -> str:
    arrays = ", ".join(f"${n}::{kind}[]" for n, (_, kind) in enumerate(columns, 1))
    return f"insert into bench_invoice select * from unnest({arrays})"


def _column(kind: str, name: str) -> list[Any]:
    made: dict[str, Callable[[], Any]] = {
        "uuid": uuid7,
        "date": AT.date,
        "boolean": lambda: False,
        "bytea": lambda: b"0123456789abcdef",
        "integer": lambda: 1,
        "bigint": lambda: 120_000,
        "timestamp with time zone": lambda: AT,
        "character(3)": lambda: "EUR",
        "text": lambda: str(uuid7()),
    }
    return [UUID(int=7) if name == "tenant_id" else made[kind]() for _ in range(CHUNK)]


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that reads a request and answers as much as an intake does, with no work behind it."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    answer = b'{"result":"created","id":"0190f5fe-7c00-7a00-8abc-012345678901","external_id":"x-1","version":1}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def empty(settings: Settings) -> float:
    """Requests a second of the bare server, with requests of the same size."""
    tenant = Tenant(settings)
    arguments = ("bench.intake:nothing", "--port", str(settings.ports[SERVICE]), "--lifespan", "off")
    async with serving(settings, SERVICE, "uvicorn", *arguments, "--log-level", "warning"):
        messages = [tenant.message(f"bare-{n}") for n in range(POSTED)]
        await flood(tenant.url, messages[:500], 201)
        return await flood(tenant.url, messages, 201)
