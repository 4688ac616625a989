"""The follow-up: what was due to be said and how it ended, what keeps silent and why, and what people have to do."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.consumer import Handler
from libs.common.events import Event
from libs.common.events import deliveries as told
from libs.common.events import reminders as due
from libs.common.events.envelope import Body
from services.console.projections.keeping import keep
from services.console.projections.tables import ReadModel

NOTICES: dict[type[Body], str] = {
    told.ReminderProposed: "proposed",
    told.ReminderSent: "sent",
    told.ReminderFailed: "failed",
    told.ReminderStopped: "stopped",
    told.ReminderUncertain: "uncertain",
    told.ReminderBounced: "bounced",
}
PROMISES: dict[type[Body], str] = {
    due.PromiseKept: "kept",
    due.PromiseBroken: "broken",
    due.PromiseCancelled: "cancelled",
}
CASES: dict[type[Body], str] = {due.CaseEscalated: "escalated", due.CaseClosed: "closed"}


def handlers(model: ReadModel) -> dict[type[Body], Handler]:
    """What these tables hear."""
    found = FollowUp(model)
    return {
        due.ReminderDue: found.reminders,
        due.ReminderWithdrawn: found.withdrawn,
        due.HoldPlaced: found.held,
        due.HoldLifted: found.lifted,
        due.PromiseMade: found.promised,
        due.DisputeOpened: found.disputed,
        due.DisputeResolved: found.resolved,
        told.TaskOpened: found.tasks,
        told.TaskDone: found.done,
        **dict.fromkeys(NOTICES, found.notices),
        **dict.fromkeys(PROMISES, found.promises_ended),
        **dict.fromkeys(CASES, found.cases),
    }


class FollowUp:
    """Writes one set of tables."""

    def __init__(self, model: ReadModel) -> None:
        self.model = model

    async def reminders(self, db: AsyncConnection, events: list[Event]) -> None:
        await keep(db, self.model.reminder, [_reminder(event) for event in events])

    async def withdrawn(self, db: AsyncConnection, events: list[Event]) -> None:
        rows = [_case_facts(e) | {"reminder_id": e.subject, "withdrawn": e.body.reason} for e in events]
        versions = [row | {"withdrawn_version": e.body.version} for row, e in zip(rows, events, strict=True)]
        await keep(db, self.model.reminder, versions, "withdrawn_version")

    async def notices(self, db: AsyncConnection, events: list[Event]) -> None:
        """A notice's present state; what it said before (its channel, its sending) stays."""
        state = NOTICES[type(events[0].body)]
        rows = [_notice(event, state) for event in events]
        await keep(db, self.model.notice, rows)

    async def held(self, db: AsyncConnection, events: list[Event]) -> None:
        rows = [
            _hold_facts(event)
            | _amount(event)
            | {
                "placed_version": event.body.version,
                "review_on": event.body.review_on,
                "lift_at_review": event.body.lift_at_review,
                "placed_at": event.time,
            }
            for event in events
        ]
        await keep(db, self.model.hold, rows, "placed_version")

    async def lifted(self, db: AsyncConnection, events: list[Event]) -> None:
        rows = [
            _hold_facts(event)
            | {"lifted_version": event.body.version, "lifted_at": event.time, "lifted_for": event.body.reason}
            for event in events
        ]
        await keep(db, self.model.hold, rows, "lifted_version")

    async def promised(self, db: AsyncConnection, events: list[Event]) -> None:
        rows = [
            _case_facts(event)
            | _amount(event)
            | {
                "promise_id": event.subject,
                "made_version": event.body.version,
                "promised_for": event.body.promised_for,
                "items": [str(item) for item in event.body.item_ids],
                "made_at": event.time,
            }
            for event in events
        ]
        await keep(db, self.model.promise, rows, "made_version")

    async def promises_ended(self, db: AsyncConnection, events: list[Event]) -> None:
        ended = PROMISES[type(events[0].body)]
        rows = [_case_facts(event) | {"promise_id": event.subject} | _ended(event, ended) for event in events]
        await keep(db, self.model.promise, rows, "ended_version")

    async def disputed(self, db: AsyncConnection, events: list[Event]) -> None:
        rows = [
            _case_facts(event)
            | _amount(event)
            | {
                "dispute_id": event.subject,
                "opened_version": event.body.version,
                "item_id": event.body.item_id,
                "reason": event.body.reason,
                "opened_at": event.time,
            }
            for event in events
        ]
        await keep(db, self.model.dispute, rows, "opened_version")

    async def resolved(self, db: AsyncConnection, events: list[Event]) -> None:
        rows = [
            _case_facts(event)
            | {"dispute_id": event.subject, "item_id": event.body.item_id}
            | _ended(event, event.body.outcome)
            for event in events
        ]
        await keep(db, self.model.dispute, rows, "ended_version")

    async def cases(self, db: AsyncConnection, events: list[Event]) -> None:
        state = CASES[type(events[0].body)]
        rows = [
            _case_facts(event) | {"version": event.body.version, "state": state, "told_at": event.time}
            for event in events
        ]
        await keep(db, self.model.case, rows)

    async def tasks(self, db: AsyncConnection, events: list[Event]) -> None:
        rows = [
            _case_facts(event)
            | {
                "task_id": event.subject,
                "opened_version": event.body.version,
                "kind": event.body.kind,
                "due_on": event.body.due_on,
                "reminder_id": event.body.reminder_id,
                "opened_at": event.time,
            }
            for event in events
        ]
        await keep(db, self.model.task, rows, "opened_version")

    async def done(self, db: AsyncConnection, events: list[Event]) -> None:
        rows = [
            _case_facts(event)
            | {
                "task_id": event.subject,
                "done_version": event.body.version,
                "kind": event.body.kind,
                "outcome": event.body.outcome,
                "done_on": event.body.done_on,
            }
            for event in events
        ]
        await keep(db, self.model.task, rows, "done_version")


def _case_facts(event: Event) -> dict[str, Any]:
    return _named(event, ("tenant_id", "entity_id", "case_id", "payer_id"))


def _hold_facts(event: Event) -> dict[str, Any]:
    return _named(event, ("tenant_id", "hold_id", "entity_id", "scope", "scope_id", "payer_id", "kind"))


def _named(event: Event, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(event.body, name) for name in names}


def _amount(event: Event) -> dict[str, Any]:
    amount = event.body.amount
    return {"currency": amount.currency if amount else None, "amount": amount.minor if amount else None}


def _ended(event: Event, how: str) -> dict[str, Any]:
    return {"ended_version": event.body.version, "ended": how, "ended_at": event.time}


def _reminder(event: Event) -> dict[str, Any]:
    body = event.body
    lines = body.lines
    asked = [line.residual.minor - (line.paused.minor if line.paused else 0) for line in lines]
    currencies = {line.residual.currency for line in lines}
    one = len(currencies) == 1
    return _case_facts(event) | {
        "reminder_id": body.reminder_id,
        "version": body.version,
        **{name: getattr(body, name) for name in ("party_id", "kind", "step_key", "tone", "approval")},
        "window_ends_at": body.window_ends_at,
        "lines": [{"item_id": str(line.item_id), "tone": line.tone, "completes": line.completes} for line in lines],
        "line_count": len(lines),
        "oldest_due": min((line.due_date for line in lines), default=None),
        "currency": currencies.pop() if one else None,
        "total": sum(asked) if one else None,
        "due_at": event.time,
    }


def _notice(event: Event, state: str) -> dict[str, Any]:
    body = event.body
    told_once = {"channel": body.channel, "tone": body.tone, "sent_at": body.sent_at} if state == "sent" else {}
    return _case_facts(event) | {
        "notice_id": body.notice_id,
        "version": body.version,
        "reminder_id": body.reminder_id,
        "kind": body.kind,
        "state": state,
        "reason": getattr(body, "reason", None) or getattr(body, "status", None),
        "covers": [{"item_id": str(part.item_id), "tone": part.tone} for part in body.covers],
        "told_at": event.time,
        **told_once,
    }
