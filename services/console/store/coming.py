"""What is likely to come, kept by due date and likely day, so that no forecast adds up every open invoice.

The rule it protects: what is kept is what invoices of one item owe now, moved by the habits as they were last measured.
It is changed under the lock of what is kept, in the transaction that changes what an invoice owes, and made anew
whenever habits are measured.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Date, Select, Uuid, and_, cast, delete, func, select, type_coerce
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.projections.tables import ReadModel

NOBODY = UUID(int=0)
"""Whose habit is that of all customers together."""


def _of(model: ReadModel, sign: int, *which: Any) -> Select[Any]:
    """What invoices of one item owe, by likely day; nothing of a tenant whose habits nobody measured."""
    owing, own, all_ = model.owing, model.habit.alias("own"), model.habit.alias("all_")
    of_all = and_(all_.c.tenant_id == owing.c.tenant_id, all_.c.debtor_id == NOBODY)
    of_debtor = and_(own.c.tenant_id == owing.c.tenant_id, own.c.debtor_id == owing.c.debtor_id)
    likely = type_coerce(owing.c.due_date + func.coalesce(own.c.delay, all_.c.delay), Date)
    keys = (owing.c.tenant_id, owing.c.entity_id, owing.c.currency, owing.c.due_date, likely)
    asked = select(*keys, sign * func.sum(owing.c.owed), sign * func.count())
    return asked.select_from(owing.join(all_, of_all).outerjoin(own, of_debtor)).where(*which).group_by(*keys)


async def count(db: AsyncConnection, model: ReadModel, tenant_id: UUID, invoices: Sequence[UUID], sign: int) -> None:
    """Add what these invoices owe, or with -1 take it away."""
    owing, coming = model.owing, model.coming
    mine = (
        owing.c.tenant_id == tenant_id,
        owing.c.invoice_id == func.any(cast(list(invoices), ARRAY(Uuid))),
        owing.c.parts == 1,
    )
    adding = insert(coming).from_select([column.name for column in coming.columns], _of(model, sign, *mine))
    sums = {name: coming.c[name] + adding.excluded[name] for name in ("owed", "items")}
    await db.execute(adding.on_conflict_do_update(index_elements=list(coming.primary_key), set_=sums))


async def anew(db: AsyncConnection, model: ReadModel, tenant_id: UUID) -> None:
    """Add up everything of a tenant, after its habits were measured."""
    coming, owing = model.coming, model.owing
    await db.execute(delete(coming).where(coming.c.tenant_id == tenant_id))
    asked = _of(model, 1, owing.c.tenant_id == tenant_id, owing.c.parts == 1)
    await db.execute(insert(coming).from_select([column.name for column in coming.columns], asked))


def by_day(model: ReadModel, tenant_id: UUID, entity: UUID | None) -> Select[Any]:
    """What is kept: currency, due_date, likely, owed, items."""
    coming = model.coming
    keys = (coming.c.currency, coming.c.due_date, coming.c.likely)
    sums = (func.sum(coming.c.owed).label("owed"), func.sum(coming.c["items"]).label("items"))
    mine = [coming.c.tenant_id == tenant_id, coming.c["items"] > 0]
    mine += [coming.c.entity_id == entity] if entity is not None else []
    return select(*keys, *sums).where(*mine).group_by(*keys)
