"""Cases: opened once per payer, locked in one order, and marked as to be looked at."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Update, and_, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from libs.common.sets import adding, columns, given
from services.scheduler.store import told
from services.scheduler.store.asking import among, plain
from services.scheduler.tables import debtor, item, payer_case

Pair = tuple[UUID, UUID]
"""A tenant and an id of its own."""


def case_id(tenant: UUID, payer: UUID) -> UUID:
    """The case of a payer: one for ever."""
    return ids.case_id(tenant, payer)


async def lock(db: AsyncConnection, pairs: Collection[Pair]) -> None:
    """Lock these cases, those that exist, in the order of their ids."""
    if pairs:
        await db.execute(
            _locking(), columns([{"tenant_id": tenant, "case_id": each} for tenant, each in sorted(pairs)])
        )


async def of_items(db: AsyncConnection, pairs: Collection[Pair]) -> set[Pair]:
    """The cases of these items; those without an invoice have none yet."""
    if not pairs:
        return set()
    asked = columns([{"tenant_id": tenant, "item_id": each} for tenant, each in sorted(pairs)])
    return {(row.tenant_id, row.case_id) for row in await db.execute(_of_items(), asked)}


async def one(db: AsyncConnection, tenant: UUID, case: UUID, *, lock: bool = False) -> dict[str, Any] | None:
    """One case; None when there is none."""
    asked = select(payer_case).where(payer_case.c.tenant_id == tenant, payer_case.c.case_id == case)
    row = (await db.execute(asked.with_for_update() if lock else asked)).one_or_none()
    return None if row is None else plain(row)


async def some(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> list[dict[str, Any]]:
    """These cases, those that exist."""
    asked = select(payer_case).where(payer_case.c.tenant_id == tenant, among(payer_case.c.case_id, ids))
    return [plain(row) for row in await db.execute(asked)]


async def page(
    db: AsyncConnection,
    tenant: UUID,
    limit: int,
    *,
    after: UUID | None = None,
    state: str | None = None,
    entity: UUID | None = None,
    due_by: datetime | None = None,
) -> list[dict[str, Any]]:
    """Cases in the order of their ids: of a state, of an entity, or to be looked at by an instant."""
    asked = select(payer_case).where(payer_case.c.tenant_id == tenant)
    if after is not None:
        asked = asked.where(payer_case.c.case_id > after)
    if state is not None:
        asked = asked.where(payer_case.c.state == state)
    if entity is not None:
        asked = asked.where(payer_case.c.entity_id == entity)
    if due_by is not None:
        asked = asked.where(payer_case.c.next_at <= due_by)
    return [plain(row) for row in await db.execute(asked.order_by(payer_case.c.case_id).limit(limit))]


async def payers_now(db: AsyncConnection, pairs: Collection[Pair]) -> dict[Pair, Mapping[str, Any]]:
    """(tenant, debtor) → the debtor's file as this service keeps it, for those that somebody described."""
    if not pairs:
        return {}
    rows = columns([{"tenant_id": tenant, "debtor_id": each} for tenant, each in pairs])
    found = await db.execute(_files(), rows)
    return {(row.tenant_id, row.debtor_id): plain(row) for row in found}


async def open_cases(db: AsyncConnection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Open the cases that do not exist: rows of tenant_id, case_id, entity_id, payer_id, party_id, group_id."""
    known = {(row["tenant_id"], row["case_id"]): row for row in rows}
    if known:
        ordered = [known[key] for key in sorted(known)]
        await db.execute(adding(payer_case, tuple(ordered[0])), columns(ordered))


async def look_at(db: AsyncConnection, pairs: Collection[Pair], at: datetime) -> None:
    """These cases are looked at by `at` at the latest."""
    if pairs:
        rows = [{"tenant_id": tenant, "case_id": each, "next_at": at} for tenant, each in sorted(pairs)]
        await db.execute(_looking(), columns(rows))


async def look_at_items(db: AsyncConnection, pairs: Collection[Pair], at: datetime) -> None:
    """The cases of these items are looked at by `at` at the latest; items without an invoice have none yet."""
    if pairs:
        rows = [{"tenant_id": tenant, "item_id": each} for tenant, each in sorted(pairs)]
        await db.execute(_looking_by_item(), {**columns(rows), "at": at})


async def look_at_entity(db: AsyncConnection, tenant: UUID, entity: UUID | None, at: datetime, waits: str = "") -> None:
    """All cases of an entity, or of the tenant, are looked at; with `waits` only those that wait for that."""
    chosen = update(payer_case).where(payer_case.c.tenant_id == tenant)
    if entity is not None:
        chosen = chosen.where(payer_case.c.entity_id == entity)
    if waits:
        chosen = chosen.where(payer_case.c.waits == waits)
    await db.execute(chosen.values(next_at=func.least(payer_case.c.next_at, at)))


def answer(tenant: UUID, case: UUID, day: date, told_at: datetime) -> dict[str, Any]:
    """A payer's sign of life on a day, as it was told."""
    return {"tenant_id": tenant, "case_id": case, "answered_on": day, "told_at": told_at}


async def answered(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """The payers of these cases gave a sign of life: rows of `answer`."""
    latest = {(row["tenant_id"], row["case_id"]): row for row in sorted(rows, key=lambda row: row["answered_on"])}
    if latest:
        names = ("tenant_id", "case_id", "answered_on")
        asked = [{name: latest[key][name] for name in names} for key in sorted(latest)]
        await db.execute(_answering(), columns(asked))
        await told.keep(db, [_answer_fact(row) for row in rows])


def _answer_fact(row: Mapping[str, Any]) -> dict[str, Any]:
    day: date = row["answered_on"]
    case = row["case_id"]
    return told.fact("answer", row["tenant_id"], case, case, day.toordinal(), row["told_at"], {"on": day})


async def read_at(db: AsyncConnection, tenant: UUID, case: UUID) -> datetime | None:
    """Until when the replies of a case are dealt with."""
    asked = select(payer_case.c.read_at).where(payer_case.c.tenant_id == tenant, payer_case.c.case_id == case)
    found: datetime | None = await db.scalar(asked)
    return found


async def party_of(db: AsyncConnection, tenant: UUID, case: UUID) -> UUID | None:
    """The party of a case's payer."""
    asked = select(payer_case.c.party_id).where(payer_case.c.tenant_id == tenant, payer_case.c.case_id == case)
    found: UUID | None = await db.scalar(asked)
    return found


@cache
def _locking() -> Executable:
    asked = given(payer_case, ("tenant_id", "case_id"))
    mine = and_(payer_case.c.tenant_id == asked.c.tenant_id, payer_case.c.case_id == asked.c.case_id)
    ordered = select(payer_case.c.case_id).join(asked, mine).order_by(payer_case.c.tenant_id, payer_case.c.case_id)
    return ordered.with_for_update(of=payer_case)


@cache
def _of_items() -> Executable:
    asked = given(item, ("tenant_id", "item_id"))
    mine = and_(item.c.tenant_id == asked.c.tenant_id, item.c.item_id == asked.c.item_id)
    return select(item.c.tenant_id, item.c.case_id).join(asked, mine).where(item.c.case_id.is_not(None)).distinct()


@cache
def _files() -> Executable:
    asked = given(debtor, ("tenant_id", "debtor_id"))
    theirs = and_(debtor.c.tenant_id == asked.c.tenant_id, debtor.c.debtor_id == asked.c.debtor_id)
    return select(debtor).join(asked, theirs).where(debtor.c.version > 0)


@cache
def _looking() -> Update:
    asked = given(payer_case, ("tenant_id", "case_id", "next_at"))
    return (
        update(payer_case)
        .where(payer_case.c.tenant_id == asked.c.tenant_id, payer_case.c.case_id == asked.c.case_id)
        .values(next_at=func.least(payer_case.c.next_at, asked.c.next_at), told=payer_case.c.told + 1)
    )


@cache
def _looking_by_item() -> Update:
    asked = given(item, ("tenant_id", "item_id"))
    cases = (
        select(item.c.tenant_id, item.c.case_id)
        .join(asked, and_(item.c.tenant_id == asked.c.tenant_id, item.c.item_id == asked.c.item_id))
        .where(item.c.case_id.is_not(None))
        .distinct()
        .subquery()
    )
    at = bindparam("at", type_=payer_case.c.next_at.type)
    return (
        update(payer_case)
        .where(payer_case.c.tenant_id == cases.c.tenant_id, payer_case.c.case_id == cases.c.case_id)
        .values(next_at=func.least(payer_case.c.next_at, at), told=payer_case.c.told + 1)
    )


@cache
def _answering() -> Update:
    asked = given(payer_case, ("tenant_id", "case_id", "answered_on"))
    return (
        update(payer_case)
        .where(payer_case.c.tenant_id == asked.c.tenant_id, payer_case.c.case_id == asked.c.case_id)
        .values(answered_on=func.greatest(payer_case.c.answered_on, asked.c.answered_on))
    )
