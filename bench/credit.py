"""What credit control asks of 1,000,000 open items of 100,000 insured payers, each with a limit.

The look for alarms that finds nothing, as every minute brings it; a page of deadlines, of payers over their limit, of
what is ripe to be handed over. RELANCE_WRITE_PLANS=1 writes how Postgres answers into docs/credit-queries.md.
"""

import os
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench import sweep
from bench.figures import figure
from bench.plans import slowest
from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.settings import Settings
from libs.common.tables import NOBODY
from services.scheduler.owing import Owing
from services.scheduler.proposing import AFTER_DAYS, MOST
from services.scheduler.store import credit, insurance, recovery

PAYERS = 100_000
DAYS = 210
"""Over which the items fall due: the oldest five weeks ago."""
TURNS = 5
PAGE = 51
PLANS = Path(__file__).parents[1] / "docs" / "credit-queries.md"
_INTRO = (
    "Made by `RELANCE_WRITE_PLANS=1 python -m bench credit` with 1,000,000 open items of 100,000 insured payers:\n"
    "the slowest question of each, without the walls around tenants that stand in every line. The look for alarms\n"
    "passes over what is too young for one before it asks who is insured; a page of deadlines reads the days that\n"
    "it needs, by the index of what is open by its due date. Limits are read in the order of their payers, beside\n"
    "what is kept of each, until a page of those over it is full: one in a hundred is over it here. The figures are\n"
    "in bench/results.json."
)
_FILL = [
    """insert into insurer_terms (tenant_id, terms_id, name, insurer, number, extension_days, declaration_days,
                                  counts_from, alarm_days, author, set_at)
       values (:tenant, :terms, 'Policy', 'Insurer', 1, 60, 90, 'due_date', array[30, 15, 10, 5], 'bench',
               cast(:now as timestamptz))""",
    """insert into insurer_cover (tenant_id, cover_id, payer_id, terms_id, amount_minor, currency, valid_from,
                                  reference, author, set_at)
       select tenant_id, gen_random_uuid(), payer_id, cast(:terms as uuid), 1000000, 'EUR', date '2026-01-01', 'C',
              'bench', cast(:now as timestamptz)
         from payer_case where tenant_id = :tenant""",
    """insert into credit_limit (tenant_id, limit_id, payer_id, entity_id, amount_minor, currency, valid_from, reason,
                                 entered_by, entered_at, state)
       select tenant_id, gen_random_uuid(), payer_id, entity_id,
              case when mod(hashtext(cast(payer_id as text)), 100) = 0 then 50000 else 10000000 end, 'EUR',
              date '2026-01-01', 'bench', 'bench', cast(:now as timestamptz), 'approved'
         from payer_case where tenant_id = :tenant""",
    "analyze insurer_cover",
    "analyze credit_limit",
]
Ask = Callable[[AsyncConnection], Awaitable[Any]]


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """Milliseconds of each question, the median of some turns."""
    loops, owner = Database(settings, "scheduler", "loop"), Database(settings, "scheduler", "owner")
    try:
        tenant = await sweep.fill(loops, owner, PAYERS, DAYS)
        await _fill(owner, tenant)
        while await Owing(loops).once():
            pass
        return await _measured(loops, tenant)
    finally:
        await loops.close()
        await owner.close()


async def _fill(owner: Database, tenant: UUID) -> None:
    facts = {"tenant": tenant, "terms": uuid7(), "now": sweep.NOW}
    for statement in _FILL:
        async with owner.transaction(tenant) as db:
            await db.execute(text(statement), {name: facts[name] for name in facts if f":{name}" in statement})


async def _measured(loops: Database, tenant: UUID) -> list[dict[str, Any]]:
    found, lines = [], ["# How the questions of credit control are answered", "", _INTRO, ""]
    for name, ask in _questions(tenant, sweep.NOW.date()).items():
        taken = [await _milliseconds(loops, tenant, ask) for _ in range(TURNS)]
        found.append(figure(f"{name}, 1M open items", statistics.median(taken), "ms"))
        if os.environ.get("RELANCE_WRITE_PLANS"):
            lines += [f"## A {name}", "", *await slowest(loops, partial(_asked, loops, tenant, ask))]
    if os.environ.get("RELANCE_WRITE_PLANS"):
        PLANS.write_text("\n".join(lines).rstrip() + "\n")
    return found


def _questions(tenant: UUID, today: date) -> dict[str, Ask]:
    nobody = (NOBODY, NOBODY)
    return {
        "look for alarms that finds none": lambda db: insurance.near(db, today, 500, nobody),
        "page of insurers' deadlines": lambda db: insurance.covered(db, tenant, date.max, PAGE, None, None),
        "page of payers over their limit": lambda db: credit.accounts(
            db, tenant, sweep.NOW, PAGE, None, over=True, blocked=False
        ),
        "list of what is ripe to be handed over": lambda db: recovery.warned(db, tenant, today, AFTER_DAYS, MOST),
    }


async def _asked(loops: Database, tenant: UUID, ask: Ask) -> None:
    async with loops.transaction(tenant) as db:
        await ask(db)


async def _milliseconds(loops: Database, tenant: UUID, ask: Ask) -> float:
    began = time.perf_counter()
    await _asked(loops, tenant, ask)
    return (time.perf_counter() - began) * 1000
