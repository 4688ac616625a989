"""The loop that tells of deadlines, of declarations to insurers and claims in insolvency, each alarm of each day once.

The rule it protects: an alarm is raised on the day it is reached or at the first look after it, whatever was down
meanwhile, and says how many days are left; one that was missed is raised too. One that fails alone waits an hour,
is told about, and stops no other.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.aside import ASIDE_FOR, Aside
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.metrics import DEADLINE_ALARMS, REVIEWS_FAILED
from libs.common.money import Money
from libs.common.runtime import Pulse
from libs.common.tables import NOBODY
from libs.common.turning import turning
from services.scheduler import insuring, outgoing, recovering
from services.scheduler.commands import Asker, Row
from services.scheduler.credit import insolvency
from services.scheduler.credit.insurance import stage
from services.scheduler.store import insurance as store
from services.scheduler.store import recovery

REST = 60.0
BATCH = 500
OURSELVES = "scheduler"
Read = Callable[[AsyncConnection, date, int, tuple[UUID, UUID]], Awaitable[Sequence[Row]]]
Told = Callable[[Asker, Sequence[Row]], Awaitable[int]]

log = structlog.get_logger(__name__)


class Alarms:
    """The loop; safe to run in any number of processes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self._aside = Aside(REVIEWS_FAILED)
        self._waits: dict[tuple[UUID, UUID], datetime] = {}
        """(tenant, subject) → until when it is left alone in this process, because it failed."""

    async def run(self, pulse: Pulse) -> None:
        """Look every minute until the process stops; troubles of the database are waited out."""

        async def turn() -> float:
            await self.once()
            return REST

        await turning(pulse, "alarms", turn)

    async def once(self) -> int:
        """Raise what is due and end the recovery files that are paid; how many alarms are new."""
        now = self.clock.now()
        declarations = await self._all(store.near, _declarations, "item_id", now)
        claims = await self._all(store.unfiled, _claims, "insolvency_id", now)
        async with self.database.transaction() as db:
            await self._each(db, await recovery.paid(db, BATCH), _collected, "file_id", now)
        DEADLINE_ALARMS.labels("declaration").inc(declarations)
        DEADLINE_ALARMS.labels("claim").inc(claims)
        return declarations + claims

    async def _all(self, read: Read, told: Told, key: str, now: datetime) -> int:
        """A batch a transaction, in the order of tenants and ids."""
        raised, last = 0, (NOBODY, NOBODY)
        while True:
            async with self.database.transaction() as db:
                rows = await read(db, now.date(), BATCH, last)
                raised += await self._each(db, rows, told, key, now)
            if len(rows) < BATCH:
                return raised
            last = (rows[-1]["tenant_id"], rows[-1][key])

    async def _each(self, db: AsyncConnection, rows: Sequence[Row], told: Told, key: str, now: datetime) -> int:
        """Tell of these rows tenant by tenant; of those of a tenant that fail together by halves. How many are new."""
        self._waits = {one: until for one, until in self._waits.items() if until > now}
        counted: list[int] = []

        async def work(some: Sequence[Row]) -> None:
            async with db.begin_nested():
                counted.append(await told(Asker(db, some[0]["tenant_id"], OURSELVES, now), some))

        async def put_off(row: Row) -> None:
            self._waits[row["tenant_id"], row[key]] = now + ASIDE_FOR
            log.critical("alarms.set_aside", subject=str(row[key]))

        for mine in _by_tenant(row for row in rows if (row["tenant_id"], row[key]) not in self._waits).values():
            await self._aside.halving(mine, work, put_off)
        return sum(counted)


def _by_tenant(rows: Iterable[Row]) -> dict[UUID, list[Row]]:
    found: dict[UUID, list[Row]] = {}
    for row in rows:
        found.setdefault(row["tenant_id"], []).append(row)
    return found


async def _declarations(asker: Asker, rows: Sequence[Row]) -> int:
    """Alarms of items whose declaration comes near, by the day of their company."""
    alarms = {}
    for clock in await insuring.clocks(asker, rows):
        if clock.stage is not None:
            due = clock.deadlines.declare_by
            alarms[clock.row["item_id"]] = (clock.row, due, clock.stage, (due - clock.today).days)
    told = [_alarm(asker, each[0], item, "declaration", (each[1], each[2])) for item, each in alarms.items()]
    new = await store.raise_alarms(asker.db, told)
    for item, (row, due, _, left) in alarms.items():
        if (asker.tenant, item) in new:
            facts = {
                "item_id": str(item), "number": row["number"], "payer_id": str(row["payer_id"]),
                "amount": Money(row["owed_minor"], row["currency"]).wire(), "policy": row["name"],
                "declare_by": due, "days_left": left,
            }  # fmt: skip
            await outgoing.queue(asker, "credit.declaration_due", row["entity_id"], item, facts)
    return len(new)


async def _claims(asker: Asker, rows: Sequence[Row]) -> int:
    """Alarms of insolvencies whose claim is not filed."""
    alarms = {}
    for row in rows:
        today = (await asker.calendar(row["entity_id"])).today(asker.now)
        reached = stage(row["file_by"], today, insolvency.ALARMS)
        if reached is not None:
            alarms[row["insolvency_id"]] = (row, reached, (row["file_by"] - today).days)
    told = [_alarm(asker, row, one, "claim", (row["file_by"], reached)) for one, (row, reached, _) in alarms.items()]
    new = await store.raise_alarms(asker.db, told)
    for one, (row, _, left) in alarms.items():
        if (asker.tenant, one) in new:
            facts = {"insolvency_id": str(one), "payer_id": str(row["payer_id"]), "file_by": row["file_by"],
                     "days_left": left}  # fmt: skip
            await outgoing.queue(asker, "credit.claim_due", row["entity_id"], one, facts)
    return len(new)


async def _collected(asker: Asker, rows: Sequence[Row]) -> int:
    """End the recovery files of which nothing is owed any more."""
    for row in rows:
        await recovering.over(asker, row, "collected", "nothing is owed")
    return len(rows)


def _alarm(asker: Asker, row: Row, subject: UUID, kind: str, reached: tuple[date, int]) -> dict[str, Any]:
    due, stage_ = reached
    return {
        "tenant_id": asker.tenant, "subject_id": subject, "kind": kind, "due_on": due, "stage": stage_,
        "payer_id": row["payer_id"], "raised_at": asker.now,
    }  # fmt: skip
