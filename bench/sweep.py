"""How fast cases are swept: 200,000 open items of 20,000 payers, every one of them due to be reminded at once.

The limit beside it is what Postgres takes of occurrences by UNNEST alone, in transactions of the same size, in this
run. Decisions, releases, events and the cases' new rows are all in the figure.
"""

import asyncio
import gc
import time
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from bench.figures import figure
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.directory import handlers as directory_handlers
from libs.common.events import event
from libs.common.events.directory import EntityConfigured, TenantConfigured
from libs.common.ids import uuid7
from libs.common.sets import adding, columns
from libs.common.settings import Settings
from services.scheduler.store.policies import Policies
from services.scheduler.sweep import CASES, Sweep
from services.scheduler.tables import occurrence

PAYERS = 20_000
ITEMS_EACH = 10
DUE = date(2026, 9, 1)
NOW = datetime(2026, 9, 15, 9, tzinfo=UTC)
TARGET = 8_000

_FILL = [
    """insert into debtor (tenant_id, debtor_id, entity_id, version, payer_id, party_id, changed_at)
       select :tenant, d.id, :entity, 1, d.id, d.id, cast(:now as timestamptz)
         from (select gen_random_uuid() as id from generate_series(1, :payers)) d""",
    """insert into payer_case (tenant_id, case_id, entity_id, payer_id, party_id, next_at)
       select tenant_id, gen_random_uuid(), entity_id, debtor_id, party_id,
              cast(:now as timestamptz) - interval '1 minute'
         from debtor where tenant_id = :tenant""",
    """insert into item (tenant_id, item_id, invoice_id, case_id, entity_id, debtor_id, payer_id, number, issue_date,
                         due_date, amount_minor, currency, invoice_version)
       select c.tenant_id, gen_random_uuid(), gen_random_uuid(), c.case_id, c.entity_id, c.payer_id, c.payer_id,
              'F' || cast(:nth as integer), cast(:due as date) - 30,
              cast(:due as date) - cast(:nth as integer)
                + mod(abs(hashtext(c.case_id || 'F' || cast(:nth as integer))), cast(:days as integer)),
              10000 + cast(:nth as integer), 'EUR', 1
         from payer_case c where c.tenant_id = :tenant""",
    "analyze debtor",
    "analyze payer_case",
    "analyze item",
]


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """Items swept a second, one process."""
    loops, owner = Database(settings, "scheduler", "loop"), Database(settings, "scheduler", "owner")
    try:
        tenant = await fill(loops, owner)
        limit = await _limit(loops, uuid7())
        items, released, seconds = await _sweep(loops)
    finally:
        await loops.close()
        await owner.close()
    if released != PAYERS:
        raise AssertionError(f"{released} reminders for {PAYERS} payers of {tenant}")
    return [figure(f"sweep of {items:,} open items, all due", items / seconds, "items/s", limit=limit, target=TARGET)]


async def fill(loops: Database, owner: Database, payers: int = PAYERS, days: int = 1) -> UUID:
    """A live company with so many payers, each with open items that are overdue, or fall due over so many days; the
    tenant's id."""
    tenant, entity = uuid7(), uuid7()
    bodies = [
        TenantConfigured(tenant_id=tenant, version=1, directory_version=1, name="Bench"),
        EntityConfigured(
            tenant_id=tenant,
            version=1,
            directory_version=2,
            entity_id=entity,
            name="Bench",
            sender_name="Bench",
            sender_email="bench@example.org",
            mode="live",
            approvals="policy",
            run_in="waived",
            feed_required=False,
        ),
    ]
    facts = {"tenant": tenant, "entity": entity, "now": NOW, "payers": payers, "due": DUE, "days": days}
    async with loops.transaction() as db:
        for body in bodies:
            await directory_handlers()[type(body)](db, [event(body, NOW)])
    async with owner.transaction(tenant) as db:
        for statement in _FILL:
            for n in range(1, ITEMS_EACH + 1) if ":nth" in statement else (0,):
                named = {name: value for name, value in (facts | {"nth": n}).items() if f":{name}" in statement}
                await db.execute(text(statement), named)
    return tenant


async def _sweep(loops: Database) -> tuple[int, int, float]:
    """One process, with the two sweeps that it runs: one decides while the other waits for the database."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as every process of ours runs
    policies = Policies()
    began = time.perf_counter()
    done = await asyncio.gather(*(_until_nothing(Sweep(loops, FixedClock(NOW), policies)) for _ in range(2)))
    return sum(items for items, _ in done), sum(released for _, released in done), time.perf_counter() - began


async def _until_nothing(sweep: Sweep) -> tuple[int, int]:
    items = released = 0
    while (swept := await sweep.once()).cases:
        items += swept.items
        released += swept.released
    return items, released


async def _limit(loops: Database, tenant: UUID) -> float:
    """Occurrences a second by UNNEST alone, as many a transaction as the sweep writes; none of them is kept."""
    size = CASES * ITEMS_EACH
    written = 0
    began = time.perf_counter()
    while written < 40_000:
        batch = columns([_row(tenant) for _ in range(size)])
        async with loops.transaction() as db:
            await db.execute(adding(occurrence, tuple(_row(tenant))), batch)
        written += size
    seconds = time.perf_counter() - began
    async with loops.transaction() as db:
        await db.execute(occurrence.delete().where(occurrence.c.tenant_id == tenant))
    return written / seconds


def _row(tenant: UUID) -> dict[str, Any]:
    return {
        "tenant_id": tenant,
        "occurrence_id": uuid7(),
        "item_id": uuid7(),
        "cycle": 1,
        "step_key": "friendly",
        "case_id": tenant,
        "entity_id": tenant,
        "policy_version_id": tenant,
        "kind": "reminder",
        "tone": 2,
        "release": 1,
        "state": "released",
        "reminder_id": tenant,
        "channel": "email",
        "on_date": DUE,
        "released_at": NOW,
        "printed_minor": 10_000,
        "currency": "EUR",
        "invoice_version": 1,
    }
