"""Trying payments: claim, look, decide, lock, give, and say why not; a micro-batch in one transaction.

Protects: money is tried before any permit can be given and a match is made under the locks of its items; what changed
between look and lock waits for the next turn. Any number of processes may run it.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.crash import crash_point
from libs.common.metrics import PAYMENTS_MATCHED
from services.payment_matching import erp
from services.payment_matching.allocation import Line, netted
from services.payment_matching.book import Book
from services.payment_matching.calibration import Rules, calibrated, outcome
from services.payment_matching.hypotheses import WRITTEN_OFF
from services.payment_matching.scoring import Decision, Weighed, decide
from services.payment_matching.store import books, calibrations, debtors, habits, tries
from services.payment_matching.store.candidates import Claimed, claim
from services.payment_matching.store.debtors import Identity
from services.payment_matching.world import World, look, readings, said_in_vain

BATCH = 200
OPENED = 1_000
MACHINE = "machine"

Key = tuple[UUID, UUID]


@dataclass
class Plan:
    """What is to be done with one payment: lines of its own, lines of credit notes, and what to show."""

    claimed: Claimed
    lines: list[Line] = field(default_factory=list)
    notes: list[tuple[UUID, Line]] = field(default_factory=list)
    erp: bool = False
    auto: Weighed | None = None
    shown: tuple[Weighed, ...] = ()
    payer_id: UUID | None = None
    expected: dict[UUID, int] = field(default_factory=dict)
    waiting: list[dict[str, Any]] | None = None
    again: bool = False
    """What its lines leave is tried once more, for a person to see what it may be meant for."""
    keys: tuple[str, ...] = ()
    in_vain: Collection[str] = ()
    """Numbers that it says and that name nothing of what is paid."""
    paid_out: bool = False
    """A payment provider sent it: its account is no customer's."""
    seconds: float = 0.0
    """What weighing it alone took, without the look-ups and writes that the batch shares."""


Watch = Callable[[Sequence[Plan]], None]
"""Is shown what was done with the payments of a batch, before it is committed."""


async def try_opened(db: AsyncConnection) -> int:
    """Let the items that opened meet the money that came before them; answers how many did."""
    return await tries.meet(db, OPENED)


async def leave_to_a_person(db: AsyncConnection) -> list[UUID]:
    """Take the payment that waits longest off the list, untried: it stays unmatched, for a person to see; its id."""
    claimed = await claim(db, 1)
    if claimed:
        await tries.done(db, {(one.tenant_id, one.payment_id): None for one in claimed})
    return [one.payment_id for one in claimed]


async def try_payments(db: AsyncConnection, at: datetime, most: int = BATCH, watch: Watch | None = None) -> int:
    """Try the payments that wait longest; answers how many were claimed."""
    await tries.enter(db)
    claimed = await claim(db, most)
    if not claimed:
        return 0
    world = await look(db, claimed)
    named = await erp.find(db, world)
    rules = await calibrations.acting(db, {one.tenant_id for one in claimed})
    plans = [_timed(world, n, named.get(n, []), rules) for n in range(len(claimed))]
    book = Book(at)
    await _open(db, book, plans)
    held = [plan for plan in plans if not _carry_out(book, plan)]
    done = [plan for plan in plans if plan not in held]
    await _write(db, book, done)
    if watch is not None:
        watch(done)
    crash_point("matching.decided")
    return len(claimed)


def _timed(world: World, n: int, named: Sequence[UUID], rules: Mapping[UUID, Rules]) -> Plan:
    began = time.perf_counter()
    plan = _plan(world, n, named, rules.get(world.claimed[n].tenant_id, Rules()))
    plan.seconds = time.perf_counter() - began
    return plan


def _plan(world: World, n: int, named: Sequence[UUID], rules: Rules) -> Plan:
    one = world.claimed[n]
    plan = Plan(one, keys=tuple(world.reads[n].keys), payer_id=one.payer_id, paid_out=n in world.providers)
    if one.told:
        told = erp.resolve(world, one, named)
        plan.erp, plan.lines, plan.waiting = True, told.lines, told.waiting
        plan.expected = world.take(one.tenant_id, plan.lines)
        plan.again = bool(plan.lines and told.unclear)
        if plan.lines or not told.unclear:
            return plan
        plan.shown = erp.suggested(one, told.unclear, decide(*readings(world, n)).suggestions)
        return plan
    if one.unapplied <= 0:
        return plan
    read_as = readings(world, n)
    decision = calibrated(decide(*read_as), rules)
    plan.payer_id = one.payer_id or decision.payer_id
    plan.shown = decision.suggestions
    paid = decision.auto.hypothesis.items if decision.auto else frozenset[UUID]()
    plan.in_vain = said_in_vain(world, n, read_as, paid)
    if decision.auto and not one.by_person:
        _act(world, plan, decision)
    return plan


def _act(world: World, plan: Plan, decision: Decision) -> None:
    plan.auto = decision.auto
    if plan.auto is None:
        return
    chosen = plan.auto.hypothesis
    plan.lines, plan.notes = netted(chosen.lines, chosen.credits)
    tenant = plan.claimed.tenant_id
    every = [line for _, line in plan.notes] + plan.lines + list(chosen.written_off)
    plan.expected = world.take(tenant, every)
    for used in chosen.credits:
        plan.expected |= world.take(tenant, [used])


async def _open(db: AsyncConnection, book: Book, plans: Sequence[Plan]) -> None:
    """Lock what the plans touch: payments (held already by the claim), credits, then items by id."""
    touched = [plan for plan in plans if plan.lines or plan.notes or plan.payer_id != plan.claimed.payer_id]
    await books.lock_payments(db, book, {(plan.claimed.tenant_id, plan.claimed.payment_id) for plan in touched})
    await books.lock_credits(db, book, {(plan.claimed.tenant_id, note) for plan in plans for note, _ in plan.notes})
    wanted = {(p.claimed.tenant_id, line.item_id) for p in plans for line in (*p.lines, *(part for _, part in p.notes))}
    await books.lock_items(db, book, wanted)


def _carry_out(book: Book, plan: Plan) -> bool:
    """Do it if everything is as it was seen; else the payment waits for the next turn."""
    versions = {item: book.items[item].version for item in plan.expected if item in book.items}
    versions |= {note: book.credits[note].version for note in plan.expected if note in book.credits}
    if versions != plan.expected:
        return False
    payment = plan.claimed.payment_id
    for note in dict.fromkeys(note for note, _ in plan.notes):
        book.credit(note, [line for other, line in plan.notes if other == note], "auto", MACHINE)
    if plan.lines:
        how = "erp" if plan.erp else "auto"
        book.give(payment, plan.lines, "erp" if plan.erp else "auto", MACHINE, _evidence(plan))
        _write_off(book, plan)
        PAYMENTS_MATCHED.labels(how).inc()
    elif payment in book.payments and plan.payer_id != plan.claimed.payer_id:
        book.payments[payment].payer_id = plan.payer_id
        book.received(book.payments[payment], None)
    return True


def _write_off(book: Book, plan: Plan) -> None:
    """What a discount or a rounding leaves of the items."""
    chosen = plan.auto.hypothesis if plan.auto else None
    if chosen is None or not chosen.written_off:
        return
    kind, why = WRITTEN_OFF[chosen.shape], _evidence(plan)
    for line in chosen.written_off:
        book.write_off(line.item_id, kind, "auto", MACHINE, beside=plan.claimed.payment_id, why=why)


def _evidence(plan: Plan) -> Any:
    if plan.auto is None:
        return {"told": "erp"}
    reasons = [{"code": why.code, "facts": dict(why.facts)} for why in plan.auto.reasons]
    facts = {"shape": plan.auto.hypothesis.shape, "score": round(plan.auto.score, 2), "reasons": reasons}
    return facts | {"best": outcome(plan.auto)}


async def _write(db: AsyncConnection, book: Book, plans: Sequence[Plan]) -> None:
    await books.write(db, book)
    left = [plan for plan in plans if _left(book, plan) > 0]
    await tries.done(db, {_key(plan): plan.payer_id for plan in plans})
    again = {_key(plan) for plan in left if plan.again}
    await tries.keep_told(db, {_key(plan): plan.waiting for plan in plans if plan.waiting is not None}, again)
    shown = [
        (plan.claimed.tenant_id, plan.claimed.payment_id, rank, weighed)
        for plan in left
        if not plan.lines
        for rank, weighed in enumerate(plan.shown, 1)
    ]
    await tries.suggest(db, shown)
    keys = [(plan.claimed.tenant_id, key, plan.claimed.payment_id) for plan in left for key in plan.keys]
    await tries.wait(db, keys)
    await habits.said(db, {(p.claimed.tenant_id, number, p.claimed.payment_id) for p in plans for number in p.in_vain})
    await debtors.know(db, [identity for plan in plans if (identity := _learned(book, plan))])


def _key(plan: Plan) -> Key:
    return plan.claimed.tenant_id, plan.claimed.payment_id


def _left(book: Book, plan: Plan) -> int:
    page = book.payments.get(plan.claimed.payment_id)
    return page.unapplied if page else plan.claimed.unapplied


def _learned(book: Book, plan: Plan) -> Identity | None:
    """An account that paid what it named is remembered as its payer's; it counts from the second time on."""
    one = plan.claimed
    if plan.auto is None or "reference" not in plan.auto.kinds or not one.payer_iban or plan.paid_out:
        return None
    payers = {book.items[line.item_id].payer_id for line in plan.lines}
    if len(payers) != 1:
        return None
    return Identity(one.tenant_id, "iban", one.payer_iban, payers.pop(), "machine", 1, one.value_on)
