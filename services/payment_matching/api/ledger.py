"""The ERP's ledger beside ours: its lists taken, what differs, who decides, and both balances to the cent."""

import asyncio
import hashlib
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound
from libs.common.events import Amount
from libs.common.http import Wire
from libs.common.money import Money
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.payment_matching import snapshots
from services.payment_matching.api import listed
from services.payment_matching.api.payments import Here, Reads, Writes
from services.payment_matching.room import Room
from services.payment_matching.store import ledger

routes = APIRouter(tags=["ledger"])
State = Literal["taken", "waiting", "accepted", "rejected"]
Result = Literal["taken", "waiting", "unchanged", "stale"]
Kind = Literal["missing", "extra", "amount", "ahead"]


class DifferenceCount(BaseModel):
    """How many items differ in one way, and by how much; `settled` ones were carried out."""

    kind: Kind
    settled: bool
    count: int
    amount: Amount | None = None


class Balance(BaseModel):
    """Both ledgers in one currency."""

    ours: Amount
    theirs: Amount
    difference: Amount
    control_account: Amount | None = None
    """The customer control account, where the ERP told it."""
    control_difference: Amount | None = None
    """What we have less the control account."""
    customers: int
    customers_off: int


class SnapshotOut(BaseModel):
    """A list of the ERP's open items and what came of it."""

    snapshot_id: UUID
    entity_id: UUID
    as_of: date
    state: State
    why: list[str]
    """Why a person must look: count_differs, sum_differs, too_many_vanished."""
    received_at: datetime
    actor: str
    decided_by: str | None
    lines: int
    open_here: int
    agreed: int
    settled: int
    """Items settled, or owed again, because the ERP's ledger says so."""
    held: bool
    """Whether the entity's reminders wait for it."""
    differences: list[DifferenceCount] = []
    balances: list[Balance] = []


class Taken(BaseModel):
    """What became of a list."""

    result: Result
    snapshot: SnapshotOut


class SnapshotPage(BaseModel):
    """Snapshots, the newest first."""

    snapshots: list[SnapshotOut]
    next: str | None


class DifferenceOut(BaseModel):
    """An item that is not the same in both ledgers."""

    kind: Kind
    number: str
    instalment: int | None
    item_id: UUID | None
    debtor_id: UUID | None
    ours: Amount
    theirs: Amount
    settled: bool


class DifferencePage(BaseModel):
    """What differs, item by item."""

    differences: list[DifferenceOut]
    next: str | None


class CustomerBalance(BaseModel):
    """A customer in both ledgers."""

    customer: str
    """The customer's number; empty for what nobody could be named for."""
    debtor_id: UUID | None
    ours: Amount
    theirs: Amount
    difference: Amount


class TieOut(BaseModel):
    """The last comparison of an entity, customer by customer."""

    snapshot: SnapshotOut
    customers: list[CustomerBalance]
    next: str | None


@routes.post("/v1/open-items/snapshots", openapi_extra=listed.BODY)
async def take_snapshot(request: Request, caller: Writes, room: Here, asked: Annotated[listed.Query, Query()]) -> Taken:
    """Take all open items of an entity at a day: JSON, NDJSON (its first line is the head), or CSV (the head is in the
    address). Compared item by item; where the ERP is master, what it no longer lists is settled."""
    body = await request.body()
    head, lines = await asyncio.to_thread(listed.read, request, body, asked)
    room.forget_entities(caller.tenant_id)
    entity = await room.entity(caller.tenant_id, head.entity_id)
    told = snapshots.Told(
        entity=entity,
        as_of=head.as_of,
        digest=hashlib.sha256(body).digest(),
        actor=caller.subject,
        count=head.count,
        sums=listed.sums(head.sum),
        lines=lines,
        control=listed.sums(head.control_account),
    )

    async def work(db: AsyncConnection) -> tuple[SnapshotOut, str]:
        snapshot, result = await snapshots.take(db, room.clock.now(), told)
        return await _one(db, caller.tenant_id, snapshot), result

    found, result = await room.commit(work, caller.tenant_id)
    await room.stopped(caller.tenant_id)
    return Taken(result=result, snapshot=found)


class Filters(Wire):
    """Whose snapshots to list, and from where on."""

    limit: Limit = 50
    cursor: Cursor = None
    entity_id: UUID | None = None


@routes.get("/v1/open-items/snapshots")
async def list_snapshots(caller: Reads, room: Here, wanted: Annotated[Filters, Query()]) -> SnapshotPage:
    """Snapshots, the newest first."""
    after = place(room.settings, "snapshots", wanted.cursor)
    async with room.database.transaction(caller.tenant_id) as db:
        found = await ledger.snapshots(
            db, caller.tenant_id, wanted.limit + 1, wanted.entity_id, after[0] if after else None
        )
        rows, last = cut(found, wanted.limit)
        standing = await ledger.standing(db, caller.tenant_id)
    following = cursor(room.settings, "snapshots", last.seq) if last else None
    return SnapshotPage(snapshots=[_told(row, standing) for row in rows], next=following)


@routes.get("/v1/open-items/snapshots/{snapshot_id}")
async def read_snapshot(snapshot_id: UUID, caller: Reads, room: Here) -> SnapshotOut:
    """One snapshot with what differs by kind, and both balances."""
    async with room.database.transaction(caller.tenant_id) as db:
        return await _one(db, caller.tenant_id, snapshot_id)


class DifferenceFilters(Wire):
    """Which differences to list, and from where on."""

    limit: Limit = 50
    cursor: Cursor = None
    kind: Kind | None = None


@routes.get("/v1/open-items/snapshots/{snapshot_id}/differences")
async def list_differences(
    snapshot_id: UUID, caller: Reads, room: Here, wanted: Annotated[DifferenceFilters, Query()]
) -> DifferencePage:
    """What differs, item by item."""
    after = place(room.settings, "differences", wanted.cursor)
    async with room.database.transaction(caller.tenant_id) as db:
        if await ledger.one(db, caller.tenant_id, snapshot_id) is None:
            raise NotFound(f"There is no snapshot {snapshot_id}.")
        found = await ledger.differences(
            db, caller.tenant_id, snapshot_id, wanted.limit + 1, kind=wanted.kind, after=after[0] if after else 0
        )
    rows, last = cut(found, wanted.limit)
    following = cursor(room.settings, "differences", last.place) if last else None
    return DifferencePage(differences=[_difference(row) for row in rows], next=following)


@routes.post("/v1/open-items/snapshots/{snapshot_id}/accept")
async def accept(snapshot_id: UUID, caller: Writes, room: Here) -> SnapshotOut:
    """A person looked: the list is right. It is carried out as any other."""
    return await _decided(room, caller.tenant_id, snapshot_id, ("accepted", caller.subject))


@routes.post("/v1/open-items/snapshots/{snapshot_id}/reject")
async def reject(snapshot_id: UUID, caller: Writes, room: Here) -> SnapshotOut:
    """A person looked: the list is wrong. What the one before said holds."""
    return await _decided(room, caller.tenant_id, snapshot_id, ("rejected", caller.subject))


async def _decided(room: Room, tenant: UUID, snapshot_id: UUID, verdict: tuple[str, str]) -> SnapshotOut:
    async def work(db: AsyncConnection) -> SnapshotOut:
        row = await ledger.one(db, tenant, snapshot_id)
        if row is None:
            raise NotFound(f"There is no snapshot {snapshot_id}.")
        entity = await room.entity(tenant, row.entity_id)
        await snapshots.decide(db, room.clock.now(), entity, snapshot_id, verdict)
        return await _one(db, tenant, snapshot_id)

    room.forget_entities(tenant)
    await room.entities(tenant)
    found = await room.commit(work, tenant)
    await room.stopped(tenant)
    return found


@routes.get("/v1/tie-out")
async def tie_out(caller: Reads, room: Here) -> list[SnapshotOut]:
    """The last comparison of every entity that had one."""
    async with room.database.transaction(caller.tenant_id) as db:
        standing = await ledger.standing(db, caller.tenant_id)
        return [await _one(db, caller.tenant_id, row.snapshot_id) for row in standing.values()]


class CustomerFilters(Wire):
    """Which customers to list, and from where on."""

    limit: Limit = 50
    cursor: Cursor = None
    every: bool = False
    """Those that agree, too."""


@routes.get("/v1/tie-out/{entity_id}")
async def tie_out_customers(
    entity_id: UUID, caller: Reads, room: Here, wanted: Annotated[CustomerFilters, Query()]
) -> TieOut:
    """Our balance against the ERP's, customer by customer, as both stood when the last list was taken."""
    tenant = caller.tenant_id
    after = place(room.settings, "tie-out", wanted.cursor) or ["", ""]
    async with room.database.transaction(tenant) as db:
        standing = await ledger.standing(db, tenant)
        if entity_id not in standing:
            raise NotFound(f"No list of the ERP's open items was taken for entity {entity_id}.")
        snapshot = standing[entity_id].snapshot_id
        found = await ledger.customers_balances(
            db, tenant, snapshot, wanted.limit + 1, every=wanted.every, after=(after[0], after[1])
        )
        told = await _one(db, tenant, snapshot)
    rows, last = cut(found, wanted.limit)
    following = cursor(room.settings, "tie-out", last.customer, last.currency) if last else None
    return TieOut(snapshot=told, customers=[_customer(row) for row in rows], next=following)


async def _one(db: AsyncConnection, tenant: UUID, snapshot_id: UUID) -> SnapshotOut:
    row = await ledger.one(db, tenant, snapshot_id)
    if row is None:
        raise NotFound(f"There is no snapshot {snapshot_id}.")
    found = _told(row, await ledger.standing(db, tenant))
    found.differences = [
        DifferenceCount(kind=each.kind, settled=each.settled, count=each.count, amount=_one_currency(row, each.minor))
        for each in await ledger.counts(db, tenant, snapshot_id)
    ]
    found.balances = [_balance(row, each) for each in await ledger.totals(db, tenant, snapshot_id)]
    return found


def _one_currency(row: Any, minor: Any) -> Money | None:
    """What differs as one sum, where the list is in one currency."""
    names = list(row.told["sums"])
    return Money(int(minor), names[0]) if len(names) == 1 else None


def _told(row: Any, standing: dict[UUID, Any]) -> SnapshotOut:
    now = standing.get(row.entity_id)
    names = (
        "snapshot_id", "entity_id", "as_of", "state", "why", "received_at", "actor", "decided_by", "lines",
        "open_here", "agreed", "settled",
    )  # fmt: skip
    held = now is not None and now.held and now.snapshot_id == row.snapshot_id
    return SnapshotOut(**{name: getattr(row, name) for name in names}, held=held)


def _difference(row: Any) -> DifferenceOut:
    names = ("kind", "number", "item_id", "debtor_id", "settled")
    return DifferenceOut(
        **{name: getattr(row, name) for name in names},
        instalment=row.sequence,
        ours=Money(row.ours_minor, row.currency),
        theirs=Money(row.theirs_minor, row.currency),
    )


def _balance(row: Any, each: Any) -> Balance:
    ours, theirs = int(each.ours), int(each.theirs)
    control = row.told["control"].get(each.currency)

    def money(minor: int) -> Money:
        return Money(minor, each.currency)

    return Balance(
        ours=money(ours),
        theirs=money(theirs),
        difference=money(ours - theirs),
        control_account=None if control is None else money(control),
        control_difference=None if control is None else money(ours - control),
        customers=each.customers,
        customers_off=each.off,
    )


def _customer(row: Any) -> CustomerBalance:
    ours, theirs = Money(row.ours_minor, row.currency), Money(row.theirs_minor, row.currency)
    facts = {"customer": row.customer, "debtor_id": row.debtor_id}
    return CustomerBalance(**facts, ours=ours, theirs=theirs, difference=ours - theirs)
