"""What the scheduler costs when hardly anything is due: 1,000,000 open items of 100,000 payers, one of them to remind.

A sweep that finds nothing, one that finds, decides and releases one notice, and explanations of items picked at random,
through the door. RELANCE_WRITE_PLANS=1 writes how Postgres answers the slowest questions into docs/engine-queries.md.
"""

import os
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from bench import sweep
from bench.figures import figure
from bench.plans import slowest
from libs.common.auth import service_token
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.settings import Settings
from services.scheduler.app import wire
from services.scheduler.store.policies import Policies
from services.scheduler.sweep import Sweep

PAYERS = 100_000
TURNS = 40
SHOWN = 3
"""Questions of each kind of work whose plans are written."""
PLANS = Path(__file__).parents[1] / "docs" / "engine-queries.md"
_INTRO = (
    "Made by `RELANCE_WRITE_PLANS=1 python -m bench quiet` with 1,000,000 open items of 100,000 payers, hardly any of\n"
    "them due: the slowest questions of a pass, without the walls around tenants that stand in every line. Each finds\n"
    "its rows by an index: what a pass costs depends on what is due, not on what is open. The figures are in\n"
    "bench/results.json: a sweep that finds nothing, one that decides, writes and says one reminder, an explanation.\n"
    "\n"
    "The pass that reminds one payer asks 19 questions in one transaction, one after the other: one claims the\n"
    "case and its siblings, one makes and locks the party, eleven read what the decision rests on, six record\n"
    "what follows. Each takes 0.2 to 0.75 ms with its way there and back, about as much again in this process,\n"
    "and the commit waits for the disk. The same 19 serve up to 200 cases."
)


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """Milliseconds, the median of many turns, at a million open items."""
    loops, owner = Database(settings, "scheduler", "loop"), Database(settings, "scheduler", "owner")
    try:
        tenant = await sweep.fill(loops, owner, PAYERS)
        async with owner.transaction(tenant) as db:
            await db.execute(text("update payer_case set next_at = :later"), {"later": sweep.NOW.replace(year=2027)})
        async with owner.transaction(tenant) as db:
            await db.execute(text("analyze payer_case"))
        return await _measured(settings, loops, owner, tenant)
    finally:
        await loops.close()
        await owner.close()


async def _measured(settings: Settings, loops: Database, owner: Database, tenant: UUID) -> list[dict[str, Any]]:
    one = Sweep(loops, FixedClock(sweep.NOW), Policies())
    nothing = [await _milliseconds(one.once) for _ in range(TURNS)]
    async with owner.transaction(tenant) as db:
        taken = text("select case_id from payer_case where tenant_id = :tenant order by case_id limit :n")
        cases = list((await db.execute(taken, {"tenant": tenant, "n": 3 * TURNS})).scalars())
        asked = text("select item_id from item where tenant_id = :tenant and case_id = any(:cases)")
        items = list((await db.execute(asked, {"tenant": tenant, "cases": cases[2 * TURNS :]})).scalars())
    first = [await _one_due(one, owner, tenant, case) for case in cases[:TURNS]]
    explained, lines = await _explained(settings, tenant, random.Random(1).sample(items, TURNS))
    if os.environ.get("RELANCE_WRITE_PLANS"):
        passing = await slowest(loops, lambda: _one_due(one, owner, tenant, cases[TURNS + 1]), SHOWN)
        told = [
            "# How the engine's questions are answered",
            "",
            _INTRO,
            "",
            "## A sweep that finds one payer to remind",
        ]
        PLANS.write_text("\n".join([*told, "", *passing, "## An explanation", "", *lines]) + "\n")
    return [
        figure("sweep that finds nothing, 1M open items", statistics.median(nothing), "ms", target=5, at_most=True),
        figure("sweep that reminds one payer, 1M open items", statistics.median(first), "ms", target=5, at_most=True),
        figure("explanation of an item, 1M open items", statistics.median(explained), "ms", target=50, at_most=True),
    ]


async def _milliseconds(work: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


async def _one_due(one: Sweep, owner: Database, tenant: UUID, case: UUID) -> float:
    async with owner.transaction(tenant) as db:
        due = text("update payer_case set next_at = :now where tenant_id = :tenant and case_id = :case")
        await db.execute(due, {"now": sweep.NOW, "tenant": tenant, "case": case})
    return await _milliseconds(one.once)


async def _explained(settings: Settings, tenant: UUID, items: list[UUID]) -> tuple[list[float], list[str]]:
    """Milliseconds of each request, and how Postgres answers the slowest questions of one."""
    app = wire(settings, FixedClock(sweep.NOW))
    token = service_token(settings, audience="scheduler", tenant=tenant, subject="bench", roles=("manager",))
    shown = {"authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app=app.http)
    async with httpx.AsyncClient(transport=transport, base_url="http://scheduler", headers=shown) as client:

        async def ask(item: UUID) -> None:
            (await client.get(f"/v1/items/{item}/explain")).raise_for_status()

        await ask(items[0])
        found = [await _milliseconds(lambda item=item: ask(item)) for item in items]  # type: ignore[misc]
        lines: list[str] = []
        if os.environ.get("RELANCE_WRITE_PLANS"):
            lines = await slowest(app.http.state.room.database, lambda: ask(items[0]), SHOWN)
    for close in app.close:
        await close()
    return found, lines
