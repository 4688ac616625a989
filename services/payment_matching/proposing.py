"""What takes two people: proposed by one, done when another approves.

Protects: the second is a person, and not the first; what is approved is what was proposed, under the same locks and
bounds as if it were decided then.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import Forbidden, NotFound
from libs.common.events.payments import WriteOffKind
from libs.common.money import from_wire
from services.payment_matching import deciding
from services.payment_matching.allocation import Line
from services.payment_matching.deciding import Decision, OfItem, Wanted
from services.payment_matching.errors import AlreadyDecided, SecondPerson
from services.payment_matching.store import proposals
from services.payment_matching.two_people import TakesTwo


async def allocate(
    db: AsyncConnection, at: datetime, decision: Decision, wanted: Sequence[Wanted], notes: Sequence[Line]
) -> UUID | None:
    """Give a payment to items, or propose it where it takes two; answers the proposal. Raises as `deciding` does."""
    try:
        await deciding.allocate(db, at, decision, wanted, notes)
    except TakesTwo as two:
        told = {
            "allocations": [_told(one) for one in wanted],
            "credits": [[str(note.item_id), note.amount] for note in notes],
        }
        facts = {"kind": "allocation", "payment_id": decision.payment_id, "wanted": told} | _facts(two)
        return await proposals.propose(db, decision.tenant_id, at, decision.actor, **facts)
    return None


async def write_off(db: AsyncConnection, at: datetime, decision: OfItem, kind: WriteOffKind) -> tuple[UUID, bool]:
    """Write an item off, or propose it where it takes two; answers the line or the proposal, and whether it is done."""
    try:
        return await deciding.write_off(db, at, decision, kind), True
    except TakesTwo as two:
        facts = {"kind": "write_off", "item_id": decision.item_id, "wanted": {"kind": kind}} | _facts(two)
        return await proposals.propose(db, decision.tenant_id, at, decision.actor, **facts), False


def _told(one: Wanted) -> dict[str, Any]:
    amounts = {"amount": one.amount, "paid": one.paid}
    facts = {name: said.wire() for name, said in amounts.items() if said is not None}
    return {"item_id": str(one.item_id), **facts} | ({"write_off": one.write_off} if one.write_off else {})


def _wanted(part: dict[str, Any]) -> Wanted:
    amounts = {name: from_wire(part[name]) for name in ("amount", "paid") if name in part}
    return Wanted(UUID(part["item_id"]), **amounts, write_off=part.get("write_off"))


def _facts(two: TakesTwo) -> dict[str, Any]:
    return {"entity_id": two.entity_id, "amount_minor": two.amount, "currency": two.currency}


async def approve(db: AsyncConnection, at: datetime, tenant: UUID, identity: UUID, person: str) -> list[UUID]:
    """Do what was proposed; answers the items that it touches.

    Raises NotFound, AlreadyDecided, SecondPerson, Forbidden for a key; and what the decision
    itself raises when it does not fit any more: then it waits on.
    """
    found = await _waiting(db, tenant, identity)
    if person.startswith(("key:", "service:")):
        raise Forbidden("Four eyes are two people's; a key cannot approve this.")
    if person == found.proposed_by:
        raise SecondPerson
    items = await _carry_out(db, at, found, person)
    await proposals.decide(db, tenant, identity, state="approved", decided_by=person, decided_at=at)
    return items


async def _carry_out(db: AsyncConnection, at: datetime, found: Any, person: str) -> list[UUID]:
    tenant, first, told = found.tenant_id, found.proposed_by, found.wanted
    if found.kind == "write_off":
        kinds: tuple[WriteOffKind, ...] = get_args(WriteOffKind)
        kind = next(one for one in kinds if one == told["kind"])
        await deciding.write_off(db, at, OfItem(tenant, found.item_id, first, person), kind)
        return [found.item_id]
    wanted = [_wanted(part) for part in told["allocations"]]
    notes = [Line(UUID(note), amount) for note, amount in told["credits"]]
    await deciding.allocate(db, at, Decision(tenant, found.payment_id, first, person), wanted, notes)
    return [one.item_id for one in wanted]


async def refuse(db: AsyncConnection, at: datetime, tenant: UUID, identity: UUID, told: tuple[str, str]) -> None:
    """Nothing comes of it; `told` is who says so and why. Raises NotFound, AlreadyDecided."""
    await _waiting(db, tenant, identity)
    person, why = told
    await proposals.decide(db, tenant, identity, state="refused", decided_by=person, decided_at=at, why=why)


async def _waiting(db: AsyncConnection, tenant: UUID, identity: UUID) -> Any:
    found = await proposals.locked(db, tenant, identity)
    if found is None:
        raise NotFound(f"There is no proposal {identity}.")
    if found.state != "waiting":
        raise AlreadyDecided(f"Proposal {identity} is {found.state}.")
    return found
