"""Matchers die in the middle of a batch: no cent is given twice or lost, and what was in hand is tried again."""

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

from sqlalchemy import text

from tests.integration.payment_matching.till import Till
from tests.support import eventually

PAYMENTS = 600
_GIVEN = text("select count(*) from allocation where tenant_id = :tenant")


async def start(till: Till, crash_at: str = "") -> asyncio.subprocess.Process:
    """A matching loop in a process of its own."""
    added = {"RELANCE_DATABASE_URL": till.settings.database_url, "RELANCE_CRASH_AT": crash_at}
    argv = (sys.executable, "-m", "tests.integration.payment_matching.process")
    return await asyncio.create_subprocess_exec(*argv, env=os.environ | added, cwd=Path(__file__).parents[3])


async def given(till: Till) -> int:
    async with till.loops.transaction() as db:
        return int(await db.scalar(_GIVEN, {"tenant": till.tenant}) or 0)


async def owing(till: Till) -> None:
    """Sixty customers with ten invoices each, and the money for all of them, untried."""
    for n in range(60):
        numbers = [f"FA-2026-{n * 10 + place:05d}" for place in range(10)]
        name = f"Client {n}"
        await till.hear(till.customer(name), *(till.issued(number, name, 1_001) for number in numbers))
    batch = [till.payment(f"P{n}", 1_001, f"FA-2026-{n:05d}") for n in range(PAYMENTS)]
    await till.post("/v1/payments/batch", batch)


async def test_a_batch_that_was_decided_and_not_committed_leaves_nothing_behind(till: Till) -> None:
    await owing(till)
    process = await start(till, "matching.decided")
    assert await asyncio.wait_for(process.wait(), 60) == 137
    assert await given(till) == 0
    await till.balanced()
    await till.settle()
    assert await given(till) == PAYMENTS
    await till.balanced()


async def test_matchers_killed_at_any_moment_give_every_payment_once(till: Till) -> None:
    await owing(till)
    both = [await start(till), await start(till)]
    for least in (1, 150, 300, 450):
        await eventually(lambda least=least: reached(till, least), 60)  # type: ignore[misc]
        both[0].kill()
        await both[0].wait()
        await till.balanced()
        both = [both[1], await start(till)]
    await eventually(lambda: reached(till, PAYMENTS), 90)
    for process in both:
        process.kill()
        await process.wait()
    await till.balanced()
    told = Counter(matched["payment_id"] for matched in await till.events("PaymentMatched"))
    assert (len(told), set(told.values())) == (PAYMENTS, {1})


async def reached(till: Till, least: int) -> bool:
    return await given(till) >= least
