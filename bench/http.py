"""Doors: how many signed webhooks one process takes, one at a time, beside what the raw server could at most.

The client keeps connections open and sends bytes that were made before the clock starts, so that what is measured is
the service. Latencies are measured from the instant a request was due, not from when it could be sent.
"""

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from libs.common import directory
from libs.common.db import Database
from libs.common.events import event
from libs.common.events.directory import EntityConfigured, SourceConfigured, TenantConfigured
from libs.common.ids import uuid7
from libs.common.seal import seal
from libs.common.settings import Settings
from libs.common.webhooks import sign

REPOSITORY = Path(__file__).parents[1]
SECRET = "whsec_" + "YmVuY2ht" * 4
CONNECTIONS = 32
WARM = 500
COUNT = 6_000
PACE = 500
PACED = 5_000
SERVE = ("-m", "libs.common.cli", "invoice_ingest")


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """One POST as it goes over the wire."""
    told = {"Host": "bench", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


class Line:
    """One open connection that carries one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, raw: bytes) -> int:
        """Send a request and read its answer to the end; the status."""
        self.writer.write(raw)
        head = await self.reader.readuntil(b"\r\n\r\n")
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        await self.reader.readexactly(int(lowered[at + 15 : lowered.find(b"\r\n", at)]))
        return int(head[9:12])


@asynccontextmanager
async def lines(port: int) -> AsyncIterator[list[Line]]:
    """Open connections to a service."""
    found = [Line(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    try:
        yield found
    finally:
        for line in found:
            line.writer.close()


async def flood(port: int, requests: Sequence[bytes], wanted: int) -> float:
    """All requests as fast as they are taken; answers a second. Every answer must be `wanted`."""
    left = iter(requests)

    async def work(line: Line, share: Iterator[bytes]) -> None:
        for raw in share:
            status = await line.ask(raw)
            if status != wanted:
                raise RuntimeError(f"the service answered {status}")

    async with lines(port) as open_lines:
        began = time.perf_counter()
        await asyncio.gather(*(work(line, left) for line in open_lines))
        return len(requests) / (time.perf_counter() - began)


async def paced(port: int, requests: Sequence[bytes], pace: int) -> list[float]:
    """The requests at `pace` a second; milliseconds from when each was due to its answer."""
    took: list[float] = []
    async with lines(port) as open_lines:
        idle: asyncio.Queue[Line] = asyncio.Queue()
        for line in open_lines:
            idle.put_nowait(line)
        began = time.perf_counter()

        async def one(due: float, raw: bytes) -> None:
            line = await idle.get()
            await line.ask(raw)
            took.append((time.perf_counter() - due) * 1_000)
            idle.put_nowait(line)

        async with asyncio.TaskGroup() as group:
            for index, raw in enumerate(requests):
                due = began + index / pace
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(one(due, raw))
    return took


@asynccontextmanager
async def process(arguments: Sequence[str], settings: Settings, port: int) -> AsyncIterator[None]:
    """A Python process that serves HTTP on a port, until the block ends."""
    env = os.environ | {
        "RELANCE_BASE_PORT": str(settings.ports["console"]),
        "RELANCE_STATE": str(settings.state),
        "RELANCE_DATABASE_URL": settings.database_url,
        "RELANCE_KAFKA": settings.kafka,
    }
    log = (settings.state / "bench-http.log").open("ab")
    running = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=REPOSITORY, env=env, stdout=log, stderr=log
    )
    try:
        await _ready(port, running)
        yield
    finally:
        if running.returncode is None:
            running.terminate()
        await running.wait()
        log.close()


async def _ready(port: int, running: asyncio.subprocess.Process) -> None:
    end = time.monotonic() + 60
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < end and running.returncode is None:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/healthz/live")).status_code == 200:
                    return
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
    raise RuntimeError(f"nothing serves on port {port}")


RAW = """
import asyncio, uvicorn
from libs.common.connections import TimedProtocol
HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send(HEAD)
    await send({"type": "http.response.body", "body": b"{}"})
told = {"ws": "none", "loop": "asyncio", "lifespan": "off", "log_config": None, "access_log": False}
uvicorn.run(app, port=%d, http=TimedProtocol, **told)
"""


def invoice(number: int, entity: UUID) -> bytes:
    """A canonical invoice of one instalment to one of 300 debtors."""
    issued = date(2026, 11, 1)
    return json.dumps(
        {
            "entity_id": str(entity),
            "number": f"B-{number:07d}",
            "debtor": {"external_id": f"C{number % 300:04d}", "name": f"Client {number % 300}"},
            "issue_date": issued.isoformat(),
            "due_date": (issued + timedelta(days=30)).isoformat(),
            "totals": {"gross": {"amount": "1250.00", "currency": "EUR"}},
        }
    ).encode()


def signed(path: str, bodies: Sequence[bytes]) -> list[bytes]:
    """Each body as a signed webhook."""
    stamp = int(time.time())
    return [
        request(
            path,
            body,
            {
                "webhook-id": (name := f"msg_{uuid7().hex}"),
                "webhook-timestamp": str(stamp),
                "webhook-signature": sign(SECRET, name, stamp, body),
            },
        )
        for body in bodies
    ]


async def known_source(settings: Settings) -> tuple[UUID, UUID]:
    """Let invoice_ingest have heard of a tenant with an entity and a source; the entity and the source."""
    tenant, entity, source = uuid7(), uuid7(), uuid7()
    at = datetime.now(UTC)
    of: dict[str, Any] = {"tenant_id": tenant, "version": 1, "directory_version": 1}
    bodies = (
        TenantConfigured(**of, name="Bench"),
        EntityConfigured(**of, entity_id=entity, name="Bench SAS", sender_name="Bench", sender_email="ar@example.com"),
        SourceConfigured(
            **of,
            entity_id=entity,
            source_id=source,
            slug="erp",
            purpose="invoices",
            sealed_secrets=[seal(settings.seal_keys, SECRET)],
        ),
    )
    database = Database(settings, "invoice_ingest", "loop")
    async with database.transaction() as db:
        for body in bodies:
            await directory.keep(db, [event(body, at)])
    await database.close()
    return entity, source


def row(
    name: str, value: float, unit: str, limit: float | None, target: float | None, *, most: bool = False
) -> dict[str, Any]:
    """One line of the results; `most` says that the target is an upper bound."""
    met = None if target is None else (value <= target if most else value >= target)
    ratio = value / limit if limit else None
    return {
        "name": name,
        "value": round(value, 1),
        "unit": unit,
        "limit": round(limit, 1) if limit else None,
        "ratio": round(ratio, 3) if ratio else None,
        "target": target,
        "met": met,
    }


async def _raw(settings: Settings) -> float:
    port = settings.ports["console"]
    body = invoice(0, uuid7())
    async with process(["-c", RAW % port], settings, port):
        await flood(port, [request("/healthz/live", body, {})] * WARM, 200)
        return await flood(port, [request("/healthz/live", body, {})] * COUNT, 200)


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """Raw ASGI requests a second, and signed webhooks of invoices one by one into invoice_ingest, doors and loops."""
    raw = await _raw(settings)
    entity, source = await known_source(settings)
    path, port = f"/v1/webhooks/invoices/{source}", settings.ports["invoice_ingest"]
    bodies = [invoice(number, entity) for number in range(WARM + COUNT + PACED)]
    async with process([*SERVE], settings, port):
        await flood(port, signed(path, bodies[:WARM]), 201)
        taken = await flood(port, signed(path, bodies[WARM : WARM + COUNT]), 201)
        took = await paced(port, signed(path, bodies[WARM + COUNT :]), PACE)
    late = statistics.quantiles(took, n=100)[98]
    return [
        row("raw ASGI requests", raw, "/s", None, None),
        row("signed webhooks one by one", taken, "/s", raw, 800),
        row(f"signed webhook p99 at {PACE}/s", late, "ms", None, 50, most=True),
    ]
