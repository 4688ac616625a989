"""What was declared to insurers and what they answered, as rows.

The rule it protects: answers are added and never changed; the last one of an item holds.
"""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.store.asking import among, plain
from services.scheduler.tables import insurer_answer, insurer_declaration, insurer_terms, item

Row = Mapping[str, Any]


def _declared(tenant: UUID) -> Select[Any]:
    """Declared items, paid or not, with their policy and the last outcome that the insurer told."""
    its = and_(item.c.tenant_id == insurer_declaration.c.tenant_id, item.c.item_id == insurer_declaration.c.item_id)
    terms = and_(
        insurer_terms.c.tenant_id == insurer_declaration.c.tenant_id,
        insurer_terms.c.terms_id == insurer_declaration.c.terms_id,
    )
    facts = [item.c[name] for name in ("number", "entity_id", "currency", "amount_minor", "due_date")]
    left = func.coalesce(item.c.residual_minor, item.c.amount_minor).label("owed_minor")
    said = (
        insurer_answer.c.tenant_id == insurer_declaration.c.tenant_id,
        insurer_answer.c.item_id == insurer_declaration.c.item_id,
    )
    newest = select(insurer_answer.c.outcome).where(*said).order_by(insurer_answer.c.answer_id.desc()).limit(1)
    outcome = func.coalesce(newest.correlate(insurer_declaration).scalar_subquery(), "awaited").label("outcome")
    return (
        select(insurer_declaration, *facts, left, insurer_terms.c.name, insurer_terms.c.insurer, outcome)
        .join(item, its)
        .join(insurer_terms, terms)
        .where(insurer_declaration.c.tenant_id == tenant)
    )


async def of_items(db: AsyncConnection, tenant: UUID, items: Collection[UUID]) -> list[Row]:
    """Those of these items that were declared."""
    asked = _declared(tenant).where(among(insurer_declaration.c.item_id, items))
    return [plain(row) for row in await db.execute(asked)]


async def page(  # noqa: PLR0917 - a page of one list
    db: AsyncConnection, tenant: UUID, limit: int, after: UUID | None, payer: UUID | None, outcome: str | None
) -> list[Row]:
    """Declared items in the order of their ids; of one payer, or with one last outcome, if asked."""
    asked = _declared(tenant)
    if payer is not None:
        asked = asked.where(insurer_declaration.c.payer_id == payer)
    if after is not None:
        asked = asked.where(insurer_declaration.c.item_id > after)
    mine = asked.subquery("mine")
    chosen = select(mine) if outcome is None else select(mine).where(mine.c.outcome == outcome)
    return [plain(row) for row in await db.execute(chosen.order_by(mine.c.item_id).limit(limit))]


async def answers(db: AsyncConnection, tenant: UUID, items: Collection[UUID]) -> list[Row]:
    """What insurers answered about these items, the first answer first."""
    asked = select(insurer_answer).where(insurer_answer.c.tenant_id == tenant, among(insurer_answer.c.item_id, items))
    return [plain(row) for row in await db.execute(asked.order_by(insurer_answer.c.answer_id))]
