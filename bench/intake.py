"""How fast invoices come in: lists and signed webhooks over HTTP, each committed with its event.

One process of the service on its doors alone. Beside the lists stands what Postgres takes by UNNEST of the same rows
in commits of the same size; beside the webhooks, what the same server answers with no work behind it.
"""

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from libs.common import directory
from libs.common.db import Database, role_url
from libs.common.events import event
from libs.common.events.directory import ApiKeyIssued, EntityConfigured, SourceConfigured
from libs.common.ids import uuid7
from libs.common.seal import seal
from libs.common.settings import Settings
from libs.common.webhooks import sign

SERVICE = "invoice_ingest"
LINES, LISTS = 10_000, 3
DEBTORS = 500
POSTED = 6_000
CONNECTIONS = 32
PACED, PACE = 5_000, 500
CHUNK = 200
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
SCOPES = ["invoices:read", "invoices:write", "debtors:read", "debtors:write"]
Send = Callable[[bytes], Awaitable[int]]


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """Rows of name, value, unit, limit, ratio, target."""
    limit = await unnest(settings)
    async with serving(settings, [sys.executable, "-m", "libs.common.cli", SERVICE, "--only", "http"], SERVICE):
        tenant = await Tenant.made(settings)
        lists = await tenant.lists()
        again = await tenant.list_again()
        alone = await tenant.posted()
        p99 = await tenant.paced()
    bare = await empty(settings)
    return [
        row("intake: invoices in lists of 10,000", lists, "invoices/s", limit, 5_000),
        row("intake: the same list again", again, "invoices/s", limit, None),
        row("intake: signed webhooks one by one", alone, "webhooks/s", bare, 800),
        row(f"intake: webhook p99 at {PACE}/s", p99, "ms", None, 50, most=True),
    ]


def row(
    name: str, value: float, unit: str, limit: float | None, target: float | None, *, most: bool = False
) -> dict[str, Any]:
    """One figure beside its limit and its target."""
    met = None if target is None else value <= target if most else value >= target
    ratio = round(value / limit, 3) if limit else None
    told = {"name": name, "value": round(value, 1), "unit": unit, "limit": limit and round(limit), "ratio": ratio}
    return told | {"target": target, "met": met}


def invoice(number: str, debtor: int) -> dict[str, Any]:
    """A plain invoice as an ERP sends it."""

    def eur(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": "EUR"}

    return {
        "external_id": f"x{number}",
        "version": 1,
        "number": number,
        "issue_date": "2026-11-02",
        "due_date": "2026-12-02",
        "totals": {"net": eur("1000.00"), "tax": eur("200.00"), "gross": eur("1200.00")},
        "payment_reference": f"RF{number}",
        "debtor": {"external_id": f"C{debtor:05}", "name": f"Client {debtor} SARL", "country": "FR"},
        "references": {"order_number": f"PO-{number}"},
    }


class Tenant:
    """One tenant with a key and a source, as the service's own directory knows it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = settings.urls[SERVICE]
        self.tenant, self.entity, self.source = uuid7(), uuid7(), uuid7()
        self.secret = "whsec_" + base64.b64encode(os.urandom(24)).decode()
        self.key = directory.new_key("test")

    @classmethod
    async def made(cls, settings: Settings) -> "Tenant":
        """Its entries are written as the service's consumer would."""
        mine = cls(settings)
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
        database = Database(settings, SERVICE, "loop")
        async with database.transaction() as db:
            for body in (entity, key, source):
                await directory.keep(db, [event(body, AT)])
        await database.close()
        return mine

    def lines(self, name: str) -> bytes:
        """A list as NDJSON."""
        told = [json.dumps(invoice(f"{name}-{n}", n % DEBTORS)) for n in range(LINES)]
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

    async def lists(self) -> float:
        """Invoices a second, the debtors known: the median of some lists."""
        await self._list(self.lines("warm"), "created")
        return median([await self._list(self.lines(f"list{n}"), "created") for n in range(LISTS)])

    async def list_again(self) -> float:
        """Lines a second of a list that was taken before."""
        return await self._list(self.lines("warm"), "unchanged")

    def message(self, number: str) -> bytes:
        """A signed webhook as the bytes of its request."""
        body = json.dumps(invoice(number, int(number.rpartition("-")[2]) % DEBTORS)).encode()
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
        waits: list[float] = []
        async with lines_to(self.url, CONNECTIONS) as free:

            async def one(due: float, told: bytes) -> None:
                send = await free.get()
                assert await send(told) == 201
                waits.append(time.perf_counter() - due)
                free.put_nowait(send)

            started, tasks = time.perf_counter() + 0.1, []
            for n in range(PACED):
                due = started + n / PACE
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.append(asyncio.create_task(one(due, self.message(f"paced-{n}"))))
            await asyncio.gather(*tasks)
        return quantiles(waits, n=100)[98] * 1000


@asynccontextmanager
async def lines_to(url: str, count: int) -> AsyncIterator[asyncio.Queue[Send]]:
    """Kept-alive connections; each sends the bytes of a request and gives the status of its answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    pairs = [await asyncio.open_connection(host, int(port)) for _ in range(count)]
    free: asyncio.Queue[Send] = asyncio.Queue()
    for reader, writer in pairs:
        free.put_nowait(_sender(reader, writer))
    try:
        yield free
    finally:
        for _, writer in pairs:
            writer.close()


def _sender(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Send:
    async def send(told: bytes) -> int:
        writer.write(told)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        return int(head[9:12])

    return send


async def flood(url: str, messages: Sequence[bytes], status: int) -> float:
    """Requests a second over some connections, each waiting for its answer."""
    left = iter(messages)
    async with lines_to(url, CONNECTIONS) as free:

        async def worker(send: Send) -> None:
            for told in left:
                assert await send(told) == status

        began = time.perf_counter()
        await asyncio.gather(*(worker(free.get_nowait()) for _ in range(CONNECTIONS)))
        return len(messages) / (time.perf_counter() - began)


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
    port = str(settings.ports[SERVICE])
    command = [sys.executable, "-m", "uvicorn", "bench.intake:nothing", "--port", port, "--lifespan", "off"]
    tenant = Tenant(settings)
    async with serving(settings, [*command, "--log-level", "warning"], SERVICE):
        messages = [tenant.message(f"bare-{n}") for n in range(POSTED)]
        await flood(tenant.url, messages[:500], 201)
        return await flood(tenant.url, messages, 201)


@asynccontextmanager
async def serving(settings: Settings, command: Sequence[str], service: str) -> AsyncIterator[None]:
    """A process that serves on the service's port, until the block ends."""
    told = {
        "RELANCE_BASE_PORT": str(settings.ports["console"]),
        "RELANCE_STATE": str(settings.state),
        "RELANCE_DATABASE_URL": settings.database_url,
        "RELANCE_KAFKA": settings.kafka,
    }
    log = (settings.state / f"bench-{service}.log").open("ab")
    process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **told}, stdout=log, stderr=log)
    try:
        await _answers(settings.urls[service], process)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        log.close()


async def _answers(url: str, process: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(300):
            if process.returncode is not None:
                raise RuntimeError(f"the process ended with {process.returncode}")
            try:
                await client.get(f"{url}/healthz/live", timeout=2)
            except httpx.TransportError:
                await asyncio.sleep(0.1)
            else:
                return
    raise TimeoutError(url)
