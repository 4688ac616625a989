"""Holds and what stands behind them: promises, plans, disputes, replies.

The rule it protects: a hold ends once; what it covers is found by its scope and id alone, known here or not.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Table,
    Update,
    Uuid,
    and_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns, given
from services.scheduler.store.asking import among, plain
from services.scheduler.tables import debtor, dispute, hold, item, payer_case, payment, plan, promise

Row = Mapping[str, Any]


def over(scope: str, scope_id: UUID) -> ColumnElement[bool]:
    """The cases that a scope touches, as a condition on payer_case of the tenant."""
    plainly = {
        "case": payer_case.c.case_id,
        "payer": payer_case.c.payer_id,
        "party": payer_case.c.party_id,
        "group": payer_case.c.group_id,
        "entity": payer_case.c.entity_id,
        "tenant": payer_case.c.tenant_id,
    }
    if scope in plainly:
        return plainly[scope] == scope_id
    named = item.c.item_id if scope == "item" else item.c.debtor_id
    theirs = select(item.c.case_id).where(item.c.tenant_id == payer_case.c.tenant_id, named == scope_id)
    if scope == "item":
        return payer_case.c.case_id.in_(theirs)
    paying = select(debtor.c.payer_id).where(
        debtor.c.tenant_id == payer_case.c.tenant_id, debtor.c.debtor_id == scope_id
    )
    return or_(payer_case.c.case_id.in_(theirs), payer_case.c.payer_id.in_(paying))


async def cases_over(db: AsyncConnection, tenant: UUID, scope: str, scope_id: UUID, most: int = 2) -> list[Row]:
    """Up to `most` cases that a scope touches."""
    asked = select(payer_case).where(payer_case.c.tenant_id == tenant, over(scope, scope_id)).limit(most)
    return [plain(row) for row in await db.execute(asked)]


async def look_over(db: AsyncConnection, tenant: UUID, scope: str, scope_id: UUID, at: datetime) -> None:
    """Every case that a scope touches is looked at by `at` at the latest."""
    await db.execute(
        update(payer_case)
        .where(payer_case.c.tenant_id == tenant, over(scope, scope_id))
        .values(next_at=func.least(payer_case.c.next_at, at))
    )


async def place(db: AsyncConnection, rows: Sequence[Row]) -> list[UUID]:
    """Place holds; those that exist are left. Returns the ids of the new ones."""
    if not rows:
        return []
    placing = adding(hold, tuple(rows[0])).returning(hold.c.hold_id)
    return list((await db.scalars(placing, columns(rows))).all())


async def get(db: AsyncConnection, table: Table, tenant: UUID, identity: UUID) -> Row | None:
    """One hold, promise, plan or dispute, locked; None when there is none."""
    key = next(column for column in table.primary_key if column.name != "tenant_id")
    found = await db.execute(select(table).where(table.c.tenant_id == tenant, key == identity).with_for_update())
    row = found.one_or_none()
    return None if row is None else plain(row)


async def add(db: AsyncConnection, table: Table, row: Row) -> None:
    """A new promise, plan or dispute."""
    await db.execute(insert(table).values(dict(row)))


async def change(db: AsyncConnection, table: Table, tenant: UUID, identity: UUID, **facts: Any) -> None:
    """Change one row and raise its version."""
    key = next(column for column in table.primary_key if column.name != "tenant_id")
    await db.execute(
        update(table).where(table.c.tenant_id == tenant, key == identity).values(version=table.c.version + 1, **facts)
    )


async def lift(
    db: AsyncConnection, tenant: UUID, ids: Collection[UUID], *, at: datetime, by: str, why: str
) -> list[Row]:
    """Lift the active ones of these holds; returns their rows as they are now."""
    lifting = (
        update(hold)
        .where(hold.c.tenant_id == tenant, among(hold.c.hold_id, ids), hold.c.state == "active")
        .values(state="lifted", lifted_at=at, lifted_by=by, lift_reason=why, version=hold.c.version + 1)
        .returning(hold)
    )
    return [plain(row) for row in await db.execute(lifting)]


async def read_replies(db: AsyncConnection, tenant: UUID, case_id: UUID, at: datetime) -> list[Row]:
    """Somebody dealt with the replies of a case up to `at`: lift their holds, and those that are told later."""
    await db.execute(
        update(payer_case)
        .where(payer_case.c.tenant_id == tenant, payer_case.c.case_id == case_id)
        .values(read_at=func.greatest(payer_case.c.read_at, at))
    )
    waiting = select(hold.c.hold_id).where(
        hold.c.tenant_id == tenant,
        hold.c.scope_id == case_id,
        hold.c.kind == "reply",
        hold.c.placed_at <= at,
        hold.c.state == "active",
    )
    ids = list((await db.scalars(waiting)).all())
    return await lift(db, tenant, ids, at=at, by="reader", why="lifted") if ids else []


@cache
def _reviewing() -> Select[Any]:
    return (
        select(hold)
        .where(hold.c.state == "active", hold.c.review_on <= bindparam("today"), hold.c.lift_at_review)
        .where(or_(hold.c.look_at.is_(None), hold.c.look_at <= bindparam("now")))
        .order_by(hold.c.review_on, hold.c.hold_id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


async def due_for_review(db: AsyncConnection, now: datetime, limit: int) -> list[Row]:
    """Active holds that end by themselves and whose review date came, of all tenants; locked, others skip them."""
    asked = {"today": now.date(), "now": now, "most": limit}
    return [plain(row) for row in await db.execute(_reviewing(), asked)]


@cache
def _judged_next(table: Table) -> Select[Any]:
    """What is not over and whose time to be judged has come, locked; others skip it."""
    going = {
        promise: promise.c.state == "open",
        plan: plan.c.state == "running",
        dispute: dispute.c.closed_at.is_(None),
    }
    return (
        select(table)
        .where(going[table], table.c.look_at <= bindparam("now"))
        .order_by(table.c.look_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


async def promises_to_judge(db: AsyncConnection, now: datetime, limit: int) -> list[Row]:
    """Open promises whose time has come or whose payer paid since, of all tenants."""
    return [plain(row) for row in await db.execute(_judged_next(promise), {"now": now, "most": limit})]


async def plans_to_judge(db: AsyncConnection, now: datetime, limit: int) -> list[Row]:
    """Running plans one of whose dates has come or whose payer paid since, of all tenants."""
    return [plain(row) for row in await db.execute(_judged_next(plan), {"now": now, "most": limit})]


async def disputes_to_judge(db: AsyncConnection, now: datetime, limit: int) -> list[Row]:
    """Disputes that are not over and about whose items something was told, of all tenants."""
    return [plain(row) for row in await db.execute(_judged_next(dispute), {"now": now, "most": limit})]


async def judge_disputes(db: AsyncConnection, items: Collection[tuple[UUID, UUID]], at: datetime) -> None:
    """Something was told of these (tenant, item): disputes about them that are not over are judged again."""
    if items:
        rows = [{"tenant_id": tenant, "item_id": each} for tenant, each in sorted(items)]
        await db.execute(_judging(), {**columns(rows), "at": at})


@cache
def _judging() -> Update:
    asked = given(dispute, ("tenant_id", "item_id"))
    mine = and_(dispute.c.tenant_id == asked.c.tenant_id, dispute.c.item_id == asked.c.item_id)
    at = bindparam("at", type_=dispute.c.look_at.type)
    return update(dispute).where(mine, dispute.c.closed_at.is_(None)).values(look_at=func.least(dispute.c.look_at, at))


async def upheld(db: AsyncConnection, tenant: UUID, items: Collection[UUID]) -> list[Row]:
    """The upheld disputes about these items whose credit note has not come."""
    asked = select(dispute).where(
        dispute.c.tenant_id == tenant,
        among(dispute.c.item_id, items),
        dispute.c.state == "upheld",
        dispute.c.closed_at.is_(None),
    )
    return [plain(row) for row in await db.execute(asked)]


async def in_running_plan(db: AsyncConnection, tenant: UUID, items: Collection[UUID]) -> UUID | None:
    """A running plan that has one of these items; None when there is none."""
    shared = plan.c.item_ids.op("&&")(literal(sorted(items), ARRAY(Uuid)))
    asked = select(plan.c.plan_id).where(plan.c.tenant_id == tenant, plan.c.state == "running", shared)
    found: UUID | None = await db.scalar(asked.limit(1))
    return found


async def change_quietly(db: AsyncConnection, table: Table, tenant: UUID, identity: UUID, **facts: Any) -> None:
    """Note something about a row that nobody is told of: its version stays."""
    key = next(column for column in table.primary_key if column.name != "tenant_id")
    await db.execute(update(table).where(table.c.tenant_id == tenant, key == identity).values(**facts))


async def judge_promises(db: AsyncConnection, payers: Collection[tuple[UUID, UUID]], at: datetime) -> None:
    """Money of these (tenant, payer) came or went: their open promises and running plans are judged again."""
    for table, state in ((promise, "open"), (plan, "running")):
        if payers:
            pairs = tuple_(table.c.tenant_id, table.c.payer_id).in_(sorted(payers))
            again = update(table).where(table.c.state == state, pairs)
            await db.execute(again.values(look_at=func.least(table.c.look_at, at)))


async def paid_within(db: AsyncConnection, row: Row) -> int:
    """Minor units of the payer's money with a value date from the day of the promise to its last day."""
    total = await db.scalar(
        select(func.coalesce(func.sum(payment.c.amount_minor), 0)).where(
            payment.c.tenant_id == row["tenant_id"],
            payment.c.payer_id == row["payer_id"],
            payment.c.currency == row["currency"],
            ~payment.c.reversed,
            and_(payment.c.value_date >= row["made_on"], payment.c.value_date <= row["until"]),
        )
    )
    return int(total or 0)


async def not_within(db: AsyncConnection, row: Row, payments: Collection[UUID]) -> set[UUID]:
    """Those of these payments that `paid_within` passes over whenever they came: of another payer or currency."""
    other = or_(payment.c.payer_id.is_distinct_from(row["payer_id"]), payment.c.currency != row["currency"])
    mine = (payment.c.tenant_id == row["tenant_id"], among(payment.c.payment_id, payments))
    return set((await db.scalars(select(payment.c.payment_id).where(*mine, other))).all())


async def some(db: AsyncConnection, tenant: UUID, ids: Collection[UUID], table: Table = hold) -> list[Row]:
    """These holds, promises or disputes, those that exist."""
    key = next(column for column in table.primary_key if column.name != "tenant_id")
    asked = select(table).where(table.c.tenant_id == tenant, among(key, ids))
    return [plain(row) for row in await db.execute(asked)]
