"""Recovery files as rows: prepared, handed over, ended; and which items are ripe for one.

The rule it protects: an item is in one open file at a time, and the sealed bytes are written once.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns
from services.scheduler.store.asking import among, plain
from services.scheduler.tables import (
    dispute,
    item,
    occurrence,
    payer_case,
    plan,
    promise,
    recovery_file,
    recovery_item,
    recovery_step,
)

Row = Mapping[str, Any]
FACTS = tuple(column for column in recovery_file.c if column.name != "content")
"""A file without its bytes."""
OUTSIDE = ("handed_over", "judicial")


async def add(db: AsyncConnection, row: Row, items: Sequence[Row]) -> set[UUID]:
    """A file with its items; the items that are in no other open file."""
    await db.execute(insert(recovery_file).values(dict(row)))
    keys = {"tenant_id": row["tenant_id"], "file_id": row["file_id"]}
    rows = [{**keys, **each} for each in items]
    taking = adding(recovery_item, tuple(rows[0])).returning(recovery_item.c.item_id)
    return set((await db.scalars(taking, columns(rows))).all())


async def one(db: AsyncConnection, tenant: UUID, file_id: UUID, *, lock: bool = False) -> Row | None:
    """A file without its bytes; None when there is none."""
    asked = select(*FACTS).where(recovery_file.c.tenant_id == tenant, recovery_file.c.file_id == file_id)
    row = (await db.execute(asked.with_for_update() if lock else asked)).one_or_none()
    return None if row is None else plain(row)


async def content(db: AsyncConnection, tenant: UUID, file_id: UUID) -> bytes | None:
    """The sealed bytes, once it was handed over."""
    mine = (recovery_file.c.tenant_id == tenant, recovery_file.c.file_id == file_id)
    return await db.scalar(select(recovery_file.c.content).where(*mine))


async def items(db: AsyncConnection, tenant: UUID, file_id: UUID) -> list[Row]:
    """The rows of a file's items as they stand now, with what they owed when it was prepared, the oldest first."""
    same = and_(item.c.tenant_id == recovery_item.c.tenant_id, item.c.item_id == recovery_item.c.item_id)
    asked = (
        select(item, recovery_item.c.owed_minor, recovery_item.c.state.label("in_file"))
        .join(recovery_item, same)
        .where(recovery_item.c.tenant_id == tenant, recovery_item.c.file_id == file_id)
        .order_by(item.c.due_date, item.c.number, item.c.item_id)
    )
    return [plain(row) for row in await db.execute(asked)]


async def change(db: AsyncConnection, tenant: UUID, file_id: UUID, **facts: Any) -> Row:
    """Change a file and raise its version; once it has ended its items are free for another."""
    mine = (recovery_file.c.tenant_id == tenant, recovery_file.c.file_id == file_id)
    changing = update(recovery_file).where(*mine).values(version=recovery_file.c.version + 1, **facts)
    row = plain((await db.execute(changing.returning(*FACTS))).one())
    if row["ended_at"] is not None:
        theirs = (recovery_item.c.tenant_id == tenant, recovery_item.c.file_id == file_id)
        await db.execute(update(recovery_item).where(*theirs).values(state="over"))
    return row


async def note(db: AsyncConnection, row: Row) -> None:
    """One step of a file's course: who did what, when and why."""
    await db.execute(insert(recovery_step).values(dict(row)))


async def steps(db: AsyncConnection, tenant: UUID, file_id: UUID) -> list[Row]:
    """The course of a file so far."""
    asked = select(recovery_step).where(recovery_step.c.tenant_id == tenant, recovery_step.c.file_id == file_id)
    return [plain(row) for row in await db.execute(asked.order_by(recovery_step.c.number))]


async def page(
    db: AsyncConnection, tenant: UUID, limit: int, after: UUID | None, *, state: str | None, payer: UUID | None
) -> list[Row]:
    """Files in the order in which they were prepared."""
    asked = select(*FACTS).where(recovery_file.c.tenant_id == tenant)
    if state is not None:
        asked = asked.where(recovery_file.c.state == state)
    if payer is not None:
        asked = asked.where(recovery_file.c.payer_id == payer)
    if after is not None:
        asked = asked.where(recovery_file.c.file_id > after)
    return [plain(row) for row in await db.execute(asked.order_by(recovery_file.c.file_id).limit(limit))]


async def warned(db: AsyncConnection, tenant: UUID, today: date, days: int, limit: int) -> list[Row]:
    """Open items after a formal notice, due so many days ago and in no file, the oldest first."""
    formal = (
        select(occurrence.c.occurrence_id)
        .where(occurrence.c.tenant_id == item.c.tenant_id, occurrence.c.item_id == item.c.item_id)
        .where(occurrence.c.kind == "formal_notice", occurrence.c.state == "completed")
        .exists()
    )
    mine = and_(payer_case.c.tenant_id == item.c.tenant_id, payer_case.c.case_id == item.c.case_id)
    asked = (
        select(item.c.item_id, item.c.number, item.c.due_date, item.c.currency, item.c.entity_id, payer_case.c.payer_id)
        .join(payer_case, mine)
        .where(item.c.tenant_id == tenant, item.c.open, item.c.due_date <= today - timedelta(days=days), formal)
        .where(~_in_a_file())
    )
    return [plain(row) for row in await db.execute(asked.order_by(item.c.due_date, item.c.item_id).limit(limit))]


def _in_a_file() -> Any:
    mine = (recovery_item.c.tenant_id == item.c.tenant_id, recovery_item.c.item_id == item.c.item_id)
    return select(recovery_item.c.file_id).where(*mine, recovery_item.c.state == "open").exists()


async def free(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> set[UUID]:
    """Those of these items that are in no open file."""
    asked = select(item.c.item_id).where(item.c.tenant_id == tenant, among(item.c.item_id, ids), ~_in_a_file())
    return set((await db.scalars(asked)).all())


async def disputed(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> set[UUID]:
    """Those of these items about which a dispute is open."""
    asked = select(dispute.c.item_id).where(dispute.c.tenant_id == tenant, dispute.c.closed_at.is_(None))
    return set((await db.scalars(asked.where(among(dispute.c.item_id, ids)))).all())


async def history(db: AsyncConnection, tenant: UUID, case: UUID) -> dict[str, list[Row]]:
    """Every promise, plan and dispute of a case."""
    found: dict[str, list[Row]] = {}
    for table in (promise, plan, dispute):
        asked = select(table).where(table.c.tenant_id == tenant, table.c.case_id == case)
        found[table.name] = [plain(row) for row in await db.execute(asked.order_by(*table.primary_key))]
    return found


async def paid(db: AsyncConnection, most: int) -> list[Row]:
    """Files of all tenants that somebody else has and of which nothing is owed any more, locked."""
    same = and_(item.c.tenant_id == recovery_item.c.tenant_id, item.c.item_id == recovery_item.c.item_id)
    owing = (
        select(literal(1)).select_from(recovery_item.join(item, same))
        .where(*(recovery_item.c[name] == recovery_file.c[name] for name in ("tenant_id", "file_id")))
        .where(item.c.open).exists()
    )  # fmt: skip
    asked = select(*FACTS).where(recovery_file.c.state.in_(OUTSIDE), ~owing)
    found = await db.execute(asked.limit(most).with_for_update(skip_locked=True))
    return [plain(row) for row in found]
