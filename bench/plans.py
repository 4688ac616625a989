"""How Postgres answers the slowest questions of some work, as lines of a page."""

import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from sqlalchemy import event

from libs.common.db import Database

_READING = re.compile(r"\s*(select|with)\b(?!.*\bfind_session\b).*\bfrom\b", re.IGNORECASE | re.DOTALL)
"""What reads; who is signed in every page asks alike."""


async def slowest(database: Database, work: Callable[[], Awaitable[Any]], most: int = 1) -> list[str]:
    """The slowest questions that the work asks of this database: how long each took, and its plan."""
    asked: list[tuple[float, str, Any]] = []
    begun: dict[int, float] = {}

    def before(*told: Any) -> None:
        begun[id(told[4])] = time.perf_counter()

    def after(*told: Any) -> None:
        seconds = time.perf_counter() - begun.pop(id(told[4]), time.perf_counter())
        asked.append((seconds, told[2], told[3]))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    await work()
    event.remove(engine, "before_cursor_execute", before)
    event.remove(engine, "after_cursor_execute", after)
    read = [each for each in asked if _READING.match(each[1])]
    lines: list[str] = []
    for each in sorted(read, key=lambda one: -one[0])[:most]:
        lines += await _plan(database, *each)
    return lines


async def _plan(database: Database, seconds: float, statement: str, parameters: Any) -> list[str]:
    tenant = next((value for value in parameters if isinstance(value, UUID)), None)
    async with database.transaction(*([tenant] if tenant else [])) as db:
        explained = await db.exec_driver_sql(
            f"explain (analyze, costs off, timing off, summary off, buffers off) {statement}", tuple(parameters)
        )
        plan = "\n".join(str(row[0]) for row in explained)
    return [f"{seconds * 1000:.0f} ms:", "", "```", _short(plan), "```", ""]


def _short(plan: str) -> str:
    """Without the walls around tenants, which stand in every line, and without what sorts and workers say."""
    plan = re.sub(r"'?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'?(::uuid)?", "…", plan)
    plan = re.sub(r"\(tenant_id = …\) AND |\(tenant_id = ANY \(\(InitPlan \d+\)\.col1\)\)( AND )?", "", plan)
    silent = r" *(InitPlan|->  Result|Index Searches|Sort Method|Worker |Buckets|Batches|Storage|Window:|Workers P)"
    lines = [line[:150].replace(".00 loops", " loops") for line in plan.splitlines() if not re.match(silent, line)]
    return "\n".join(lines[:40])
