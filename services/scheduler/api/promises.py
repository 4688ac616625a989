"""Promises to pay over HTTP."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from libs.common.errors import Refused
from libs.common.http import Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from libs.common.permits import Scope
from services.scheduler import commands, committing
from services.scheduler.api.shared import AboutCase, AmountIn, AmountOut, In, Reads, Writes, about, amount_of
from services.scheduler.commands import Asker, Target
from services.scheduler.store import lists
from services.scheduler.tables import promise

routes = APIRouter(prefix="/v1/promises", tags=["promises"])
State = Literal["open", "kept", "partly_kept", "broken", "cancelled"]


class NewPromise(Wire):
    """An amount by a date. Without items it is about the oldest due ones of the case, up to its amount."""

    case_id: UUID
    amount: AmountIn
    promised_for: date
    item_ids: Annotated[list[UUID], Field(max_length=500)] = []
    pause: Literal["case", "part"] = "case"


class PromiseOut(AboutCase):
    """A promise as it stands. Money that comes up to `until` keeps it."""

    promise_id: UUID
    amount: AmountOut
    promised_for: date
    until: date
    item_ids: list[UUID]
    pause: Literal["case", "part"]
    paid: AmountOut
    """What of it came with a value date in its span, as last judged."""
    author: str
    state: State


class PromisePage(BaseModel):
    """One page of promises."""

    items: list[PromiseOut]
    next: str | None


def out(row: Any) -> PromiseOut:
    """A promise's row as it is shown."""
    return PromiseOut(
        **about(row),
        promise_id=row["promise_id"],
        amount=amount_of(row["amount_minor"], row["currency"]),
        promised_for=row["promised_for"],
        until=row["until"],
        item_ids=list(row["item_ids"]),
        pause=row["pause"],
        paid=amount_of(row["paid_minor"], row["currency"]),
        author=row["author"],
        state=row["state"],
    )


async def _target(asker: Asker, told: NewPromise) -> Target:
    target = await commands.case_target(asker, told.case_id)
    amount = told.amount.money()
    if not told.item_ids:
        return await commands.oldest_due(asker, target, amount)
    named = await commands.item_target(asker, *dict.fromkeys(told.item_ids))
    if named.case["case_id"] != told.case_id:
        raise Refused(
            "These items belong to another case.", field="item_ids", remedy="Send items of this case, or none."
        )
    if {row["currency"] for row in named.items} != {amount.currency}:
        raise Refused(
            "The amount is in another currency than its items.",
            field="amount.currency",
            remedy="Make one promise for each currency.",
        )
    return named


@routes.post("", status_code=201)
async def make_promise(told: NewPromise, caller: Writes, room: In) -> PromiseOut:
    """Note a promise: chasing pauses until its date and two banking days, then goes on where it stood.

    `pause: case` keeps all of the case silent, `pause: part` the amount promised, on the items in order of due date.
    """
    async with room.asking(caller) as asker:
        target = await _target(asker, told)
        row = await committing.promised(
            asker,
            target,
            told.amount.money(),
            told.promised_for,
            of_items=bool(told.item_ids),
            scope=told.pause,
        )
    await room.stopped(Scope(caller.tenant_id, debtor_ids=[row["payer_id"]]))
    return out(row)


@routes.get("")
async def list_promises(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    state: State | None = None,
    case_id: UUID | None = None,
) -> PromisePage:
    """Promises, by date."""
    start = place(room.settings, "promises", after)
    async with room.database.transaction(caller.tenant_id) as db:
        found = await lists.promises(db, caller.tenant_id, limit + 1, start, state=state, case_id=case_id)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "promises", last["promised_for"], last["promise_id"]) if last else None
    return PromisePage(items=[out(row) for row in rows], next=more)


@routes.get("/{promise_id}")
async def show_promise(promise_id: UUID, caller: Reads, room: In) -> PromiseOut:
    """One promise."""
    async with room.asking(caller) as asker:
        return out(await commands.found(asker, promise, promise_id))


@routes.post("/{promise_id}/cancel")
async def cancel_promise(promise_id: UUID, caller: Writes, room: In) -> PromiseOut:
    """The promise is off."""
    async with room.asking(caller) as asker:
        return out(await committing.cancel_promise(asker, promise_id))
