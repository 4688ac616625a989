"""What people have to do: calls, replies to read, contacts to find, letters to post."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.store.pairs import Pair, of_pairs, pairs, parameters
from services.notifier.tables import notice_line, task


async def add(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        await db.execute(insert(task), list(rows))


async def one(db: AsyncConnection, tenant: UUID, task_id: UUID, *, locked: bool = False) -> Any | None:
    """One task, or None."""
    query = select(task).where(task.c.tenant_id == tenant, task.c.task_id == task_id)
    return (await db.execute(query.with_for_update() if locked else query)).one_or_none()


async def change(db: AsyncConnection, tenant: UUID, task_id: UUID, **values: Any) -> Any:
    """Set columns and raise the version; answers the row as it stands then."""
    changing = update(task).where(task.c.tenant_id == tenant, task.c.task_id == task_id)
    return (await db.execute(changing.values(version=task.c.version + 1, **values).returning(task))).one()


async def open_call_of(db: AsyncConnection, tenant: UUID, payer_id: UUID) -> Any | None:
    """The call to this payer that has waited longest, locked; None when none waits."""
    of_payer = (task.c.tenant_id == tenant, task.c.payer_id == payer_id, task.c.state == "open", task.c.kind == "call")
    query = select(task).where(*of_payer).order_by(task.c.task_id).limit(1).with_for_update()
    return (await db.execute(query)).one_or_none()


async def open_contact_task(db: AsyncConnection, tenant: UUID, case_id: UUID) -> bool:
    """Whether somebody is already looking for a contact in this case."""
    query = select(task.c.task_id).where(
        task.c.tenant_id == tenant, task.c.case_id == case_id, task.c.state == "open", task.c.kind == "contact"
    )
    return (await db.execute(query.limit(1))).first() is not None


async def open_calls_about(db: AsyncConnection, items: Collection[Pair]) -> list[Any]:
    """Open calls, visits and proposals whose notice has a line with one of these items, locked."""
    about = select(notice_line.c.notice_id).join(pairs(), of_pairs(notice_line.c.item_id))
    query = (
        select(task)
        .where(
            task.c.tenant_id == func.any(bindparam("call_tenants", type_=ARRAY(Uuid))),
            task.c.state == "open",
            task.c.kind.in_(("call", "visit", "hand_over")),
            task.c.notice_id.in_(about),
        )
        .order_by(task.c.task_id)
        .with_for_update()
    )
    tenants = sorted({tenant for tenant, _ in items})
    return list(await db.execute(query, parameters(items) | {"call_tenants": tenants}))


async def forget_payers(db: AsyncConnection, erased: Collection[Pair]) -> None:
    """What tasks say about these payers is emptied."""
    change = update(task).where(of_pairs(task.c.payer_id)).values(title="", body="", remark=None)
    await db.execute(change, parameters(erased))


async def page(
    db: AsyncConnection, tenant: UUID, *, where: Sequence[ColumnElement[bool]], after: UUID | None, most: int
) -> list[Any]:
    """Tasks of a tenant in the order of their ids."""
    query = select(task).where(task.c.tenant_id == tenant, *where).order_by(task.c.task_id).limit(most)
    return list(await db.execute(query.where(task.c.task_id > after) if after else query))
