"""What payers owe and may owe: exposures from the facts, limits, blocks and proposals as rows.

The rule it protects: one limit of a payer and currency is in force, one request of a payer is open, one proposal of an
item: of two people who ask at once one gets nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Date,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.directory.tables import directory_entity
from services.scheduler.store.asking import among, plain
from services.scheduler.tables import (
    credit_block,
    credit_limit,
    credit_note,
    debtor,
    item,
    payer_case,
    payer_owing,
    payment,
    write_off_proposal,
)

Row = Mapping[str, Any]
FIGURES = ("not_due", "overdue", "on_account")


def _owed(tenant: UUID, now: datetime, payers: Collection[UUID] | None) -> Select[Any]:
    zone = func.coalesce(directory_entity.c.time_zone, "Europe/Paris")
    today = cast(func.timezone(zone, literal(now)), Date)
    left = func.coalesce(item.c.residual_minor, item.c.amount_minor)
    mine = and_(payer_case.c.tenant_id == item.c.tenant_id, payer_case.c.case_id == item.c.case_id)
    where = and_(directory_entity.c.tenant_id == item.c.tenant_id, directory_entity.c.entity_id == item.c.entity_id)
    sums = [
        func.sum(case((item.c.due_date >= today, left), else_=0)).label("not_due"),
        func.sum(case((item.c.due_date < today, left), else_=0)).label("overdue"),
        literal(0).label("on_account"),
    ]
    asked = select(payer_case.c.payer_id, item.c.currency, *sums).select_from(
        item.join(payer_case, mine).outerjoin(directory_entity, where)
    )
    asked = asked.where(item.c.tenant_id == tenant, item.c.open, item.c.due_date.is_not(None))
    if payers is not None:
        asked = asked.where(among(payer_case.c.payer_id, payers))
    return asked.group_by(payer_case.c.payer_id, item.c.currency)


def _on_account(table: Any, tenant: UUID, payers: Collection[UUID] | None, *where: Any) -> Select[Any]:
    sums = [literal(0).label("not_due"), literal(0).label("overdue"), func.sum(table.c.unapplied_minor)]
    asked = select(table.c.payer_id, table.c.currency, *sums[:2], sums[2].label("on_account"))
    asked = asked.where(table.c.tenant_id == tenant, table.c.unapplied_minor > 0, table.c.payer_id.is_not(None), *where)
    if payers is not None:
        asked = asked.where(among(table.c.payer_id, payers))
    return asked.group_by(table.c.payer_id, table.c.currency)


def _exposures(tenant: UUID, now: datetime, payers: Collection[UUID] | None) -> Subquery:
    answered = credit_note.c.answered_version >= credit_note.c.issued_version
    parts = union_all(
        _owed(tenant, now, payers),
        _on_account(payment, tenant, payers, ~payment.c.reversed),
        _on_account(credit_note, tenant, payers, answered),
    ).subquery("parts")
    sums = [func.sum(parts.c[name]).label(name) for name in FIGURES]
    return (
        select(parts.c.payer_id, parts.c.currency, *sums).group_by(parts.c.payer_id, parts.c.currency).subquery("sums")
    )


async def exposures(db: AsyncConnection, tenant: UUID, payers: Collection[UUID], now: datetime) -> list[Row]:
    """What these payers owe by currency: rows of payer_id, currency, not_due, overdue, on_account (minor units)."""
    found = await db.execute(select(_exposures(tenant, now, payers)))
    return [plain(row) for row in found]


async def accounts(
    db: AsyncConnection, tenant: UUID, now: datetime, limit: int, after: UUID | None, *, over: bool, blocked: bool
) -> list[UUID]:
    """Payers that owe something, in the order of their ids; only those over their limit, or blocked, if asked."""
    payer, asked = _beyond(tenant, now) if over else _owing(tenant)
    if blocked:
        asked = asked.where(payer.in_(_blocked(tenant)))
    if after is not None:
        asked = asked.where(payer > after)
    return list((await db.scalars(asked.order_by(payer).limit(limit))).all())


def _owing(tenant: UUID) -> tuple[Any, Select[Any]]:
    mine = and_(item.c.tenant_id == payer_case.c.tenant_id, item.c.case_id == payer_case.c.case_id, item.c.open)
    asked = select(payer_case.c.payer_id).where(payer_case.c.tenant_id == tenant)
    return payer_case.c.payer_id, asked.where(select(item.c.item_id).where(mine).exists())


def _beyond(tenant: UUID, now: datetime) -> tuple[Any, Select[Any]]:
    """Payers whose exposure is over a limit in force. Limits are read in the order of their payers until a page is
    full. What is owed in all is asked first: of most it is less than the limit, whatever they have on account."""
    limit, kept = credit_limit.c, payer_owing
    where = and_(directory_entity.c.tenant_id == limit.tenant_id, directory_entity.c.entity_id == limit.entity_id)
    today = cast(func.timezone(func.coalesce(directory_entity.c.time_zone, "Europe/Paris"), literal(now)), Date)
    stands = and_(*_same(kept, "currency"), kept.c.told == payer_case.c.told)
    owed = func.coalesce(kept.c.owed_minor, _owed_in())
    paid = _to_credit(payment, ~payment.c.reversed)
    credited = _to_credit(credit_note, credit_note.c.answered_version >= credit_note.c.issued_version)
    whose = credit_limit.outerjoin(directory_entity, where).join(payer_case, and_(*_same(payer_case)))
    asked = select(limit.payer_id).distinct().select_from(whose.outerjoin(kept, stands))
    asked = asked.where(limit.tenant_id == tenant, limit.state == "approved", limit.valid_from <= today)
    asked = asked.where(func.coalesce(limit.valid_until >= today, True))
    return limit.payer_id, asked.where(owed > limit.amount_minor, owed - paid - credited > limit.amount_minor)


def _same(table: Any, *names: str) -> list[Any]:
    """That a table's rows are about the payer of a limit."""
    return [table.c[name] == credit_limit.c[name] for name in ("tenant_id", "payer_id", *names)]


def _owed_in() -> Any:
    """What the payer of a limit owes in its currency, added up."""
    left = func.sum(func.coalesce(item.c.residual_minor, item.c.amount_minor))
    mine = (item.c.tenant_id == payer_case.c.tenant_id, item.c.case_id == payer_case.c.case_id)
    asked = select(func.coalesce(left, 0)).where(*mine, item.c.open, item.c.due_date.is_not(None))
    return asked.where(item.c.currency == credit_limit.c.currency).correlate(payer_case, credit_limit).scalar_subquery()


@cache
def _keeping() -> Insert:
    """Keep what payers owe of whom something was told since it was added up."""
    names = ("tenant_id", "payer_id", "currency")
    stands = and_(*_same(payer_owing, "currency"), payer_owing.c.told == payer_case.c.told)
    whose = credit_limit.join(payer_case, and_(*_same(payer_case)))
    stale = select(*(credit_limit.c[name] for name in names), _owed_in(), payer_case.c.told).select_from(whose)
    stale = stale.where(credit_limit.c.state == "approved", ~select(payer_owing.c.told).where(stands).exists())
    stale = stale.order_by(*(credit_limit.c[name] for name in names)).limit(bindparam("most"))
    adding = upsert(payer_owing).from_select([*names, "owed_minor", "told"], stale)
    told = {name: adding.excluded[name] for name in ("owed_minor", "told")}
    newer = adding.excluded.told > payer_owing.c.told
    return adding.on_conflict_do_update(index_elements=list(payer_owing.primary_key), set_=told, where=newer)


async def keep_owing(db: AsyncConnection, most: int) -> int:
    """Add up what payers with a limit owe, of whom something was told since: at most so many; how many there were."""
    return (await db.execute(_keeping(), {"most": most})).rowcount


def _to_credit(table: Any, *where: Any) -> Any:
    """What of a table's rows is to the credit of the payer of a limit, in its currency."""
    asked = select(func.sum(table.c.unapplied_minor)).where(
        *_same(table, "currency"), table.c.unapplied_minor > 0, *where
    )
    return func.coalesce(asked.scalar_subquery(), 0)


def _blocked(tenant: UUID) -> Select[Any]:
    return select(_standing(tenant).c.payer_id)


def _standing(tenant: UUID) -> Subquery:
    """The blocks that hold now: the last approved act of each payer, where it is one."""
    told = (credit_block.c.payer_id, credit_block.c.act, credit_block.c.decided_at, credit_block.c.reason)
    last = (
        select(*told)
        .where(credit_block.c.tenant_id == tenant, credit_block.c.state == "approved")
        .ext(distinct_on(credit_block.c.payer_id))
        .order_by(credit_block.c.payer_id, credit_block.c.decided_at.desc(), credit_block.c.block_id.desc())
        .subquery("last")
    )
    return select(last).where(last.c.act == "block").subquery("standing")


async def blocked(db: AsyncConnection, tenant: UUID, payers: Collection[UUID]) -> dict[UUID, Row]:
    """Those of these payers whose deliveries are stopped, with since when and why: decided_at, reason."""
    standing = _standing(tenant)
    rows = await db.execute(select(standing).where(among(standing.c.payer_id, payers)))
    return {row.payer_id: plain(row) for row in rows}


async def payers(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> dict[UUID, Any]:
    """Debtor → its file here, for those that somebody described."""
    chosen = (debtor.c.debtor_id, debtor.c.entity_id, debtor.c.external_id, debtor.c.party_id, debtor.c.payer_id)
    asked = select(*chosen).where(debtor.c.tenant_id == tenant, among(debtor.c.debtor_id, ids), debtor.c.version > 0)
    return {row.debtor_id: row for row in await db.execute(asked)}


async def limits(db: AsyncConnection, tenant: UUID, payers: Collection[UUID]) -> list[Row]:
    """The limits of these payers that somebody approved and nobody replaced."""
    chosen = (credit_limit.c.tenant_id == tenant, credit_limit.c.state == "approved")
    asked = select(credit_limit).where(*chosen, among(credit_limit.c.payer_id, payers))
    return [plain(row) for row in await db.execute(asked)]


async def approve_limit(db: AsyncConnection, row: Row, by: str, at: datetime) -> Row:
    """This limit holds; the one of the same payer and currency before it is replaced."""
    same = [credit_limit.c[name] == row[name] for name in ("tenant_id", "payer_id", "currency")]
    await db.execute(update(credit_limit).where(*same, credit_limit.c.state == "approved").values(state="replaced"))
    approving = (
        update(credit_limit)
        .where(credit_limit.c.tenant_id == row["tenant_id"], credit_limit.c.limit_id == row["limit_id"])
        .values(state="approved", approved_by=by, approved_at=at)
        .returning(credit_limit)
    )
    return plain((await db.execute(approving)).one())


async def request_block(db: AsyncConnection, row: Row) -> Row | None:
    """Ask for a block or its end; None when a request of the payer is open."""
    asking = upsert(credit_block).values(dict(row)).on_conflict_do_nothing().returning(credit_block)
    found = (await db.execute(asking)).one_or_none()
    return None if found is None else plain(found)


async def propose_write_off(db: AsyncConnection, row: Row) -> Row | None:
    """Propose to write an item off; None when there is a proposal already."""
    asking = upsert(write_off_proposal).values(dict(row)).on_conflict_do_nothing().returning(write_off_proposal)
    found = (await db.execute(asking)).one_or_none()
    return None if found is None else plain(found)


async def add(db: AsyncConnection, table: Any, row: Row) -> Row:
    """Keep a row; answers it as it stands then."""
    return plain((await db.execute(insert(table).values(dict(row)).returning(table))).one())


async def change(db: AsyncConnection, table: Any, row: Row, **facts: Any) -> Row:
    """Change the row with the key of `row`; answers it as it stands then."""
    mine = [column == row[column.name] for column in table.primary_key]
    return plain((await db.execute(update(table).where(*mine).values(**facts).returning(table))).one())


async def page(
    db: AsyncConnection, table: Any, tenant: UUID, limit: int, after: UUID | None, **equals: Any
) -> Sequence[Row]:
    """Rows of a table in the order of their ids, where columns equal what is given; None asks nothing."""
    key = next(column for column in table.primary_key if column.name != "tenant_id")
    wanted = [table.c[name] == value for name, value in equals.items() if value is not None]
    asked = select(table).where(table.c.tenant_id == tenant, *wanted)
    if after is not None:
        asked = asked.where(key > after)
    return [plain(row) for row in await db.execute(asked.order_by(key).limit(limit))]
