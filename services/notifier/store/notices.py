"""Notices with their lines: found, locked, added, moved from state to state."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    Select,
    Text,
    Update,
    and_,
    bindparam,
    cast,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as put
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from libs.common.sets import columns, given
from services.notifier.ending import OPEN, OUTWARD
from services.notifier.revision import NoticeLine
from services.notifier.store.pairs import Pair, of_pairs, pairs, parameters, rows_of
from services.notifier.tables import notice, notice_deduction, notice_line

Row = Mapping[str, Any]
EARLIER = 5
SLIM = tuple(column for column in notice.c if column.name not in ("words", "markup"))
"""A notice without its texts."""


async def add(
    db: AsyncConnection, notices: Sequence[Row], lines: Sequence[Row], deductions: Sequence[Row]
) -> set[UUID]:
    """Add notices with what they print; one whose reminder and rendition are there already is left. Answers the new."""
    adding = put(notice).on_conflict_do_nothing().returning(notice.c.notice_id)
    new = set((await db.scalars(adding, list(notices))).all())
    for table, rows in ((notice_line, lines), (notice_deduction, deductions)):
        fresh = [row for row in rows if row["notice_id"] in new]
        if fresh:
            await db.execute(insert(table), fresh)
    return new


def line_row(tenant: UUID, notice_id: UUID, line: NoticeLine) -> dict[str, Any]:
    """A line as its table keeps it."""
    return {
        "tenant_id": tenant,
        "notice_id": notice_id,
        "occurrence_id": line.occurrence_id,
        "release": line.release,
        "item_id": line.item_id,
        "item_version": line.item_version,
        "invoice_id": line.invoice_id,
        "invoice_version": line.invoice_version,
        "debtor_id": line.debtor_id,
        "number": line.number,
        "issue_date": line.issue_date,
        "due_date": line.due_date,
        "amount": line.amount.minor,
        "residual": line.residual.minor,
        "paused": line.paused.minor if line.paused else None,
        "interest": line.interest.minor if line.interest else None,
        "lump_sum": line.lump_sum.minor if line.lump_sum else None,
        "currency": line.residual.currency,
        "step_key": line.step_key,
        "tone": line.tone,
        "completes": line.completes,
    }


def _line(row: Any) -> NoticeLine:
    return NoticeLine(
        occurrence_id=row.occurrence_id,
        release=row.release,
        item_id=row.item_id,
        item_version=row.item_version,
        invoice_id=row.invoice_id,
        invoice_version=row.invoice_version,
        debtor_id=row.debtor_id,
        number=row.number,
        issue_date=row.issue_date,
        due_date=row.due_date,
        amount=Money(row.amount, row.currency),
        residual=Money(row.residual, row.currency),
        paused=None if row.paused is None else Money(row.paused, row.currency),
        step_key=row.step_key,
        tone=row.tone,
        completes=row.completes,
        interest=None if row.interest is None else Money(row.interest, row.currency),
        lump_sum=None if row.lump_sum is None else Money(row.lump_sum, row.currency),
    )


async def lines(db: AsyncConnection, asked: Collection[Pair]) -> dict[UUID, list[NoticeLine]]:
    """Notice → its lines, oldest first."""
    found: dict[UUID, list[NoticeLine]] = defaultdict(list)
    for row in await rows_of(db, notice_line.c.notice_id, asked):
        found[row.notice_id].append(_line(row))
    for each in found.values():
        each.sort(key=lambda line: (line.due_date, line.number, line.occurrence_id))
    return found


async def deductions(db: AsyncConnection, asked: Collection[Pair]) -> dict[UUID, list[Money]]:
    """Notice → money on account, one sum a currency."""
    found: dict[UUID, list[Money]] = defaultdict(list)
    for row in sorted(await rows_of(db, notice_deduction.c.notice_id, asked), key=lambda each: each.currency):
        found[row.notice_id].append(Money(row.amount, row.currency))
    return found


@cache
def _locking() -> Select[Any]:
    return (
        select(*SLIM)
        .join(pairs(), of_pairs(notice.c.notice_id))
        .where(notice.c.state == func.any(bindparam("states", type_=ARRAY(Text))))
        .order_by(notice.c.tenant_id, notice.c.notice_id)
        .with_for_update(of=notice)
    )


async def lock(db: AsyncConnection, asked: Collection[Pair], states: Sequence[str] = OPEN) -> list[Any]:
    """Those of these notices that stand in one of `states`, locked in the order of their ids."""
    return list(await db.execute(_locking(), parameters(asked) | {"states": list(states)})) if asked else []


async def one(db: AsyncConnection, tenant: UUID, notice_id: UUID, *, locked: bool = False) -> Any | None:
    """One notice, or None."""
    query = select(notice).where(notice.c.tenant_id == tenant, notice.c.notice_id == notice_id)
    return (await db.execute(query.with_for_update() if locked else query)).one_or_none()


@cache
def _due() -> Select[Any]:
    return (
        select(notice)
        .where(notice.c.state == "due", notice.c.next_try_at <= func.clock_timestamp())
        .order_by(notice.c.next_try_at)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
    )


async def claim_due(db: AsyncConnection, most: int) -> list[Any]:
    """Notices waiting to be written, locked for this transaction; other processes take others."""
    return list(await db.execute(_due(), {"most": most}))


async def later(db: AsyncConnection, tenant: UUID, notice_id: UUID, seconds: float) -> None:
    """Try to write it again after so many seconds of the database's clock."""
    change = update(notice).where(notice.c.tenant_id == tenant, notice.c.notice_id == notice_id)
    again = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    await db.execute(change.values(next_try_at=again, tries=notice.c.tries + 1))


async def change(db: AsyncConnection, tenant: UUID, notice_id: UUID, **values: Any) -> Any:
    """Set columns and raise the version; answers the row as it stands then."""
    changing = update(notice).where(notice.c.tenant_id == tenant, notice.c.notice_id == notice_id)
    return (await db.execute(changing.values(version=notice.c.version + 1, **values).returning(notice))).one()


@cache
def _changing(names: tuple[str, ...]) -> Update:
    rows = given(notice, ("tenant_id", "notice_id", *names))
    mine = and_(notice.c.tenant_id == rows.c.tenant_id, notice.c.notice_id == rows.c.notice_id)
    told: dict[str, Any] = {name: rows.c[name] for name in names}
    return update(notice).where(mine).values(**told, version=notice.c.version + 1).returning(*SLIM)


async def change_many(db: AsyncConnection, rows: Sequence[Row]) -> dict[UUID, Any]:
    """The same for many, each with its own values of the same columns; answers them by id as they stand then."""
    if not rows:
        return {}
    names = tuple(name for name in rows[0] if name not in ("tenant_id", "notice_id"))
    return {row.notice_id: row for row in await db.execute(_changing(names), columns(rows))}


def _open() -> ColumnElement[bool]:
    return notice.c.state.in_(OPEN)


async def open_with(db: AsyncConnection, column: Any, asked: Collection[Pair]) -> set[Pair]:
    """Open notices with a line whose `column` (item, invoice, debtor) is one of these."""
    query = (
        select(notice.c.tenant_id, notice.c.notice_id)
        .join(
            notice_line,
            and_(notice_line.c.tenant_id == notice.c.tenant_id, notice_line.c.notice_id == notice.c.notice_id),
        )
        .join(pairs(), of_pairs(column))
        .where(_open())
        .distinct()
    )
    return {(row.tenant_id, row.notice_id) for row in await db.execute(query, parameters(asked))} if asked else set()


async def open_where(db: AsyncConnection, column: Any, asked: Collection[Pair]) -> set[Pair]:
    """Open notices whose own `column` (case, payer, party, entity, reminder, tenant) is one of these."""
    query = select(notice.c.tenant_id, notice.c.notice_id).join(pairs(), of_pairs(column)).where(_open())
    return {(row.tenant_id, row.notice_id) for row in await db.execute(query, parameters(asked))} if asked else set()


async def earlier(db: AsyncConnection, asked: Collection[Pair]) -> dict[Pair, list[datetime]]:
    """(tenant, payer) → when it was written to before, oldest first, the last five."""
    query = (
        select(notice.c.tenant_id, notice.c.payer_id, cast(notice.c.sent_at, Date), func.max(notice.c.sent_at))
        .join(pairs(), of_pairs(notice.c.payer_id))
        .where(notice.c.state == "sent", notice.c.kind.in_(OUTWARD), notice.c.channel != "call_task")
        .group_by(notice.c.tenant_id, notice.c.payer_id, cast(notice.c.sent_at, Date))
        .order_by(func.max(notice.c.sent_at))
    )
    found: dict[Pair, list[datetime]] = defaultdict(list)
    for row in await db.execute(query, parameters(asked)):
        found[row.tenant_id, row.payer_id].append(row.max)
    return {key: instants[-EARLIER:] for key, instants in found.items()}


async def page(
    db: AsyncConnection, tenant: UUID, *, where: Sequence[ColumnElement[bool]], after: UUID | None, most: int
) -> list[Any]:
    """Notices of a tenant in the order of their ids, without their texts."""
    query = select(*SLIM).where(notice.c.tenant_id == tenant, *where).order_by(notice.c.notice_id).limit(most)
    return list(await db.execute(query.where(notice.c.notice_id > after) if after else query))


async def proposed_set(db: AsyncConnection, tenant: UUID, where: Sequence[ColumnElement[bool]]) -> list[Any]:
    """The proposed notices that a bulk approval means, locked: never a formal notice."""
    query = select(notice).where(notice.c.tenant_id == tenant, notice.c.state == "proposed", *where)
    return list(await db.execute(query.order_by(notice.c.notice_id).with_for_update()))


async def forget_payers(db: AsyncConnection, erased: Collection[Pair]) -> None:
    """The texts to these payers are emptied; what was sent, when and about which invoice stays."""
    empty = {"subject": None, "words": None, "markup": None, "note": None, "recipients": None}
    await db.execute(update(notice).where(of_pairs(notice.c.payer_id)).values(**empty), parameters(erased))


async def waiting(db: AsyncConnection) -> int:
    """How many notices wait for approval, over all tenants."""
    return int(await db.scalar(select(func.count()).select_from(notice).where(notice.c.state == "proposed")) or 0)


async def unwritten(db: AsyncConnection) -> int:
    """How many notices wait to be written, over all tenants."""
    return int(await db.scalar(select(func.count()).select_from(notice).where(notice.c.state == "due")) or 0)


def filtered(
    entity: UUID | None, kind: str | None, tone: int | None, step_key: str | None
) -> list[ColumnElement[bool]]:
    """What a list or a bulk approval may be narrowed by."""
    asked = ((notice.c.entity_id, entity), (notice.c.kind, kind), (notice.c.tone, tone), (notice.c.step_key, step_key))
    return [column == value for column, value in asked if value is not None]
