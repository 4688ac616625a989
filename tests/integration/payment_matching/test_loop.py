"""The loop by itself: what is posted is matched without a hand, and one payment that cannot be tried stops no other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from libs.common.runtime import Pulse
from services.payment_matching.work import Matching
from tests.integration.payment_matching.till import Till
from tests.support import eventually

_SPOIL = text("""update payment set told = '[{"broken": true}]' where tenant_id = :tenant and unapplied_minor = 666""")


@asynccontextmanager
async def running(till: Till) -> AsyncIterator[Matching]:
    """The matching loop, turning until the test is over."""
    loop, pulse = Matching(till.loops, till.clock), Pulse()
    task = asyncio.create_task(loop.run(pulse))
    try:
        yield loop
    finally:
        pulse.stopping.set()
        await task


async def test_what_is_posted_is_matched_without_a_hand(till: Till) -> None:
    async with running(till):
        await till.post("/v1/payments", till.payment("P1", 10_000, "FA-2026-0001"), 201)
        await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
        assert await eventually(lambda: _settled(till, "FA-2026-0001"))


async def test_a_payment_that_cannot_be_tried_is_left_to_a_person_and_stops_no_other(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 10_000))
    broken = await till.post("/v1/payments", till.payment("P0", 666, "x"), 201)
    async with till.loops.transaction() as db:
        await db.execute(_SPOIL, {"tenant": till.tenant})
    await till.post("/v1/payments", till.payment("P1", 10_000, "FA-2026-0001"), 201)
    async with running(till):
        assert await eventually(lambda: _settled(till, "FA-2026-0001"))
        assert (await till.get(f"/v1/payments/{broken['id']}"))["state"] == "unmatched"


async def _settled(till: Till, number: str) -> bool:
    return await till.owed(number) == 0
