"""Notices: listed, read, approved, rejected, said otherwise."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from libs.common import permits
from libs.common.errors import NotFound, Refused
from libs.common.events.envelope import Amount
from libs.common.events.reminders import StepKind
from libs.common.http import Line, Wire, check_match, tag
from libs.common.money import Money
from libs.common.paging import Cursor, Limit
from services.notifier import approving
from services.notifier.approving import Shown
from services.notifier.ending import State
from services.notifier.store import deliveries, notices
from services.notifier.tables import notice

from .shared import Approves, Here, Reads, Writes, after, cut

routes = APIRouter(prefix="/v1/notices", tags=["notices"])
KIND = "notices"


class NoticeShown(BaseModel):
    """A notice in a list; `sums` is what it asks for, one a currency."""

    id: UUID
    version: int
    reminder_id: UUID
    entity_id: UUID
    case_id: UUID
    payer_id: UUID
    kind: str
    step_key: str
    tone: int
    state: str
    reason: str | None
    channel: str | None
    approval: str
    subject: str | None
    first_approver: str | None
    approved_by: str | None
    edited_by: str | None
    sums: list[Amount]
    due_at: datetime
    prepared_at: datetime | None
    sent_at: datetime | None
    window_ends_at: datetime
    replaced_by: UUID | None


class LineShown(BaseModel):
    """One line as it is printed."""

    occurrence_id: UUID
    release: int
    item_id: UUID
    invoice_id: UUID
    number: str
    issue_date: date
    due_date: date
    amount: Amount
    residual: Amount
    paused: Amount | None
    interest: Amount | None
    lump_sum: Amount | None
    completes: bool


class AttemptShown(BaseModel):
    """One delivery of the notice."""

    id: UUID
    recipient: str
    contact_id: UUID | None
    state: str
    reason: str | None
    sent_at: datetime | None
    bounce_status: str | None


class NoticeWhole(NoticeShown):
    """A notice with its words, lines and recipients."""

    text: str | None
    html: str | None
    note: str | None
    lines: list[LineShown]
    deductions: list[Amount]
    deliveries: list[AttemptShown]


class Notices(BaseModel):
    """A page of notices. `as_of` goes into the approval of what is shown here."""

    notices: list[NoticeShown]
    as_of: datetime
    next: str | None


class Filter(Wire):
    """Which proposed notices are meant; formal notices never are."""

    entity_id: UUID | None = None
    kind: StepKind | None = None
    tone: Annotated[int, Field(ge=0, le=5)] | None = None
    step_key: Line | None = None


class Approval(Wire):
    """Exactly what was seen: ids or a filter, the list's `as_of`, how many, and their sums."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=500)] | None = None
    filter: Filter | None = None
    as_of: AwareDatetime
    count: Annotated[int, Field(ge=1, le=100_000)]
    sums: Annotated[list[Amount], Field(max_length=50)]

    @model_validator(mode="after")
    def _one_way(self) -> "Approval":
        if (self.ids is None) == (self.filter is None):
            raise ValueError("send ids or filter, not both")
        return self


class ApprovalAnswer(BaseModel):
    """What was approved now, and what needs a second person."""

    approved: list[UUID]
    awaiting_second: list[UUID]


class Rejection(Wire):
    """Why nobody sends it."""

    reason: Line


class Edit(Wire):
    """Other recipients, or a person's own opening words instead of the template's."""

    recipients: Annotated[list[Line], Field(min_length=1, max_length=5)] | None = None
    note: Annotated[str, Field(max_length=4_000)] | None = None


class Edited(BaseModel):
    """The notice that took the place of the edited one."""

    id: UUID
    replaces: UUID


def shown(row: Any, sums: Mapping[str, Money]) -> dict[str, Any]:
    """A row as a list shows it."""
    names = set(NoticeShown.model_fields) - {"id", "sums"}
    return {name: getattr(row, name) for name in names} | {"id": row.notice_id, "sums": list(sums.values())}


@routes.get("")
async def list_notices(
    caller: Reads,
    room: Here,
    *,
    state: Annotated[State | None, Query()] = None,
    entity_id: UUID | None = None,
    payer_id: UUID | None = None,
    case_id: UUID | None = None,
    kind: StepKind | None = None,
    tone: Annotated[int | None, Query(ge=0, le=5)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Notices:
    """Notices in the order of their making, narrowed by state, entity, payer, case, kind or tone."""
    where = notices.filtered(entity_id, kind, tone, None)
    asked = ((notice.c.state, state), (notice.c.payer_id, payer_id), (notice.c.case_id, case_id))
    where += [column == value for column, value in asked if value is not None]
    async with room.database.transaction(caller.tenant_id) as db:
        start = after(room.settings, KIND, cursor)
        rows = await notices.page(db, caller.tenant_id, where=where, after=start, most=limit + 1)
        page, following = cut(room.settings, KIND, rows, limit, "notice_id")
        sums = await approving.sums_of(db, page)
    listed = [NoticeShown(**shown(row, sums[row.notice_id])) for row in page]
    return Notices(notices=listed, as_of=room.clock.now(), next=following)


@routes.get("/{notice_id}")
async def one_notice(notice_id: UUID, caller: Reads, room: Here, response: Response) -> NoticeWhole:
    """One notice with its words, lines and recipients; its version is the ETag."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await notices.one(db, caller.tenant_id, notice_id)
        if row is None:
            raise NotFound(f"There is no notice {notice_id}.")
        whole = await _whole(db, row)
    tag(response, row.version)
    return whole


async def _whole(db: Any, row: Any) -> NoticeWhole:
    key = {(row.tenant_id, row.notice_id)}
    lines = (await notices.lines(db, key))[row.notice_id]
    deductions = (await notices.deductions(db, key))[row.notice_id]
    attempts = await deliveries.of_notices(db, key)
    names = set(LineShown.model_fields)
    told = set(AttemptShown.model_fields) - {"id"}
    return NoticeWhole(
        **shown(row, approving.summed(lines, deductions)),
        text=row.words,
        html=row.markup,
        note=row.note,
        lines=[LineShown(**{name: getattr(line, name) for name in names}) for line in lines],
        deductions=deductions,
        deliveries=[
            AttemptShown(id=each.delivery_id, **{name: getattr(each, name) for name in told}) for each in attempts
        ],
    )


@routes.post("/approve")
async def approve(asked: Approval, caller: Approves, room: Here) -> ApprovalAnswer:
    """Approve what was shown; 409 `set_changed` when it is no longer that."""
    sums = {amount.currency: amount for amount in asked.sums}
    if len(sums) != len(asked.sums):
        raise Refused("One sum a currency.", field="sums")
    chosen = asked.filter or Filter()
    where = notices.filtered(chosen.entity_id, chosen.kind, chosen.tone, chosen.step_key)
    seen = Shown(asked.ids, where, asked.as_of, asked.count, sums)
    async with room.database.transaction(caller.tenant_id) as db:
        answer = await approving.approve(db, caller, seen, room.clock.now())
    room.nudge()
    return ApprovalAnswer(approved=answer.approved, awaiting_second=answer.awaiting_second)


@routes.post("/{notice_id}/reject")
async def reject(
    notice_id: UUID, asked: Rejection, caller: Approves, room: Here, request: Request
) -> dict[Literal["result"], Literal["stopped"]]:
    """Nobody sends this one; when this answers, nothing of it leaves any more."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await approving.found(db, caller.tenant_id, notice_id)
        check_match(request, row.version)
        scope = await approving.scope_of(db, row)
        await approving.reject(db, row, asked.reason, room.clock.now())
    await permits.stopping(room.database, scope)
    return {"result": "stopped"}


@routes.patch("/{notice_id}")
async def edit(notice_id: UUID, asked: Edit, caller: Writes, room: Here, request: Request) -> Edited:
    """Say it otherwise, or to others: a new notice takes its place and waits for approval."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await approving.found(db, caller.tenant_id, notice_id)
        check_match(request, row.version)
        scope = await approving.scope_of(db, row)
        new = await approving.edit(db, caller, row, room.clock.now(), recipients=asked.recipients, note=asked.note)
    await permits.stopping(room.database, scope)
    room.nudge()
    return Edited(id=new, replaces=notice_id)
