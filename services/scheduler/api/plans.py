"""Instalment plans over HTTP."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from libs.common.errors import Refused
from libs.common.http import Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from libs.common.permits import Scope
from services.scheduler import commands
from services.scheduler.api.shared import AboutCase, AmountIn, AmountOut, In, Reads, Writes, about, amount_of
from services.scheduler.store import lists
from services.scheduler.tables import plan

routes = APIRouter(prefix="/v1/plans", tags=["plans"])


class PartIn(Wire):
    """One payment of the plan."""

    on: date
    amount: AmountIn


class NewPlan(Wire):
    """Payments agreed for items of one case, all in one currency."""

    item_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]
    instalments: Annotated[list[PartIn], Field(min_length=1, max_length=60)]


class PartOut(BaseModel):
    """One payment of the plan."""

    on: date
    amount: AmountOut


class PlanOut(AboutCase):
    """A plan as it stands."""

    plan_id: UUID
    item_ids: list[UUID]
    instalments: list[PartOut]
    author: str
    agreed_at: datetime
    state: Literal["running", "completed", "defaulted"]


class PlanPage(BaseModel):
    """One page of plans."""

    items: list[PlanOut]
    next: str | None


def out(row: Any) -> PlanOut:
    """A plan's row as it is shown."""
    parts = zip(row["dates"], row["amounts_minor"], strict=True)
    return PlanOut(
        **about(row),
        plan_id=row["plan_id"],
        item_ids=list(row["item_ids"]),
        instalments=[PartOut(on=day, amount=amount_of(minor, row["currency"])) for day, minor in parts],
        author=row["author"],
        agreed_at=row["agreed_at"],
        state=row["state"],
    )


@routes.post("", status_code=201)
async def agree_plan(told: NewPlan, caller: Writes, room: In) -> PlanOut:
    """Note a plan: its items are not chased while its payments come, each within two banking days of its date."""
    parts = [(part.on, part.amount.money()) for part in told.instalments]
    if any(amount.minor <= 0 for _, amount in parts):
        raise Refused("Every payment of a plan is more than zero.", field="instalments")
    async with room.asking(caller) as asker:
        target = await commands.item_target(asker, *dict.fromkeys(told.item_ids))
        currencies = {row["currency"] for row in target.items} | {amount.currency for _, amount in parts}
        if len(currencies) != 1:
            raise Refused("A plan and its items have one currency.", field="instalments")
        row = await commands.planned(asker, target, parts)
    await room.stopped(Scope(caller.tenant_id, item_ids=list(row["item_ids"])))
    return out(row)


@routes.get("")
async def list_plans(
    *, caller: Reads, room: In, limit: Limit = 50, after: Annotated[Cursor, Query(alias="cursor")] = None
) -> PlanPage:
    """Plans, in the order in which they were agreed."""
    start = place(room.settings, "plans", after)
    async with room.database.transaction(caller.tenant_id) as db:
        found = await lists.plans(db, caller.tenant_id, limit + 1, start)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "plans", last["plan_id"]) if last else None
    return PlanPage(items=[out(row) for row in rows], next=more)


@routes.get("/{plan_id}")
async def show_plan(plan_id: UUID, caller: Reads, room: In) -> PlanOut:
    """One plan."""
    async with room.asking(caller) as asker:
        return out(await commands.found(asker, plan, plan_id))
