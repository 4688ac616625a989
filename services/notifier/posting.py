"""Letters: posted by a person, then presented, or back with an address that nobody knows.

The rule it protects: what was posted is told as sent; a step that is done when presented waits for the day somebody
notes. A letter that was refused or not called for counts as presented, one to an unknown address never arrived.
"""

from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from services.notifier import said, tasking
from services.notifier.said import Outcome
from services.notifier.store import notices

UNKNOWN_ADDRESS = "5.1.6"
"""RFC 3463: the destination has moved and left no address."""
TITLES = {"fr": "Noter la présentation : ", "en": "Note the presentation: "}


async def followed(db: AsyncConnection, task: Any, outcome: Outcome, now: datetime, today: date) -> None:
    """What follows from a task that was done, if it was about a letter."""
    about = await notices.one(db, task.tenant_id, task.notice_id, locked=True) if task.notice_id else None
    if about is None or about.channel != "letter":
        return
    if task.kind == "presentation" and outcome == "unknown_address":
        await _came_back(db, task, about, now, today)
    elif task.kind == "post" and about.state == "ready":
        await _posted(db, task, about, now, today)


async def _posted(db: AsyncConnection, task: Any, about: Any, now: datetime, today: date) -> None:
    lines = (await notices.lines(db, {(about.tenant_id, about.notice_id)}))[about.notice_id]
    changed = await notices.change(db, about.tenant_id, about.notice_id, state="sent", sent_at=now)
    told = said.sent(changed, lines, now, delivery_id=task.task_id, channel="letter", sent_at=now)
    await outbox.record(db, told)
    if about.completes_on == "presented":
        title = f"{TITLES[about.language]}{about.subject}"
        await tasking.open_task(db, about, "presentation", title=title, body=about.words or "", due_on=today, at=now)


async def _came_back(db: AsyncConnection, task: Any, about: Any, now: datetime, today: date) -> None:
    lines = (await notices.lines(db, {(about.tenant_id, about.notice_id)}))[about.notice_id]
    changed = await notices.change(db, about.tenant_id, about.notice_id)
    letter = SimpleNamespace(delivery_id=task.task_id, contact_id=None)
    await outbox.record(db, said.bounced(changed, lines, now, letter, UNKNOWN_ADDRESS))
    await tasking.open_contact_task(db, about, why=about.subject or "", at=now, due_on=today)
