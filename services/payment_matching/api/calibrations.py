"""Calibrations: how sure the machine's odds are for a tenant, what is tried in shadow, and the threshold."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Caller
from libs.common.errors import Forbidden
from libs.common.http import Wire
from services.payment_matching import learning
from services.payment_matching.api.payments import Here, Reads, Writes
from services.payment_matching.calibration import PRIOR, error
from services.payment_matching.learning import Deciding
from services.payment_matching.room import Room
from services.payment_matching.store import calibrations

routes = APIRouter(tags=["calibrations"])
PATH = "/v1/matching/calibrations"
MANAGERS = frozenset({"manager", "administrator"})
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]


class CalibrationIn(Wire):
    """A calibration to make of what came of the machine's proposals; it starts in shadow."""

    why: Why
    least_odds: Annotated[float, Field(ge=0, le=40)] | None = None
    """Log-odds below which the machine leaves a payment to a person, once this one acts."""


class CalibrationOut(BaseModel):
    """A calibration on record."""

    calibration_id: UUID
    state: Literal["shadow", "active", "retired"]
    least_odds: float | None
    outcomes: int
    """How many outcomes it was made of."""
    error: float | None
    """Its calibration error on the outcomes known now."""
    curve: list[list[float]]
    """Probability of the best hypothesis: by guards against it (none, one, two, more), by log-odds (edges -2 … 8)."""
    why: str
    made_by: str
    made_at: datetime
    replaces: UUID | None
    decided_by: str | None
    decided_at: datetime | None


class Calibrations(BaseModel):
    """What acts, what is tried, and what acted before; the newest first."""

    outcomes: int
    """Outcomes known now, over a year."""
    own_error: float | None
    """The calibration error of the product's own curve on them; it acts where none is active."""
    least_odds: float | None
    """The threshold that acts now."""
    calibrations: list[CalibrationOut]


@routes.get(PATH)
async def list_calibrations(caller: Reads, room: Here) -> Calibrations:
    """Every calibration with its error on what is known now: compare the shadow with what acts."""
    async with room.database.transaction(caller.tenant_id) as db:
        return await _shown(db, caller.tenant_id, room.clock.now())


async def _shown(db: AsyncConnection, tenant: UUID, at: datetime) -> Calibrations:
    seen, rows = await calibrations.outcomes(db, tenant, at), await calibrations.listed(db, tenant)
    return Calibrations(
        outcomes=sum(one.count for one in seen.values()),
        own_error=error(PRIOR, seen),
        least_odds=learning.rules_of(learning.in_state(rows, "active")).least_odds,
        calibrations=[_out(row, error(calibrations.curve_of(row.curve), seen)) for row in rows],
    )


def _out(row: Any, wrong: float | None) -> CalibrationOut:
    facts = {name: getattr(row, name) for name in CalibrationOut.model_fields if name != "error"}
    return CalibrationOut(**facts, error=wrong)


@routes.post(PATH, status_code=201)
async def make_calibration(told: CalibrationIn, caller: Writes, room: Here) -> Calibrations:
    """Make one of the outcomes known now. It takes the place of the shadow before it, and acts on nothing."""

    async def work(db: AsyncConnection, by: Deciding) -> None:
        await learning.make(db, by, told.why, told.least_odds)

    return await _decided(room, caller, work)


def _only_managers(caller: Caller, act: str) -> None:
    if not caller.roles & MANAGERS:
        raise Forbidden(f"Only a manager {act} a calibration.", remedy="Ask a person with the role manager.")


@routes.post(f"{PATH}/{{calibration_id}}/activate")
async def activate_calibration(calibration_id: UUID, caller: Writes, room: Here) -> Calibrations:
    """Let the shadow act, a manager's act; what acted before is kept for a rollback."""
    _only_managers(caller, "activates")

    async def work(db: AsyncConnection, by: Deciding) -> None:
        await learning.activate(db, by, calibration_id)

    return await _decided(room, caller, work)


@routes.post(f"{PATH}/rollback")
async def roll_back_calibration(caller: Writes, room: Here) -> Calibrations:
    """What acted before acts again, with its threshold; a manager's act."""
    _only_managers(caller, "rolls back")
    return await _decided(room, caller, learning.roll_back)


async def _decided(
    room: Room, caller: Caller, work: Callable[[AsyncConnection, Deciding], Awaitable[None]]
) -> Calibrations:
    async def decide(db: AsyncConnection) -> Calibrations:
        by = Deciding(caller.tenant_id, caller.subject, room.clock.now())
        await work(db, by)
        return await _shown(db, by.tenant_id, by.at)

    return await room.commit(decide, caller.tenant_id)
