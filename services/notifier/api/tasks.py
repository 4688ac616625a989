"""Tasks: listed, and done with what came of them."""

from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from libs.common import permits
from libs.common.auth import Caller
from libs.common.errors import NotFound, Refused
from libs.common.http import Prose, Wire
from libs.common.paging import Cursor, Limit
from libs.common.permits import Scope
from services.notifier import posting, said, superseding, tasking
from services.notifier.errors import NotOpen
from services.notifier.room import Room
from services.notifier.said import Outcome, TaskKind
from services.notifier.store import facts, mail, notices, tasks
from services.notifier.tables import notice, task

from .shared import Here, Reads, Writes, after, cut

routes = APIRouter(prefix="/v1/tasks", tags=["tasks"])
calls = APIRouter(tags=["tasks"])
KIND = "tasks"
STOPPING: tuple[Outcome, ...] = ("promise", "dispute")


class TaskShown(BaseModel):
    """Something a person does: `body` is the call's script, or the reply to read."""

    task_id: UUID
    version: int
    entity_id: UUID
    case_id: UUID
    payer_id: UUID
    kind: TaskKind
    state: Literal["open", "done"]
    title: str
    body: str
    due_on: date
    notice_id: UUID | None
    reminder_id: UUID | None
    message_id: UUID | None
    outcome: Outcome | None
    remark: str | None
    done_by: str | None
    opened_at: datetime
    done_at: datetime | None


class Tasks(BaseModel):
    """A page of tasks."""

    tasks: list[TaskShown]
    next: str | None


class Done(Wire):
    """What came of it. A promise or a dispute is only noted here; the scheduler is told by its own routes.

    A registered letter is `presented`, `refused` or `unclaimed`, all of them a presentation, or its address is an
    `unknown_address`, which is none.
    """

    outcome: Outcome
    remark: Prose | None = None
    on: date | None = None
    """The day on which it was done or presented; today if it is left out."""


class Call(Done):
    """A call that a person made to a payer."""

    payer_id: UUID


def shown(row: Any) -> TaskShown:
    return TaskShown(**{name: getattr(row, name) for name in TaskShown.model_fields})


@routes.get("")
async def list_tasks(
    caller: Reads,
    room: Here,
    *,
    state: Literal["open", "done"] | None = None,
    kind: TaskKind | None = None,
    payer_id: UUID | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Tasks:
    """Tasks in the order of their opening."""
    asked = ((task.c.state, state), (task.c.kind, kind), (task.c.payer_id, payer_id))
    where = [column == value for column, value in asked if value is not None]
    async with room.database.transaction(caller.tenant_id) as db:
        start = after(room.settings, KIND, cursor)
        rows = await tasks.page(db, caller.tenant_id, where=where, after=start, most=limit + 1)
    page, following = cut(room.settings, KIND, rows, limit, "task_id")
    return Tasks(tasks=[shown(row) for row in page], next=following)


@routes.get("/{task_id}")
async def one_task(task_id: UUID, caller: Reads, room: Here) -> TaskShown:
    """One task."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await tasks.one(db, caller.tenant_id, task_id)
    if row is None:
        raise NotFound(f"There is no task {task_id}.")
    return shown(row)


@routes.post("/{task_id}/outcome")
async def done(task_id: UUID, asked: Done, caller: Writes, room: Here) -> TaskShown:
    """It is done. A promise or a dispute stops what has not left in this case, at once."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await tasks.one(db, caller.tenant_id, task_id, locked=True)
        if row is None:
            raise NotFound(f"There is no task {task_id}.")
        if row.state != "open":
            raise NotOpen("The task is done already.")
        closed = await _finished(db, room, caller, row, asked)
    await _silent(room, row, asked)
    return shown(closed)


@calls.post("/v1/calls", status_code=201)
async def note_call(asked: Call, caller: Writes, room: Here) -> TaskShown:
    """A person called. If a call to this payer was waiting, that one is done; else it is noted beside the plan."""
    tenant, now = caller.tenant_id, room.clock.now()
    async with room.database.transaction(tenant) as db:
        row = await tasks.open_call_of(db, tenant, asked.payer_id)
        if row is None:
            entity = await facts.entity_of(db, tenant, asked.payer_id)
            if entity is None:
                raise NotFound(f"There is no debtor {asked.payer_id}.")
            today = await room.today(db, tenant, entity)
            row = await tasking.note_call(db, tenant, entity, asked.payer_id, due_on=today, at=now)
        closed = await _finished(db, room, caller, row, asked)
    await _silent(room, row, asked)
    return shown(closed)


async def _finished(db: Any, room: Room, caller: Caller, row: Any, asked: Done) -> Any:
    """Close a task that is locked and open."""
    tenant, now = caller.tenant_id, room.clock.now()
    today = await room.today(db, tenant, row.entity_id)
    _check(row, asked, today)
    done_on = asked.on or today
    closed = await tasking.close(
        db, row, asked.outcome, by=caller.subject, at=now, done_on=done_on, remark=asked.remark
    )
    if row.message_id is not None:
        await mail.mark_read(db, tenant, row.message_id, now)
    await posting.followed(db, row, asked.outcome, now, today)
    if asked.outcome in STOPPING:
        waiting = await notices.open_where(db, notice.c.case_id, {(tenant, row.case_id)})
        await superseding.stop(db, waiting, now, asked.outcome)
    return closed


async def _silent(room: Room, row: Any, asked: Done) -> None:
    """After a promise or a dispute, nothing more leaves to this payer once this returns."""
    if asked.outcome in STOPPING:
        await permits.stopping(room.database, Scope(row.tenant_id, debtor_ids=[row.payer_id]))


def _check(row: Any, asked: Done, today: date) -> None:
    """The outcome fits the task, and its day has come. Raises Refused."""
    if asked.outcome in said.OF_A_LETTER and row.kind != "presentation":
        detail = f"{asked.outcome} is an outcome of a registered letter; this task is a {row.kind}."
        raise Refused(detail, field="outcome", remedy="Write done, or what came of the call or visit.")
    if row.kind == "presentation" and asked.outcome not in said.OF_A_LETTER | {"done"}:
        detail = f"{asked.outcome} is no outcome of a registered letter."
        raise Refused(detail, field="outcome", remedy="Write presented, refused, unclaimed or unknown_address.")
    if asked.on is not None and not row.opened_at.date() - timedelta(days=1) <= asked.on <= today:
        detail = f"{asked.on} is not between the day the task was opened and today."
        raise Refused(detail, field="on", remedy="Write the day on which it happened, or leave it out for today.")
