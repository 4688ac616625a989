"""The send permit: nothing leaves after we knew. Written once, used by the three services that can know.

The notifier asks before DATA. The owner *commits a lease, then looks* in a new snapshot, and answers. A stopping
command *commits, then looks* for leases over its scope and answers 2xx only once they are gone. Whichever commits
first, one of the two sees the other: either the permit is refused, or the command waits until the mail is out.

A lease lasts 3 s. The sender counts them on CLOCK_BOOTTIME from before it asked, the owner on database time from
when the row was written, which is later: the owner's row outlives every use of it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field
from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    Index,
    Table,
    Uuid,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import restoring
from libs.common.auth import Caller, requires_service
from libs.common.calls import Peers
from libs.common.db import Database
from libs.common.errors import Forbidden, RelanceError
from libs.common.events import Amount
from libs.common.ids import uuid7
from libs.common.metrics import STOP_WAIT_SECONDS
from libs.common.tables import NOBODY, common

LEASE_SECONDS = 3.0
WRITING_SECONDS = 0.1
"""What a sender leaves of its lease for the write itself: a process may be put aside between its look and the call."""
STOP_SECONDS = 3.5
LOOK_AGAIN_SECONDS = 0.02
RECOVERING = "recovering"
GRANTERS = ("invoice_ingest", "scheduler", "payment_matching")

permit_lease = Table(
    "permit_lease",
    common,
    Column("lease_id", Uuid, primary_key=True),
    Column("tenant_id", Uuid, nullable=False),
    Column("delivery_id", Uuid, nullable=False),
    Column("entity_id", Uuid, nullable=False),
    Column("party_id", Uuid, nullable=False),
    Column("debtor_ids", ARRAY(Uuid), nullable=False),
    Column("item_ids", ARRAY(Uuid), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("permit_lease_live", "tenant_id", "expires_at"),
    Index("permit_lease_delivery", "tenant_id", "delivery_id"),
)


class AskedItem(BaseModel):
    """One printed line: what the notice says is owed, and the versions it was written from."""

    occurrence_id: UUID
    release: int
    item_id: UUID
    invoice_id: UUID
    invoice_version: int
    debtor_id: UUID
    amount: Amount
    """The residual as printed."""


class Ask(BaseModel):
    """One delivery that is ready for DATA."""

    delivery_id: UUID
    notice_id: UUID
    reminder_id: UUID
    entity_id: UUID
    payer_id: UUID
    party_id: UUID
    kind: str
    tone: int
    debtor_version: int
    """The payer's file that the recipient was taken from."""
    items: list[AskedItem]


class PermitRequest(BaseModel):
    """What the notifier asks of each of the three services: up to 100 deliveries of one tenant."""

    deliveries: Annotated[list[Ask], Field(max_length=100)]


class Answer(BaseModel):
    """yes, no with a reason code, or ask again in a moment."""

    delivery_id: UUID
    answer: Literal["yes", "no", "again"]
    reason: str | None = None
    opens_at: datetime | None = None
    """With "again": the business instant before which asking is in vain; None if any moment may change it."""


class PermitAnswers(BaseModel):
    answers: list[Answer]


class Release(BaseModel):
    """The outcomes of these deliveries are on record: their leases may go."""

    delivery_ids: Annotated[list[UUID], Field(max_length=1000)]


@dataclass(frozen=True)
class Scope:
    """What a stopping command touches; with nothing but the tenant, all of it."""

    tenant_id: UUID
    item_ids: Sequence[UUID] = ()
    debtor_ids: Sequence[UUID] = ()
    party_ids: Sequence[UUID] = ()
    entity_ids: Sequence[UUID] = ()


Look = Callable[[AsyncConnection, UUID, Sequence[Ask]], Awaitable[Sequence[Answer]]]
"""Given the tenant and the asks, answers for each; runs in a snapshot newer than the leases."""


def yes(ask: Ask) -> Answer:
    return Answer(delivery_id=ask.delivery_id, answer="yes")


def no(ask: Ask, reason: str) -> Answer:
    return Answer(delivery_id=ask.delivery_id, answer="no", reason=reason)


def again(ask: Ask, reason: str, opens_at: datetime | None = None) -> Answer:
    return Answer(delivery_id=ask.delivery_id, answer="again", reason=reason, opens_at=opens_at)


# The owner's side


async def grant(database: Database, tenant: UUID, asks: Sequence[Ask], look: Look) -> list[Answer]:
    """Commit a lease for each ask, then look. The leases of refused asks go at once.

    While the service recovers from a restore nobody looks: every answer is "again".
    """
    leases = {ask.delivery_id: uuid7() for ask in asks}
    async with database.transaction(tenant) as db:
        await _lease(db, tenant, asks, leases)
    async with database.transaction(tenant, NOBODY) as db:
        if await restoring.under_way(db):
            answers = [again(ask, RECOVERING) for ask in asks]
        else:
            answers = list(await look(db, tenant, asks))
    refused = [leases[found.delivery_id] for found in answers if found.answer != "yes"]
    if refused:
        async with database.transaction(tenant) as db:
            await db.execute(_dropping_leases, {"dropped_tenant": tenant, "dropped": refused})
    return answers


async def _lease(db: AsyncConnection, tenant: UUID, asks: Sequence[Ask], leases: Mapping[UUID, UUID]) -> None:
    await db.execute(_sweeping, {"swept_tenant": tenant})
    rows = [
        {
            "lease_id": leases[ask.delivery_id],
            "tenant_id": tenant,
            "delivery_id": ask.delivery_id,
            "entity_id": ask.entity_id,
            "party_id": ask.party_id,
            "debtor_ids": sorted({ask.payer_id, *(item.debtor_id for item in ask.items)}),
            "item_ids": [item.item_id for item in ask.items],
        }
        for ask in asks
    ]
    if rows:
        await db.execute(_leasing, rows)


async def release(database: Database, tenant: UUID, deliveries: Sequence[UUID]) -> None:
    """The outcome is recorded: nobody has to wait for these any longer."""
    async with database.transaction(tenant) as db:
        await db.execute(_releasing, {"released_tenant": tenant, "released": list(deliveries)})


async def _the_notifier(caller: Annotated[Caller, Depends(requires_service())]) -> Caller:
    if caller.service != "notifier":
        raise Forbidden("Only the notifier asks for permits.")
    return caller


def router(database: Database, look: Look) -> APIRouter:
    """The two internal routes that a service which can refuse a send offers."""
    routes = APIRouter(prefix="/internal/v1/permits", tags=["permits"])
    notifier = Depends(_the_notifier)

    @routes.post("")
    async def permits(asked: PermitRequest, caller: Annotated[Caller, notifier]) -> PermitAnswers:
        """Lease and look: may these deliveries leave now?"""
        return PermitAnswers(answers=await grant(database, caller.tenant_id, asked.deliveries, look))

    @routes.post("/release", status_code=204)
    async def released(done: Release, caller: Annotated[Caller, notifier]) -> Response:
        """The outcomes are recorded; stopping commands need not wait for these leases."""
        await release(database, caller.tenant_id, done.delivery_ids)
        return Response(status_code=204)

    return routes


# The stopping command's side


async def stopping(database: Database, *scopes: Scope) -> None:
    """Wait until no lease that was live over these scopes is left, at most 3.5 s. Call it after the commit.

    Leases granted later were granted after a look that saw the commit, so only those of the first look count. They
    were written before the commit and last 3 s: after 3.5 s none is used any more, even if the database is too slow
    to say so.
    """
    began = time.monotonic()
    try:
        async with asyncio.timeout(STOP_SECONDS) as bound:
            await _all_gone(database, scopes)
    except TimeoutError:
        if not bound.expired():
            raise
    STOP_WAIT_SECONDS.observe(time.monotonic() - began)


async def _all_gone(database: Database, scopes: Sequence[Scope]) -> None:
    waiting = [(scope.tenant_id, await _live(database, scope)) for scope in scopes]
    while waiting := [(tenant, leases) for tenant, leases in waiting if leases]:
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        waiting = [(tenant, await _still(database, tenant, leases)) for tenant, leases in waiting]


async def _live(database: Database, scope: Scope) -> list[UUID]:
    """The leases live over a scope, as committed now."""
    named = {
        "items": list(scope.item_ids),
        "debtors": list(scope.debtor_ids),
        "parties": list(scope.party_ids),
        "entities": list(scope.entity_ids),
    }
    query = _live_over if any(named.values()) else _live_at_all
    given = named if any(named.values()) else {}
    async with database.transaction(scope.tenant_id) as db:
        return list((await db.scalars(query, {"stopped_tenant": scope.tenant_id, **given})).all())


async def _still(database: Database, tenant: UUID, leases: list[UUID]) -> list[UUID]:
    async with database.transaction(tenant) as db:
        return list((await db.scalars(_remaining, {"held_tenant": tenant, "held": leases})).all())


def _ids(name: str) -> ColumnElement[object]:
    return func.any(bindparam(name, type_=ARRAY(Uuid)))


_leasing = insert(permit_lease).values(
    expires_at=func.clock_timestamp() + text(f"interval '{LEASE_SECONDS} seconds'"),
)
_sweeping = delete(permit_lease).where(
    permit_lease.c.tenant_id == bindparam("swept_tenant", type_=Uuid),
    permit_lease.c.expires_at < func.clock_timestamp() - text("interval '1 minute'"),
)
_releasing = delete(permit_lease).where(
    permit_lease.c.tenant_id == bindparam("released_tenant", type_=Uuid),
    permit_lease.c.delivery_id == _ids("released"),
)
_dropping_leases = delete(permit_lease).where(
    permit_lease.c.tenant_id == bindparam("dropped_tenant", type_=Uuid), permit_lease.c.lease_id == _ids("dropped")
)
_live_at_all = select(permit_lease.c.lease_id).where(
    permit_lease.c.tenant_id == bindparam("stopped_tenant", type_=Uuid),
    permit_lease.c.expires_at > func.clock_timestamp(),
)
_live_over = _live_at_all.where(
    or_(
        permit_lease.c.item_ids.overlap(bindparam("items", type_=ARRAY(Uuid))),
        permit_lease.c.debtor_ids.overlap(bindparam("debtors", type_=ARRAY(Uuid))),
        permit_lease.c.party_id == _ids("parties"),
        permit_lease.c.entity_id == _ids("entities"),
    )
)
_remaining = select(permit_lease.c.lease_id).where(
    permit_lease.c.tenant_id == bindparam("held_tenant", type_=Uuid),
    permit_lease.c.lease_id == _ids("held"),
    permit_lease.c.expires_at > func.clock_timestamp(),
)


# The sender's side


def boottime() -> float:
    """Seconds since boot, asleep or awake: the clock that leases are counted on."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Permit:
    """What the three services said of one delivery. Ask `live()` without an await before every byte that counts."""

    delivery_id: UUID
    answer: Literal["yes", "no", "again"]
    until: float
    """On CLOCK_BOOTTIME."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Service → reason code, for the answers that were not yes."""
    opens_at: datetime | None = None
    """The business instant before which asking again is in vain, if one is known."""

    def live(self) -> bool:
        return self.answer == "yes" and boottime() < self.until - WRITING_SECONDS


async def request_permits(peers: Peers, tenant: UUID, asks: Sequence[Ask]) -> dict[UUID, Permit]:
    """Ask the three services at once. One no is a no; no answer at all is "again": nothing leaves without three yes."""
    until = boottime() + LEASE_SECONDS
    body = PermitRequest(deliveries=list(asks)).model_dump(mode="json")
    said = await asyncio.gather(*(_asked(peers, service, tenant, body) for service in GRANTERS))
    by_service = dict(zip(GRANTERS, said, strict=True))
    return {ask.delivery_id: _together(ask.delivery_id, by_service, until) for ask in asks}


async def _asked(peers: Peers, service: str, tenant: UUID, body: dict[str, object]) -> dict[UUID, Answer]:
    try:
        found = await peers.post(service, "/internal/v1/permits", tenant=tenant, json=body)
    except RelanceError:
        return {}
    return {answer.delivery_id: answer for answer in PermitAnswers.model_validate(found).answers}


def _together(delivery: UUID, said: Mapping[str, Mapping[UUID, Answer]], until: float) -> Permit:
    silent = Answer(delivery_id=delivery, answer="again", reason="no_answer")
    answers = {service: found.get(delivery, silent) for service, found in said.items()}
    reasons = {service: found.reason or found.answer for service, found in answers.items() if found.answer != "yes"}
    kinds = {found.answer for found in answers.values()}
    answer: Literal["yes", "no", "again"] = "no" if "no" in kinds else "again" if "again" in kinds else "yes"
    return Permit(delivery, answer, until, reasons, opening(answers.values()))


def opening(answers: Iterable[Answer]) -> datetime | None:
    """The latest of the instants before which asking again is in vain."""
    return max((found.opens_at for found in answers if found.opens_at is not None), default=None)


async def release_permits(peers: Peers, tenant: UUID, deliveries: Sequence[UUID]) -> None:
    """Tell the three services that the outcomes are on record. A service that is away lets the leases run out."""
    body = {"delivery_ids": [str(delivery) for delivery in deliveries]}
    await asyncio.gather(
        *(peers.post(service, "/internal/v1/permits/release", tenant=tenant, json=body) for service in GRANTERS),
        return_exceptions=True,
    )
