"""Items of imported history that wait for a person: chosen by list or by filter, locked, decided in one statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Update, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import columns, given
from services.scheduler.store.asking import among, plain
from services.scheduler.tables import item, payer_case

_DECIDED = ("tenant_id", "item_id", "take_over_decision", "take_over_on", "take_over_at")


@dataclass(frozen=True)
class Chosen:
    """Which waiting items are meant: these, or all that fit. With nothing given, all of the tenant."""

    item_ids: Sequence[UUID] | None = None
    entity_id: UUID | None = None
    payer_id: UUID | None = None
    due_from: date | None = None
    due_to: date | None = None


async def some(db: AsyncConnection, tenant: UUID, chosen: Chosen, most: int) -> list[Mapping[str, Any]]:
    """The open items that wait, oldest due first, with the payer of their case."""
    return [plain(row) for row in await db.execute(_waiting(tenant, chosen).limit(most))]


async def locked(db: AsyncConnection, tenant: UUID, chosen: Chosen, most: int) -> list[Mapping[str, Any]]:
    """The same once their cases are locked, in the order of their ids."""
    theirs = select(item.c.case_id).where(*_conditions(tenant, chosen))
    cases = select(payer_case.c.case_id).where(payer_case.c.tenant_id == tenant, payer_case.c.case_id.in_(theirs))
    await db.execute(cases.order_by(payer_case.c.case_id).with_for_update())
    return await some(db, tenant, chosen, most)


async def decide(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """What a person decided about these items: rows of tenant_id, item_id, take_over_decision, _on and _at."""
    if rows:
        await db.execute(_deciding(), columns([{name: row[name] for name in _DECIDED} for row in rows]))


def _conditions(tenant: UUID, chosen: Chosen) -> list[Any]:
    waits = [item.c.tenant_id == tenant, item.c.take_over, item.c.take_over_decision.is_(None), item.c.open]
    if chosen.item_ids is not None:
        waits.append(among(item.c.item_id, chosen.item_ids))
    if chosen.entity_id is not None:
        waits.append(item.c.entity_id == chosen.entity_id)
    if chosen.payer_id is not None:
        mine = select(payer_case.c.case_id).where(
            payer_case.c.tenant_id == tenant, payer_case.c.payer_id == chosen.payer_id
        )
        waits.append(item.c.case_id.in_(mine))
    if chosen.due_from is not None:
        waits.append(item.c.due_date >= chosen.due_from)
    if chosen.due_to is not None:
        waits.append(item.c.due_date <= chosen.due_to)
    return [*waits, item.c.case_id.is_not(None)]


def _waiting(tenant: UUID, chosen: Chosen) -> Select[Any]:
    names = ("item_id", "entity_id", "case_id", "amount_minor", "residual_minor", "currency")
    mine = (payer_case.c.tenant_id == item.c.tenant_id) & (payer_case.c.case_id == item.c.case_id)
    return (
        select(*(item.c[name] for name in names), payer_case.c.payer_id)
        .join(payer_case, mine)
        .where(*_conditions(tenant, chosen))
        .order_by(item.c.due_date, item.c.item_id)
    )


@cache
def _deciding() -> Update:
    asked = given(item, _DECIDED)
    return (
        update(item)
        .where(item.c.tenant_id == asked.c.tenant_id, item.c.item_id == asked.c.item_id)
        .values({name: asked.c[name] for name in _DECIDED[2:]})
    )
