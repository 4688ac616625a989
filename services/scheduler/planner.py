"""The decision: given the facts of a case, its policy, its calendar and the instant, what is said now, and if not, why.

The rules it protects (DOMAIN §3): one step after an outage, then the gap; one notice at a time to a party; holds,
promises, disputes, money on account and stale bank data keep silent what they cover and nothing else; every silence
has a reason; the next look is never in the past and never in the middle of a closed day.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from services.scheduler.calendar import Calendar
from services.scheduler.case import NOTICES, TO_PAYER, Case, Item, Mark, Party, Reason
from services.scheduler.grouping import (
    Notice,
    Verdict,
    anchor_of,
    covered,
    ladder_notice,
    plain_notice,
    silent_currencies,
    statement_notice,
)
from services.scheduler.judging import (
    Day,
    arriving,
    day_of,
    deductions,
    expires_on,
    judged,
    silence_kept,
    standing,
)
from services.scheduler.policy import CALLS, GAPPED, LADDER, TASKS, Policy
from services.scheduler.policy_parts import Window
from services.scheduler.sleeping import Asleep


class Decision(NamedTuple):
    """What happens to the case now. With `shown_only` the notices are shown and nothing is released."""

    notices: tuple[Notice, ...]
    withdrawn: tuple[tuple[UUID, str], ...]
    verdicts: tuple[Verdict, ...]
    gate: Reason | None
    """What keeps the whole case silent although something is ready."""
    next_at: datetime | None
    state: Literal["clear", "amicable", "escalated", "in_recovery", "closed"]
    deducted: dict[str, int]
    formal_on: date | None
    shown_only: bool = False


def decide(case: Case, policy: Policy, calendar: Calendar, now: datetime, asleep: Asleep | None = None) -> Decision:
    """The one decision that sweep, plan and explain share. Pure: the same facts and instant give the same answer.

    Whoever decides about one case again and again hands in `asleep`: the answers are the same, and come faster.
    """
    today = calendar.today(now)
    case, arrives_on = arriving(case, calendar, today) if policy.awaits else (case, None)
    day = day_of(case, policy, calendar, today)
    verdicts = judged(case.items, day) if asleep is None else asleep.judge(case.items, day)
    deducted = deductions(day)
    if deducted:
        silent = silent_currencies(verdicts, deducted, day.today)
        verdicts = [_netted(verdict, silent) for verdict in verdicts]
    saying = _Saying(day, now, verdicts, deducted, _formal_on(verdicts))
    gate = _what_is_ready(saying)
    if arrives_on is not None:
        saying.look_on(arrives_on)
    for each in _days_to_look(verdicts, today):
        saying.look_on(each)
    return Decision(
        notices=tuple(saying.notices),
        withdrawn=tuple(_withdrawn(day)),
        verdicts=tuple(verdicts),
        gate=gate,
        next_at=min([look for look in saying.looks if look > now], default=None),
        state=_state(case, today),
        deducted=deducted,
        formal_on=saying.formal_on,
        shown_only=day.shadow,
    )


def _days_to_look(verdicts: Sequence[Verdict], today: date) -> list[date]:
    """The first day ahead on which time changes a verdict, and the last of those that have come."""
    days = [verdict.look_on for verdict in verdicts if verdict.look_on is not None]
    ahead = [day for day in days if day > today]
    come = [day for day in days if day <= today] if len(ahead) < len(days) else []
    return [*([min(ahead)] if ahead else ()), *([max(come)] if come else ())]


def _netted(verdict: Verdict, silent: set[str]) -> Verdict:
    if not _is(verdict, NOTICES) or not verdict.ready or verdict.item.currency not in silent:
        return verdict
    return Verdict(verdict.item, verdict.step, verdict.on, Reason("net_not_positive"), mark=verdict.mark)


def _notice_gate(day: Day, *, formal: bool, courtesy: bool) -> tuple[Reason | None, date | None]:
    """What keeps a notice to the payer waiting: one in flight, the gap, the budget. A courtesy delays no reminder."""
    if day.case.in_flight(TO_PAYER if courtesy else GAPPED):
        return Reason("notice_in_flight"), None
    last = _last_contact(day)
    if last is not None:
        until = day.calendar.add_business_days(last, day.policy.gap_days)
        if day.today < until:
            return Reason("gap", {"last": last, "until": until}), until
    recent = [] if formal else _within_budget(day.case.party, day)
    if len(recent) >= day.policy.budget.notices:
        until = recent[-day.policy.budget.notices] + timedelta(days=day.policy.budget.days)
        return Reason("budget", {"notices": len(recent), "until": until}), until
    return None, None


def _ramping_up(day: Day) -> tuple[Reason | None, date | None]:
    """On its first live days an entity says no more than the day's bound."""
    run_in = day.case.run_in
    if run_in is None or run_in.room is None or run_in.room > 0:
        return None, None
    tomorrow = day.today + timedelta(days=1)
    return Reason("ramping_up", {"most": run_in.cap, "until": tomorrow}), tomorrow


def _caught_up(day: Day) -> tuple[Reason | None, date | None]:
    """What an outage left behind is said over several days, so many notices a day and entity."""
    gate, until = _ramping_up(day)
    if gate is not None or day.case.caught_up < day.policy.spread.per_day:
        return gate, until
    tomorrow = day.today + timedelta(days=1)
    return Reason("spread_out", {"most": day.policy.spread.per_day, "until": tomorrow}), tomorrow


def _late(chosen: Sequence[Verdict], day: Day) -> bool:
    """Whether a notice that is spread could have been said on a working day before today."""
    if not any(verdict.step is not None and verdict.step.catch_up == "spread" for verdict in chosen):
        return False
    anchor = anchor_of(chosen)
    if anchor.step is None or anchor.step.catch_up != "spread" or anchor.on is None:
        return False
    last = _last_contact(day)
    possible = anchor.on if last is None else max(anchor.on, day.calendar.add_business_days(last, day.policy.gap_days))
    return day.calendar.business_days_between(possible, day.today) > 0


def _last_contact(day: Day) -> date | None:
    """The last day on which the party heard from us, or is about to."""
    party = day.case.party
    days = [on for on in (party.last_notice_on, party.reserved_on, day.case.called_on) if on is not None]
    return max(days) if days else None


def _within_budget(party: Party, day: Day) -> list[date]:
    first = day.today - timedelta(days=day.policy.budget.days)
    return sorted([on for on in party.notices if on > first])


@dataclass
class _Saying:
    """What is said at one instant, and when to look again for what had to wait."""

    day: Day
    now: datetime
    verdicts: Sequence[Verdict]
    deducted: Mapping[str, int]
    formal_on: date | None
    """The day of the next formal notice that nothing but its day keeps back."""
    notices: list[Notice] = field(default_factory=list)
    looks: list[datetime] = field(default_factory=list)

    def look_on(self, day: date) -> None:
        self.looks.append(self.day.calendar.opening(day, self.day.policy.window))

    def say(self, ready: Sequence[Verdict]) -> Reason | None:
        """Calls and words to colleagues first; then at most one notice to the payer. Why that waits, if it does."""
        kinds = {verdict.step.kind for verdict in ready if verdict.step is not None}
        for kind in ("internal_notice", "hand_over", "task_call", "task_visit") if not kinds.isdisjoint(TASKS) else ():
            for key in dict.fromkeys(verdict.step.key for verdict in _of(ready, (kind,)) if verdict.step is not None):
                self.within_window([verdict for verdict in ready if verdict.step and verdict.step.key == key])
        if kinds.isdisjoint(TO_PAYER):
            return None
        if any(notice.step.kind in CALLS for notice in self.notices):
            self.look_on(self.day.gap_end)
            return Reason("call_first")
        return self.to_payer(_of(ready, TO_PAYER))

    def to_payer(self, ready: Sequence[Verdict]) -> Reason | None:
        formal = _of(ready, ("formal_notice",))
        kinds: tuple[Container[str], ...] = (LADDER, ("statement",), ("pre_due",), ("acknowledge",))
        chosen = formal or next(found for kind in kinds if (found := _of(ready, kind)))
        gate, until = _notice_gate(self.day, formal=bool(formal), courtesy=not _is(chosen[0], GAPPED))
        if gate is None and not formal:
            gate, until = _formal_close_by(self.formal_on, self.day)
        late = _late(chosen, self.day)
        if gate is None:
            gate, until = _ramping_up(self.day) if not late else _caught_up(self.day)
        if gate is not None:
            if until is not None:
                self.look_on(until)
            return gate
        gate = self.within_window(chosen)
        if gate is None and late:
            self.notices[-1] = self.notices[-1]._replace(late=True)
        if gate is None and {id(v.item) for v in ready} - {id(row.item) for row in self.notices[-1].rows}:
            self.look_on(self.day.gap_end)
        return gate

    def within_window(self, these: Sequence[Verdict]) -> Reason | None:
        """Say it if the window is open, else look again when it opens."""
        day, step = self.day, these[0].step
        window = day.policy.window if step is None else day.policy.window_of(step)
        ends = day.calendar.closing(self.now, window)
        if ends is None:
            opens = day.calendar.next_opening(self.now, window)
            self.looks.append(opens)
            return Reason("window_closed", {"opens": opens})
        notice = self.notice(these, ends)
        if notice.step.kind in NOTICES and self.deducted and covered(notice, self.deducted):
            return Reason("net_not_positive")
        self.notices.append(notice if notice.approval == "none" else self.approved_within(notice, window))
        return None

    def notice(self, these: Sequence[Verdict], ends: datetime) -> Notice:
        """The one message about these and what is listed with them."""
        if _is(these[0], LADDER):
            chosen = {id(verdict) for verdict in these}
            others = [verdict for verdict in self.verdicts if id(verdict) not in chosen and _is_rung(verdict)]
            return ladder_notice(these, others, self.day, ends)
        if _is(these[0], ("statement",)):
            return statement_notice(these, self.open_items(), self.day.case, ends)
        return plain_notice(these, self.day.case, ends)

    def open_items(self) -> list[Verdict]:
        """The first verdict on every open item that nothing keeps silent."""
        first = {id(verdict.item): verdict for verdict in reversed(self.verdicts) if verdict.item.open}
        return [verdict for verdict in first.values() if standing(verdict.item, self.day) is None]

    def approved_within(self, notice: Notice, window: Window) -> Notice:
        """A notice that a person must approve may leave until the gap is over, in the windows of those days."""
        opens = self.day.calendar.opening(self.day.gap_end, window)
        return notice._replace(window_ends_at=self.day.calendar.closing(opens, window) or notice.window_ends_at)


def _what_is_ready(saying: _Saying) -> Reason | None:
    case = saying.day.case
    ready = [verdict for verdict in saying.verdicts if verdict.block is None and verdict.step is not None]
    if not ready:
        return None
    if case.stopped:
        return Reason("tenant_stopped")
    if not case.payer_known:
        return Reason("payer_unknown")
    if (unknown := saying.day.calendar.unknown) is not None:
        return Reason("calendar_unknown", {"what": unknown})
    gate = saying.say(ready)
    if saying.day.shadow:
        saying.look_on(saying.day.today + timedelta(days=1))
    return gate


def _is(verdict: Verdict, kinds: Container[str]) -> bool:
    return verdict.step is not None and verdict.step.kind in kinds


def _of(verdicts: Sequence[Verdict], kinds: Container[str]) -> list[Verdict]:
    """Those whose step is of these kinds."""
    return [verdict for verdict in verdicts if verdict.step is not None and verdict.step.kind in kinds]


def _is_rung(verdict: Verdict) -> bool:
    return verdict.step is None or verdict.step.kind in GAPPED


def _formal_close_by(formal_on: date | None, day: Day) -> tuple[Reason | None, date | None]:
    """A formal notice due within the gap would be delayed by a softer one of today: the softer one waits."""
    days = [on for on in (formal_on, day.case.party.formal_on) if on is not None and day.today <= on < day.gap_end]
    if not days:
        return None, None
    return Reason("formal_first", {"on": min(days)}), min(days) + timedelta(days=1)


def _formal_on(verdicts: Sequence[Verdict]) -> date | None:
    """The day of the next formal notice that nothing but its day keeps back."""
    days = [
        verdict.on
        for verdict in verdicts
        if verdict.step is not None
        and verdict.step.kind == "formal_notice"
        and verdict.on is not None
        and (verdict.block is None or verdict.block.code == "not_yet")
        and verdict.item.delivered() >= verdict.step.conditions.delivered_notices
    ]
    return min(days) if days else None


def _withdrawn(day: Day) -> list[tuple[UUID, str]]:
    """Released reminders that the facts no longer bear out, each with the first reason found."""
    found: dict[UUID, str] = {}
    for item in day.case.items if day.case.told.unended else ():
        for mark in item.told.unended:
            if not mark.withdrawn and mark.reminder_id is not None:
                no_longer = _thanks_no_longer if mark.kind == "acknowledge" else _no_longer
                reason = no_longer(item, mark, day)
                if reason is not None:
                    found.setdefault(mark.reminder_id, reason)
    return list(found.items())


def _no_longer(item: Item, mark: Mark, day: Day) -> str | None:
    if not item.open:
        return "cancelled" if item.cancelled else "settled"
    if day.shadow or (mark.kind == "pre_due" and day.today >= item.due_date):
        return "shadow" if day.shadow else "courtesy_passed"
    if (item.residual, item.invoice_version, item.cycle) != (mark.printed, mark.invoice_version, mark.cycle):
        return "amended"
    silence = standing(item, day)
    of_promise = _about_the_promise(mark, silence, day)
    silence = None if of_promise else silence
    if silence is None and not of_promise and item.paused_since(mark.released_at):
        return "held"
    if silence is None and day.today >= expires_on(mark, day):
        return "expired"
    return silence[0].code if silence is not None else None


def _about_the_promise(mark: Mark, silence: tuple[Reason, date | None] | None, day: Day) -> bool:
    """A task about a promise is not ended by the silence of that promise."""
    step = day.policy.step(mark.step_key)
    return step in day.policy.on_promise and (silence is None or silence[0].code == "promised")


def _thanks_no_longer(item: Item, mark: Mark, day: Day) -> str | None:
    """Nobody is thanked for what is owed again, or while somebody keeps the item silent."""
    if item.cancelled or item.open:
        return "cancelled" if item.cancelled else "reopened"
    if day.shadow or day.case.escalated:
        return "shadow" if day.shadow else "escalated"
    silence = silence_kept(item)
    if silence is None and item.paused_since(mark.released_at):
        return "held"
    if silence is None and day.today >= expires_on(mark, day):
        return "expired"
    return silence.code if silence is not None else None


def _state(case: Case, today: date) -> Literal["clear", "amicable", "escalated", "in_recovery", "closed"]:
    owed = [item.due_date for item in case.items if item.open]
    if not owed:
        return "closed" if case.items else "clear"
    if case.escalated:
        return "in_recovery" if case.in_recovery else "escalated"
    return "amicable" if min(owed) < today else "clear"
