"""Notices that have not left, when the world moves on: stopped, or replaced by what is still true.

The rule it protects: what leaves says what is owed when it leaves, and every release of an occurrence ends once.
All of it happens under the lock of the notices' rows, taken in the order of their ids.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.events.envelope import Event
from libs.common.ids import named
from services.notifier import said
from services.notifier.ending import End, ending, may_follow
from services.notifier.revision import KnownInvoice, KnownItem, NoticeLine, Revision, revise
from services.notifier.store import deliveries, facts, notices
from services.notifier.store.pairs import Pair

COPIED = (
    "tenant_id", "reminder_id", "entity_id", "case_id", "payer_id", "party_id", "policy_version_id", "kind", "step_key",
    "tone", "template", "language", "channels", "audience", "approval", "window_ends_at", "note", "recipients",
    "edited_by", "first_approver", "approved_by", "approved_at", "due_at", "correlation", "cause",
    "charges", "cc", "sender", "completes_on",
)  # fmt: skip
APPROVALS = ("edited_by", "first_approver", "approved_by", "approved_at")


def notice_id(tenant: UUID, reminder_id: UUID, rendition: int) -> UUID:
    """Found again when the same ReminderDue is heard twice."""
    return named("notice", tenant, reminder_id, rendition)


async def follow_facts(
    db: AsyncConnection, asked: Collection[Pair], at: datetime, *, held: Collection[UUID] = ()
) -> list[UUID]:
    """Bring these notices to what items and invoices are now; `held` items are taken out. Answers what changed."""
    rows = await notices.lock(db, asked)
    if not rows:
        return []
    keys = {(row.tenant_id, row.notice_id) for row in rows}
    lines, deductions = await notices.lines(db, keys), await notices.deductions(db, keys)
    items, invoices = await _known(db, rows, lines)
    changed: list[UUID] = []
    for row in rows:
        revision = revise(
            lines[row.notice_id],
            items,
            invoices,
            tone=row.tone,
            anchor=row.anchor_item_id,
            deductions=deductions[row.notice_id],
            held=held,
            courtesy=row.kind == "acknowledge",
        )
        if revision is not None:
            await _apply(db, row, lines[row.notice_id], revision, at)
            changed.append(row.notice_id)
    return changed


async def _known(
    db: AsyncConnection, rows: Sequence[Any], lines: Mapping[UUID, Sequence[NoticeLine]]
) -> tuple[dict[UUID, KnownItem], dict[UUID, KnownInvoice]]:
    printed = [(row.tenant_id, line) for row in rows for line in lines[row.notice_id]]
    items = await facts.known_items(db, {(tenant, line.item_id) for tenant, line in printed})
    invoices = await facts.invoices(db, {(tenant, line.invoice_id) for tenant, line in printed})
    return items, facts.known(invoices)


async def _apply(db: AsyncConnection, row: Any, lines: Sequence[NoticeLine], revision: Revision, at: datetime) -> None:
    if revision.anchor_item_id is None:
        await _stop_one(db, row, lines, at, reasons=revision.dropped, otherwise="superseded")
    elif await begun(db, row):
        # One recipient has it, or may have it: the others are not told anything else.
        await stop_deliveries(db, row, at)
    else:
        await replace(db, row, lines, revision.kept, at, anchor=revision.anchor_item_id, dropped=revision.dropped)


async def begun(db: AsyncConnection, row: Any) -> bool:
    """Whether one recipient has this notice, or may have it."""
    found = await deliveries.of_notices(db, {(row.tenant_id, row.notice_id)})
    return any(each.state in ("on_wire", "sent", "uncertain") for each in found)


async def stop_deliveries(db: AsyncConnection, row: Any, at: datetime) -> None:
    """What of this notice is not on the wire stays; the notice ends with what has left."""
    key = {(row.tenant_id, row.notice_id)}
    await deliveries.stop(db, key, "superseded")
    await conclude(db, key, at)


async def replace(
    db: AsyncConnection,
    row: Any,
    lines: Sequence[NoticeLine],
    kept: Sequence[NoticeLine],
    at: datetime,
    *,
    anchor: UUID | None = None,
    dropped: Mapping[UUID, str] | None = None,
    again: bool = False,
    **changes: Any,
) -> UUID:
    """End the notice `superseded` and put another in its place, to be written anew; answers the new id.

    The approval goes with it because it only shrinks; `again=True` asks for a new one.
    """
    new = notice_id(row.tenant_id, row.reminder_id, row.rendition + 1)
    fresh = {name: getattr(row, name) for name in COPIED} | changes
    fresh |= {"notice_id": new, "rendition": row.rendition + 1, "anchor_item_id": anchor or row.anchor_item_id}
    if again:
        fresh |= dict.fromkeys(APPROVALS)
    await deliveries.stop(db, {(row.tenant_id, row.notice_id)}, "superseded")
    deductions = await notices.deductions(db, {(row.tenant_id, row.notice_id)})
    await notices.add(
        db,
        [fresh],
        [notices.line_row(row.tenant_id, new, line) for line in kept],
        [
            {"tenant_id": row.tenant_id, "notice_id": new, "amount": each.minor, "currency": each.currency}
            for each in deductions[row.notice_id]
        ],
    )
    now = await notices.change(db, row.tenant_id, row.notice_id, state="superseded", replaced_by=new)
    await outbox.record(db, *_stopped_lines(now, lines, dropped or {}, None, at))
    return new


def _stopped_lines(
    row: Any, lines: Sequence[NoticeLine], reasons: Mapping[UUID, str], otherwise: str | None, at: datetime
) -> list[Event]:
    """One ReminderStopped for each reason, over the releases that end with it."""
    grouped: dict[str, list[NoticeLine]] = defaultdict(list)
    for line in lines:
        reason = reasons.get(line.occurrence_id, otherwise)
        if reason is not None and line.completes:
            grouped[reason].append(line)
    return [said.stopped(row, gone, at, reason) for reason, gone in sorted(grouped.items())]


async def _stop_one(
    db: AsyncConnection,
    row: Any,
    lines: Sequence[NoticeLine],
    at: datetime,
    *,
    reasons: Mapping[UUID, str],
    otherwise: str,
) -> None:
    if await begun(db, row):
        await stop_deliveries(db, row, at)
        return
    await deliveries.stop(db, {(row.tenant_id, row.notice_id)}, otherwise)
    main = next(iter(sorted(reasons.values())), otherwise)
    now = await notices.change(db, row.tenant_id, row.notice_id, state="stopped", reason=main)
    await outbox.record(db, *_stopped_lines(now, lines, reasons, otherwise, at))


async def stop(db: AsyncConnection, asked: Collection[Pair], at: datetime, reason: str) -> list[UUID]:
    """End these notices unsent, for this reason; those that began to leave keep what has left. Answers them."""
    rows = await notices.lock(db, asked)
    lines = await notices.lines(db, {(row.tenant_id, row.notice_id) for row in rows})
    for row in rows:
        await _stop_one(db, row, lines[row.notice_id], at, reasons={}, otherwise=reason)
    return [row.notice_id for row in rows]


async def fail(db: AsyncConnection, row: Any, lines: Sequence[NoticeLine], at: datetime, reason: str) -> None:
    """No channel can carry this notice, which is locked."""
    await deliveries.stop(db, {(row.tenant_id, row.notice_id)}, reason)
    now = await notices.change(db, row.tenant_id, row.notice_id, state="failed", reason=reason)
    await outbox.record(db, said.failed(now, lines, at, reason))


async def conclude(db: AsyncConnection, asked: Collection[Pair], at: datetime) -> None:
    """Say the end of the notices whose deliveries have come to one, each end once."""
    rows = await notices.lock(db, asked, states=("ready", "proposed", "uncertain"))
    keys = {(row.tenant_id, row.notice_id) for row in rows}
    if not keys:
        return
    lines = await notices.lines(db, keys)
    attempts: dict[UUID, list[Any]] = defaultdict(list)
    for each in await deliveries.of_notices(db, keys):
        attempts[each.notice_id].append(each)
    ends: dict[UUID, tuple[End, Any]] = {}
    for row in rows:
        mine = attempts[row.notice_id]
        end = ending([each.state for each in mine])
        if end is not None and end != row.state and may_follow(row.state, end):
            ends[row.notice_id] = end, next(each for each in mine if each.state == end)
    changed = await notices.change_many(
        db,
        [
            {
                "tenant_id": row.tenant_id,
                "notice_id": row.notice_id,
                "state": ends[row.notice_id][0],
                "reason": ends[row.notice_id][1].reason,
                "channel": "email",
                "sent_at": (ends[row.notice_id][1].sent_at or at) if ends[row.notice_id][0] == "sent" else None,
            }
            for row in rows
            if row.notice_id in ends
        ],
    )
    told = [_ended(changed[key], lines[key], at, end=end, one=one) for key, (end, one) in ends.items()]
    await outbox.record(db, *told)


def _ended(now: Any, lines: Sequence[NoticeLine], at: datetime, *, end: End, one: Any) -> Event:
    if end == "sent":
        return said.sent(now, lines, at, delivery_id=one.delivery_id, channel="email", sent_at=now.sent_at)
    if end == "uncertain":
        return said.uncertain(now, lines, at, one.delivery_id)
    if end == "failed":
        return said.failed(now, lines, at, one.reason or "refused")
    return said.stopped(now, lines, at, one.reason or "stopped")
