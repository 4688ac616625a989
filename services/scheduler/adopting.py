"""After a point-in-time restore: our own ReminderDue tell which steps were released since, before their ends are heard.

The rule it protects: a release that was said is never made anew, and its end finds it.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from libs.common import ids
from libs.common.db import Database
from libs.common.events import Event
from libs.common.events.reminders import Line, ReminderDue
from libs.common.rewound import told_since
from libs.common.settings import Settings
from services.scheduler.store import evidence, sweeping, zones

CYCLES = 1_000
"""An item comes back less often; the event names its occurrence, which tells the cycle."""


async def adopt(settings: Settings, restored_to: datetime) -> int:
    """Record the releases that the topic tells and the database forgot; answers how many. Safe to repeat."""
    database = Database(settings, "scheduler", "loop", pool=1)
    adopted = 0
    try:
        async for events in told_since(settings, restored_to, ReminderDue):
            async with database.transaction() as db:
                days = await zones.days(db, events)
                by_release: dict[int, list[dict[str, Any]]] = defaultdict(list)
                for line, event in ((line, each) for each in events for line in each.body.lines if line.completes):
                    if cycle := _cycle(event.body.tenant_id, line):
                        by_release[line.release].append(_row(event, line, cycle, days))
                for _, rows in sorted(by_release.items()):
                    known = await evidence.occurrences(db, {(row["tenant_id"], row["occurrence_id"]) for row in rows})
                    forgotten = [row for row in rows if _forgotten(row, known)]
                    await sweeping.release(db, forgotten)
                    adopted += len(forgotten)
        return adopted
    finally:
        await database.close()


def _forgotten(row: Mapping[str, Any], known: Mapping[tuple[UUID, UUID], Mapping[str, Any]]) -> bool:
    """Whether it is the next release of its occurrence."""
    kept = known.get((row["tenant_id"], row["occurrence_id"]))
    return bool(row["release"] == (1 if kept is None else kept["release"] + 1))


def _cycle(tenant: UUID, line: Line) -> int | None:
    """Which time of its item this occurrence belongs to; None for one that no sweep of ours could make again."""
    of = (ids.occurrence_id(tenant, line.item_id, cycle, line.step_key) for cycle in range(1, CYCLES))
    return next((cycle for cycle, occurrence in enumerate(of, 1) if occurrence == line.occurrence_id), None)


def _row(told: Event, line: Line, cycle: int, days: Mapping[UUID, date]) -> dict[str, Any]:
    due: ReminderDue = told.body
    return {
        "tenant_id": due.tenant_id,
        "occurrence_id": line.occurrence_id,
        "item_id": line.item_id,
        "cycle": cycle,
        "step_key": line.step_key,
        "case_id": due.case_id,
        "entity_id": due.entity_id,
        "policy_version_id": due.policy_version_id,
        "kind": due.kind,
        "tone": line.tone,
        "release": line.release,
        "state": "released",
        "reminder_id": due.reminder_id,
        "channel": due.channels[0],
        "on_date": days[told.id],
        "released_at": told.time,
        "printed_minor": line.residual.minor,
        "currency": line.residual.currency,
        "invoice_version": line.invoice_version,
        "anchored": line.item_id == due.anchor_item_id,
        "completes_on": due.completes_on,
    }
