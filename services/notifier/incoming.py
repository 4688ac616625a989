"""Mail that came back, and what follows from it: a bounce, a complaint, a person's reply, or nothing.

A bounce never counts as delivered. Nobody writes again to an address that does not exist or whose reader complained. A
person's reply stops what has not left in its case and opens a task; an automatic answer does nothing. The same bytes
twice are taken once.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.ids import uuid7
from libs.common.permits import Scope
from services.notifier import said, superseding, tasking
from services.notifier.inbound import Mail
from services.notifier.store import deliveries, mail, notices
from services.notifier.tables import notice


@dataclass(frozen=True)
class Taken:
    """What was made of a message. `scope` is what it stops, if anything."""

    message_id: UUID
    kind: str
    notice_id: UUID | None
    new: bool
    scope: Scope | None = None


async def take(db: AsyncConnection, tenant: UUID, raw: bytes, told: Mail, *, now: datetime, today: date) -> Taken:
    """Keep the message and draw its consequences."""
    digest = hashlib.sha256(raw).digest()
    attempt, about = await _belongs(db, tenant, told)
    message_id = uuid7()
    row = {
        "tenant_id": tenant,
        "message_id": message_id,
        "raw_sha256": digest,
        "kind": told.kind,
        "mail_message_id": told.message_id,
        "sender": told.sender,
        "subject": told.subject,
        "words": told.text,
        "delivery_id": attempt.delivery_id if attempt else None,
        "notice_id": about.notice_id if about else None,
        "case_id": about.case_id if about else None,
        "payer_id": about.payer_id if about else None,
        "status": told.status or None,
        "received_at": now,
    }
    if not await mail.add(db, row):
        known = await mail.same(db, tenant, digest)
        assert known is not None
        return Taken(known.message_id, known.kind, known.notice_id, new=False)
    scope = None
    if about is not None and told.kind == "bounce":
        await _bounced(db, attempt, about, told, now=now, today=today)
    elif about is not None and told.kind == "complaint":
        scope = await _complained(db, attempt, about, told, message_id, now=now, today=today)
    elif about is not None and told.kind == "reply":
        scope = await _replied(db, about, told, message_id, now=now, today=today)
    return Taken(message_id, told.kind, about.notice_id if about else None, new=True, scope=scope)


async def _belongs(db: AsyncConnection, tenant: UUID, told: Mail) -> tuple[Any | None, Any | None]:
    """The delivery that a message is about and its notice; a reply's writer may also be found by address."""
    found = await deliveries.locked(db, {(tenant, each) for each in told.delivery_ids})
    by_id = {row.delivery_id: row for row in found}
    attempt = next((by_id[each] for each in told.delivery_ids if each in by_id), None)
    if attempt is None and told.kind == "reply" and told.sender:
        attempt = await deliveries.latest_to(db, tenant, told.sender)
    if attempt is None:
        return None, None
    return attempt, await notices.one(db, tenant, attempt.notice_id)


async def _bounced(db: AsyncConnection, attempt: Any, about: Any, told: Mail, *, now: datetime, today: date) -> None:
    of_a_copy = told.recipient in deliveries.copies(attempt.cc)
    if of_a_copy or attempt.bounce_status is not None or attempt.state not in ("sent", "uncertain"):
        return
    key = {(attempt.tenant_id, attempt.notice_id)}
    await _arrived(db, attempt, now, bounce_status=told.status)
    if told.permanent and told.recipient in ("", attempt.recipient):
        await _given_up(db, attempt, about, told.status, "bounce", now=now, today=today)
    reached = [
        each
        for each in await deliveries.of_notices(db, key)
        if each.state in ("sent", "ready", "on_wire") and each.bounce_status is None
    ]
    if not reached:
        lines = (await notices.lines(db, key))[about.notice_id]
        changed = await notices.change(db, attempt.tenant_id, about.notice_id)
        await outbox.record(db, said.bounced(changed, lines, now, attempt, told.status))


async def _arrived(db: AsyncConnection, attempt: Any, now: datetime, **told: Any) -> None:
    """What came back, or was complained of, had been taken by the mail server: that ends the doubt."""
    facts = {"state": "sent", "sent_at": attempt.sent_at or now, "raw": None} | told
    await deliveries.change(db, attempt.tenant_id, attempt.delivery_id, **facts)
    await superseding.conclude(db, {(attempt.tenant_id, attempt.notice_id)}, now)


async def _given_up(
    db: AsyncConnection, attempt: Any, about: Any, why: str, author: str, *, now: datetime, today: date
) -> None:
    row = {"tenant_id": attempt.tenant_id, "address": attempt.recipient, "reason": why, "author": author}
    await mail.suppress(db, row | {"added_at": now})
    await tasking.open_contact_task(db, about, why=f"{attempt.recipient} {why}", at=now, due_on=today)


async def _complained(
    db: AsyncConnection, attempt: Any, about: Any, told: Mail, message_id: UUID, *, now: datetime, today: date
) -> Scope:
    """It was delivered, so it counts; the address is written to no more, whichever payer it belongs to."""
    if attempt.state == "uncertain":
        await _arrived(db, attempt, now)
    await _given_up(db, attempt, about, f"complaint: {told.status}", "feedback loop", now=now, today=today)
    await outbox.record(db, said.complained(about, message_id, now, attempt, told.status))
    return Scope(attempt.tenant_id)


async def _replied(
    db: AsyncConnection, about: Any, told: Mail, message_id: UUID, *, now: datetime, today: date
) -> Scope:
    waiting = await notices.open_where(db, notice.c.case_id, {(about.tenant_id, about.case_id)})
    await superseding.stop(db, waiting, now, "reply")
    title = f"{'Réponse' if about.language == 'fr' else 'Reply'} : {told.subject}"
    await tasking.open_task(
        db, about, "reply", title=title, body=told.text, due_on=today, at=now, message_id=message_id
    )
    await outbox.record(db, said.replied(about, message_id, now))
    return Scope(about.tenant_id, debtor_ids=[about.payer_id])
