"""Claiming the cases that are due to be looked at, and writing what was decided, each in one statement a table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import CompoundSelect, Executable, Insert, Update, and_, bindparam, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns, given
from libs.common.tables import restoring
from services.scheduler.errors import ReleasedElsewhere
from services.scheduler.store import balance
from services.scheduler.store.asking import plain
from services.scheduler.tables import occurrence, party, payer_case

_KEY = ("tenant_id", "occurrence_id")


async def claim(db: AsyncConnection, now: datetime, limit: int) -> list[Mapping[str, Any]]:
    """The cases whose time has come, the longest waiting first, with those of their parties that are due too; locked,
    and what another sweep holds is skipped. None while the service recovers: what was decided after the restore point
    is only known once it was heard again."""
    return [plain(row) for row in await db.execute(_claiming(), {"now": now, "most": limit})]


async def release(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record the releases of these occurrences. Raises ReleasedElsewhere if one is not the next of its occurrence."""
    first = [row for row in rows if row["release"] == 1]
    again = [row for row in rows if row["release"] > 1]
    done = 0
    if first:
        done += len((await db.execute(_adding(tuple(first[0])), columns(first))).all())
    if again:
        await balance.released_again(db, again)
        done += len((await db.execute(_releasing(tuple(again[0])), columns(again))).all())
    if done != len(rows):
        raise ReleasedElsewhere(f"{len(rows) - done} of {len(rows)} occurrences were released by somebody else.")


async def withdraw(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """These reminders are withdrawn; they wait for their end: rows of tenant_id, reminder_id."""
    if rows:
        await db.execute(_withdrawing(), columns(rows))


async def reserve(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """These parties are about to hear from us: rows of the party's reservation."""
    if rows:
        await db.execute(_reserving(), columns(rows))


async def settle(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """What the decision leaves of each case: its next look, its state, why it is silent."""
    if rows:
        await db.execute(_settling(tuple(rows[0])), columns(rows))


async def set_aside(db: AsyncConnection, rows: Sequence[Mapping[str, Any]], until: datetime) -> None:
    """These cases are not looked at before `until`."""
    asked = columns([{"tenant_id": row["tenant_id"], "case_id": row["case_id"]} for row in rows])
    await db.execute(_postponing(), asked | {"until": until})


@cache
def _postponing() -> Update:
    asked = given(payer_case, ("tenant_id", "case_id"))
    mine = and_(payer_case.c.tenant_id == asked.c.tenant_id, payer_case.c.case_id == asked.c.case_id)
    return update(payer_case).where(mine).values(next_at=bindparam("until", type_=payer_case.c.next_at.type))


@cache
def _claiming() -> CompoundSelect[Any]:
    due = payer_case.c.next_at <= bindparam("now", type_=payer_case.c.next_at.type)
    most = bindparam("most", type_=payer_case.c.version.type)
    recovers = select(restoring.c.tenant_id).exists()
    longest = select(payer_case).where(due, ~recovers).order_by(payer_case.c.next_at).limit(most)
    claimed = longest.with_for_update(skip_locked=True).cte("claimed")
    theirs = select(claimed.c.tenant_id, claimed.c.party_id).distinct().subquery("theirs")
    of_party = and_(payer_case.c.tenant_id == theirs.c.tenant_id, payer_case.c.party_id == theirs.c.party_id)
    known = select(claimed.c.case_id).where(claimed.c.case_id == payer_case.c.case_id).exists()
    competing = select(payer_case).join(theirs, of_party).where(due, ~known)
    siblings = competing.with_for_update(of=payer_case, skip_locked=True).cte("siblings")
    return union_all(select(claimed), select(siblings))


@cache
def _adding(names: tuple[str, ...]) -> Executable:
    inserting: Insert = adding(occurrence, names)
    return inserting.returning(occurrence.c.occurrence_id)


@cache
def _releasing(names: tuple[str, ...]) -> Executable:
    asked = given(occurrence, names)
    told = {name: asked.c[name] for name in names if name not in (*_KEY, "item_id", "cycle", "step_key")}
    return (
        update(occurrence)
        .where(occurrence.c.tenant_id == asked.c.tenant_id, occurrence.c.occurrence_id == asked.c.occurrence_id)
        .where(occurrence.c.release == asked.c.release - 1)
        .values(**told, reason="", ended_at=None, retry_on=None, withdrawn=False)
        .returning(occurrence.c.occurrence_id)
    )


@cache
def _withdrawing() -> Update:
    asked = given(occurrence, ("tenant_id", "reminder_id"))
    return (
        update(occurrence)
        .where(occurrence.c.tenant_id == asked.c.tenant_id, occurrence.c.reminder_id == asked.c.reminder_id)
        .where(occurrence.c.state.in_(("released", "proposed")))
        .values(withdrawn=True)
    )


@cache
def _reserving() -> Update:
    names = ("reserved_by", "reserved_case", "reserved_on")
    asked = given(party, ("tenant_id", "party_id", *names))
    return (
        update(party)
        .where(party.c.tenant_id == asked.c.tenant_id, party.c.party_id == asked.c.party_id)
        .values({name: asked.c[name] for name in names})
    )


@cache
def _settling(names: tuple[str, ...]) -> Update:
    asked = given(payer_case, names)
    return (
        update(payer_case)
        .where(payer_case.c.tenant_id == asked.c.tenant_id, payer_case.c.case_id == asked.c.case_id)
        .values({name: asked.c[name] for name in names if name not in ("tenant_id", "case_id")})
    )
