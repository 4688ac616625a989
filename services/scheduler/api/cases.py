"""Cases over HTTP: the conversations, and the plan of a day."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from libs.common.errors import NotFound, Refused
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler import telling
from services.scheduler.api.explanations import ItemOut, ReasonOut, facts, reason
from services.scheduler.api.shared import AboutCase, AmountOut, In, Reads, about, amount_of
from services.scheduler.explain import REASONS
from services.scheduler.grouping import Notice
from services.scheduler.situation import Situation
from services.scheduler.store import cases as store

routes = APIRouter(tags=["cases"])
State = Literal["clear", "amicable", "escalated", "in_recovery", "closed"]
PLAN_AHEAD = timedelta(days=400)


class CaseOut(AboutCase):
    """The conversation with one payer of one entity. `waits` says what keeps it silent, if anything does."""

    party_id: UUID
    state: State
    next_at: datetime | None
    waits: str
    formal_on: date | None
    answered_on: date | None


class CasePage(BaseModel):
    """One page of cases."""

    items: list[CaseOut]
    next: str | None


class CaseFile(CaseOut):
    """A case with its open items, each explained."""

    gate: ReasonOut | None
    open_items: list[ItemOut]


class PlannedLine(BaseModel):
    """One row of a planned notice."""

    item_id: UUID
    number: str
    due_date: date
    residual: AmountOut
    step: str
    completes: bool


class PlannedNotice(AboutCase):
    """What would be said. In shadow it is shown only."""

    step: str
    kind: str
    tone: int
    approval: Literal["none", "confirm", "four_eyes"]
    shown_only: bool
    lines: list[PlannedLine]


class PlanPage(BaseModel):
    """What would be said on a day to these cases, as things stand."""

    date: date
    notices: list[PlannedNotice]
    next: str | None


def out(row: Any) -> dict[str, Any]:
    """The fields of CaseOut."""
    names = ("party_id", "state", "next_at", "waits", "formal_on", "answered_on")
    return about(row) | {name: row[name] for name in names}


@routes.get("/v1/cases")
async def list_cases(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    state: State | None = None,
    entity_id: UUID | None = None,
) -> CasePage:
    """The cases of the tenant."""
    start = place(room.settings, "cases", after)
    async with room.database.transaction(caller.tenant_id) as db:
        found = await store.page(
            db, caller.tenant_id, limit + 1, after=start[0] if start else None, state=state, entity=entity_id
        )
    rows, last = cut(found, limit)
    more = cursor(room.settings, "cases", last["case_id"]) if last else None
    return CasePage(items=[CaseOut(**out(row)) for row in rows], next=more)


@routes.get("/v1/cases/{case_id}")
async def show_case(case_id: UUID, caller: Reads, room: In) -> CaseFile:
    """One case: what each of its items hears next, and why not now."""
    now = room.clock.now()
    async with room.database.transaction(caller.tenant_id) as db:
        row = await store.one(db, caller.tenant_id, case_id)
        if row is None:
            raise NotFound(f"There is no case {case_id}.")
        situation, decision = (await telling.of_cases(db, [row], room.policies, now))[0]
    gate = decision.gate if decision.gate is not None and decision.gate.code in REASONS else None
    open_items = [ItemOut(**facts(told)) for told in telling.explained(situation, decision)]
    return CaseFile(**out(row), gate=reason(gate) if gate else None, open_items=open_items)


@routes.get("/v1/plan")
async def show_plan(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    day: Annotated[date | None, Query(alias="date", description="Today if it is left out.")] = None,
    entity_id: UUID | None = None,
) -> PlanPage:
    """What would be said on a day, as things stand now; in shadow too."""
    now = room.clock.now()
    chosen = day or now.date()
    if not now.date() - PLAN_AHEAD <= chosen <= now.date() + PLAN_AHEAD:
        raise Refused("The day is too far away.", field="date")
    start = place(room.settings, "plan", after)
    end = datetime.combine(chosen + timedelta(days=1), datetime.min.time(), tzinfo=now.tzinfo)
    async with room.database.transaction(caller.tenant_id) as db:
        found = await store.page(
            db, caller.tenant_id, limit + 1, after=start[0] if start else None, entity=entity_id, due_by=end
        )
        rows, last = cut(found, limit)
        told = await telling.of_day(db, list(rows), room.policies, now, chosen)
    more = cursor(room.settings, "plan", last["case_id"]) if last else None
    notices = [_planned(situation, n, d.shown_only) for situation, d in told for n in d.notices]
    return PlanPage(date=chosen, notices=notices, next=more)


def _planned(situation: Situation, notice: Notice, shown_only: bool) -> PlannedNotice:
    return PlannedNotice(
        **about(situation.row),
        step=notice.step.key,
        kind=notice.step.kind,
        tone=notice.step.tone,
        approval=notice.approval,
        shown_only=shown_only,
        lines=[
            PlannedLine(
                item_id=row.item.item_id,
                number=row.item.number,
                due_date=row.item.due_date,
                residual=amount_of(row.item.residual, row.item.currency),
                step=row.step.key,
                completes=row.completes,
            )
            for row in notice.rows
        ],
    )
