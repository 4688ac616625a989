"""From a decision to what is written and said: occurrences, ReminderDue, ReminderWithdrawn, the case's new row.

The rule it protects: the reminder's id is made of its (occurrence, release) pairs, so that deciding twice says one
thing; and the row of a case tells why it is silent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

from libs.common import ids
from libs.common.events.reminders import (
    CaseBody,
    CaseClosed,
    CaseEscalated,
    Line,
    ReminderDue,
    ReminderWithdrawn,
    SentBy,
)
from libs.common.money import Money
from services.scheduler import balancing, thanking
from services.scheduler.case import NOTICES, Case
from services.scheduler.grouping import Notice, Row
from services.scheduler.planner import Decision
from services.scheduler.policy import GAPPED, ChargesSaid
from services.scheduler.situation import Situation


@dataclass(frozen=True, slots=True)
class Written:
    """All that follows from the decision about one case."""

    case: Mapping[str, Any]
    occurrences: list[dict[str, Any]]
    reserved: list[dict[str, Any]]
    withdrawn: list[UUID]
    silent: list[dict[str, Any]]
    """Steps that this decision keeps silent, with the reason."""
    shadowed: list[dict[str, Any]]
    """Steps that would be said if nothing were in shadow."""
    thanked: list[dict[str, Any]]
    """Settled items about which no thank-you is to be said any more."""
    said: list[tuple[UUID | None, CaseBody]]
    """Events with the id they are known as, None for a new one."""
    charging: Mapping[UUID, ChargesSaid]
    """Reminder → what it says of charges, where its step or its tone says anything."""


def written(situation: Situation, decision: Decision, now: datetime, *, displaced: bool = False) -> Written:
    """The rows and events of a decision at the instant `now`."""
    occurrences: list[dict[str, Any]] = []
    reserved: list[dict[str, Any]] = []
    said: list[tuple[UUID | None, CaseBody]] = []
    charging: dict[UUID, ChargesSaid] = {}
    for notice in () if decision.shown_only else decision.notices:
        lines = [_line(situation.case, row) for row in notice.rows]
        due = reminder_due(situation, notice, lines, decision.deducted)
        said.append((due.reminder_id, due))
        if notice.step.charges is not None or notice.step.says_of_charges != "none":
            charging[due.reminder_id] = notice.step.says_of_charges
        occurrences += _occurrences(situation, notice, due, now)
        if notice.step.kind in GAPPED:
            reserved.append(_reserved(situation, due.reminder_id, now))
    for reminder, reason in decision.withdrawn:
        said.append((ids.named("withdrawn", reminder), _withdrawal(situation.case, reminder, reason)))
    version = situation.row["version"]
    turned = _turned(situation, decision, version + 1)
    if turned is not None:
        said.append((None, turned))
    return Written(
        case=_case(situation, decision, version + (turned is not None), displaced, now),
        occurrences=occurrences,
        reserved=reserved,
        withdrawn=[reminder for reminder, _ in decision.withdrawn],
        silent=_silent(situation, decision),
        shadowed=_shadowed(situation, decision, now),
        thanked=_thanked(situation.case, decision),
        said=said,
        charging=charging,
    )


def reminder_due(situation: Situation, notice: Notice, lines: list[Line], deducted: Mapping[str, int]) -> ReminderDue:
    """The event that hands a notice to the notifier."""
    case, step, version = situation.case, notice.step, situation.version
    if version is None:
        raise AssertionError("nothing is due without a policy")
    released = [(line.occurrence_id, line.release) for line in lines if line.completes]
    currencies = {line.residual.currency for line in lines} if step.kind in NOTICES else set()
    return ReminderDue(
        tenant_id=case.tenant_id,
        version=1,
        entity_id=case.entity_id,
        case_id=case.case_id,
        payer_id=case.payer_id,
        reminder_id=ids.reminder_id(released),
        policy_version_id=version.version_id,
        kind=step.kind,
        step_key=step.key,
        tone=step.tone,
        anchor_item_id=notice.anchor.item_id,
        lines=lines,
        deductions=[Money(minor, currency) for currency, minor in sorted(deducted.items()) if currency in currencies],
        channels=list(notice.channels),
        audience=list(step.audience),
        cc=list(step.cc),
        sender=SentBy(by=step.sender.by, reply_to=step.sender.reply_to),
        completes_on=step.completes_on,
        template=step.template,
        language=cast(Literal["fr", "en"], situation.language),
        approval=notice.approval,
        window_ends_at=notice.window_ends_at,
        party_id=case.party.party_id,
    )


def _line(case: Case, row: Row) -> Line:
    """One row of the table. Its facts are our own, so nothing checks them again: a fifth of the sweep's time."""
    item, paused = row.item, row.item.paused()
    return Line.model_construct(
        occurrence_id=ids.occurrence_id(case.tenant_id, item.item_id, item.cycle, row.step.key),
        release=row.release,
        item_id=item.item_id,
        item_version=item.item_version,
        invoice_id=item.invoice_id,
        invoice_version=item.invoice_version,
        debtor_id=item.debtor_id,
        number=item.number,
        issue_date=item.issue_date,
        due_date=item.due_date,
        amount=Money(item.amount, item.currency),
        residual=Money(item.residual, item.currency),
        paused=Money(paused, item.currency) if paused else None,
        step_key=row.step.key,
        tone=row.step.tone,
        completes=row.completes,
    )


def _occurrences(situation: Situation, notice: Notice, due: ReminderDue, now: datetime) -> list[dict[str, Any]]:
    case, today = situation.case, situation.calendar.today(now)
    return [
        {
            "tenant_id": case.tenant_id,
            "occurrence_id": line.occurrence_id,
            "item_id": line.item_id,
            "cycle": row.item.cycle,
            "step_key": line.step_key,
            "case_id": case.case_id,
            "entity_id": case.entity_id,
            "policy_version_id": row.item.own.version_id if row.item.own is not None else due.policy_version_id,
            "kind": row.step.kind,
            "tone": line.tone,
            "release": line.release,
            "state": "released",
            "reminder_id": due.reminder_id,
            "channel": notice.channels[0],
            "on_date": today,
            "released_at": now,
            "printed_minor": row.item.residual,
            "currency": row.item.currency,
            "invoice_version": line.invoice_version,
            "anchored": row.item is notice.anchor,
            "completes_on": notice.step.completes_on,
        }
        for row, line in zip(notice.rows, due.lines, strict=True)
        if line.completes
    ]


def _silent(situation: Situation, decision: Decision) -> list[dict[str, Any]]:
    case, version = situation.case, situation.version
    if version is None:
        return []
    return [
        {
            "tenant_id": case.tenant_id,
            "item_id": silence.item.item_id,
            "cycle": silence.item.cycle,
            "step_key": silence.step_key,
            "case_id": case.case_id,
            "entity_id": case.entity_id,
            "tone": silence.tone,
            "due_on": silence.due_on,
            "reason": silence.reason,
        }
        for silence in balancing.silences(decision, version.policy, situation.calendar)
    ]


def _shadowed(situation: Situation, decision: Decision, now: datetime) -> list[dict[str, Any]]:
    version = situation.version
    if version is None:
        return []
    notices = decision.notices if decision.shown_only else ()
    said = [(row.item, row.step, version) for notice in notices for row in notice.rows if row.completes]
    own = [
        (each.item, each.step, each.item.own)
        for each in decision.verdicts
        if each.block is not None and each.block.code == "shadow" and each.step is not None
    ]
    case, today = situation.case, situation.calendar.today(now)
    return [
        {
            "tenant_id": case.tenant_id,
            "item_id": item.item_id,
            "cycle": item.cycle,
            "step_key": step.key,
            "entity_id": case.entity_id,
            "case_id": case.case_id,
            "policy_version_id": (on or version).version_id,
            "kind": step.kind,
            "tone": step.tone,
            "channel": step.channels[0],
            "on_date": today,
            "decided_at": now,
        }
        for item, step, on in (*said, *own)
    ]


def _reserved(situation: Situation, reminder: UUID, now: datetime) -> dict[str, Any]:
    case = situation.case
    return {
        "tenant_id": case.tenant_id,
        "party_id": case.party.party_id,
        "reserved_by": reminder,
        "reserved_case": case.case_id,
        "reserved_on": situation.calendar.today(now),
    }


def _about(case: Case, version: int) -> dict[str, Any]:
    return {
        "tenant_id": case.tenant_id,
        "version": version,
        "entity_id": case.entity_id,
        "case_id": case.case_id,
        "payer_id": case.payer_id,
    }


def _withdrawal(case: Case, reminder: UUID, reason: str) -> ReminderWithdrawn:
    return ReminderWithdrawn(**_about(case, 2), reminder_id=reminder, reason=reason)


def _turned(situation: Situation, decision: Decision, version: int) -> CaseEscalated | CaseClosed | None:
    before = situation.row["state"]
    if decision.state == before:
        return None
    if decision.state == "escalated" and before != "in_recovery":
        return CaseEscalated(**_about(situation.case, version))
    if (
        before in ("amicable", "escalated", "in_recovery")
        and decision.state in ("closed", "clear")
        and not _owing(situation.case)
    ):
        return CaseClosed(**_about(situation.case, version))
    return None


def _owing(case: Case) -> bool:
    return any(item.open for item in case.items)


def _thanked(case: Case, decision: Decision) -> list[dict[str, Any]]:
    over = thanking.over([(verdict.item, verdict.block) for verdict in decision.verdicts])
    return [
        {"tenant_id": case.tenant_id, "item_id": item.item_id, "settled_version": item.settled_version} for item in over
    ]


def _case(situation: Situation, decision: Decision, version: int, displaced: bool, now: datetime) -> dict[str, Any]:
    policy = situation.version
    waits = decision.gate.code if decision.gate is not None else ""
    if any(found.block is not None and found.block.code.startswith("feed_") for found in decision.verdicts):
        waits = "feed"
    before = situation.row["displaced"]
    thanks = not decision.shown_only and any(notice.step.kind == "acknowledge" for notice in decision.notices)
    return {
        "tenant_id": situation.case.tenant_id,
        "case_id": situation.case.case_id,
        "policy_version_id": policy.version_id if policy else None,
        "first_offset": policy.policy.first_offset if policy else situation.row["first_offset"],
        "next_at": decision.next_at,
        "state": decision.state,
        "waits": waits,
        "formal_on": decision.formal_on,
        "thanked_on": situation.calendar.today(now) if thanks else situation.row["thanked_on"],
        "displaced": min(before + 1, 99) if displaced else 0 if decision.notices else before,
        "version": version,
    }
