"""Past reminders: what the system before this one said to payers, so that levels go on where it stood.

The rules it protects: a reminder is known by its item, its day and its tone, so telling it twice changes nothing; each
line stands alone; what came back raises no level; and an imported item still waits in take-over until a person decides.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from libs.common import ids
from libs.common.errors import Refused
from services.scheduler.commands import Asker, Row
from services.scheduler.evidence import End, Fact, kept
from services.scheduler.store import cases, evidence
from services.scheduler.store import importing as store
from services.scheduler.store.importing import STEP

Kind = Literal["reminder", "final_notice", "formal_notice", "task_call"]
Channel = Literal["email", "letter", "call_task"]
Result = Literal["created", "bounced", "unchanged"]


@dataclass(frozen=True, slots=True)
class PastReminder:
    """What was said of one invoice, or of one instalment of it (`item_id`), on a day."""

    number: str | None
    item_id: UUID | None
    sent_on: date
    tone: int
    kind: Kind
    channel: Channel
    bounced: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a line: the items that it was about."""

    result: Result
    item_ids: Sequence[UUID]


async def take(asker: Asker, entity: UUID, lines: Sequence[PastReminder], *, dry_run: bool) -> list[Taken | Refused]:
    """Take these lines, each alone; with `dry_run` nothing is written. The cases they are about are looked at again."""
    known = await store.items(asker.db, asker.tenant, entity, lines)
    await cases.lock(asker.db, {(asker.tenant, row["case_id"]) for rows in known.values() for row in rows})
    today = (await asker.calendar(entity)).today(asker.now)
    found = [_meant(line, known.get(line.item_id or line.number or "", ()), today) for line in lines]
    about = [(line, row) for line, rows in zip(lines, found, strict=True) if isinstance(rows, list) for row in rows]
    before = await store.told(asker.db, asker.tenant, {_occurrence(asker.tenant, line, row) for line, row in about})
    results = [_taken(asker.tenant, line, rows, before) for line, rows in zip(lines, found, strict=True)]
    if not dry_run and about:
        await _written(asker, about, before)
    return results


def _meant(line: PastReminder, rows: Sequence[Row], today: date) -> list[Row] | Refused:
    """The items that a line is about: those of its invoice that were due by then, else its first instalment."""
    if not rows:
        named = "item_id" if line.item_id else "invoice"
        return Refused("There is no such invoice at this company.", field=named,
                       remedy="Send the invoices first, with the numbers that they print.")  # fmt: skip
    if len({row["invoice_id"] for row in rows}) > 1:
        return Refused(f"Several invoices have the number {line.number}.", field="invoice",
                       remedy="Name the instalment by `item_id`.")  # fmt: skip
    if line.sent_on > today:
        return Refused(f"{line.sent_on} is ahead.", field="sent_on", remedy="Tell what was said, on its day.")
    if line.sent_on < min(row["issue_date"] for row in rows):
        return Refused(f"The invoice was issued after {line.sent_on}.", field="sent_on",
                       remedy="Check the day and the number.")  # fmt: skip
    due = [row for row in rows if row["due_date"] <= line.sent_on]
    return due or [min(rows, key=lambda row: (row["due_date"], row["item_id"]))]


def _taken(
    tenant: UUID, line: PastReminder, rows: list[Row] | Refused, before: Mapping[UUID, Mapping[str, Any]]
) -> Taken | Refused:
    if isinstance(rows, Refused):
        return rows
    known = [before.get(_occurrence(tenant, line, row)) for row in rows]
    result: Result = "created" if None in known else "unchanged"
    if line.bounced and any(row is not None and "1:bounced" not in row["ends"] for row in known):
        result = "bounced"
    return Taken(result, [row["item_id"] for row in rows])


async def _written(
    asker: Asker, about: Sequence[tuple[PastReminder, Row]], before: Mapping[UUID, Mapping[str, Any]]
) -> None:
    rows = [_occurrence_row(asker, line, row, before) for line, row in about]
    best: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        if row["occurrence_id"] not in best or row["state"] == "bounced":
            best[row["occurrence_id"]] = row
    await store.keep(asker.db, [best[key] for key in sorted(best)])
    pairs = {(asker.tenant, row["party_id"]) for _, row in about}
    await evidence.lock_parties(asker.db, pairs)
    await evidence.noticed(asker.db, _notices(asker, about))
    await evidence.last_notices(asker.db, pairs)
    await cases.look_at(asker.db, {(asker.tenant, row["case_id"]) for _, row in about}, asker.now)


def step_key(line: PastReminder) -> str:
    """What an imported reminder is called: a day and a tone of an item are said once."""
    return f"{STEP}-{line.sent_on:%Y%m%d}-{line.tone}"


def _cycle(line: PastReminder, row: Row) -> int:
    """The cycle that the item was in on that day."""
    return 1 + sum(date.fromisoformat(cause[0]) <= line.sent_on for cause in row["cycles"].values())


def _occurrence(tenant: UUID, line: PastReminder, row: Row) -> UUID:
    return ids.occurrence_id(tenant, row["item_id"], _cycle(line, row), step_key(line))


def _reminder(tenant: UUID, line: PastReminder, row: Row) -> UUID:
    """One message to a payer on a day in a tone, whatever the number of invoices in it."""
    return ids.named("past reminder", tenant, row["case_id"], line.sent_on, line.tone, line.channel)


def _facts(line: PastReminder, at: datetime) -> list[Fact]:
    ends: tuple[End, ...] = ("sent", "bounced") if line.bounced else ("sent",)
    return [Fact(1, end, at, line.sent_on, STEP) for end in ends]


def _occurrence_row(
    asker: Asker, line: PastReminder, row: Row, before: Mapping[UUID, Mapping[str, Any]]
) -> dict[str, Any]:
    occurrence = _occurrence(asker.tenant, line, row)
    back = line.bounced or "1:bounced" in before.get(occurrence, {"ends": ()})["ends"]
    return {
        "tenant_id": asker.tenant,
        "occurrence_id": occurrence,
        "item_id": row["item_id"],
        "cycle": _cycle(line, row),
        "step_key": step_key(line),
        "case_id": row["case_id"],
        "entity_id": row["entity_id"],
        "policy_version_id": ids.named("imported", asker.tenant),
        "kind": line.kind,
        "tone": 0 if line.kind == "task_call" else line.tone,
        "release": 1,
        "state": "bounced" if back else "completed",
        "reason": STEP,
        "reminder_id": _reminder(asker.tenant, line, row),
        "channel": line.channel,
        "on_date": line.sent_on,
        "released_at": asker.now,
        "ended_at": asker.now,
        "printed_minor": row["amount_minor"],
        "currency": row["currency"],
        "invoice_version": row["invoice_version"],
        "ends": kept(_facts(line, asker.now)),
    }


def _notices(asker: Asker, about: Iterable[tuple[PastReminder, Row]]) -> list[dict[str, Any]]:
    """One notice a message: what the gap and the budget count from. It came back only if all of it did."""
    together: dict[UUID, list[tuple[PastReminder, Row]]] = defaultdict(list)
    for line, row in about:
        together[_reminder(asker.tenant, line, row)].append((line, row))
    return [_notice(asker, reminder, told) for reminder, told in sorted(together.items())]


def _notice(asker: Asker, reminder: UUID, told: Collection[tuple[PastReminder, Row]]) -> dict[str, Any]:
    line, row = next(iter(told))
    bounced = all(each.bounced for each, _ in told)
    return {
        "tenant_id": asker.tenant,
        "notice_id": ids.named("past notice", reminder),
        "party_id": row["party_id"],
        "case_id": row["case_id"],
        "entity_id": row["entity_id"],
        "reminder_id": reminder,
        "kind": line.kind,
        "step_key": STEP,
        "tone": line.tone,
        "said_on": line.sent_on,
        **dict.fromkeys(evidence.FLAGS, False),
        **dict.fromkeys(evidence.INSTANTS),
        "sent": True,
        "sent_at": asker.now,
        "bounced": bounced,
        "bounced_at": asker.now if bounced else None,
    }
