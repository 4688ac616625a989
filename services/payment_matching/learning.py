"""Calibrations: made of a tenant's outcomes, watched in shadow, activated, rolled back; and what errors do.

Protects: a new calibration acts on nothing until a person says so, and the one before it is one command away. When two
of the machine's latest matches were wrong, the threshold rises by itself, and is lowered by a person only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import Conflict, NotFound
from services.payment_matching.calibration import Rules, fitted, raised
from services.payment_matching.errors import TooFewOutcomes
from services.payment_matching.store import calibrations

LEAST_OUTCOMES = 50
MACHINE = "machine"

log = structlog.get_logger(__name__)


def rules_of(row: Any | None) -> Rules:
    """What a calibration on record lets act; the product's own where there is none."""
    return Rules(calibrations.curve_of(row.curve), row.least_odds) if row is not None else Rules()


def in_state(rows: Sequence[Any], state: str) -> Any | None:
    """The one in this state."""
    return next((row for row in rows if row.state == state), None)


@dataclass(frozen=True, slots=True)
class Deciding:
    """Who decides for which tenant, and when."""

    tenant_id: UUID
    actor: str
    at: datetime


async def make(db: AsyncConnection, by: Deciding, why: str, least_odds: float | None) -> UUID:
    """A new calibration of the tenant's own outcomes, in shadow. Raises TooFewOutcomes."""
    await calibrations.locked(db, by.tenant_id)
    seen = await calibrations.outcomes(db, by.tenant_id, by.at)
    count = sum(one.count for one in seen.values())
    if count < LEAST_OUTCOMES:
        raise TooFewOutcomes(f"There are {count} outcomes; {LEAST_OUTCOMES} are the least.", outcomes=count)
    rules, facts = Rules(fitted(seen), least_odds), {"why": why, "made_by": by.actor, "made_at": by.at}
    return await calibrations.add(db, by.tenant_id, rules, state="shadow", outcomes=count, **facts)


async def activate(db: AsyncConnection, by: Deciding, identity: UUID) -> None:
    """Let a calibration that was in shadow act. Raises NotFound, or Conflict when it is no shadow."""
    rows = await calibrations.locked(db, by.tenant_id)
    wanted = next((row for row in rows if row.calibration_id == identity), None)
    if wanted is None:
        raise NotFound(f"There is no calibration {identity}.")
    if wanted.state != "shadow":
        raise Conflict(f"Calibration {identity} is {wanted.state}, not in shadow.")
    before, decided = in_state(rows, "active"), {"decided_by": by.actor, "decided_at": by.at}
    if before is not None:
        await calibrations.change(db, by.tenant_id, before.calibration_id, state="retired", **decided)
    replaced = before.calibration_id if before is not None else None
    await calibrations.change(db, by.tenant_id, identity, state="active", replaces=replaced, **decided)


async def roll_back(db: AsyncConnection, by: Deciding) -> None:
    """The one that was active before acts again, or the product's own. Raises Conflict when none is active."""
    rows = await calibrations.locked(db, by.tenant_id)
    now, decided = in_state(rows, "active"), {"decided_by": by.actor, "decided_at": by.at}
    if now is None:
        raise Conflict("No calibration is active: the product's own acts.")
    await calibrations.change(db, by.tenant_id, now.calibration_id, state="retired", **decided)
    if any(row.calibration_id == now.replaces for row in rows):
        await calibrations.change(db, by.tenant_id, now.replaces, state="active", **decided)


async def canary(db: AsyncConnection, tenant: UUID, at: datetime) -> float | None:
    """After a person took back what the machine had matched: the threshold that acts from now on, if it rises."""
    rows = await calibrations.locked(db, tenant)
    before = in_state(rows, "active")
    rules = rules_of(before)
    # What was known when somebody last decided what acts was weighed then.
    since = max((row.decided_at for row in rows if row.decided_at), default=datetime.min.replace(tzinfo=UTC))
    wrong = await calibrations.errors(db, tenant, since)
    least = raised(rules.least_odds, wrong)
    if least is None:
        return None
    if before is not None:
        await calibrations.change(db, tenant, before.calibration_id, state="retired", decided_by=MACHINE, decided_at=at)
    facts: dict[str, Any] = {"made_by": MACHINE, "made_at": at, "decided_by": MACHINE, "decided_at": at}
    facts |= {"replaces": before.calibration_id if before is not None else None, "why": f"canary: {len(wrong)} wrong"}
    outcomes = before.outcomes if before is not None else 0
    await calibrations.add(db, tenant, replace(rules, least_odds=least), state="active", outcomes=outcomes, **facts)
    log.warning("matching.threshold_raised", tenant=str(tenant), least_odds=least, wrong=len(wrong))
    return least
