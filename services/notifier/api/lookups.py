"""What our other services ask for when a page is drawn: words that events do not carry."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from libs.common.auth import Caller, requires_service
from libs.common.errors import Refused
from libs.common.http import Wire
from services.notifier.store import mail
from services.notifier.store.pairs import rows_of
from services.notifier.tables import notice, task

from .inbound import MessageShown
from .inbound import shown as message
from .shared import Here
from .tasks import TaskShown
from .tasks import shown as task_shown

routes = APIRouter(tags=["internal"])
MOST = 100
Ids = Annotated[list[UUID], Field(max_length=MOST)]


class Asked(Wire):
    """Up to 100 ids in all."""

    notices: Ids = []
    messages: Ids = []
    tasks: Ids = []


class Words(BaseModel):
    """What a notice says."""

    subject: str | None
    text: str | None


class Found(BaseModel):
    """What is known, by id; unknown ids are left out."""

    notices: dict[UUID, Words]
    messages: dict[UUID, MessageShown]
    tasks: dict[UUID, TaskShown]


@routes.post("/internal/v1/lookups")
async def look_up(asked: Asked, caller: Annotated[Caller, Depends(requires_service())], room: Here) -> Found:
    """The words of notices, the replies of debtors, the tasks."""
    if len(asked.notices) + len(asked.messages) + len(asked.tasks) > MOST:
        raise Refused(f"At most {MOST} ids a call.", field="body", remedy="Ask in several calls.")
    tenant = caller.tenant_id
    async with room.database.transaction(tenant) as db:
        told = await rows_of(db, notice.c.notice_id, {(tenant, each) for each in asked.notices})
        came = await mail.messages(db, tenant, asked.messages)
        todo = await rows_of(db, task.c.task_id, {(tenant, each) for each in asked.tasks})
    return Found(
        notices={row.notice_id: Words(subject=row.subject, text=row.words) for row in told},
        messages={row.message_id: message(row) for row in came},
        tasks={row.task_id: task_shown(row) for row in todo},
    )
