"""How fast permitted mails leave and are recorded, beside what the same mail server takes from the same connections.

The mail server and the three services' permit doors (real leases, a look that says yes) are processes of their own.
Notices are written before the clock starts; what is measured goes from "ready" to the last outcome on record.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn
from sqlalchemy import func, select

from bench.figures import figure
from libs.common import permits
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.events import event
from libs.common.events.debtors import Contact, DebtorChanged
from libs.common.events.directory import BankDetailsApproved, EntityConfigured, TenantConfigured
from libs.common.events.reminders import Line, ReminderDue
from libs.common.http import make_app
from libs.common.ids import named, occurrence_id, reminder_id, uuid7
from libs.common.money import Money
from libs.common.runtime import App, Pulse
from libs.common.settings import Settings
from services.notifier.app import SERVICE, wire
from services.notifier.channels.smtp import Wire
from services.notifier.dispatch.loop import LANES
from services.notifier.handlers import Handlers
from services.notifier.tables import delivery, notice

REPOSITORY = Path(__file__).parents[1]
NOW = datetime(2026, 10, 1, 8, tzinfo=UTC)
COUNT = 3_000
RAW = 6_000
IBAN = "FR7630006000011234567890189"


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """Two rows: notices written, mails sent."""
    settings = replace(settings, smtp_port=settings.ports["console"] + 26)
    async with process("-m", "tests.support.smtp", str(settings.smtp_port)), doors(settings):
        await listening(settings.smtp_host, settings.smtp_port)
        limit = await raw_rate(settings)
        written, sent = await the_service(settings)
    return [
        figure("notices written", written, "notices/s"),
        figure("mails sent, permitted and recorded", sent, "mails/s", limit=limit, target=300),
    ]


async def the_service(settings: Settings) -> tuple[float, float]:
    """Notices written a second, and mails sent a second, by one process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as the runtime sets it
    clock, tenant = FixedClock(NOW), uuid7()
    app = wire(settings, clock)
    loops = Database(settings, SERVICE, "loop")
    try:
        await known(loops, Handlers(clock, lambda: None), tenant, COUNT)
        written = await until_none(app, loops, "writing", notice.c.state == "due", tenant)
        sent = await until_none(app, loops, "dispatch", delivery.c.state != "sent", tenant)
    finally:
        for close in (*app.close, loops.close):
            await close()
    return written, sent


async def until_none(app: App, loops: Database, loop: str, left: Any, tenant: UUID) -> float:
    """Run one loop until no row of the tenant is `left`; rows a second."""
    table = left.left.table
    pulse = app.pulses[loop] = Pulse()
    began = time.perf_counter()
    running = asyncio.ensure_future(app.loops[loop](pulse))
    query = select(func.count()).select_from(table).where(table.c.tenant_id == tenant, left)
    while True:
        await asyncio.sleep(0.05)
        if running.done():
            running.result()
        async with loops.transaction() as db:
            if not await db.scalar(query):
                break
    took = time.perf_counter() - began
    pulse.stopping.set()
    pulse.nudge()
    await running
    return COUNT / took


async def known(loops: Database, handlers: Handlers, tenant: UUID, count: int) -> None:
    """A tenant whose `count` payers have a reminder of two invoices due each."""
    entity = named("entity", tenant)
    common: dict[str, Any] = {"tenant_id": tenant, "version": 1, "directory_version": 1}
    creditor = {"name": "Verrerie du Léman SAS", "sender_name": "Verrerie", "sender_email": "compta@verrerie-leman.fr"}
    account = {"iban": IBAN, "holder": "Verrerie", "effective_at": NOW - timedelta(days=9), "entity_id": entity}
    first = [
        TenantConfigured(**common, name="Léman"),
        EntityConfigured(**common, entity_id=entity, mode="live", approvals="policy", run_in="waived", **creditor),
        BankDetailsApproved(**common, bank_account_id=named("account", tenant), **account),
    ]
    by_type = handlers.by_type()
    async with loops.transaction() as db:
        for body in first:
            await by_type[type(body)](db, [event(body, NOW)])
    for start in range(0, count, 500):
        numbers = range(start, min(start + 500, count))
        async with loops.transaction() as db:
            await by_type[DebtorChanged](db, [event(debtor(tenant, entity, n), NOW) for n in numbers])
            await by_type[ReminderDue](db, [event(due(tenant, entity, n), NOW) for n in numbers])


def debtor(tenant: UUID, entity: UUID, n: int) -> DebtorChanged:
    payer = named("payer", tenant, n)
    contact = Contact(contact_id=named("contact", payer), name="Comptabilité", email=f"compta@client-{n}.fr")
    return DebtorChanged(
        tenant_id=tenant,
        version=1,
        entity_id=entity,
        debtor_id=payer,
        external_id=f"C{n}",
        name=f"Client {n}",
        party_id=named("party", payer),
        payer_id=payer,
        contacts=[contact],
    )


def due(tenant: UUID, entity: UUID, n: int) -> ReminderDue:
    payer = named("payer", tenant, n)
    lines = [line(tenant, payer, 2 * n + each) for each in (0, 1)]
    return ReminderDue(
        tenant_id=tenant,
        version=1,
        entity_id=entity,
        case_id=named("case", payer),
        payer_id=payer,
        reminder_id=reminder_id((each.occurrence_id, each.release) for each in lines),
        policy_version_id=named("policy"),
        kind="reminder",
        step_key="friendly",
        tone=2,
        anchor_item_id=lines[0].item_id,
        lines=lines,
        channels=["email"],
        audience=["accounts_payable"],
        template="friendly",
        language="fr",
        approval="none",
        window_ends_at=NOW + timedelta(hours=9),
        party_id=named("party", payer),
    )


def line(tenant: UUID, payer: UUID, number: int) -> Line:
    item = named("item", tenant, number)
    return Line(
        occurrence_id=occurrence_id(tenant, item, 1, "friendly"),
        release=1,
        item_id=item,
        item_version=1,
        invoice_id=named("invoice", tenant, number),
        invoice_version=1,
        debtor_id=payer,
        number=f"FA-2026-{number:05}",
        issue_date=date(2026, 8, 1),
        due_date=date(2026, 9, 1),
        amount=Money(125_000, "EUR"),
        residual=Money(125_000, "EUR"),
        step_key="friendly",
        tone=2,
    )


async def raw_rate(settings: Settings) -> float:
    """Mails a second over as many connections, with nothing asked and nothing recorded."""
    body = b"Subject: x\r\n\r\n" + b"Rappel, avec ses lignes et son total.\r\n" * 150

    async def one(count: int) -> None:
        line = Wire(settings)
        for _ in range(count):
            if not line.usable:
                await line.close()
                await line.open()
            await line.offer("a@verrerie-leman.fr", "b@client.fr")
            await line.data()
            await line.body(body, lambda: True)
        await line.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(RAW // LANES) for _ in range(LANES)))
    return RAW / (time.perf_counter() - began)


# Processes beside the one that is measured


@asynccontextmanager
async def process(*arguments: str, **environment: str) -> AsyncIterator[None]:
    """A Python process that lives as long as the block."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=REPOSITORY, env=os.environ | environment
    )
    try:
        yield
    finally:
        if running.returncode is None:
            running.terminate()
        await running.wait()


@asynccontextmanager
async def doors(settings: Settings) -> AsyncIterator[None]:
    """The permit doors of the three services, in one process."""
    env = {
        "RELANCE_BASE_PORT": str(settings.ports["console"]),
        "RELANCE_STATE": str(settings.state),
        "RELANCE_DATABASE_URL": settings.database_url,
        "RELANCE_KAFKA": settings.kafka,
    }
    async with process("-m", "bench.mails", **env):
        for service in permits.GRANTERS:
            await listening("127.0.0.1", settings.ports[service])
        yield


async def listening(host: str, port: int) -> None:
    """Wait until somebody answers there, 30 s at most."""
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            writer.close()
            return


async def say_yes(db: Any, tenant: UUID, asks: Sequence[permits.Ask]) -> list[permits.Answer]:
    """The look of these doors."""
    return [permits.yes(ask) for ask in asks]


async def serve() -> None:
    """Open the three doors until the process is ended."""
    settings = Settings.from_env()
    async with asyncio.TaskGroup() as group:
        for service in permits.GRANTERS:
            database = Database(settings, service, "api")
            http = make_app(
                settings,
                service,
                title=service,
                routers=[permits.router(database, say_yes)],
                state=None,
                database=database,
            )
            port = settings.ports[service]
            config = uvicorn.Config(http, "127.0.0.1", port, lifespan="off", log_config=None, access_log=False)
            group.create_task(uvicorn.Server(config).serve())


if __name__ == "__main__":
    asyncio.run(serve())
