"""What happens is on the screen within five seconds, while long lists arrive and every service digests them."""

import asyncio
from datetime import timedelta
from functools import partial
from uuid import UUID

import httpx

from tests.support import eventually
from tests.support.world import World

SOON = 5.0
"""Seconds from the answer that said "taken" to the page that shows it."""
LISTS, LINES, DEBTORS = 4, 250, 50


async def lists(world: World) -> None:
    """One list after the other."""
    due = world.today + timedelta(days=30)
    for number in range(LISTS):
        await world.invoices_in_one(world.body(f"L{number}-{n}", f"D{n % DEBTORS}", due) for n in range(LINES))


async def test_what_was_taken_is_on_the_screen_within_five_seconds_while_lists_arrive(
    world: World, screen: httpx.AsyncClient
) -> None:
    async def shown(state: str, invoice: UUID) -> bool:
        return f"/invoices/{invoice}" in (await screen.get(f"/invoices?q=SEEN&state={state}")).text

    await world.debtors(f"D{n}" for n in range(DEBTORS))
    arriving = asyncio.create_task(lists(world))
    due = world.today + timedelta(days=20)
    for number in ("SEEN-1", "SEEN-2", "SEEN-3"):
        invoice = await world.invoice(number, "D1", due, "731.00")
        await eventually(partial(shown, "open", invoice), SOON)
        await world.pay("731.00", number)
        await eventually(partial(shown, "paid", invoice), SOON)
    await arriving
    await world.office.settled(120)
