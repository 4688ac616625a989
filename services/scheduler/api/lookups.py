"""What our other services ask for when a page is drawn: how cases and items stand, and the reasons of holds."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from libs.common.auth import Caller, requires_service
from libs.common.errors import Refused
from libs.common.http import Wire
from services.scheduler import telling
from services.scheduler.api.cases import CaseOut, out
from services.scheduler.api.disputes import DisputeOut
from services.scheduler.api.disputes import out as dispute_out
from services.scheduler.api.explanations import ItemOut, facts
from services.scheduler.api.holds import HoldOut
from services.scheduler.api.holds import out as hold_out
from services.scheduler.api.promises import PromiseOut
from services.scheduler.api.promises import out as promise_out
from services.scheduler.api.shared import In
from services.scheduler.store import cases, holds
from services.scheduler.tables import dispute, promise

routes = APIRouter(tags=["internal"])
MOST = 100
Ids = Annotated[list[UUID], Field(max_length=MOST)]


class Asked(Wire):
    """Up to 100 ids in all."""

    cases: Ids = []
    holds: Ids = []
    promises: Ids = []
    disputes: Ids = []

    @property
    def count(self) -> int:
        return len(self.cases) + len(self.holds) + len(self.promises) + len(self.disputes)


class Found(BaseModel):
    """What is known, by id; unknown ids are left out."""

    cases: dict[UUID, CaseOut]
    items: dict[UUID, list[ItemOut]]
    holds: dict[UUID, HoldOut]
    promises: dict[UUID, PromiseOut]
    disputes: dict[UUID, DisputeOut]


@routes.post("/internal/v1/lookups")
async def look_up(asked: Asked, caller: Annotated[Caller, Depends(requires_service())], room: In) -> Found:
    """Cases with their open items explained; holds with their reasons; promises and disputes with their authors."""
    if asked.count > MOST:
        raise Refused(f"At most {MOST} ids a call.", field="body", remedy="Ask in several calls.")
    now = room.clock.now()
    async with room.database.transaction(caller.tenant_id) as db:
        rows = await cases.some(db, caller.tenant_id, asked.cases)
        told = await telling.of_cases(db, rows, room.policies, now)
        held = await holds.some(db, caller.tenant_id, asked.holds)
        promised = await holds.some(db, caller.tenant_id, asked.promises, promise)
        disputed = await holds.some(db, caller.tenant_id, asked.disputes, dispute)
    return Found(
        cases={row["case_id"]: CaseOut(**out(row)) for row in rows},
        items={s.case.case_id: [ItemOut(**facts(each)) for each in telling.explained(s, d)] for s, d in told},
        holds={row["hold_id"]: hold_out(row) for row in held},
        promises={row["promise_id"]: promise_out(row) for row in promised},
        disputes={row["dispute_id"]: dispute_out(row, now.date()) for row in disputed},
    )
