"""Occurrences and what became of them, the notices that left, and when each party last heard from us."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, Select, Update, and_, func, or_, select, union_all, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns, given
from services.scheduler.policy import HEARD
from services.scheduler.store.asking import plain
from services.scheduler.store.cases import Pair
from services.scheduler.tables import notice, occurrence, party

_KEY = ("tenant_id", "occurrence_id")
_STANDING = (*_KEY, "state", "reason", "on_date", "ended_at", "retry_on", "ends")
FLAGS = ("sent", "bounced", "uncertain", "unsent", "approved", "edited", "rejected")
INSTANTS = ("sent_at", "uncertain_at", "bounced_at")
"""When what its flag says was told first."""
_NOTICE = (
    "tenant_id",
    "notice_id",
    "party_id",
    "case_id",
    "entity_id",
    "reminder_id",
    "kind",
    "step_key",
    "tone",
    "said_on",
    *FLAGS,
    *INSTANTS,
)


async def occurrences(db: AsyncConnection, pairs: Collection[Pair]) -> dict[Pair, Mapping[str, Any]]:
    """The rows of these occurrences, those that are known."""
    if not pairs:
        return {}
    rows = columns([{"tenant_id": tenant, "occurrence_id": each} for tenant, each in sorted(pairs)])
    return {(row.tenant_id, row.occurrence_id): plain(row) for row in await db.execute(_reading(), rows)}


async def stand(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """What follows from the facts of these occurrences: rows of _STANDING."""
    if rows:
        await db.execute(_standing(), columns([{name: row[name] for name in _STANDING} for row in rows]))


async def noticed(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Notices that left, bounced, or may have left; flags only ever rise."""
    if rows:
        await db.execute(_noticing(), columns([{name: row[name] for name in _NOTICE} for row in rows]))


async def lock_parties(db: AsyncConnection, pairs: Collection[Pair]) -> dict[Pair, Any]:
    """Make the rows of these parties and lock them, in the order of their ids: (tenant, party) → its row.

    A row that somebody else makes meanwhile is neither made nor seen at first: the second time it is.
    """
    if not pairs:
        return {}
    rows = columns([{"tenant_id": tenant, "party_id": each} for tenant, each in sorted(pairs)])
    found = (await db.execute(_locking(), rows)).all()
    if len(found) < len(pairs):
        found = (await db.execute(_locking(), rows)).all()
    return {(row.tenant_id, row.party_id): row for row in found}


async def last_notices(db: AsyncConnection, pairs: Collection[Pair]) -> None:
    """Each party's last notice, from the notices themselves. Lock the parties before."""
    if pairs:
        rows = columns([{"tenant_id": tenant, "party_id": each} for tenant, each in sorted(pairs)])
        await db.execute(_last_notice(), rows)


async def unreserve(db: AsyncConnection, pairs: Collection[tuple[UUID, UUID]]) -> None:
    """The releases of these (tenant, reminder) have ended: they reserve no gap any more."""
    if pairs:
        rows = columns([{"tenant_id": tenant, "reserved_by": each} for tenant, each in sorted(pairs)])
        await db.execute(_unreserving(), rows)


@cache
def _reading() -> Select[Any]:
    asked = given(occurrence, _KEY)
    theirs = and_(occurrence.c.tenant_id == asked.c.tenant_id, occurrence.c.occurrence_id == asked.c.occurrence_id)
    return select(occurrence).join(asked, theirs)


@cache
def _standing() -> Update:
    asked = given(occurrence, _STANDING)
    return (
        update(occurrence)
        .where(occurrence.c.tenant_id == asked.c.tenant_id, occurrence.c.occurrence_id == asked.c.occurrence_id)
        .values({name: asked.c[name] for name in _STANDING if name not in _KEY})
    )


@cache
def _noticing() -> Insert:
    rows = given(notice, _NOTICE)
    told = insert(notice).from_select(list(_NOTICE), select(*rows.c))
    flags = {name: or_(notice.c[name], told.excluded[name]) for name in FLAGS}
    firsts = {name: func.least(notice.c[name], told.excluded[name]) for name in INSTANTS}
    latest = func.greatest(notice.c.said_on, told.excluded.said_on)
    changes = {**flags, **firsts, "said_on": latest}
    return told.on_conflict_do_update(index_elements=["tenant_id", "notice_id"], set_=changes)


@cache
def _locking() -> CompoundSelect[Any]:
    """What is made comes first: whoever waits for a row that another makes holds no lock yet that this one needs."""
    names = ("tenant_id", "party_id")
    asked = given(party, names)
    theirs = and_(party.c.tenant_id == asked.c.tenant_id, party.c.party_id == asked.c.party_id)
    inserting: Insert = adding(party, names)
    made = inserting.returning(*party.c).cte("made")
    ordered = select(party).join(asked, theirs).order_by(party.c.tenant_id, party.c.party_id)
    locked = ordered.with_for_update(of=party).cte("locked")
    return union_all(select(made), select(locked))


def counted_kinds() -> frozenset[str]:
    """Kinds of notices that start the gap: reminders, and calls that were made."""
    return HEARD


def counts() -> Any:
    """Whether a notice starts the gap: a reminder or a call that was made, or may have left, and did not come back."""
    heard = notice.c.kind.in_(sorted(counted_kinds()))
    return and_(heard, ~notice.c.bounced, or_(notice.c.sent, and_(notice.c.uncertain, ~notice.c.unsent)))


@cache
def _last_notice() -> Update:
    asked = given(party, ("tenant_id", "party_id"))
    last = (
        select(func.max(notice.c.said_on))
        .where(notice.c.tenant_id == party.c.tenant_id, notice.c.party_id == party.c.party_id, counts())
        .correlate(party)
        .scalar_subquery()
    )
    return (
        update(party)
        .where(party.c.tenant_id == asked.c.tenant_id, party.c.party_id == asked.c.party_id)
        .values(last_notice_on=last)
    )


@cache
def _unreserving() -> Update:
    asked = given(party, ("tenant_id", "reserved_by"))
    return (
        update(party)
        .where(party.c.tenant_id == asked.c.tenant_id, party.c.reserved_by == asked.c.reserved_by)
        .values(reserved_by=None, reserved_case=None, reserved_on=None)
    )
