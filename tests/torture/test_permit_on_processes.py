"""The permit on real processes: whatever stops a mail is accepted at random moments around some hundreds of sends.

Protects: no mail that names the invoice, or goes to the address, arrives after the 2xx of the command that stopped it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from random import Random
from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families

from libs.common import ids
from libs.common.permits import GRANTERS, STOP_SECONDS
from tests.support.living import Living, living
from tests.support.world import PARIS, World, is_thanks, text_of, working

DEBTORS = 200
AT_ONCE = 4


@dataclass(frozen=True)
class Target:
    """One debtor with its one invoice."""

    name: str
    number: str
    invoice: UUID
    due: date
    amount: str


@dataclass(frozen=True)
class Stop:
    """A command that stopped a target, and when its 2xx was there, by the machine's clock."""

    kind: str
    target: Target
    answered: datetime


Command = Callable[[World, Target], Awaitable[object]]


async def _known_payer(world: World, one: Target) -> object:
    return await world.pay(one.amount, one.number, payer=one.name)


async def _unknown_payer(world: World, one: Target) -> object:
    return await world.pay(one.amount, f"REGLEMENT FACTURE {one.number}")


async def _credit(world: World, one: Target) -> object:
    named = {"preceding": [{"number": one.number, "issue_date": (one.due - timedelta(days=30)).isoformat()}]}
    body = world.body(f"A-{one.number}", one.name, one.due, one.amount, references=named)
    note = {name: told for name, told in body.items() if name != "due_date"} | {"entity_id": str(world.entity)}
    return await world.office.post("invoice_ingest", "/v1/credit-notes", note)


async def _amendment(world: World, one: Target) -> object:
    later = working(one.due + timedelta(days=90))
    issued = one.due - timedelta(days=30)
    return await world.invoice(one.number, one.name, later, one.amount, issued=issued)


async def _hold(world: World, one: Target) -> object:
    review = (world.today + timedelta(days=60)).isoformat()
    body = {"scope": "item", "scope_id": str(ids.item_id(one.invoice, 1)), "reason": "asked", "review_on": review}
    return await world.office.post("scheduler", "/v1/holds", body)


async def _dispute(world: World, one: Target) -> object:
    body = {"item_id": str(ids.item_id(one.invoice, 1)), "reason": "quality"}
    return await world.office.post("scheduler", "/v1/disputes", body)


async def _contact(world: World, one: Target) -> object:
    people = [{"name": "Nouvelle", "email": world.address(f"new-{one.name}"), "roles": ["accounts_payable"]}]
    return await world.debtor(one.name, contacts=people)


COMMANDS: dict[str, Command] = {
    "known payer": _known_payer,
    "unknown payer": _unknown_payer,
    "credit note": _credit,
    "amendment": _amendment,
    "hold": _hold,
    "dispute": _dispute,
    "contact": _contact,
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Living]:
    """A stack of this file's own."""
    with living() as found:
        yield found


@pytest.fixture
async def world(stack: Living) -> AsyncIterator[World]:
    """A fresh tenant on a working morning."""
    found = await World.open(stack)
    yield found
    await found.office.close()


async def _targets(world: World, dice: Random) -> list[Target]:
    due = working(world.today + timedelta(days=12))
    room = asyncio.Semaphore(8)

    async def made(n: int) -> Target:
        name, number = f"DEB{n:03d}", f"Q{n:05d}"
        amount = f"{dice.randrange(10_000, 90_000) / 100:.2f}"
        async with room:
            await world.debtor(name)
            invoice = await world.invoice(number, name, due, amount)
        return Target(name, number, invoice, due, amount)

    return list(await asyncio.gather(*(made(n) for n in range(DEBTORS))))


async def _stop(world: World, kind: str, one: Target) -> Stop:
    await COMMANDS[kind](world, one)
    return Stop(kind, one, datetime.now(UTC))


async def _stops_among(world: World, dice: Random, among: Sequence[Target]) -> list[Stop]:
    """Every kind of command in turn, over targets in random order, some at a time."""
    kinds, left = list(COMMANDS), list(among)
    dice.shuffle(left)
    queue = [(kinds[n % len(kinds)], one) for n, one in enumerate(left)]
    done: list[Stop] = []

    async def work() -> None:
        while queue:
            done.append(await _stop(world, *queue.pop()))

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return done


def _late(world: World, stops: Sequence[Stop]) -> list[tuple[str, str, float]]:
    """Mails that arrived although their stop was answered: kind, number, seconds too late."""
    found = []
    by_number = {stop.target.number: stop for stop in stops}
    for caught in world.living.mailbox.all():
        mail = world.living.mailbox.message(caught.number)
        if is_thanks(mail):
            continue
        words = text_of(mail)
        at = datetime.fromisoformat(caught.received_at)
        for number in by_number.keys() & set(words.replace("|", " ").split()):
            stop = by_number[number]
            moved = stop.kind == "contact" and world.address(stop.target.name) not in caught.recipients
            if at > stop.answered and not moved:
                found.append((stop.kind, number, (at - stop.answered).total_seconds()))
    return found


async def _waits(world: World) -> Counter[str]:
    """Bucket → stopping commands that waited so long at most, over the services that know of stops."""
    found: Counter[str] = Counter()
    for service in GRANTERS:
        page = await world.office.client.get(world.living.settings.urls[service] + "/metrics")
        for family in text_string_to_metric_families(page.text):
            if family.name == "relance_stop_wait_seconds":
                found += Counter({one.labels["le"]: int(one.value) for one in family.samples if "le" in one.labels})
    return found


async def test_nothing_arrives_after_the_answer_of_what_stopped_it(world: World) -> None:
    dice = Random(20261122)
    targets = await _targets(world, dice)
    await world.office.settled()
    stops: list[Stop] = []
    left = list(targets)
    for days in (2, 10):
        day = working(targets[0].due + timedelta(days=days))
        world.clock.move_to(datetime.combine(day, clock_time(9, 30), PARIS).astimezone(UTC))
        chosen = dice.sample(left, len(targets) * 2 // 5)
        stops += await _stops_among(world, dice, chosen)
        left = [one for one in left if one not in chosen]
        await world.office.settled(90)
    mails = world.mails()
    words = " ".join(text_of(mail) for mail in mails)
    named = {one.number for one in targets if one.number in words}
    assert len(mails) >= DEBTORS // 2
    assert {one.number for one in left} <= named, "who was never stopped was reminded"
    assert set(Counter(stop.kind for stop in stops)) == set(COMMANDS)
    assert _late(world, stops) == []
    waits = await _waits(world)
    assert waits["+Inf"] >= len(stops)
    assert waits["+Inf"] == waits["4.0"], f"a stop waits at most {STOP_SECONDS} s and one last look"
