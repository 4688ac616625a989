"""What insurers cover and want to know, as rows: terms, covers, consents, declarations, alarms, insolvencies.

The rule it protects: terms are never changed, an item is declared once, each alarm of each deadline is raised once.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, case, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns
from services.scheduler.store.asking import among, plain
from services.scheduler.tables import (
    deadline_alarm,
    insolvency,
    insurer_consent,
    insurer_cover,
    insurer_declaration,
    insurer_terms,
    item,
    payer_case,
)

Row = Mapping[str, Any]
STRETCHES = (7, 30, 120, 480, 100_000)
"""Days from the first deadline of a page that are looked through for it, one stretch after the other."""
ALARM = ("tenant_id", "subject_id", "kind", "due_on", "stage", "payer_id", "raised_at")


async def next_number(db: AsyncConnection, tenant: UUID, name: str) -> int:
    """The number of the next terms of this name."""
    mine = (insurer_terms.c.tenant_id == tenant, insurer_terms.c.name == name)
    return int(await db.scalar(select(func.coalesce(func.max(insurer_terms.c.number), 0)).where(*mine)) or 0) + 1


async def terms(db: AsyncConnection, tenant: UUID, ids: Collection[UUID] | None = None) -> list[Row]:
    """These terms, or all of them, by name and number."""
    asked = select(insurer_terms).where(insurer_terms.c.tenant_id == tenant)
    if ids is not None:
        asked = asked.where(among(insurer_terms.c.terms_id, ids))
    return [plain(row) for row in await db.execute(asked.order_by(insurer_terms.c.name, insurer_terms.c.number))]


async def covers(db: AsyncConnection, tenant: UUID, payers: Collection[UUID]) -> list[Row]:
    """The covers of these payers with the terms of each, the last set first."""
    mine = and_(
        insurer_terms.c.tenant_id == insurer_cover.c.tenant_id, insurer_terms.c.terms_id == insurer_cover.c.terms_id
    )
    theirs = (insurer_terms.c[name] for name in TERMS if name != "terms_id")
    asked = select(insurer_cover, *theirs).join(insurer_terms, mine)
    asked = asked.where(insurer_cover.c.tenant_id == tenant, among(insurer_cover.c.payer_id, payers))
    ordered = asked.order_by(insurer_cover.c.set_at.desc(), insurer_cover.c.cover_id.desc())
    return [plain(row) for row in await db.execute(ordered)]


TERMS = ("terms_id", "name", "insurer", "extension_days", "declaration_days", "counts_from", "claim_days", "alarm_days")


async def consents(db: AsyncConnection, tenant: UUID, payers: Collection[UUID]) -> list[Row]:
    """What insurers agreed to for these payers."""
    asked = select(insurer_consent).where(insurer_consent.c.tenant_id == tenant)
    found = await db.execute(asked.where(among(insurer_consent.c.payer_id, payers)))
    return [plain(row) for row in found]


async def declared(db: AsyncConnection, tenant: UUID, items: Collection[UUID]) -> dict[UUID, Row]:
    """Item → its declaration, for those that were declared."""
    asked = select(insurer_declaration).where(insurer_declaration.c.tenant_id == tenant)
    found = await db.execute(asked.where(among(insurer_declaration.c.item_id, items)))
    return {row.item_id: plain(row) for row in found}


async def declare(db: AsyncConnection, rows: Sequence[Row]) -> set[UUID]:
    """Note declarations; the items that were not declared before."""
    if not rows:
        return set()
    noting = adding(insurer_declaration, tuple(rows[0])).returning(insurer_declaration.c.item_id)
    return set((await db.scalars(noting, columns(rows))).all())


def _covered() -> Select[Any]:
    """Open items of payers that have a cover for the day of issue, with its terms; the last that was set holds."""
    mine = and_(payer_case.c.tenant_id == item.c.tenant_id, payer_case.c.case_id == item.c.case_id)
    cover = and_(
        insurer_cover.c.tenant_id == payer_case.c.tenant_id,
        insurer_cover.c.payer_id == payer_case.c.payer_id,
        insurer_cover.c.valid_from <= item.c.issue_date,
        or_(insurer_cover.c.valid_until.is_(None), insurer_cover.c.valid_until >= item.c.issue_date),
    )
    its = and_(
        insurer_terms.c.tenant_id == insurer_cover.c.tenant_id, insurer_terms.c.terms_id == insurer_cover.c.terms_id
    )
    done = and_(insurer_declaration.c.tenant_id == item.c.tenant_id, insurer_declaration.c.item_id == item.c.item_id)
    facts = [
        item.c[name] for name in ("tenant_id", "item_id", "entity_id", "number", "issue_date", "due_date", "currency")
    ]
    left = func.coalesce(item.c.residual_minor, item.c.amount_minor).label("owed_minor")
    told = [insurer_declaration.c[name] for name in ("declared_on", "reference", "claim_by")]
    return (
        select(*facts, left, payer_case.c.payer_id, *(insurer_terms.c[name] for name in TERMS), *told)
        .select_from(
            item.join(payer_case, mine).join(insurer_cover, cover).join(insurer_terms, its)
            .outerjoin(insurer_declaration, done)
        )
        .where(item.c.open)
        .ext(distinct_on(item.c.tenant_id, item.c.item_id))
        .order_by(item.c.tenant_id, item.c.item_id, insurer_cover.c.set_at.desc())
    )  # fmt: skip


async def covered_of(db: AsyncConnection, tenant: UUID, items: Collection[UUID]) -> list[Row]:
    """Those of these items that a policy covers, with its terms."""
    asked = _covered().where(item.c.tenant_id == tenant, among(item.c.item_id, items))
    return [plain(row) for row in await db.execute(asked)]


async def covered(  # noqa: PLR0917 - a page of one list
    db: AsyncConnection, tenant: UUID, until: date, limit: int, after: tuple[date, UUID] | None, payer: UUID | None
) -> list[Row]:
    """Covered items whose declaration counted from the due date falls until a day, not declared, the first first.

    Read by stretches of days, each longer than the one before, until the page is full: never all that is open.
    """
    span = await _span(db, tenant)
    if span is None:
        return []
    first, last, least, most = span
    start = max(after[0], first) if after is not None else first
    until = min(until, last)
    for days in STRETCHES:
        horizon = until if payer is not None or (until - start).days <= days else start + timedelta(days=days)
        rows = await _stretch(db, tenant, (start - most, horizon - least), (horizon, after, payer), limit)
        if len(rows) >= limit or horizon >= until:
            break
    return rows


async def _span(db: AsyncConnection, tenant: UUID) -> tuple[date, date, timedelta, timedelta] | None:
    """The first and last day on which anything may have to be declared, and the shortest and longest time for it."""
    asked = select(func.min(insurer_terms.c.declaration_days), func.max(insurer_terms.c.declaration_days))
    least, most = (await db.execute(asked.where(insurer_terms.c.tenant_id == tenant))).one()
    dues = select(func.min(item.c.due_date), func.max(item.c.due_date))
    first, last = (await db.execute(dues.where(item.c.tenant_id == tenant, item.c.open))).one()
    if least is None or first is None:
        return None
    shortest, longest = timedelta(days=least), timedelta(days=most)
    return first + shortest, last + longest, shortest, longest


async def _stretch(
    db: AsyncConnection,
    tenant: UUID,
    due: tuple[date, date],
    wanted: tuple[date, tuple[date, UUID] | None, UUID | None],
    limit: int,
) -> list[Row]:
    until, after, payer = wanted
    asked = _covered().where(item.c.tenant_id == tenant, insurer_declaration.c.item_id.is_(None))
    asked = asked.where(item.c.due_date >= due[0], item.c.due_date <= due[1])
    if payer is not None:
        asked = asked.where(payer_case.c.payer_id == payer)
    mine = asked.subquery("mine")
    by = (mine.c.due_date + mine.c.declaration_days).label("by")
    chosen = select(mine, by).where(by <= until)
    if after is not None:
        chosen = chosen.where(tuple_(by, mine.c.item_id) > tuple_(*after))
    return [plain(row) for row in await db.execute(chosen.order_by(by, mine.c.item_id).limit(limit))]


async def near(db: AsyncConnection, today: date, most: int, after: tuple[UUID, UUID]) -> list[Row]:
    """Covered items of all tenants that are not declared and whose tightest alarm was not raised yet, by their ids.

    Without regard to consents, which only move a deadline away: whoever raises alarms counts again.
    """
    each = func.unnest(insurer_terms.c.alarm_days).column_valued("each")
    earliest = select(func.max(each)).correlate(insurer_terms).scalar_subquery() - insurer_terms.c.declaration_days
    ahead = await db.scalar(select(func.max(earliest)))
    if ahead is None:
        return []
    known = _covered().where(insurer_declaration.c.item_id.is_(None), item.c.due_date <= today + timedelta(days=ahead))
    mine = known.subquery("mine")
    left = mine.c.due_date + mine.c.declaration_days - today
    days = func.unnest(mine.c.alarm_days).column_valued("days")
    reached = select(func.min(days)).where(days >= left).correlate(mine).scalar_subquery()
    stage = case((left < 0, -1), else_=reached).label("reached")
    rows = select(mine, stage).subquery("rows")
    raised = and_(
        deadline_alarm.c.tenant_id == rows.c.tenant_id,
        deadline_alarm.c.subject_id == rows.c.item_id,
        deadline_alarm.c.kind == "declaration",
        deadline_alarm.c.stage <= rows.c.reached,
    )
    asked = select(rows).where(rows.c.reached.is_not(None), ~select(deadline_alarm.c.stage).where(raised).exists())
    asked = asked.where(tuple_(rows.c.tenant_id, rows.c.item_id) > tuple_(*after))
    return [plain(row) for row in await db.execute(asked.order_by(rows.c.tenant_id, rows.c.item_id).limit(most))]


async def raise_alarms(db: AsyncConnection, rows: Sequence[Row]) -> set[tuple[UUID, UUID]]:
    """Note alarms: rows of ALARM; the (tenant, subject) of those that are new."""
    if not rows:
        return set()
    noting = adding(deadline_alarm, ALARM).returning(deadline_alarm.c.tenant_id, deadline_alarm.c.subject_id)
    return {(row.tenant_id, row.subject_id) for row in await db.execute(noting, columns(rows))}


async def alarms(db: AsyncConnection, tenant: UUID, subjects: Collection[UUID]) -> list[Row]:
    """The alarms raised for these items or insolvencies, the first first."""
    asked = select(deadline_alarm).where(deadline_alarm.c.tenant_id == tenant)
    found = await db.execute(
        asked.where(among(deadline_alarm.c.subject_id, subjects)).order_by(deadline_alarm.c.raised_at)
    )
    return [plain(row) for row in found]


async def insolvent(db: AsyncConnection, tenant: UUID, payers: Collection[UUID]) -> dict[UUID, Row]:
    """Payer → its insolvency, for those in proceedings that have not ended."""
    asked = select(insolvency).where(insolvency.c.tenant_id == tenant, insolvency.c.ended_on.is_(None))
    found = await db.execute(asked.where(among(insolvency.c.payer_id, payers)))
    return {row.payer_id: plain(row) for row in found}


async def unfiled(db: AsyncConnection, today: date, most: int, after: tuple[UUID, UUID]) -> list[Row]:
    """Insolvencies of all tenants whose claim is not filed and due within a month, or was, by their ids."""
    keys = (insolvency.c.tenant_id, insolvency.c.insolvency_id)
    asked = select(insolvency).where(
        insolvency.c.ended_on.is_(None),
        insolvency.c.filed_on.is_(None),
        insolvency.c.file_by <= today + timedelta(31),
        tuple_(*keys) > tuple_(*after),
    )
    return [plain(row) for row in await db.execute(asked.order_by(*keys).limit(most))]
