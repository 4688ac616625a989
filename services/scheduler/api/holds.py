"""Holds over HTTP: pause a scope, see what is paused, go on."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from libs.common.errors import Refused
from libs.common.http import Prose, Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler import commands
from services.scheduler.api.shared import AmountIn, AmountOut, In, Reads, Writes, shown
from services.scheduler.store import holds as store
from services.scheduler.store import lists
from services.scheduler.tables import hold

routes = APIRouter(prefix="/v1/holds", tags=["holds"])
Kind = Literal["manual", "promise", "plan", "dispute", "reply", "exclusion", "recovery", "insolvency"]
ScopeName = Literal["item", "case", "debtor", "payer", "party", "group", "entity", "tenant"]


class NewHold(Wire):
    """What to pause, why, and when somebody looks again. An amount pauses that much of an item."""

    scope: ScopeName
    scope_id: UUID
    kind: Literal["manual", "exclusion"] = "manual"
    reason: Prose
    review_on: date
    amount: AmountIn | None = None
    lift_at_review: bool = False


class HoldOut(BaseModel):
    """A hold as it stands."""

    hold_id: UUID
    scope: ScopeName
    scope_id: UUID
    kind: Kind
    amount: AmountOut | None
    reason: str
    author: str
    review_on: date
    lift_at_review: bool
    state: Literal["active", "lifted"]
    placed_at: datetime
    lifted_at: datetime | None
    lift_reason: str | None


class HoldPage(BaseModel):
    """One page of holds."""

    items: list[HoldOut]
    next: str | None


def out(row: Any) -> HoldOut:
    """A hold's row as it is shown."""
    names = set(HoldOut.model_fields) - {"amount"}
    return HoldOut(amount=shown(row["amount_minor"], row["currency"]), **{name: row[name] for name in names})


@routes.post("", status_code=201)
async def place_hold(told: NewHold, caller: Writes, room: In) -> HoldOut:
    """Pause. Once this is answered nothing more leaves over the scope."""
    if told.amount is not None and told.scope != "item":
        raise Refused("Only a hold over an item has an amount.", field="amount")
    if told.scope == "tenant" and told.scope_id != caller.tenant_id:
        raise Refused("The tenant's scope is the tenant's own id.", field="scope_id")
    async with room.asking(caller) as asker:
        row = await commands.place_hold(
            asker,
            scope=told.scope,
            scope_id=told.scope_id,
            kind=told.kind,
            reason=told.reason,
            review_on=told.review_on,
            amount=told.amount.money() if told.amount else None,
            lift_at_review=told.lift_at_review,
        )
        touched = await store.cases_over(asker.db, asker.tenant, told.scope, told.scope_id)
    await room.stopped(commands.stops(told.scope, told.scope_id, touched, caller.tenant_id))
    return out(row)


@routes.get("")
async def list_holds(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    state: Literal["active", "lifted", "review_due"] = "active",
    scope_id: UUID | None = None,
) -> HoldPage:
    """What is paused, by review date; `review_due` shows those whose review date has come."""
    start = place(room.settings, "holds", after)
    today = room.clock.now().date()
    async with room.database.transaction(caller.tenant_id) as db:
        found = await lists.holds(db, caller.tenant_id, limit + 1, start, state=state, scope_id=scope_id, today=today)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "holds", last["review_on"], last["hold_id"]) if last else None
    return HoldPage(items=[out(row) for row in rows], next=more)


@routes.get("/{hold_id}")
async def show_hold(hold_id: UUID, caller: Reads, room: In) -> HoldOut:
    """One hold."""
    async with room.asking(caller) as asker:
        return out(await commands.found(asker, hold, hold_id))


@routes.post("/{hold_id}/lift")
async def lift_hold(hold_id: UUID, caller: Writes, room: In) -> HoldOut:
    """Go on over this scope."""
    async with room.asking(caller) as asker:
        return out(await commands.lift_hold(asker, hold_id))
