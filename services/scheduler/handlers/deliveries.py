"""What notifier says: what became of each release, replies, tasks.

The rule it protects: a level comes from a delivery that was told, in whatever order; a bounce takes it back.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.events import Event, event
from libs.common.events.deliveries import (
    Covered,
    NoticeBody,
    ReminderFailed,
    ReminderSent,
    ReminderStopped,
    ReplyReceived,
    TaskDone,
)
from libs.common.ids import named
from services.scheduler import speaking
from services.scheduler.calendar import Calendar
from services.scheduler.evidence import End, Fact, facts_of, joined, kept, standing
from services.scheduler.policy import CALLS
from services.scheduler.running_in import base
from services.scheduler.store import cases, evidence, holds, zones

ENDS: Mapping[str, End] = {
    "ReminderProposed": "proposed",
    "ReminderSent": "sent",
    "ReminderFailed": "failed",
    "ReminderStopped": "stopped",
    "ReminderUncertain": "uncertain",
    "ReminderBounced": "bounced",
}
UNSENT = frozenset({"not_sent", "unsent", "refused"})
"""Reasons of a stop that ends a doubt: a person, or the mail server's late word, says that it did not arrive."""


async def noticed(db: AsyncConnection, events: Sequence[Event]) -> None:
    """ReminderProposed, Sent, Failed, Stopped, Uncertain, Bounced: the releases that the notice covered."""
    calendars = await zones.calendars(db, {each.tenant for each in events})
    told = {}
    for each in events:
        body: NoticeBody = each.body
        fact = _fact(each, calendars.get((body.tenant_id, body.entity_id)))
        told[each.id] = fact
    touched = await _stand(
        db, [(each.body.tenant_id, cover, told[each.id]) for each in events for cover in each.body.covers]
    )
    await _parties(db, events, {each.id: told[each.id].on for each in events})
    mine = {(each.body.tenant_id, each.body.case_id) for each in events}
    await cases.look_at(db, touched | mine, max(each.time for each in events))


async def replied(db: AsyncConnection, told: Event) -> None:
    """ReplyReceived: the case pauses until somebody has read it; its owner is alarmed after one working day."""
    body: ReplyReceived = told.body
    tenant = body.tenant_id
    calendar = (await zones.calendars(db, {tenant})).get((tenant, body.entity_id), Calendar("FR", "Europe/Paris"))
    today = calendar.today(told.time)
    row = {
        "tenant_id": tenant,
        "hold_id": named("reply", tenant, body.message_id),
        "scope": "case",
        "scope_id": body.case_id,
        "entity_id": body.entity_id,
        "case_id": body.case_id,
        "payer_id": body.payer_id,
        "kind": "reply",
        "amount_minor": None,
        "currency": None,
        "reason": "reply",
        "author": "payer",
        "review_on": calendar.add_business_days(today, 1),
        "placed_at": told.time,
        "version": 1,
    }
    if await holds.place(db, [row]):
        await outbox.record(db, event(speaking.placed(row), told.time, cause=told))
    await cases.answered(db, [cases.answer(tenant, body.case_id, today, told.time)])
    read_at = await cases.read_at(db, tenant, body.case_id)
    if read_at is not None and read_at >= told.time:
        await _read(db, told, body.case_id, read_at)
    await cases.look_at(db, {(tenant, body.case_id)}, told.time)


async def task_done(db: AsyncConnection, told: Event) -> None:
    """TaskDone: a call or visit made starts the gap; a letter was presented; a reply was read: the case goes on."""
    body: TaskDone = told.body
    tenant = body.tenant_id
    if body.kind == "reply":
        await _read(db, told, body.case_id, told.time)
    elif body.kind in ("hand_over", "presentation"):
        if body.outcome != "unknown_address":
            await cases.look_at(db, await _stand(db, _all_done(told)), told.time)
    elif body.kind in ("call", "visit"):
        touched = await _stand(db, _all_done(told))
        party = await cases.party_of(db, tenant, body.case_id)
        if party is not None and body.outcome != "wrong_number":
            await _say(db, [_call_row(told, party)])
        if body.outcome in ("reached", "promise", "dispute"):
            await cases.answered(db, [cases.answer(tenant, body.case_id, body.done_on, told.time)])
        await cases.look_at(db, touched, told.time)
    await cases.look_at(db, {(tenant, body.case_id)}, told.time)


async def _read(db: AsyncConnection, told: Event, case_id: UUID, at: Any) -> None:
    lifted = await holds.read_replies(db, told.tenant, case_id, at)
    await outbox.record(db, *(event(speaking.lifted(row), told.time, cause=told) for row in lifted))


async def _stand(db: AsyncConnection, told: Sequence[tuple[UUID, Covered, Fact]]) -> set[cases.Pair]:
    """Add the facts to their occurrences and write what follows; returns the cases they belong to."""
    told = [(tenant, cover, fact) for tenant, cover, fact in told if cover.completes]
    rows = await evidence.occurrences(db, {(tenant, cover.occurrence_id) for tenant, cover, _ in told})
    facts = {key: facts_of(row["ends"]) for key, row in rows.items()}
    for tenant, cover, fact in told:
        key = (tenant, cover.occurrence_id)
        if key in facts:
            mine = Fact(cover.release, fact.end, fact.at, fact.on, fact.reason)
            facts[key] = joined(facts[key], mine)
    changed = [_changed(rows[key], facts[key]) for key in sorted(facts) if len(facts[key]) > len(rows[key]["ends"])]
    await evidence.stand(db, changed)
    return {(row["tenant_id"], row["case_id"]) for row in rows.values()}


def _changed(row: Mapping[str, Any], facts: Sequence[Fact]) -> dict[str, Any]:
    found = standing(facts, row["release"], row["kind"], row["released_at"].date(), row["completes_on"])
    return {
        "tenant_id": row["tenant_id"],
        "occurrence_id": row["occurrence_id"],
        "state": found.state,
        "reason": found.reason,
        "on_date": found.on,
        "ended_at": found.ended_at,
        "retry_on": found.retry_on,
        "ends": kept(facts),
    }


def _fact(told: Event, calendar: Calendar | None) -> Fact:
    body = told.body
    at = body.sent_at if isinstance(body, ReminderSent) else told.time
    on = (calendar or Calendar("FR", "Europe/Paris")).today(at)
    reason = body.reason if isinstance(body, ReminderStopped | ReminderFailed) else ""
    return Fact(0, ENDS[told.type], at, on, reason)


def _all_done(told: Event) -> list[tuple[UUID, Covered, Fact]]:
    return [(told.tenant, cover, _done(told, cover)) for cover in told.body.covers]


def _done(told: Event, cover: Covered) -> Fact:
    return Fact(cover.release, "done", told.time, told.body.done_on, told.body.outcome)


async def _parties(db: AsyncConnection, events: Sequence[Event], on: Mapping[UUID, date]) -> None:
    """The notices that left, may have left, or came back; and what each party last heard."""
    ended = [each for each in events if each.type != "ReminderProposed"]
    said = [_notice_row(each, on[each.id]) for each in ended if _of_notice(each)]
    await _say(db, said)
    await evidence.unreserve(db, {(each.tenant, each.body.reminder_id) for each in ended})


def _of_notice(told: Event) -> bool:
    """What left, may have left or came back; and what a person did not want to leave, or knows that it did not."""
    return ENDS[told.type] in ("sent", "uncertain", "bounced") or _rejected(told) or _unsent(told)


def _rejected(told: Event) -> bool:
    return isinstance(told.body, ReminderStopped) and told.body.reason == "rejected"


def _unsent(told: Event) -> bool:
    return isinstance(told.body, ReminderStopped) and told.body.reason in UNSENT


async def _say(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        pairs = {(row["tenant_id"], row["party_id"]) for row in rows}
        await evidence.lock_parties(db, pairs)
        await evidence.noticed(db, rows)
        await evidence.last_notices(db, pairs)


def _notice_row(told: Event, on: date) -> dict[str, Any]:
    body: NoticeBody = told.body
    end = ENDS[told.type]
    at = body.sent_at if isinstance(body, ReminderSent) else told.time
    return {
        "tenant_id": body.tenant_id,
        "notice_id": body.notice_id,
        "party_id": body.party_id,
        "case_id": body.case_id,
        "entity_id": body.entity_id,
        "reminder_id": body.reminder_id,
        "kind": "call_opened" if body.kind in CALLS else body.kind,
        "step_key": _step_of(body),
        "tone": max((cover.tone for cover in body.covers), default=0),
        "said_on": on if end != "bounced" else on - timedelta(days=3650),
        "sent": end == "sent",
        "bounced": end == "bounced",
        "uncertain": end == "uncertain",
        "unsent": _unsent(told),
        "approved": isinstance(body, ReminderSent) and body.approved,
        "edited": isinstance(body, ReminderSent) and body.edited,
        "rejected": _rejected(told),
        **{f"{name}_at": at if end == name else None for name in ("sent", "uncertain", "bounced")},
    }


def _step_of(body: NoticeBody) -> str:
    """The step that gave the notice its tone: the hardest of those that it completes."""
    completed = [cover for cover in body.covers if cover.completes] or body.covers
    hardest = max(completed, key=lambda cover: (cover.tone, cover.step_key), default=None)
    return base(hardest.step_key) if hardest is not None else ""


def _call_row(told: Event, party: UUID) -> dict[str, Any]:
    body: TaskDone = told.body
    return {
        "tenant_id": body.tenant_id,
        "notice_id": body.task_id,
        "party_id": party,
        "case_id": body.case_id,
        "entity_id": body.entity_id,
        "reminder_id": body.reminder_id or body.task_id,
        "kind": "task_visit" if body.kind == "visit" else "task_call",
        "step_key": "",
        "tone": 0,
        "said_on": body.done_on,
        **dict.fromkeys(evidence.FLAGS, False),
        **dict.fromkeys(evidence.INSTANTS),
        "sent": True,
        "sent_at": told.time,
    }
