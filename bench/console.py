"""The finance team's pages with 1,000,000 invoices of 40,000 customers, 350,000 of them open, in one process.

Each page is asked for through the application's own door, one request after another, with everything that the server
does: session, queries, rendering. RELANCE_WRITE_PLANS=1 writes how Postgres answers into docs/console-queries.md;
RELANCE_BENCH_INVOICES=50000 is a smaller tenant of the same shape, to look at while something is changed.
"""

import gzip
import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from argon2 import PasswordHasher
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.figures import figure
from bench.plans import slowest
from libs.common.auth import service_token
from libs.common.db import Database
from libs.common.directory import INSTALLATION
from libs.common.ids import uuid7
from libs.common.settings import Settings
from services.console.app import wire
from services.console.pages.dso import MONTHS
from services.console.pages.web import HERE
from services.console.store import kept
from services.console.tables import read_model

INVOICES = int(os.environ.get("RELANCE_BENCH_INVOICES", "1000000"))
CUSTOMERS, OPEN = INVOICES // 25, INVOICES * 7 // 20
QUEUES = {"queue": 5_000, "calls": 1_300, "promised": 800, "disputed": 500, "held": 400, "formal": 300}
TIMES, WARM = 40, 3
PASSWORD = "correct horse battery staple"
PLANS = Path(__file__).parents[1] / "docs" / "console-queries.md"
PAGES = {
    "Today": "/",
    "Today, calls": "/?tab=calls",
    "customers": "/customers",
    "customers, filtered": "/customers?q=maison%2012&order=name",
    "customer file": "/customers/{debtor}",
    "invoices": "/invoices",
    "invoices, overdue": "/invoices?state=overdue&page=20",
    "invoices, all by amount": "/invoices?state=all&order=-amount",
    "invoices, paid": "/invoices?state=paid",
    "invoices, of a collector": "/invoices?collector=Responsable%203&order=-left",
    "invoices, named": "/invoices?q=F01234",
    "invoice": "/invoices/{invoice}",
    "aged balance": "/aged-balance",
    "aged balance, of a collector": "/aged-balance?collector=Responsable%203",
    "payments": "/payments",
    "payments, matched": "/payments?state=matched",
    "promises": "/promises",
    "DSO, months kept": "/dso",
    "hand-over": "/hand-over",
    "forecast": "/forecast",
    "team": "/team",
    "operations": "/operations",
    "audit": "/audit",
}
BESIDE = {
    "credit accounts": "/credit",
    "credit accounts, of a collector": "/credit?collector=Responsable%203&order=-overdue",
    "credit file": "/customers/{debtor}/credit",
}
"""Half of what these show the scheduler tells, which does not run here: only their own questions are looked at."""
PAST = {"aged balance 30 days ago": "/aged-balance?on={past}"}
FRAGMENTS = {"keys": "/keys"}
SEARCHES = {
    "search, number": "/search?q=F0123456",
    "search, name": "/search?q=maison%20123",
    "search, amount": "/search?q=1234,56",
}

FILL = Path(__file__).with_suffix(".sql")
TABLES = "debtor invoice item telling move payment activity reminder notice task promise hold".split()
TABLES += "owing account sale".split()


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """The pages' server times and sizes."""
    async with _console(settings) as (browser, database, tenant):
        past = await _fill(settings, tenant)
        names = {"debtor": _named("d1"), "invoice": _named("i77"), "past": past}
        found = []
        for _ in range(MONTHS + 1):  # the end of a month is worked out once, when somebody looks first
            await browser.get("/dso")
        for name, path in PAGES.items():
            found += await _measured(browser, f"page {name}, p95", path.format(**names), 200, size=25)
        for name, path in PAST.items():
            found += await _measured(browser, f"page {name}, p95", path.format(**names), None)
        for name, path in FRAGMENTS.items():
            found += await _measured(browser, f"fragment {name}, p95", path, 50, part=True)
        for name, path in SEARCHES.items():
            found += await _measured(browser, f"page {name}, p95", path, 100)
        if os.environ.get("RELANCE_WRITE_PLANS"):
            pages = PAGES | BESIDE | PAST | SEARCHES
            await _write_plans(browser, database, {n: p.format(**names) for n, p in pages.items()})
    return found + _static()


def _named(seed: str) -> UUID:
    return UUID(hashlib.md5(seed.encode()).hexdigest())


@asynccontextmanager
async def _console(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, Database, UUID]]:
    """The application, and a browser in which the manager of a fresh tenant is signed in."""
    app = wire(settings)
    app.http.state.room.passwords.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    browser = httpx.AsyncClient(transport=httpx.ASGITransport(app.http), base_url=settings.public_url, timeout=120)
    token = service_token(settings, audience="console", tenant=INSTALLATION, subject="cli", roles=("administrator",))
    email = f"bench.{uuid7().hex}@example.org"
    first = {"email": email, "name": "Bench", "password": PASSWORD}
    made = await browser.post(
        "/v1/directory/tenants",
        json={"name": "Bench", "administrator": first},
        headers={"authorization": f"Bearer {token}"},
    )
    made.raise_for_status()
    page = await browser.get("/login")
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    fields = {"email": email, "password": PASSWORD, "csrf": csrf[1] if csrf else ""}
    signed = await browser.post("/login", data=fields, headers={"origin": settings.public_url.rstrip("/")})
    if signed.status_code != 303:
        raise AssertionError(f"nobody is signed in: {signed.status_code}")
    try:
        yield browser, app.http.state.room.database, UUID(made.json()["tenant_id"])
    finally:
        await browser.aclose()
        for close in app.close:
            await close()


async def _fill(settings: Settings, tenant: UUID) -> str:
    """Everything set-based, by the owner; answers a day 30 days ago."""
    owner = Database(settings, "console", "owner")
    told = QUEUES | {"tenant": tenant, "entity": uuid7(), "customers": CUSTOMERS, "invoices": INVOICES, "open": OPEN}
    async with owner.transaction(tenant) as db:
        await db.execute(text("set local statement_timeout = 0"))
        await db.execute(text("set local transaction_timeout = 0"))
        await db.execute(text("set local synchronous_commit = off"))
        await fill(db, told)
        day = await db.scalar(text("select current_date"))
        await kept.settle_all(db, read_model, day)
    async with owner.engine.connect() as free:
        plain = await free.execution_options(isolation_level="AUTOCOMMIT")
        for table in TABLES:
            await plain.execute(text(f"vacuum (analyze) {table}"))
    await owner.close()
    return str(day - timedelta(days=30))


async def fill(db: AsyncConnection, told: Mapping[str, Any]) -> None:
    """Run the statements of console.sql, each with those parameters that it names."""
    for statement in FILL.read_text("utf-8").split(";\n"):
        named = {name: value for name, value in told.items() if re.search(rf":{name}\b", statement)}
        if statement.strip():
            await db.execute(text(statement), named)


async def _measured(
    browser: httpx.AsyncClient, name: str, path: str, target: int | None, *, size: int | None = None, part: bool = False
) -> list[dict[str, Any]]:
    """The 95th percentile of the server's time in milliseconds, and the page's size when it is sent."""
    headers = {"x-relance-part": "1"} if part else {}
    times, body = [], b""
    for turn in range(WARM + TIMES):
        began = time.perf_counter()
        answer = await browser.get(path, headers=headers)
        if turn >= WARM:
            times.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise AssertionError(f"{path}: {answer.status_code}")
        body = answer.content
    slow = sorted(times)[int(len(times) * 0.95)]
    found = [figure(name, slow, "ms", target=target, at_most=True)]
    if size is not None:
        sent = len(gzip.compress(body)) / 1000
        found.append(figure(name.replace(", p95", ", HTML"), sent, "kB gzipped", target=size, at_most=True))
    return found


def _static() -> list[dict[str, Any]]:
    """What a browser fetches once."""
    found = []
    for kind, name, target in (("*.js", "scripts of the console", 30), ("*.css", "styles of the console", 12)):
        size = sum(len(gzip.compress(path.read_bytes())) for path in (HERE / "static").glob(kind)) / 1000
        found.append(figure(name, size, "kB gzipped", target=target, at_most=True))
    return found


async def _write_plans(browser: httpx.AsyncClient, database: Database, pages: dict[str, str]) -> None:
    """How Postgres answers the slowest question of each page."""
    lines = ["# How the console's pages are answered", "", _INTRO, ""]
    for name, path in pages.items():
        lines += [f"## {name}", "", f"`{re.sub(r'[0-9a-f-]{36}', '{id}', path)}`", ""]
        lines += await slowest(database, partial(browser.get, path))
    PLANS.write_text("\n".join(lines) + "\n")


_INTRO = (
    "Made by `RELANCE_WRITE_PLANS=1 python -m bench console` with 1,000,000 invoices of 40,000 customers, 350,000 of\n"
    "them open: the slowest question of each page, without the walls around tenants that stand in every line."
)
