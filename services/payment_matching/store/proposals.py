"""Amounts from which two people decide, and what waits for the second."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.ids import uuid7
from libs.common.money import Money
from services.payment_matching.tables import allocation, payment
from services.payment_matching.tables_decided import proposal, two_people

KEY = ("tenant_id", "entity_id", "currency")


async def above(db: AsyncConnection, tenant: UUID, entity: UUID) -> dict[str, int]:
    """Currency → the amount in minor units beyond which two people decide; without those where one is enough."""
    c = two_people.c
    wanted = select(c.currency, c.above_minor).where(c.tenant_id == tenant, c.entity_id == entity)
    return {row.currency: row.above_minor for row in await db.execute(wanted)}


class Abroad(NamedTuple):
    """What of a payment stands on items in another currency than its own: minor units of theirs, and of its own."""

    amount: int
    paid: int


async def given_abroad(db: AsyncConnection, tenant: UUID, payment: UUID) -> dict[str, Abroad]:
    """Currency → what of a payment stands on items in it, for the currencies that are not the payment's."""
    c = allocation.c
    mine = (c.tenant_id == tenant, c.source == "payment", c.source_id == payment, c.undone_at.is_(None))
    sums = (func.sum(c.amount_minor), func.sum(c.paid_minor))
    asked = select(c.currency, *sums).where(*mine, c.currency != c.paid_currency).group_by(c.currency)
    return {row[0]: Abroad(int(row[1]), int(row[2])) for row in await db.execute(asked)}


async def ordered(db: AsyncConnection, tenant: UUID, identity: UUID) -> Money | None:
    """What the payer of a payment ordered in another currency, as the bank told it."""
    c = payment.c
    asked = select(c.instructed_minor, c.instructed_currency).where(c.tenant_id == tenant, c.payment_id == identity)
    found = (await db.execute(asked)).one()
    return None if found.instructed_minor is None else Money(found.instructed_minor, found.instructed_currency)


async def limits(db: AsyncConnection, tenant: UUID) -> list[Any]:
    """Every limit of the tenant."""
    c = two_people.c
    return list(await db.execute(select(two_people).where(c.tenant_id == tenant).order_by(c.entity_id, c.currency)))


async def set_limit(db: AsyncConnection, tenant: UUID, entity: UUID, currency: str, **facts: Any) -> None:
    """Set or change a limit."""
    row = {"tenant_id": tenant, "entity_id": entity, "currency": currency} | facts
    await db.execute(upsert(two_people).values(row).on_conflict_do_update(index_elements=KEY, set_=facts))


async def drop_limit(db: AsyncConnection, tenant: UUID, entity: UUID, currency: str) -> bool:
    """One person is enough again; answers whether there was a limit."""
    c = two_people.c
    gone = delete(two_people).where(c.tenant_id == tenant, c.entity_id == entity, c.currency == currency)
    return (await db.execute(gone)).rowcount > 0


async def propose(db: AsyncConnection, tenant: UUID, at: datetime, by: str, **facts: Any) -> UUID:
    """Keep what waits for a second person; what waited of the same payment or item before is replaced."""
    c = proposal.c
    same = c.payment_id == facts["payment_id"] if facts.get("payment_id") else c.item_id == facts["item_id"]
    kind = c.kind == facts["kind"]
    await db.execute(
        update(proposal).where(c.tenant_id == tenant, c.state == "waiting", kind, same).values(state="replaced")
    )
    row = {"tenant_id": tenant, "proposal_id": uuid7(), "state": "waiting", "proposed_by": by, "proposed_at": at}
    await db.execute(insert(proposal).values(row | facts))
    return UUID(str(row["proposal_id"]))


async def locked(db: AsyncConnection, tenant: UUID, identity: UUID) -> Any | None:
    """One proposal, while nobody else decides it."""
    c = proposal.c
    wanted = select(proposal).where(c.tenant_id == tenant, c.proposal_id == identity)
    return (await db.execute(wanted.with_for_update())).first()


async def decide(db: AsyncConnection, tenant: UUID, identity: UUID, **facts: Any) -> None:
    """Say what became of it."""
    c = proposal.c
    await db.execute(update(proposal).where(c.tenant_id == tenant, c.proposal_id == identity).values(**facts))


async def listed(
    db: AsyncConnection, tenant: UUID, most: int, state: str | None = None, before: UUID | None = None
) -> list[Any]:
    """Proposals, the newest first."""
    c = proposal.c
    wanted = select(proposal).where(c.tenant_id == tenant)
    wanted = wanted.where(c.state == state) if state else wanted
    wanted = wanted.where(c.proposal_id < before) if before else wanted
    return list(await db.execute(wanted.order_by(c.proposal_id.desc()).limit(most)))


async def undecided(db: AsyncConnection, tenant: UUID, subject: str) -> tuple[int, int]:
    """How many wait for a second person, and how many of them others than `subject` proposed."""
    c = proposal.c
    others = func.count().filter(c.proposed_by != subject)
    asked = select(func.count(), others).where(c.tenant_id == tenant, c.state == "waiting")
    row = (await db.execute(asked)).one()
    return row[0], row[1]


async def waiting(db: AsyncConnection, tenant: UUID, payments: Collection[UUID]) -> dict[UUID, UUID]:
    """Payment → what of it waits for a second person; payments of which nothing waits are left out."""
    c = proposal.c
    wanted = select(c.payment_id, c.proposal_id).where(c.tenant_id == tenant, c.state == "waiting")
    rows = await db.execute(wanted.where(c.payment_id.in_(list(payments))))
    return {row.payment_id: row.proposal_id for row in rows}


async def one(db: AsyncConnection, tenant: UUID, identity: UUID) -> Any | None:
    """One proposal, as it stands."""
    c = proposal.c
    return (await db.execute(select(proposal).where(c.tenant_id == tenant, c.proposal_id == identity))).first()
