"""How fast a version is simulated: 1,000,000 open items of 100,000 payers over the next 180 days, two processes.

The items fall due over seven months, the first of them already late in most cases; nobody pays, so every ladder is
climbed to its end: the most that a simulation has to decide. Seconds of the clock, and of the processor, beside the
memory.
"""

import asyncio
import multiprocessing
import resource
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench import sweep
from bench.figures import figure
from libs.common.db import Database
from libs.common.settings import Settings
from services.scheduler.rehearsing import Rehearsal, Totals, rehearsed
from services.scheduler.store.policies import Policies

PAYERS = 100_000
DAYS = 180
PROCESSES = 2


async def rows(settings: Settings) -> list[dict[str, Any]]:
    """Seconds for everybody, and what the processes that played them took of memory together."""
    loops, owner = Database(settings, "scheduler", "loop"), Database(settings, "scheduler", "owner")
    try:
        tenant = await sweep.fill(loops, owner, PAYERS, DAYS + 30)
        async with loops.transaction(tenant) as db:
            known = await Policies().active(db, {(tenant, "standard")}, sweep.NOW)
        told = Rehearsal(
            tenant,
            known[tenant, "standard"].version_id,
            sweep.NOW.date(),
            sweep.NOW.date() + timedelta(days=DAYS),
            sweep.NOW,
        )
        found, taken = await _measured(settings, loops, told)
    finally:
        await loops.close()
        await owner.close()
    if found.cases != PAYERS:
        raise AssertionError(f"{found.cases} cases of {PAYERS} were played")
    items = f"{PAYERS * sweep.ITEMS_EACH:,} items over {DAYS} days"
    return [
        figure(f"simulation of {items}, {PROCESSES} processes", taken["clock"], "s", target=120, at_most=True),
        figure("the processors' time of it, without the database", taken["processor"], "s"),
        figure("memory of the processes that simulate", taken["memory"], "MB", target=4_000, at_most=True),
    ]


async def _measured(settings: Settings, database: Database, told: Rehearsal) -> tuple[Totals, dict[str, float]]:
    used, began, peak = _processor(), time.perf_counter(), 0
    playing = asyncio.create_task(rehearsed(settings, database, told, PROCESSES))
    while not playing.done():
        await asyncio.wait([playing], timeout=0.5)
        peak = max(peak, sum(_resident(each.pid) for each in multiprocessing.active_children()))
    found = playing.result()
    taken = {"clock": time.perf_counter() - began, "processor": _processor() - used, "memory": peak / 1024}
    return found, taken


def _processor() -> float:
    """Seconds of the processor that processes which we started, and are over, have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _resident(pid: int | None) -> int:
    """Kilobytes of a process, the most it has had; 0 once it is gone."""
    try:
        told = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in told.splitlines() if line.startswith("VmHWM")), 0)
