"""This service's part of the send permit: is the notice still due, is nothing over it paused, may the party hear it?

no     a release is not the current one; something over it is paused, also in part, since it was released; the tenant
       is stopped, the entity in shadow; another notice of the party is on its way or within the gap
again  the window is closed, or the entity has said enough on one of its first days: it leaves when it may, and the
       answer tells when the window opens next
The gap is reserved on the party's locked row, so that of two notices that ask at once only one gets its yes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.clock import Clock
from libs.common.permits import Answer, Ask, AskedItem, again, no, yes
from services.scheduler.calendar import Hours
from services.scheduler.case import Case, Item
from services.scheduler.gathering import gather
from services.scheduler.judging import Day, day_of, silence_kept, standing
from services.scheduler.policy import GAPPED, Policy
from services.scheduler.situation import Situation
from services.scheduler.store import cases, evidence, facts, sweeping
from services.scheduler.store.policies import Policies
from services.scheduler.trusting import Leaving

UNENDED = ("released", "proposed")
PASSES = frozenset({"window_closed", "ramping_up"})
"""What time alone changes while the notice lives: it is asked again."""
STAYS = ("formal_notice", "statement")
"""What may be said to a payer who had a formal notice."""
ANY_GAP = timedelta(days=60)
"""Longer than any gap that a policy may have."""


class Looking:
    """The look of the permit, with the clock and the policies that it needs."""

    def __init__(self, clock: Clock, policies: Policies) -> None:
        self.clock = clock
        self.policies = policies

    async def look(self, db: AsyncConnection, tenant: UUID, asks: Sequence[Ask]) -> list[Answer]:
        """An answer for each delivery."""
        now = self.clock.now()
        parties = {(tenant, ask.party_id) for ask in asks}
        await evidence.lock_parties(db, parties)
        asked = [item for ask in asks for item in ask.items]
        rows = await cases.some(db, tenant, {cases.case_id(tenant, ask.payer_id) for ask in asks})
        also = {(tenant, item.item_id) for item in asked}
        situations = {s.case.payer_id: s for s in await gather(db, rows, self.policies, now, also=also)}
        released = await evidence.occurrences(db, {(tenant, item.occurrence_id) for item in asked})
        gap = _Gap(await facts.parties(db, parties), await facts.said(db, parties, (now - ANY_GAP).date()), now)
        leaving = await Leaving.of(db, situations.values(), now)
        answers = []
        for ask in asks:
            situation = situations.get(ask.payer_id)
            reason = _refusal(ask, situation, released, gap, now) or await leaving.refusal(tenant, ask)
            answers.append(_answer(ask, reason, situation, released, now))
        await sweeping.reserve(db, [{"tenant_id": tenant, **row} for row in gap.taken.values()])
        return answers


class _Gap:
    """When each party last heard from us or is about to, and what this call adds to it."""

    def __init__(self, parties: Mapping[Any, Any], said: Sequence[Any], now: datetime) -> None:
        self.now = now
        self.parties = {key[1]: row for key, row in parties.items()}
        self.said = said
        self.taken: dict[UUID, dict[str, Any]] = {}

    def refusal(self, ask: Ask, day: Day) -> str | None:
        """Why this notice is too close to another one of its party; else the gap is reserved for it."""
        if ask.kind not in GAPPED | {"acknowledge"}:
            return None
        days = [row.said_on for row in self.said if row.party_id == ask.party_id and row.reminder_id != ask.reminder_id]
        if any(day.today < day.calendar.add_business_days(said, day.policy.gap_days) for said in days):
            return "gap"
        kept = self.parties.get(ask.party_id)
        before = self.taken.get(ask.party_id) or (kept._mapping if kept is not None else {})
        other = before.get("reserved_by") not in (None, ask.reminder_id)
        if other and day.today < day.calendar.add_business_days(before["reserved_on"], day.policy.gap_days):
            return "gap_reserved"
        if ask.kind == "acknowledge":
            return None
        self.taken[ask.party_id] = {
            "party_id": ask.party_id,
            "reserved_by": ask.reminder_id,
            "reserved_case": day.case.case_id,
            "reserved_on": day.today,
        }
        return None


def _refusal(
    ask: Ask, situation: Situation | None, released: Mapping[Any, Mapping[str, Any]], gap: _Gap, now: datetime
) -> str | None:
    if situation is None or situation.version is None:
        return "case_unknown"
    case, policy = situation.case, situation.version.policy
    day = day_of(case, policy, situation.calendar, situation.calendar.today(now))
    closed = "calendar_unknown" if situation.calendar.unknown else _of_case(ask, case)
    closed = closed or ("shadow" if policy.shadow else None)
    if closed is not None:
        return closed
    known = {item.item_id: item for item in case.items}
    rows = [released.get((case.tenant_id, item.occurrence_id)) for item in ask.items]
    since = max((row["released_at"] for row in rows if row is not None), default=None)
    for asked, row in zip(ask.items, rows, strict=True):
        reason = _of_item(ask.kind, asked, known.get(asked.item_id), row, since, day)
        if reason is not None:
            return reason
    if situation.calendar.closing(now, _window(policy, rows)) is None:
        return "window_closed"
    return gap.refusal(ask, day)


def _answer(
    ask: Ask, reason: str | None, situation: Situation | None, released: Mapping[Any, Mapping[str, Any]], now: datetime
) -> Answer:
    if reason is None:
        return yes(ask)
    if reason not in PASSES or situation is None or situation.version is None:
        return no(ask, reason)
    rows = [released.get((situation.case.tenant_id, item.occurrence_id)) for item in ask.items]
    return again(ask, reason, situation.calendar.next_opening(now, _window(situation.version.policy, rows)))


def _window(policy: Policy, rows: Sequence[Mapping[str, Any] | None]) -> Hours:
    """The hours of the step that a notice comes from, or of its whole policy."""
    step = policy.step(next((row["step_key"] for row in rows if row is not None), ""))
    return policy.window if step is None else policy.window_of(step)


def _of_case(ask: Ask, case: Case) -> str | None:
    if case.stopped:
        return "tenant_stopped"
    if case.mode != "live":
        return "shadow"
    return "escalated" if case.escalated and ask.kind not in STAYS else None


def _over(kind: str, item: Item) -> str | None:
    """Nobody is reminded of what is over, and nobody is thanked for what is owed."""
    if item.cancelled:
        return "invoice_cancelled"
    if kind == "acknowledge":
        return "reopened" if item.open else None
    return None if item.open else "settled"


def _of_item(  # noqa: PLR0917 - what is asked, and what is known of it
    kind: str, asked: AskedItem, item: Item | None, row: Mapping[str, Any] | None, since: datetime | None, day: Day
) -> str | None:
    """Why this line may not be sent. A line that is only listed has release 0 and no occurrence of its own to end."""
    if item is None:
        return "payer_changed"
    if over := _over(kind, item):
        return over
    if asked.release:
        current = row is not None and row["release"] == asked.release and row["state"] in UNENDED
        if row is None or not current:
            return "release_superseded"
        if row["withdrawn"]:
            return "withdrawn"
    silence = silence_kept(item) if kind == "acknowledge" else (standing(item, day) or (None,))[0]
    if silence is not None:
        return silence.code
    return "held" if item.paused_since(since) else None
