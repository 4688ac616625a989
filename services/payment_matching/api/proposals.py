"""What takes two people: from which amount on, what waits, and what the second says."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Caller, requires
from libs.common.errors import NotFound, Refused
from libs.common.events import Amount
from libs.common.http import Wire
from libs.common.money import Money
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.payment_matching import proposing
from services.payment_matching.api.payments import Here, Reads, Writes
from services.payment_matching.room import Room
from services.payment_matching.store import proposals

routes = APIRouter(tags=["second person"])
State = Literal["waiting", "approved", "refused", "replaced"]
Administrator = Annotated[Caller, Depends(requires("directory:admin"))]
LIMITS = "/v1/matching/two-people"
PATH = "/v1/matching/proposals"


class TwoPeopleIn(Wire):
    """Beyond this amount, in its currency, what is given or written off by hand takes two people."""

    entity_id: UUID | None = None
    above: Amount


class TwoPeople(BaseModel):
    """A limit."""

    entity_id: UUID
    above: Amount
    set_by: str
    set_at: datetime


class Limits(BaseModel):
    """Every limit; without one, one person is enough."""

    limits: list[TwoPeople]


class ProposalOut(BaseModel):
    """What one person proposed, and what became of it."""

    proposal_id: UUID
    kind: Literal["allocation", "write_off"]
    entity_id: UUID
    payment_id: UUID | None
    item_id: UUID | None
    amount: Amount
    wanted: dict[str, Any]
    state: State
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    why: str | None


class ProposalPage(BaseModel):
    """Proposals, the newest first."""

    proposals: list[ProposalOut]
    next: str | None


class Undecided(BaseModel):
    """How many wait, and how many of them somebody else than the caller proposed."""

    count: int
    by_others: int


class Filters(Wire):
    """Which proposals, and from where on."""

    limit: Limit = 50
    cursor: Cursor = None
    state: State | None = None


class Refusal(Wire):
    """Why nothing comes of it."""

    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]


@routes.get(LIMITS)
async def read_limits(caller: Reads, room: Here) -> Limits:
    """From which amounts on two people decide."""
    async with room.database.transaction(caller.tenant_id) as db:
        rows = await proposals.limits(db, caller.tenant_id)
    return Limits(
        limits=[
            TwoPeople(
                entity_id=row.entity_id,
                above=Money(row.above_minor, row.currency),
                set_by=row.set_by,
                set_at=row.set_at,
            )
            for row in rows
        ]
    )


@routes.put(LIMITS)
async def set_limit(told: TwoPeopleIn, caller: Administrator, room: Here) -> Limits:
    """Set or change the limit of an entity in one currency."""
    if told.above.minor < 0:
        raise Refused("The amount is zero or more.", field="above")
    entity = await room.entity(caller.tenant_id, told.entity_id)
    facts = {"above_minor": told.above.minor, "set_by": caller.subject, "set_at": room.clock.now()}
    async with room.database.transaction(caller.tenant_id) as db:
        await proposals.set_limit(db, caller.tenant_id, entity.entity_id, told.above.currency, **facts)
    return await read_limits(caller, room)


@routes.delete(f"{LIMITS}/{{entity_id}}/{{currency}}", status_code=204)
async def drop_limit(entity_id: UUID, currency: str, caller: Administrator, room: Here) -> Response:
    """One person is enough again; what waits waits on."""
    async with room.database.transaction(caller.tenant_id) as db:
        if not await proposals.drop_limit(db, caller.tenant_id, entity_id, currency.upper()):
            raise NotFound(f"There is no limit in {currency} at {entity_id}.")
    return Response(status_code=204)


@routes.get(PATH)
async def list_proposals(caller: Reads, room: Here, wanted: Annotated[Filters, Query()]) -> ProposalPage:
    """What waits for a second person, and what became of what waited."""
    after = place(room.settings, "proposals", wanted.cursor)
    async with room.database.transaction(caller.tenant_id) as db:
        found = await proposals.listed(
            db, caller.tenant_id, wanted.limit + 1, wanted.state, after[0] if after else None
        )
    rows, last = cut(found, wanted.limit)
    following = cursor(room.settings, "proposals", last.proposal_id) if last else None
    return ProposalPage(proposals=[_out(row) for row in rows], next=following)


@routes.get(f"{PATH}/undecided")
async def count_undecided(caller: Reads, room: Here) -> Undecided:
    """How many proposals wait for a second person."""
    async with room.database.transaction(caller.tenant_id) as db:
        count, others = await proposals.undecided(db, caller.tenant_id, caller.subject)
    return Undecided(count=count, by_others=others)


def _out(row: Any) -> ProposalOut:
    facts = {name: getattr(row, name) for name in ProposalOut.model_fields if name != "amount"}
    return ProposalOut(**facts, amount=Money(row.amount_minor, row.currency))


@routes.get(f"{PATH}/{{proposal_id}}")
async def read_proposal(proposal_id: UUID, caller: Reads, room: Here) -> ProposalOut:
    """One proposal: what is to be done, by whom it was proposed, and what became of it."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await proposals.one(db, caller.tenant_id, proposal_id)
    if row is None:
        raise NotFound(f"There is no proposal {proposal_id}.")
    return _out(row)


@routes.post(f"{PATH}/{{proposal_id}}/approve")
async def approve(proposal_id: UUID, caller: Writes, room: Here) -> ProposalOut:
    """The second person says yes: it is done, in the name of both."""

    async def work(db: AsyncConnection) -> list[UUID]:
        return await proposing.approve(db, room.clock.now(), caller.tenant_id, proposal_id, caller.subject)

    return await _decided(room, caller, proposal_id, work)


@routes.post(f"{PATH}/{{proposal_id}}/refuse")
async def refuse(proposal_id: UUID, told: Refusal, caller: Writes, room: Here) -> ProposalOut:
    """Nothing comes of it. Whoever proposed it may say so too."""

    async def work(db: AsyncConnection) -> list[UUID]:
        await proposing.refuse(db, room.clock.now(), caller.tenant_id, proposal_id, (caller.subject, told.why))
        return []

    return await _decided(room, caller, proposal_id, work)


async def _decided(
    room: Room, caller: Caller, identity: UUID, work: Callable[[AsyncConnection], Awaitable[list[UUID]]]
) -> ProposalOut:
    async def decide(db: AsyncConnection) -> tuple[list[UUID], Any]:
        touched = await work(db)
        return touched, await proposals.locked(db, caller.tenant_id, identity)

    items, row = await room.commit(decide, caller.tenant_id)
    if items:
        await room.stopped(caller.tenant_id, items)
    return _out(row)
