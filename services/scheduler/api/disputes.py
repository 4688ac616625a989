"""Disputes over HTTP: opened with a reason or a platform's code, investigated by somebody, answered, credited."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, StringConstraints, model_validator

from libs.common.http import Line, Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from libs.common.permits import Scope
from services.scheduler import commands, disputing
from services.scheduler.api.shared import AboutCase, AmountIn, AmountOut, In, Reads, Writes, about, amount_of
from services.scheduler.commitments.disputes import By, State, overdue
from services.scheduler.commitments.reasons import Code, Reason, Status, reason_of
from services.scheduler.disputing import Why
from services.scheduler.store import lists
from services.scheduler.tables import dispute

routes = APIRouter(prefix="/v1/disputes", tags=["disputes"])
Words = Annotated[str, StringConstraints(max_length=5_000, strip_whitespace=True)]


class NewDispute(Wire):
    """What is disputed and why; without an amount, all that the item owes.

    `code` is the reason code of a lifecycle message (CDAR 206, 207 or 208); our reason follows from it.
    """

    item_id: UUID
    amount: AmountIn | None = None
    reason: Reason | None = None
    code: Code | None = None
    lifecycle_status: Status | None = None
    note: Words = ""
    owner: Line | None = None
    """Who answers it; whoever opens it if nobody is named."""
    review_on: date | None = None
    """The day by which it is answered; ten working days if none is named."""

    @model_validator(mode="after")
    def _why(self) -> "NewDispute":
        if self.reason is None and self.code is None:
            raise ValueError("a dispute needs a reason, or a code of the lifecycle")
        if self.reason is not None and self.code is not None and reason_of(self.code) != self.reason:
            raise ValueError(f"the code {self.code} means {reason_of(self.code)}: send one of the two, or both alike")
        return self

    def why(self) -> Why:
        """The reason, ours and the platform's."""
        reason = self.reason or (reason_of(self.code) if self.code is not None else "other")
        return Why(reason, self.code, self.lifecycle_status, self.note, self.owner or "")


class Taking(Wire):
    """Who looks into it, and by which day it is answered."""

    owner: Line
    respond_by: date | None = None


class Resolution(Wire):
    """Upheld: the payer is right. Rejected: the amount is owed. Withdrawn: the payer gave it up."""

    outcome: Literal["upheld", "rejected", "withdrawn"]
    answer: Words = ""


class DisputeOut(AboutCase):
    """A dispute as it stands. An upheld one is over once its credit note came, or the item was paid."""

    dispute_id: UUID
    item_id: UUID
    amount: AmountOut
    reason: str
    code: Code | None
    lifecycle_status: Status | None
    note: str
    author: str
    owner: str
    respond_by: date | None
    state: State
    resolved_by: By | None
    answer: str
    credit_due_on: date | None
    """The day by which the credit note of an upheld dispute is expected."""
    overdue: bool
    """Whether the answer or the credit note is late."""
    opened_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None


class DisputePage(BaseModel):
    """One page of disputes."""

    items: list[DisputeOut]
    next: str | None


def out(row: Any, today: date) -> DisputeOut:
    """A dispute's row as it is shown."""
    names = set(DisputeOut.model_fields) - set(AboutCase.model_fields) - {"amount", "overdue"}
    closed = row["closed_at"] is not None
    answer_by = row["respond_by"] or date.max
    return DisputeOut(
        **about(row),
        amount=amount_of(row["amount_minor"], row["currency"]),
        overdue=overdue(row["state"], answer_by, row["credit_due_on"], today, closed=closed),
        **{name: row[name] for name in names},
    )


@routes.post("", status_code=201)
async def open_dispute(told: NewDispute, caller: Writes, room: In) -> DisputeOut:
    """Note a dispute: that much of the item is not chased until it is resolved."""
    async with room.asking(caller) as asker:
        target = await commands.item_target(asker, told.item_id)
        amount = told.amount.money() if told.amount else None
        row = await disputing.disputed(asker, target, amount, told.why(), told.review_on)
    await room.stopped(Scope(caller.tenant_id, item_ids=[told.item_id]))
    return out(row, asker.now.date())


@routes.post("/{dispute_id}/investigate")
async def investigate_dispute(dispute_id: UUID, told: Taking, caller: Writes, room: In) -> DisputeOut:
    """Somebody looks into a dispute and answers it by a day."""
    async with room.asking(caller) as asker:
        row = await disputing.investigate(asker, dispute_id, told.owner, told.respond_by)
        return out(row, asker.now.date())


@routes.post("/{dispute_id}/resolve")
async def resolve_dispute(dispute_id: UUID, told: Resolution, caller: Writes, room: In) -> DisputeOut:
    """Answer a dispute. A part that is owed after all is chased again; an upheld one waits for its credit note."""
    async with room.asking(caller) as asker:
        return out(await disputing.resolve(asker, dispute_id, told.outcome, told.answer), asker.now.date())


@routes.get("")
async def list_disputes(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    state: State | None = None,
    item_id: UUID | None = None,
    owner: Annotated[str | None, Query(max_length=300)] = None,
    overdue: bool = False,
) -> DisputePage:
    """Disputes, in the order in which they were opened; `overdue` ones wait for an answer or a credit note too long."""
    start = place(room.settings, "disputes", after)
    today = room.clock.now().date()
    async with room.database.transaction(caller.tenant_id) as db:
        found = await lists.disputes(
            db,
            caller.tenant_id,
            limit + 1,
            start,
            state=state,
            item_id=item_id,
            owner=owner,
            late_on=today if overdue else None,
        )
    rows, last = cut(found, limit)
    more = cursor(room.settings, "disputes", last["dispute_id"]) if last else None
    return DisputePage(items=[out(row, today) for row in rows], next=more)


@routes.get("/{dispute_id}")
async def show_dispute(dispute_id: UUID, caller: Reads, room: In) -> DisputeOut:
    """One dispute."""
    async with room.asking(caller) as asker:
        return out(await commands.found(asker, dispute, dispute_id), asker.now.date())
