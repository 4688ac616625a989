"""Instalment plans over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from libs.common.errors import Refused
from libs.common.http import Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from libs.common.permits import Scope
from services.scheduler import commands, committing
from services.scheduler.api.shared import AboutCase, AmountIn, AmountOut, In, Reads, Writes, about, amount_of
from services.scheduler.commitments.plans import Clause, State
from services.scheduler.store import lists
from services.scheduler.tables import plan

routes = APIRouter(prefix="/v1/plans", tags=["plans"])


class PartIn(Wire):
    """One payment of the plan."""

    on: date
    amount: AmountIn


class ClauseIn(Wire):
    """When the plan falls: banking days after each date, and how many instalments may be late without ending it."""

    grace_days: Annotated[int, Field(ge=0, le=10)] = 2
    tolerated: Annotated[int, Field(ge=0, le=12)] = 0
    words: Annotated[str, StringConstraints(max_length=5_000, strip_whitespace=True)] = ""
    """The clause as it was agreed, for the file."""


class NewPlan(Wire):
    """Payments agreed for items of one case, all in one currency, and the clause on default."""

    item_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]
    instalments: Annotated[list[PartIn], Field(min_length=1, max_length=60)]
    clause: ClauseIn = ClauseIn()


class PartOut(BaseModel):
    """One payment of the plan: what of it came and where it stands, as last judged."""

    on: date
    amount: AmountOut
    paid: AmountOut
    state: Literal["to_come", "paid", "paid_late", "missed"]


class ClauseOut(BaseModel):
    """When the plan falls."""

    grace_days: int
    tolerated: int
    words: str


class PlanOut(AboutCase):
    """A plan as it stands."""

    plan_id: UUID
    item_ids: list[UUID]
    instalments: list[PartOut]
    author: str
    agreed_at: datetime
    clause: ClauseOut
    missed_on: date | None
    """The date of the instalment that ended it."""
    state: State


class PlanPage(BaseModel):
    """One page of plans."""

    items: list[PlanOut]
    next: str | None


def out(row: Any) -> PlanOut:
    """A plan's row as it is shown."""
    return PlanOut(
        **about(row),
        plan_id=row["plan_id"],
        item_ids=list(row["item_ids"]),
        instalments=_parts(row),
        clause=ClauseOut(grace_days=row["grace_days"], tolerated=row["tolerated"], words=row["clause"]),
        missed_on=row["missed_on"],
        author=row["author"],
        agreed_at=row["agreed_at"],
        state=row["state"],
    )


def _parts(row: Any) -> list[PartOut]:
    """The instalments in the order of their dates; nothing has come of those of a plan that was not judged yet."""
    parts = sorted(zip(row["dates"], row["amounts_minor"], strict=True))
    stood = row["stood"] or [{"state": "to_come", "paid": 0}] * len(parts)
    return [
        PartOut(
            on=day,
            amount=amount_of(minor, row["currency"]),
            paid=amount_of(each["paid"], row["currency"]),
            state=each["state"],
        )
        for (day, minor), each in zip(parts, stood, strict=True)
    ]


@routes.post("", status_code=201)
async def agree_plan(told: NewPlan, caller: Writes, room: In) -> PlanOut:
    """Note a plan: what it covers of its items is not chased while its payments come, each within the grace."""
    parts = [(part.on, part.amount.money()) for part in told.instalments]
    if any(amount.minor <= 0 for _, amount in parts):
        raise Refused(
            "Every payment of a plan is more than zero.", field="instalments", remedy="Leave out what is zero."
        )
    async with room.asking(caller) as asker:
        target = await commands.item_target(asker, *dict.fromkeys(told.item_ids))
        currencies = {row["currency"] for row in target.items} | {amount.currency for _, amount in parts}
        if len(currencies) != 1:
            raise Refused(
                "A plan and its items have one currency.",
                field="instalments",
                remedy="Agree one plan for each currency.",
            )
        clause = Clause(told.clause.grace_days, told.clause.tolerated)
        row = await committing.planned(asker, target, parts, clause, told.clause.words)
    await room.stopped(Scope(caller.tenant_id, item_ids=list(row["item_ids"])))
    return out(row)


@routes.get("")
async def list_plans(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    state: State | None = None,
    case_id: UUID | None = None,
) -> PlanPage:
    """Plans, in the order in which they were agreed."""
    start = place(room.settings, "plans", after)
    async with room.database.transaction(caller.tenant_id) as db:
        found = await lists.plans(db, caller.tenant_id, limit + 1, start, state=state, case_id=case_id)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "plans", last["plan_id"]) if last else None
    return PlanPage(items=[out(row) for row in rows], next=more)


@routes.get("/{plan_id}")
async def show_plan(plan_id: UUID, caller: Reads, room: In) -> PlanOut:
    """One plan."""
    async with room.asking(caller) as asker:
        return out(await commands.found(asker, plan, plan_id))


@routes.post("/{plan_id}/cancel")
async def cancel_plan(plan_id: UUID, caller: Writes, room: In) -> PlanOut:
    """The plan is off: its items are chased again from the level reached."""
    async with room.asking(caller) as asker:
        return out(await committing.cancel_plan(asker, plan_id))
