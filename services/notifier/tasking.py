"""Tasks: opened beside the state that needs a person, and closed with what came of it."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.ids import case_id, uuid7
from services.notifier import said
from services.notifier.said import Outcome, TaskKind
from services.notifier.store import facts, notices, tasks
from services.notifier.store.pairs import Pair

COVERING: tuple[TaskKind, ...] = ("call", "visit", "internal_notice", "hand_over", "presentation")
"""Tasks whose end is the end of the steps of their notice."""


async def open_task(
    db: AsyncConnection,
    about: Any,
    kind: TaskKind,
    *,
    title: str,
    body: str,
    due_on: date,
    at: datetime,
    message_id: UUID | None = None,
) -> UUID:
    """Somebody has something to do about this notice by a date."""
    row: dict[str, Any] = {
        "tenant_id": about.tenant_id,
        "task_id": uuid7(),
        "version": 1,
        "entity_id": about.entity_id,
        "case_id": about.case_id,
        "payer_id": about.payer_id,
        "kind": kind,
        "title": title[:300],
        "body": body,
        "due_on": due_on,
        "notice_id": about.notice_id,
        "reminder_id": about.reminder_id,
        "message_id": message_id,
        "opened_at": at,
    }
    await tasks.add(db, [row])
    await outbox.record(db, said.task_opened(row, at, about.correlation, about.cause))
    task_id: UUID = row["task_id"]
    return task_id


async def note_call(
    db: AsyncConnection, tenant_id: UUID, entity_id: UUID, payer_id: UUID, *, due_on: date, at: datetime
) -> Any:
    """A call that no step asked for, open for as long as it takes to close it; answers its row, locked."""
    row: dict[str, Any] = {
        "tenant_id": tenant_id,
        "task_id": uuid7(),
        "version": 1,
        "entity_id": entity_id,
        "case_id": case_id(tenant_id, payer_id),
        "payer_id": payer_id,
        "kind": "call",
        "title": "",
        "body": "",
        "due_on": due_on,
        "notice_id": None,
        "reminder_id": None,
        "message_id": None,
        "opened_at": at,
    }
    await tasks.add(db, [row])
    await outbox.record(db, said.task_opened(row, at, row["task_id"], None))
    return await tasks.one(db, tenant_id, row["task_id"], locked=True)


async def open_contact_task(db: AsyncConnection, about: Any, *, why: str, at: datetime, due_on: date) -> None:
    """Somebody must find whom to write to; one such task a case is enough."""
    if not await tasks.open_contact_task(db, about.tenant_id, about.case_id):
        title = "Trouver un contact" if about.language == "fr" else "Find a contact"
        await open_task(db, about, "contact", title=title, body=why, due_on=due_on, at=at)


async def close(
    db: AsyncConnection, row: Any, outcome: Outcome, *, by: str, at: datetime, done_on: date, remark: str | None = None
) -> Any:
    """It was done. The task is locked and open; answers it as it stands then."""
    now = await tasks.change(
        db, row.tenant_id, row.task_id, state="done", outcome=outcome, done_by=by, done_at=at, remark=remark
    )
    lines = (await notices.lines(db, {(row.tenant_id, row.notice_id)}))[row.notice_id] if row.notice_id else []
    covering = lines if row.kind in COVERING else []
    about = now._asdict()
    await outbox.record(
        db, said.task_done(about, covering, at, outcome=outcome, done_on=done_on, correlation=row.task_id)
    )
    return now


async def settle_calls(db: AsyncConnection, settled: Collection[Pair], at: datetime) -> None:
    """Nobody calls about what is paid: open calls all of whose items owe nothing are closed as done."""
    if not settled:
        return
    found = await tasks.open_calls_about(db, settled)
    lines = await notices.lines(db, {(row.tenant_id, row.notice_id) for row in found})
    asked = {(row.tenant_id, line.item_id) for row in found for line in lines[row.notice_id]}
    owing = {item_id for item_id, known in (await facts.known_items(db, asked)).items() if not known.residual}
    for row in found:
        if all(line.item_id in owing for line in lines[row.notice_id]):
            await close(db, row, "done", by="settled", at=at, done_on=at.date())
