"""How fast the bus is: the relay, and one consumer process on a mixed stream with set-based handlers.

The limit beside each figure is what Postgres takes by UNNEST alone, in transactions of the same size, in this run.
The consumer's handlers do what a service's do: lock debtors, upsert by version, record a follow-up event.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, Uuid, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.figures import figure
from libs.common import kafka, outbox
from libs.common.consumer import Consumer, Handler
from libs.common.db import Database, driver_url, make_engine, role_url
from libs.common.events import OWNERS, Event, event
from libs.common.events.deliveries import TaskOpened
from libs.common.events.envelope import Body
from libs.common.events.invoices import Instalment, InvoiceAmended, InvoiceIssued
from libs.common.events.payments import InvoiceSettled
from libs.common.ids import uuid7
from libs.common.migrate import create_all, prepare
from libs.common.money import Money
from libs.common.outbox import Relay
from libs.common.runtime import Pulse
from libs.common.sets import adding, columns, given
from libs.common.settings import Settings

SERVICE = "scheduler"
COUNT = 30_000
DEBTORS = 2_000
TENANTS = 20
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)

KINDS: dict[str, type[Body]] = {
    "Issued": InvoiceIssued,
    "Amended": InvoiceAmended,
    "Settled": InvoiceSettled,
    "Opened": TaskOpened,
}

metadata = MetaData()
debtor = Table(
    "bench_debtor",
    metadata,
    Column("debtor_id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
)
item = Table(
    "bench_item",
    metadata,
    Column("item_id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("debtor_id", Uuid, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
)
_ITEM = ("item_id", "tenant_id", "debtor_id", "state", "version", "amount")
_DEBTOR = ("debtor_id", "tenant_id")


_rows = given(item, _ITEM)
_added = insert(item).from_select(list(_ITEM), select(*_rows.c))
_kept = _added.on_conflict_do_update(
    index_elements=["item_id"],
    set_={"state": _added.excluded.state, "version": _added.excluded.version},
    where=_added.excluded.version > item.c.version,
)
_known = select(debtor.c.debtor_id).where(debtor.c.debtor_id == func.any(bindparam("ids", type_=ARRAY(Uuid))))


@dataclass(frozen=True)
class Ground:
    """Where it runs: a database and a topic of its own on the stack's servers."""

    settings: Settings
    database: Database
    kinds: tuple[type[Body], ...]


@dataclass
class Service:
    """What a service does with a list: lock the debtors, upsert by version, record a follow-up for what is new."""

    follow_up: type[Body]
    handled: int = 0
    began: float = 0.0

    async def lock(self, db: AsyncConnection, events: Sequence[Event]) -> None:
        self.began = self.began or time.perf_counter()
        payers = {e.body.payer_id: {"debtor_id": e.body.payer_id, "tenant_id": e.tenant} for e in events}
        ids = {"ids": list(payers)}
        locked = set(await db.scalars(_known.order_by(debtor.c.debtor_id).with_for_update(), ids))
        missing = [row for id_, row in sorted(payers.items()) if id_ not in locked]
        if missing:
            await db.execute(adding(debtor, _DEBTOR), columns(missing))

    async def hear(self, db: AsyncConnection, events: list[Event]) -> None:
        told = [_row(e.subject, e.tenant, e.body.payer_id, e.type, e.body.version) for e in events]
        await db.execute(_kept, columns(told))
        if events[0].type == "Issued":
            shared = {"due_on": date(2026, 11, 24), "kind": "call", "version": 1}
            said = [
                self.follow_up(tenant_id=e.tenant, entity_id=e.tenant, payer_id=e.body.payer_id, case_id=e.subject,
                               task_id=uuid7(), **shared)
                for e in events
            ]  # fmt: skip
            await outbox.record(db, *(event(told, AT, cause=e) for told, e in zip(said, events, strict=True)))
        self.handled += len(events)


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """Rows of name, value, unit, limit, ratio, target; needs `settings.admin_url` to make a database of its own."""
    async with ground(settings) as here:
        events = stream(here.kinds, random.Random(7))
        limit_relay = await unnest(here, 2_000)
        limit_consumer = await unnest(here, kafka.POLL)
        await record(here, events)
        relayed = await drained(here)
        heard = await consumed(here)
    return [
        figure("relay", relayed, "events/s", limit=limit_relay, target=15_000),
        figure("consumer, mixed stream, one process", heard, "events/s", limit=limit_consumer, target=3_000),
    ]


@asynccontextmanager
async def ground(settings: Settings) -> AsyncIterator[Ground]:
    """A fresh database with the bus and two tables of a small service; its topics are the real ones."""
    name = f"bench_{uuid7().hex}"
    await _administer(settings, f"create database {name}")
    admin = driver_url(settings.admin_url or "").set(database=name).set(drivername="postgresql")
    address = settings.database_url.rpartition("/")[0] + "/" + name
    mine = replace(settings, database_url=address, admin_url=admin.render_as_string(hide_password=False))
    await prepare(mine, [SERVICE])
    engine = make_engine(role_url(mine, SERVICE, "owner"), 1)
    async with engine.connect() as db:
        await db.run_sync(_tables)
    await engine.dispose()
    topic = f"bench.{name}"
    OWNERS[topic] = SERVICE
    await kafka.ensure_topics(mine)
    kinds = tuple(type(name, (kind,), {"topic": topic, "__module__": __name__}) for name, kind in KINDS.items())
    database = Database(mine, SERVICE, "loop")
    try:
        yield Ground(mine, database, kinds)
    finally:
        await database.close()
        del OWNERS[topic]
        await _administer(settings, f"drop database {name} with (force)")


async def _administer(settings: Settings, statement: str) -> None:
    engine = make_engine(driver_url(settings.admin_url or ""), 1)
    async with engine.connect() as db:
        alone = await db.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text(statement))
    await engine.dispose()


def _tables(connection: Connection) -> None:
    create_all(Operations(MigrationContext.configure(connection)), metadata)
    connection.commit()


def stream(kinds: tuple[type[Body], ...], dice: random.Random) -> list[Event]:
    """Issued, amended, settled and tasks opened, over the debtors of several tenants, mixed."""
    tenants = [uuid7() for _ in range(TENANTS)]
    debtors = [uuid7() for _ in range(DEBTORS)]
    found: list[Event] = []
    for _ in range(COUNT):
        nth = dice.randrange(DEBTORS)
        kind = dice.choices(kinds, (4, 1, 3, 2))[0]
        found.append(event(body(kind, tenants[nth % TENANTS], debtors[nth], dice), AT))
    return found


def body(kind: type[Body], tenant: UUID, payer: UUID, dice: random.Random) -> Body:
    """A believable body of this kind."""
    amount = Money(dice.randrange(1_000, 900_000), "EUR")
    shared: dict[str, Any] = {"tenant_id": tenant, "version": 1, "entity_id": tenant, "payer_id": payer}
    if issubclass(kind, InvoiceSettled):
        facts = {"item_id": uuid7(), "invoice_id": uuid7(), "settled_on": date(2026, 11, 20), "by": "payment"}
    elif issubclass(kind, TaskOpened):
        facts = {"case_id": payer, "task_id": uuid7(), "kind": "call", "due_on": date(2026, 11, 24)}
    else:
        part = Instalment(item_id=uuid7(), sequence=1, due_date=date(2026, 12, 1), amount=amount)
        facts = {"invoice_id": uuid7(), "debtor_id": payer, "number": f"F{dice.randrange(10**6)}", "payable": amount}
        facts |= {"issue_date": date(2026, 11, 1), "instalments": [part], "due_source": "structured"}
    return kind(**shared, **facts)


async def unnest(here: Ground, at_once: int, total: int = 20_000) -> float:
    """Rows/s that Postgres takes by UNNEST, one transaction a list."""
    lists = [
        columns([_row(uuid7(), uuid7(), uuid7(), "x", 1) for _ in range(at_once)]) for _ in range(total // at_once)
    ]
    began = time.perf_counter()
    for some in lists:
        async with here.database.transaction() as db:
            await db.execute(_added, some)
    return total / (time.perf_counter() - began)


def _row(item_id: UUID, tenant: UUID, payer: UUID, state: str, version: int) -> dict[str, Any]:
    facts = {"item_id": item_id, "tenant_id": tenant, "debtor_id": payer}
    return facts | {"state": state, "version": version, "amount": 1}


async def record(here: Ground, events: list[Event]) -> None:
    """Record the stream, 500 a transaction."""
    for n in range(0, len(events), 500):
        async with here.database.transaction() as db:
            await outbox.record(db, *events[n : n + 500])


async def _until(loop: Callable[[Pulse], Awaitable[None]], done: Callable[[], Awaitable[bool]]) -> None:
    pulse = Pulse()
    task = asyncio.ensure_future(loop(pulse))
    while not await done() and not task.done():
        await asyncio.wait([task], timeout=0.02)
    pulse.stopping.set()
    await task


async def drained(here: Ground) -> float:
    """Events/s of the relay, from its start until the outbox is empty."""
    looking = Database(here.settings, SERVICE, "loop", pool=1)

    async def empty() -> bool:
        async with looking.transaction() as db:
            return not await db.scalar(text("select exists (select from outbox)"))

    began = time.perf_counter()
    await _until(Relay(here.settings, SERVICE, here.database).run, empty)
    took = time.perf_counter() - began
    await looking.close()
    return COUNT / took


async def consumed(here: Ground) -> float:
    """Events/s of one consumer, from the first list handed over to the last effect committed."""
    service = Service(here.kinds[3])
    looking = Database(here.settings, SERVICE, "loop", pool=1)

    async def everything() -> bool:
        if service.handled < COUNT:
            return False
        async with looking.transaction() as db:
            return await db.scalar(select(func.count()).where(item.c.state != "x")) == COUNT

    heard: dict[type[Body], Handler] = dict.fromkeys(here.kinds, service.hear)
    group = f"bench.{uuid7().hex}"
    consumer = Consumer(here.settings, SERVICE, here.database, heard, lock=service.lock, group=group)
    await _until(consumer.run, everything)
    took = time.perf_counter() - service.began
    await looking.close()
    return COUNT / took
