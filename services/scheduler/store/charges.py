"""Charges as rows: what they are counted from, rates and terms, and the claims; never two of one day of an item.

The rule it protects: `charge_once_a_day` and `charge_one_lump_sum`: of two people who claim at once one gets nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import and_, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.directory.tables import directory_entity
from libs.common.sets import adding, columns, inserting
from services.scheduler.store.asking import among, plain
from services.scheduler.tables import charge, charge_rate, charge_terms, debtor, item, item_money, residual_fact

Row = Mapping[str, Any]
MONEY = ("tenant_id", "item_id", "item_version", "cause", "payment_id", "given_minor", "on_date")


async def told(db: AsyncConnection, rows: Sequence[Row]) -> None:
    """By which payments residuals came to be: rows of MONEY. What is told twice is kept once."""
    if rows:
        ordered = sorted(rows, key=lambda row: (row["tenant_id"], row["item_id"], row["item_version"]))
        await db.execute(adding(item_money, MONEY), columns(ordered))


async def money_of(db: AsyncConnection, tenant: UUID, items: Collection[UUID]) -> list[Any]:
    """Every residual told of these items with the payment behind it, if any."""
    same = and_(
        item_money.c.tenant_id == residual_fact.c.tenant_id,
        item_money.c.item_id == residual_fact.c.item_id,
        item_money.c.item_version == residual_fact.c.item_version,
    )
    asked = (
        select(
            residual_fact.c.item_id,
            residual_fact.c.item_version,
            residual_fact.c.residual_minor,
            item_money.c.cause,
            item_money.c.payment_id,
            item_money.c.given_minor,
            item_money.c.on_date,
        )
        .outerjoin(item_money, same)
        .where(residual_fact.c.tenant_id == tenant, among(residual_fact.c.item_id, items))
    )
    return list(await db.execute(asked))


async def claims_of(
    db: AsyncConnection, tenant: UUID, items: Collection[UUID], invoices: Collection[UUID]
) -> list[Row]:
    """The charges of these items, and the lump sums of these invoices."""
    mine = or_(among(charge.c.item_id, items), and_(charge.c.kind == "lump_sum", among(charge.c.invoice_id, invoices)))
    return [plain(row) for row in await db.execute(select(charge).where(charge.c.tenant_id == tenant, mine))]


async def numbers_of(db: AsyncConnection, tenant: UUID, numbers: Collection[str]) -> set[str]:
    """Those of these invoice numbers under which charges were invoiced."""
    asked = select(charge.c.invoice_number).where(
        charge.c.tenant_id == tenant, charge.c.invoice_number.in_(sorted(numbers)), charge.c.state != "waived"
    )
    return set((await db.scalars(asked)).all()) if numbers else set()


async def terms_now(db: AsyncConnection, tenant: UUID, scopes: Collection[UUID]) -> dict[UUID, Row]:
    """Company or debtor → its terms, for those that have any."""
    asked = (
        select(charge_terms)
        .where(charge_terms.c.tenant_id == tenant, among(charge_terms.c.scope_id, scopes))
        .order_by(charge_terms.c.set_at, charge_terms.c.terms_id)
    )
    # The last of a scope takes the place of those before it.
    return {row.scope_id: plain(row) for row in await db.execute(asked)}


async def set_terms(db: AsyncConnection, row: Row) -> None:
    """Terms from now on."""
    await db.execute(insert(charge_terms).values(dict(row)))


async def files(db: AsyncConnection, tenant: UUID, debtors: Collection[UUID]) -> dict[UUID, Any]:
    """Debtor → profile, consumer, intercompany, for those that somebody described."""
    chosen = (debtor.c.debtor_id, debtor.c.profile, debtor.c.consumer, debtor.c.intercompany)
    asked = select(*chosen).where(debtor.c.tenant_id == tenant, among(debtor.c.debtor_id, debtors))
    return {row.debtor_id: row for row in await db.execute(asked.where(debtor.c.version > 0))}


async def countries(db: AsyncConnection, tenant: UUID) -> dict[UUID, str]:
    """Company → its country."""
    asked = select(directory_entity.c.entity_id, directory_entity.c.country)
    found = await db.execute(asked.where(directory_entity.c.tenant_id == tenant))
    return {row.entity_id: row.country for row in found}


async def rates(db: AsyncConnection, tenant: UUID, *, state: str | None = None, series: str | None = None) -> list[Row]:
    """The tenant's own rates by index, day and time of entry."""
    asked = select(charge_rate).where(charge_rate.c.tenant_id == tenant)
    if state is not None:
        asked = asked.where(charge_rate.c.state == state)
    if series is not None:
        asked = asked.where(charge_rate.c.series == series)
    ordered = asked.order_by(charge_rate.c.series, charge_rate.c.valid_from, charge_rate.c.rate_id)
    return [plain(row) for row in await db.execute(ordered)]


async def enter_rate(db: AsyncConnection, row: Row) -> None:
    """A rate that a second person has to approve."""
    await db.execute(insert(charge_rate).values(dict(row)))


async def rate(db: AsyncConnection, tenant: UUID, rate_id: UUID) -> Row | None:
    """One of the tenant's rates, locked."""
    asked = select(charge_rate).where(charge_rate.c.tenant_id == tenant, charge_rate.c.rate_id == rate_id)
    row = (await db.execute(asked.with_for_update())).one_or_none()
    return None if row is None else plain(row)


async def approve_rate(db: AsyncConnection, row: Row, by: str, at: datetime) -> Row:
    """This rate holds from now on; the one approved before it for the same day is replaced."""
    same = (
        charge_rate.c.tenant_id == row["tenant_id"],
        charge_rate.c.series == row["series"],
        charge_rate.c.valid_from == row["valid_from"],
        charge_rate.c.state == "approved",
    )
    await db.execute(update(charge_rate).where(*same).values(state="replaced"))
    approving = (
        update(charge_rate)
        .where(charge_rate.c.tenant_id == row["tenant_id"], charge_rate.c.rate_id == row["rate_id"])
        .values(state="approved", approved_by=by, approved_at=at)
        .returning(charge_rate)
    )
    return plain((await db.execute(approving)).one())


async def claim(db: AsyncConnection, rows: Sequence[Row]) -> list[Row]:
    """Quote or decide these claims: a quote may be replaced, what was decided stays. Returns the rows that took."""
    if not rows:
        return []
    return [plain(row) for row in await db.execute(_claiming(tuple(rows[0])), columns(rows))]


@cache
def _claiming(names: tuple[str, ...]) -> Any:
    making = inserting(charge, names)
    kept = {name: making.excluded[name] for name in names if name not in ("tenant_id", "charge_id", "first_day")}
    return making.on_conflict_do_update(
        index_elements=["tenant_id", "charge_id"],
        set_=kept | {"version": charge.c.version + 1},
        where=charge.c.state == "quoted",
    ).returning(charge)


async def one(db: AsyncConnection, tenant: UUID, charge_id: UUID) -> Row | None:
    """One charge, locked."""
    asked = select(charge).where(charge.c.tenant_id == tenant, charge.c.charge_id == charge_id)
    row = (await db.execute(asked.with_for_update())).one_or_none()
    return None if row is None else plain(row)


async def change(db: AsyncConnection, tenant: UUID, charge_id: UUID, **facts: Any) -> Row:
    """Change one charge and raise its version."""
    changing = (
        update(charge)
        .where(charge.c.tenant_id == tenant, charge.c.charge_id == charge_id)
        .values(version=charge.c.version + 1, **facts)
        .returning(charge)
    )
    return plain((await db.execute(changing)).one())


async def page(
    db: AsyncConnection, tenant: UUID, limit: int, after: UUID | None, *, state: str | None, item_id: UUID | None
) -> list[Row]:
    """Charges in the order of their ids."""
    asked = select(charge).where(charge.c.tenant_id == tenant)
    if state is not None:
        asked = asked.where(charge.c.state == state)
    if item_id is not None:
        asked = asked.where(charge.c.item_id == item_id)
    if after is not None:
        asked = asked.where(charge.c.charge_id > after)
    return [plain(row) for row in await db.execute(asked.order_by(charge.c.charge_id).limit(limit))]


async def late(
    db: AsyncConnection, tenant: UUID, today: date, limit: int, after: UUID | None, *, entity: UUID | None
) -> list[Row]:
    """Items that are or were paid late and of which not all is decided, in the order of their ids."""
    decided = charge.alias("decided")
    over = (
        select(decided.c.charge_id)
        .where(decided.c.tenant_id == item.c.tenant_id, decided.c.item_id == item.c.item_id)
        .where(decided.c.kind == "interest", decided.c.state != "quoted")
        .where(or_(decided.c.ends, and_(~item.c.open, decided.c.last_day >= item.c.settled_on)))
    )
    lump = charge.alias("lump")
    lump_over = (
        select(lump.c.charge_id)
        .where(lump.c.tenant_id == item.c.tenant_id, lump.c.invoice_id == item.c.invoice_id)
        .where(lump.c.kind == "lump_sum", lump.c.state != "quoted")
    )
    asked = select(item).where(
        item.c.tenant_id == tenant,
        item.c.due_date < today,
        item.c.invoice_version > item.c.cancelled_version,
        or_(item.c.open, item.c.settled_on > item.c.due_date),
        or_(~over.exists(), ~lump_over.exists()),
    )
    if entity is not None:
        asked = asked.where(item.c.entity_id == entity)
    if after is not None:
        asked = asked.where(item.c.item_id > after)
    return [plain(row) for row in await db.execute(asked.order_by(item.c.item_id).limit(limit))]


async def collected(db: AsyncConnection, rows: Sequence[Row]) -> None:
    """Items that were settled: charges invoiced under their numbers are collected. Rows of tenant_id, item_id."""
    ids = {row["item_id"] for row in rows}
    settled = item.alias("settled")
    taking = (
        update(charge)
        .where(charge.c.tenant_id == settled.c.tenant_id, charge.c.invoice_number == settled.c.number)
        .where(charge.c.entity_id == settled.c.entity_id, charge.c.state == "invoiced")
        .where(among(settled.c.item_id, ids), among(settled.c.tenant_id, {row["tenant_id"] for row in rows}))
        .where(~settled.c.open)
        .values(
            state="collected",
            collected_on=func.coalesce(settled.c.settled_on, settled.c.due_date),
            version=charge.c.version + 1,
        )
    )
    await db.execute(taking)


async def reopened(db: AsyncConnection, tenant: UUID, item_id: UUID) -> None:
    """An item owes again: charges that were collected by it are invoiced as before."""
    back = item.alias("back")
    giving_back = (
        update(charge)
        .where(charge.c.tenant_id == back.c.tenant_id, charge.c.invoice_number == back.c.number)
        .where(charge.c.entity_id == back.c.entity_id, charge.c.state == "collected")
        .where(back.c.tenant_id == tenant, back.c.item_id == item_id, back.c.open)
        .values(state="invoiced", collected_on=None, version=charge.c.version + 1)
    )
    await db.execute(giving_back)


async def knows(db: AsyncConnection, tenant: UUID, scope: str, scope_id: UUID) -> bool:
    """Whether there is such a company or debtor."""
    table, key = (directory_entity, "entity_id") if scope == "entity" else (debtor, "debtor_id")
    asked = select(table.c[key]).where(table.c.tenant_id == tenant, table.c[key] == scope_id)
    return (await db.execute(asked)).first() is not None
