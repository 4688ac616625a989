"""Assignments of policies, and cases that are moved to another version on purpose."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BindParameter, ColumnElement, Select, and_, any_, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.directory.tables import directory_entity
from services.scheduler.assigning import Assignment
from services.scheduler.store import told
from services.scheduler.store.asking import among, plain
from services.scheduler.store.cases import Pair
from services.scheduler.tables import debtor, item, payer_case, policy_assignment

_FACTS = tuple(Assignment.__dataclass_fields__)
RUNNING = ("amicable", "escalated", "in_recovery")
"""States of cases that are under way."""


async def of_tenants(db: AsyncConnection, tenants: Collection[UUID], at: datetime) -> set[UUID]:
    """Those of these tenants that assigned anything that is in force at an instant."""
    return set((await db.scalars(_of_tenants(), {"tenants": sorted(tenants), "at": at})).all())


@cache
def _of_tenants() -> Select[Any]:
    table = policy_assignment
    tenants = bindparam("tenants", type_=ARRAY(table.c.tenant_id.type))
    at = bindparam("at", type_=table.c.assigned_at.type)
    return select(table.c.tenant_id).distinct().where(table.c.tenant_id == any_(tenants), _in_force(at))


async def over(db: AsyncConnection, subjects: Collection[Pair], at: datetime) -> dict[UUID, list[Assignment]]:
    """Tenant → what is in force at an instant for these items and debtors, and its segments."""
    tenants, ids = {tenant for tenant, _ in subjects}, {each for pair in subjects for each in pair}
    table = policy_assignment
    asked = select(table).where(among(table.c.tenant_id, tenants), among(table.c.subject_id, ids), _in_force(at))
    found: dict[UUID, list[Assignment]] = {}
    for row in await db.execute(asked):
        found.setdefault(row.tenant_id, []).append(Assignment(**{name: row._mapping[name] for name in _FACTS}))
    return found


def _in_force(at: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    table = policy_assignment
    return and_(table.c.assigned_at <= at, or_(table.c.ended_at.is_(None), table.c.ended_at > at))


async def write(db: AsyncConnection, row: Mapping[str, Any]) -> dict[str, Any]:
    """A new assignment; returns its row."""
    return plain((await db.execute(insert(policy_assignment).values(row).returning(policy_assignment))).one())


async def one(db: AsyncConnection, tenant: UUID, assignment: UUID) -> dict[str, Any] | None:
    """One assignment, locked; None when there is none."""
    table = policy_assignment
    asked = select(table).where(table.c.tenant_id == tenant, table.c.assignment_id == assignment)
    row = (await db.execute(asked.with_for_update())).one_or_none()
    return None if row is None else plain(row)


async def end(db: AsyncConnection, row: Mapping[str, Any], by: str, at: datetime, why: str) -> dict[str, Any]:
    """It ends now; returns its row."""
    table = policy_assignment
    mine = and_(table.c.tenant_id == row["tenant_id"], table.c.assignment_id == row["assignment_id"])
    ending = update(table).where(mine).values(ended_by=by, ended_at=at, end_reason=why)
    return plain((await db.execute(ending.returning(table))).one())


async def page(  # noqa: PLR0917 - whose, which, where it begins, how many
    db: AsyncConnection, tenant: UUID, on: date | None, subject: UUID | None, after: UUID | None, limit: int
) -> list[dict[str, Any]]:
    """Assignments in the order of their ids; with `on` those in force on that day."""
    table = policy_assignment
    asked = select(table).where(table.c.tenant_id == tenant)
    if on is not None:
        asked = asked.where(table.c.ended_at.is_(None), table.c.expires_on > on)
    if subject is not None:
        asked = asked.where(table.c.subject_id == subject)
    if after is not None:
        asked = asked.where(table.c.assignment_id > after)
    return [plain(row) for row in await db.execute(asked.order_by(table.c.assignment_id).limit(limit))]


async def known(db: AsyncConnection, tenant: UUID, scope: str, subject: UUID) -> bool:
    """Whether there is such an item or debtor."""
    table, column = (item, item.c.item_id) if scope == "item" else (debtor, debtor.c.debtor_id)
    asked = select(func.count()).select_from(table).where(table.c.tenant_id == tenant, column == subject)
    return bool(await db.scalar(asked))


async def followers(db: AsyncConnection, tenant: UUID, policy: str, on: date) -> int:
    """Entities and assignments in force that name a policy."""
    table = policy_assignment
    assigned = select(func.count()).select_from(table).where(
        table.c.tenant_id == tenant, table.c.policy == policy, table.c.ended_at.is_(None), table.c.expires_on > on
    )  # fmt: skip
    entities = select(func.count()).select_from(directory_entity).where(
        directory_entity.c.tenant_id == tenant, directory_entity.c.policy == policy
    )  # fmt: skip
    return int(await db.scalar(assigned) or 0) + int(await db.scalar(entities) or 0)


async def look_over(db: AsyncConnection, row: Mapping[str, Any], at: datetime) -> None:
    """The cases that an assignment may be about are looked at."""
    mine = payer_case.c.tenant_id == row["tenant_id"]
    if row["scope"] == "segment":
        about = mine if row["entity_id"] is None else and_(mine, payer_case.c.entity_id == row["entity_id"])
    else:
        column = item.c.item_id if row["scope"] == "item" else item.c.debtor_id
        theirs = select(item.c.case_id).where(item.c.tenant_id == row["tenant_id"], column == row["subject_id"])
        about = and_(mine, payer_case.c.case_id.in_(theirs))
    await db.execute(update(payer_case).where(about, payer_case.c.state != "closed").values(next_at=at))


async def running(
    db: AsyncConnection,
    tenant: UUID,
    to: UUID,
    *,
    cases: Collection[UUID] | None,
    version: UUID | None,
    entity: UUID | None,
) -> Sequence[Mapping[str, Any]]:
    """The running cases that a move to a version is about, locked in the order of their ids."""
    table = payer_case
    asked = select(table).where(table.c.tenant_id == tenant, table.c.state.in_(RUNNING))
    asked = asked.where(table.c.policy_version_id.is_not(None), table.c.policy_version_id != to)
    if cases is not None:
        asked = asked.where(among(table.c.case_id, cases))
    if version is not None:
        asked = asked.where(table.c.policy_version_id == version)
    if entity is not None:
        asked = asked.where(table.c.entity_id == entity)
    return [plain(row) for row in await db.execute(asked.order_by(table.c.case_id).with_for_update())]


async def move(  # noqa: PLR0917 - which cases, to which version, by whom, when, why
    db: AsyncConnection, rows: Sequence[Mapping[str, Any]], to: UUID, by: str, at: datetime, why: str
) -> None:
    """These cases are on another version from now on; it is kept when they were moved, by whom and why."""
    if not rows:
        return
    tenant = rows[0]["tenant_id"]
    mine = and_(payer_case.c.tenant_id == tenant, among(payer_case.c.case_id, {row["case_id"] for row in rows}))
    await db.execute(update(payer_case).where(mine).values(policy_version_id=to, next_at=at))
    body = {"version_id": to, "by": by, "why": why}
    facts = [
        told.fact("case_policy", tenant, row["case_id"], row["case_id"], int(at.timestamp()), at, body) for row in rows
    ]
    await told.keep(db, facts)
