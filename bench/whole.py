"""The five services together: intake while everything downstream catches up, how soon an event is handled, memory.

All five run as processes of their own on the two cores that also carry PostgreSQL, Kafka and the client.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from statistics import quantiles
from typing import Any
from uuid import UUID

import psutil
from sqlalchemy import text

from bench.figures import figure
from bench.intake import LINES, Tenant, invoice
from bench.wire import paced, serving
from libs.common import outbox
from libs.common.db import Database
from libs.common.ids import invoice_id
from libs.common.settings import PORTS, Settings

DEBTORS = 5_000
"""Ten open invoices each: what companies with 350,000 open invoices and 40,000 customers have."""
LISTS = 4
PACED, PACE = 3_000, 300
LOOK = 0.05
"""Seconds between looks at what was handled: what is seen late counts as handled late."""
PATIENCE = 300
HEARERS = {"scheduler": "item", "payment_matching": "open_item"}
"""The services that act on invoices, with the table that shows that one was handled."""
ALL = HEARERS | {"notifier": "invoice", "console": "item"}


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """Memory at rest, lists while all consumers run, and the way from a webhook's 2xx to its event handled."""
    async with AsyncExitStack() as stack:
        running = [await stack.enter_async_context(serving(settings, name)) for name in PORTS]
        ledgers = Ledgers(settings)
        stack.push_async_callback(ledgers.close)
        memory = sum(_resident(process.pid) for process in running)
        tenant = await Tenant.made(settings, DEBTORS)
        await _introduce(settings, tenant)
        await ledgers.hold(tenant.tenant, 1, {"scheduler": "directory_entity"})
        lists = await _lists(tenant)
        await ledgers.hold(tenant.tenant, (LISTS + 1) * LINES)
        await ledgers.rest(tenant.tenant)
        late = await _handled(tenant, ledgers)
    return [
        figure("five idle services, resident", memory / 2**20, "MB", target=600, at_most=True),
        figure("intake in lists while all consumers catch up", lists, "invoices/s", target=2_500),
        figure(f"webhook 2xx to handled downstream, p99 at {PACE}/s", late, "ms", target=500, at_most=True),
    ]


async def _introduce(settings: Settings, tenant: Tenant) -> None:
    """The other services hear of the company as always: from console."""
    database = Database(settings, "console", "loop")
    async with database.transaction() as db:
        await outbox.record(db, *tenant.told)
    await database.close()


def _resident(pid: int) -> int:
    return psutil.Process(pid).memory_info().rss


async def _lists(tenant: Tenant) -> float:
    """Invoices a second over some lists, after one that wakes everything up."""
    await tenant.take(tenant.lines("first"))
    lists = [tenant.lines(f"whole{number}") for number in range(LISTS)]
    began = time.perf_counter()
    for body in lists:
        await tenant.take(body)
    return LISTS * LINES / (time.perf_counter() - began)


async def _handled(tenant: Tenant, ledgers: "Ledgers") -> float:
    """The 99th percentile in ms from a webhook's answer to its invoice in the tables of every service that hears it."""
    ids = [_id(tenant, n) for n in range(PACED)]
    answered: dict[UUID, float] = {}

    def note(number: int) -> None:
        answered[ids[number]] = time.perf_counter()

    watching = asyncio.create_task(ledgers.watch(tenant.tenant, set(ids), answered.keys))
    await paced(tenant.url, [tenant.message(f"late-{n}") for n in range(PACED)], PACE, 201, note)
    handled = await asyncio.wait_for(watching, PATIENCE)
    return quantiles([handled[one] - answered[one] for one in ids], n=100)[98] * 1000


def _id(tenant: Tenant, number: int) -> UUID:
    told = invoice(f"late-{number}", number % tenant.debtors)
    return invoice_id(tenant.tenant, tenant.entity, "invoice", told["number"], int(told["issue_date"][:4]))


class Ledgers:
    """What the services that hear invoices have on record, as any other transaction sees it: committed."""

    def __init__(self, settings: Settings) -> None:
        self.databases = {service: Database(settings, service, "loop", pool=1) for service in ALL}

    async def close(self) -> None:
        for database in self.databases.values():
            await database.close()

    async def hold(self, tenant: UUID, count: int, tables: Mapping[str, str] = ALL) -> None:
        """Return when each of them has that many rows of the tenant."""
        async with asyncio.timeout(PATIENCE):
            for service, table in tables.items():
                database = self.databases[service]
                asked = text(f"select count(*) from {table} where tenant_id = :tenant")
                found = 0
                while found < count:
                    await asyncio.sleep(0.2)
                    async with database.transaction() as db:
                        found = await db.scalar(asked, {"tenant": tenant}) or 0

    async def rest(self, tenant: UUID) -> None:
        """Return when the cases of the tenant have been decided too: what follows is an ordinary hour."""
        asked = text("select count(*) from payer_case where tenant_id = :tenant and next_at <= now()")
        async with asyncio.timeout(PATIENCE):
            while True:
                async with self.databases["scheduler"].transaction() as db:
                    if not await db.scalar(asked, {"tenant": tenant}):
                        return
                await asyncio.sleep(0.5)

    async def watch(self, tenant: UUID, wanted: set[UUID], answered: Callable[[], Any]) -> dict[UUID, float]:
        """When each invoice was first seen in all of them, looking 20 times a second at those that were answered."""
        handled: dict[UUID, float] = {}
        while wanted:
            await asyncio.sleep(LOOK)
            asked = [one for one in answered() if one in wanted]
            seen = set(asked)
            for service, table in HEARERS.items():
                seen &= await _known(self.databases[service], table, tenant, asked)
            wanted -= seen
            handled |= dict.fromkeys(seen, time.perf_counter())
        return handled


async def _known(database: Database, table: str, tenant: UUID, asked: list[UUID]) -> set[UUID]:
    query = text(f"select invoice_id from {table} where tenant_id = :tenant and invoice_id = any(:asked)")
    async with database.transaction() as db:
        return set(await db.scalars(query, {"tenant": tenant, "asked": asked}))
