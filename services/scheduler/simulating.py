"""What a policy version would say: over days that have passed, from the facts as told then, or over days ahead.

The rule it protects: one decision, that of the sweep, and nothing is written. Of the past every fact is taken as it was
known at that hour, and what became of a notice that really left too; of the days ahead nothing is known: everything is
taken to arrive, nobody pays. Approvals are given at once, calls are made on their day.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import ids
from services.scheduler.case import Case, Item, Mark, altered
from services.scheduler.choosing import with_profiles
from services.scheduler.evidence import LATER
from services.scheduler.gathering import gather
from services.scheduler.grouping import Notice
from services.scheduler.planner import decide
from services.scheduler.playing import Course, Said, play_together
from services.scheduler.policy import GAPPED, HEARD, LADDER, PolicyVersion, Step
from services.scheduler.running_in import base
from services.scheduler.situation import Row, Situation
from services.scheduler.store import simulations as store
from services.scheduler.store.importing import STEP as IMPORTED
from services.scheduler.store.policies import Policies

BEFORE_CLOSING = timedelta(minutes=1)
AGAIN = 8
"""Releases of a reminder that may have been stopped before one of them left."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One notice, call or word to a colleague that would have left on a day."""

    on: date
    case: Row
    step: Step
    reminder_id: UUID
    approval: str
    items: tuple[Item, ...]
    """Those whose step ends with it."""
    listed: int
    """Lines of it."""
    paid_already: bool = False
    """Every item whose step ends with it had been paid by then, as is known by now."""
    disputed: bool = False
    """One of them was disputed in part."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What really left."""

    on: date
    case_id: UUID
    reminder_id: UUID
    step_key: str
    kind: str


def reminder_of(case: Case, notice: Notice, again: int = 0) -> UUID:
    """The id that the reminder has, or would have after so many releases that were stopped before it left."""
    return ids.reminder_id(
        (ids.occurrence_id(case.tenant_id, row.item.item_id, row.item.cycle, row.step.key), row.release + again)
        for row in notice.rows
        if row.completes
    )


def _contact(row: Row, case: Case, notice: Notice, on: date, settled: Mapping[UUID, date]) -> Contact:
    items = tuple(each.item for each in notice.rows if each.completes)
    return Contact(
        on=on,
        case=row,
        step=notice.step,
        reminder_id=reminder_of(case, notice),
        approval=notice.approval,
        items=items,
        listed=len(notice.rows),
        paid_already=notice.step.kind != "acknowledge"
        and all(item.item_id in settled and settled[item.item_id] <= on for item in items),
        disputed=disputed(notice),
    )


def disputed(notice: Notice) -> bool:
    """Whether something whose step ends with it is disputed in part."""
    return any(pause.kind == "dispute" for row in notice.rows if row.completes for pause in row.item.pauses)


# The days ahead


async def situations_now(
    db: AsyncConnection, rows: Sequence[Row], policies: Policies, version: PolicyVersion, now: datetime
) -> list[Situation]:
    """These cases as they are, all of them live and on this version, with the profiles that it asks for."""
    found = await gather(db, rows, policies, now)
    asking = [each for each in found if each.case.payer.profile is None]
    if version.policy.asks_for_profile:
        found = await with_profiles(db, found, asking, now)
    return [_on(each, version) for each in found]


def speaking(version: PolicyVersion) -> PolicyVersion:
    """The version as if it were not in shadow: a simulation says what it would say."""
    return version.model_copy(update={"policy": version.policy.model_copy(update={"shadow": False})})


def _on(situation: Situation, version: PolicyVersion) -> Situation:
    items = tuple([item if item.own is None else altered(item, own=None) for item in situation.case.items])
    case = altered(situation.case, items=items, mode="live", run_in=None, caught_up=0)
    return replace(situation, case=case, version=version)


def ahead(situations: Sequence[Situation], version: PolicyVersion, start: datetime, end: datetime) -> list[Contact]:
    """What would be said between two instants if everything arrives and nobody pays; parties with all their cases."""
    found = said_ahead(situations, version, start, end)
    return sorted((_contact(row, case, said.notice, said.on, {}) for row, case, said in found), key=_order)


def said_ahead(
    situations: Sequence[Situation], version: PolicyVersion, start: datetime, end: datetime
) -> Iterator[tuple[Row, Case, Said]]:
    """The same, party by party, as it is said."""
    together: dict[tuple[UUID, UUID], list[Situation]] = {}
    for each in situations:
        together.setdefault((each.case.tenant_id, each.case.party.party_id), []).append(each)
    for party in together.values():
        rows = {each.case.case_id: each.row for each in party}
        courses = [Course(altered(each.case, feed_required=False), version.policy, each.calendar) for each in party]
        for course, said in play_together(courses, start, end):
            yield rows[course.case.case_id], course.case, said


def _order(contact: Contact) -> tuple[date, str, str]:
    return contact.on, str(contact.case["case_id"]), contact.step.key


# The days that have passed


@dataclass
class _Kept:
    """What the played version has said so far to one case, and to its party."""

    marks: dict[UUID, tuple[Mark, ...]] = field(default_factory=dict)
    thanked_on: date | None = None


@dataclass
class _Heard:
    last: date | None = None
    notices: tuple[date, ...] = ()

    def and_before(self, rows: Sequence[Any]) -> "_Heard":
        """With what another system said by then."""
        days = [row.said_on for row in rows if not row.bounced and row.kind in HEARD]
        said = [row.said_on for row in rows if not row.bounced and row.kind in GAPPED]
        last = max((day for day in (self.last, *days) if day is not None), default=None)
        return _Heard(last, tuple(sorted((*self.notices, *said))))


@dataclass
class Replay:
    """A version played over days that have passed, case by case, two looks a day: at the window's opening and end."""

    version: PolicyVersion
    left: Mapping[UUID, Any]
    """Reminder id → the notice that really left."""
    settled: Mapping[UUID, date]
    """Item id → the day on which money settled it, as is known by now."""
    before: Mapping[UUID, Sequence[Any]] = field(default_factory=dict)
    """Party → what another system had said to it: the gap and the budget count from that too."""
    kept: dict[UUID, _Kept] = field(default_factory=dict)
    heard: dict[UUID, _Heard] = field(default_factory=dict)
    contacts: list[Contact] = field(default_factory=list)

    def look(self, situations: Sequence[Situation], at: datetime) -> None:
        """Decide about each of these cases, as they were at this instant but for what this version has said."""
        for situation in sorted(situations, key=lambda each: str(each.case.case_id)):
            case = self._case(situation, situation.calendar.today(at))
            decision = decide(case, self.version.policy, situation.calendar, at)
            for notice in () if decision.shown_only else decision.notices:
                self._leaves(situation, case, notice, situation.calendar.today(at))

    def _case(self, situation: Situation, today: date) -> Case:
        case = situation.case
        kept = self.kept.setdefault(case.case_id, _Kept())
        heard = self.heard.setdefault(case.party.party_id, _Heard())
        items = tuple(
            replace(item, marks=self._marks(item, kept), own=None, to_thank=self._to_thank(item, kept))
            for item in case.items
        )
        heard = heard.and_before([row for row in self.before.get(case.party.party_id, ()) if row.said_on <= today])
        party = replace(case.party, last_notice_on=heard.last, notices=heard.notices, reserved_on=None, formal_on=None)
        return replace(case, items=items, party=party, thanked_on=kept.thanked_on)

    @staticmethod
    def _marks(item: Item, kept: _Kept) -> tuple[Mark, ...]:
        """What this version said, after what another system had said before."""
        before = tuple(mark for mark in item.marks if base(mark.step_key) == IMPORTED)
        return (*before, *kept.marks.get(item.item_id, ()))

    def _to_thank(self, item: Item, kept: _Kept) -> bool:
        paid = not item.open and not item.cancelled and item.settled_on is not None
        return paid and any(mark.kind in LADDER for mark in kept.marks.get(item.item_id, ()))

    def _leaves(self, situation: Situation, case: Case, notice: Notice, today: date) -> None:
        contact = _contact(situation.row, case, notice, today, self.settled)
        known = (reminder_of(case, notice, again) for again in range(AGAIN))
        contact = replace(contact, reminder_id=next((one for one in known if one in self.left), contact.reminder_id))
        self.contacts.append(contact)
        really = self.left.get(contact.reminder_id)
        bounced = really is not None and really.bounced
        on = really.said_on if really is not None and really.said_on > today else today
        kept, heard = self.kept[case.case_id], self.heard[case.party.party_id]
        for row in notice.rows:
            if row.completes:
                others = [m for m in kept.marks.get(row.item.item_id, ())
                          if (m.step_key, m.cycle) != (row.step.key, row.item.cycle)]  # fmt: skip
                fresh = Mark(
                    row.step.key, row.item.cycle, row.step.tone, row.step.kind, "bounced" if bounced else "completed",
                    row.release, on, notice.step.channels[0], contact.reminder_id, on + LATER if bounced else None,
                    row.item.residual, row.item.invoice_version, anchored=row.item is notice.anchor,
                )  # fmt: skip
                kept.marks[row.item.item_id] = (*others, fresh)
        if notice.step.kind == "acknowledge":
            kept.thanked_on = today
        if not bounced and notice.step.kind in HEARD:
            heard.last = on
        if not bounced and notice.step.kind in GAPPED:
            heard.notices = (*heard.notices, on)


async def replayed(  # noqa: PLR0917 - which cases, by which version, over which days, and what is now
    db: AsyncConnection, rows: Sequence[Row], policies: Policies, version: PolicyVersion, first: date, last: date,
    now: datetime,
) -> list[Contact]:  # fmt: skip
    """What a version would have said to these cases from one day to another, from the facts as they were told then."""
    if not rows:
        return []
    pairs = {(row["tenant_id"], row["case_id"]) for row in rows}
    left = await store.notices(db, pairs)
    play = Replay(version, left, await store.settled(db, pairs), _before(rows, left.values()))
    zones = {each.row["case_id"]: each.calendar for each in await gather(db, rows, policies, now)}
    for at, whose in _looks(rows, zones, version, first, last, now):
        situations = await gather(db, whose, policies, now, as_of=at)
        if version.policy.asks_for_profile:
            situations = await with_profiles(db, situations, [s for s in situations if not s.case.payer.profile], at)
        play.look([each for each in situations if each.entity_known], at)
    return sorted(play.contacts, key=_order)


def _before(rows: Sequence[Row], left: Iterable[Any]) -> dict[UUID, list[Any]]:
    """Party → the notices that were imported."""
    parties = {row["case_id"]: row["party_id"] for row in rows}
    found: dict[UUID, list[Any]] = {}
    for notice in left:
        if notice.step_key == IMPORTED:
            found.setdefault(parties[notice.case_id], []).append(notice)
    return found


def _looks(  # noqa: PLR0917 - which cases, where, by which hours, over which days
    rows: Sequence[Row], zones: Mapping[UUID, Any], version: PolicyVersion, first: date, last: date, now: datetime
) -> Iterator[tuple[datetime, list[Row]]]:
    """The instants of the looks, with the cases that are looked at then."""
    window = version.policy.window
    for calendar in {id(each): each for each in zones.values()}.values():
        mine = [row for row in rows if zones[row["case_id"]] is calendar]
        day = first
        while day <= last:
            opens = calendar.opening(day, window)
            if calendar.today(opens) == day:
                closes = calendar.closing(opens, window)
                for at in (opens, closes - BEFORE_CLOSING if closes is not None else opens):
                    if at < now:
                        yield at, mine
            day += timedelta(days=1)
