"""A version over days ahead for everybody at once, over HTTP: counts, no contacts."""

import os
from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from libs.common.clock import today
from libs.common.errors import Conflict
from libs.common.http import Wire
from services.scheduler.api.policies import one
from services.scheduler.api.shared import In, Reads
from services.scheduler.errors import DaysMixed, DaysReversed, DaysTooMany
from services.scheduler.rehearsing import Rehearsal, rehearsed

routes = APIRouter(prefix="/v1/policies", tags=["policies"])
LONGEST = 366
ZONE = "Europe/Paris"


class Rehearse(Wire):
    """Days that lie ahead, of one company or of all."""

    first: Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1))]
    last: Annotated[date, Field(ge=date(2000, 1, 1), le=date(2100, 1, 1))]
    entity_id: UUID | None = None


class TotalsOut(BaseModel):
    """What would be said to all parties, counted: the most that can leave, since nobody is taken to pay."""

    version_id: UUID
    cases: int
    notices: int
    """Messages to payers that ask for money."""
    notices_by_day: dict[date, int]
    tasks_by_day: dict[date, int]
    by_step: dict[str, int]
    approvals: int
    disputed: int
    most_in_30_days: int
    """Reminders and statements to one party."""


@routes.post("/{version_id}/simulations/totals")
async def total_simulation(version_id: UUID, told: Rehearse, caller: Reads, room: In) -> TotalsOut:
    """Play a version over days ahead for every party, on all processors; nothing is written and nothing leaves."""
    async with room.database.transaction(caller.tenant_id) as db:
        await one(db, caller.tenant_id, version_id)
    if told.last < told.first:
        raise DaysReversed(field="last")
    if told.first < today(room.clock, ZONE):
        raise DaysMixed("Days that have passed are not counted this way.", field="first", remedy="Send today or later.")
    if (told.last - told.first).days > LONGEST:
        raise DaysTooMany(f"At most {LONGEST} days.", field="last")
    if room.rehearsing.locked():
        raise Conflict("Another one is being played.", remedy="Ask again in a minute.")
    asked = Rehearsal(caller.tenant_id, version_id, told.first, told.last, room.clock.now(), told.entity_id)
    async with room.rehearsing:
        found = await rehearsed(room.settings, room.database, asked, os.cpu_count() or 1)
    return TotalsOut(
        version_id=version_id,
        cases=found.cases,
        notices=found.notices_by_day.total(),
        notices_by_day=dict(sorted(found.notices_by_day.items())),
        tasks_by_day=dict(sorted(found.tasks_by_day.items())),
        by_step=dict(sorted(found.by_step.items())),
        approvals=found.approvals,
        disputed=found.disputed,
        most_in_30_days=found.most_in_30_days,
    )
