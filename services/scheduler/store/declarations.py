"""What was declared to insurers and what they answered, as rows.

The rule it protects: answers are added and never changed; the last one of an item holds.
"""

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.store.asking import among, plain
from services.scheduler.tables import insurer_answer, insurer_declaration, insurer_terms, item

Row = Mapping[str, Any]


def _declared(tenant: UUID) -> Select[Any]:
    """Declared items, paid or not, with their policy, the last outcome that the insurer told, and their deadline `by`:
    the last day of the claim where the policy has one, else of the declaration."""
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
    by = func.coalesce(insurer_declaration.c.claim_by, insurer_declaration.c.declare_by).label("by")
    return (
        select(insurer_declaration, *facts, left, insurer_terms.c.name, insurer_terms.c.insurer, outcome, by)
        .join(item, its)
        .join(insurer_terms, terms)
        .where(insurer_declaration.c.tenant_id == tenant)
    )


async def of_items(db: AsyncConnection, tenant: UUID, items: Collection[UUID]) -> list[Row]:
    """Those of these items that were declared."""
    asked = _declared(tenant).where(among(insurer_declaration.c.item_id, items))
    return [plain(row) for row in await db.execute(asked)]


async def page(
    db: AsyncConnection,
    tenant: UUID,
    limit: int,
    after: tuple[date, UUID] | None,
    *,
    payer: UUID | None = None,
    outcome: str | None = None,
    until: date | None = None,
) -> list[Row]:
    """Declared items by their deadline `by`; of one payer, with one last outcome, or due until a day, if asked."""
    asked = _declared(tenant)
    if payer is not None:
        asked = asked.where(insurer_declaration.c.payer_id == payer)
    mine = asked.subquery("mine")
    chosen = select(mine)
    if outcome is not None:
        chosen = chosen.where(mine.c.outcome == outcome)
    if until is not None:
        chosen = chosen.where(mine.c.by <= until)
    if after is not None:
        chosen = chosen.where(tuple_(mine.c.by, mine.c.item_id) > tuple_(*after))
    return [plain(row) for row in await db.execute(chosen.order_by(mine.c.by, mine.c.item_id).limit(limit))]


async def answers(db: AsyncConnection, tenant: UUID, items: Collection[UUID]) -> list[Row]:
    """What insurers answered about these items, the first answer first."""
    asked = select(insurer_answer).where(insurer_answer.c.tenant_id == tenant, among(insurer_answer.c.item_id, items))
    return [plain(row) for row in await db.execute(asked.order_by(insurer_answer.c.answer_id))]
