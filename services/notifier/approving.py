"""A person's word on what waits: approve exactly what was seen, reject, or say it otherwise.

The set that is approved is counted and summed under its locks; anything else than what was shown is SetChanged.
A formal notice is approved alone, by two people, never in a bulk approval or its count.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Caller
from libs.common.errors import Forbidden, NotFound, SetChanged
from libs.common.money import Money
from libs.common.permits import Scope
from services.notifier import contents, superseding, tasking
from services.notifier.errors import NotOpen, SecondPerson
from services.notifier.recipients import allowed
from services.notifier.revision import NoticeLine
from services.notifier.store import deliveries, facts, notices
from services.notifier.store.pairs import Pair
from services.notifier.tables import notice


@dataclass(frozen=True)
class Shown:
    """What the approver saw: which notices, until when, how many, and their sums, one a currency."""

    ids: Sequence[UUID] | None
    where: Sequence[ColumnElement[bool]]
    as_of: datetime
    count: int
    sums: Mapping[str, Money]


@dataclass
class Approved:
    """What became of the set."""

    approved: list[UUID] = field(default_factory=list)
    awaiting_second: list[UUID] = field(default_factory=list)


def summed(lines: Sequence[NoticeLine], deductions: Sequence[Money]) -> Mapping[str, Money]:
    """What one notice asks for, one sum a currency."""
    rows = [
        contents.Row(
            each.item_id,
            each.invoice_id,
            each.number,
            each.issue_date,
            each.due_date,
            each.amount,
            each.residual,
            paused=each.paused,
        )
        for each in lines
    ]
    return contents.sums(rows, deductions)


async def sums_of(db: AsyncConnection, rows: Sequence[Any]) -> dict[UUID, Mapping[str, Money]]:
    """Notice → what it asks for."""
    keys = {(row.tenant_id, row.notice_id) for row in rows}
    lines, deductions = await notices.lines(db, keys), await notices.deductions(db, keys)
    return {row.notice_id: summed(lines[row.notice_id], deductions[row.notice_id]) for row in rows}


def added(sums: Sequence[Mapping[str, Money]]) -> dict[str, Money]:
    """One sum a currency over several notices."""
    total: dict[str, Money] = {}
    for each in sums:
        for currency, amount in each.items():
            total[currency] = total.get(currency, Money.zero(currency)) + amount
    return total


async def approve(db: AsyncConnection, caller: Caller, shown: Shown, now: datetime) -> Approved:
    """Approve the set if it is the one that was shown. Raises SetChanged, SecondPerson or Forbidden."""
    where = [notice.c.prepared_at <= shown.as_of, *shown.where]
    if shown.ids is not None:
        where.append(notice.c.notice_id.in_(list(shown.ids)))
    if shown.ids is None or len(shown.ids) != 1:
        where.append(notice.c.kind != "formal_notice")
    rows = await notices.proposed_set(db, caller.tenant_id, where)
    sums = added(list((await sums_of(db, rows)).values()))
    if len(rows) != shown.count or sums != shown.sums:
        told = [amount.wire() for amount in sums.values()]
        raise SetChanged(f"There are {len(rows)} notices now, not {shown.count}.", count=len(rows), sums=told)
    return await _say_yes(db, caller, rows, now)


async def _say_yes(db: AsyncConnection, caller: Caller, rows: Sequence[Any], now: datetime) -> Approved:
    answer, by_state = Approved(), defaultdict[str, set[Pair]](set)
    for row in rows:
        key = (row.tenant_id, row.notice_id)
        if row.approval == "four_eyes" and row.first_approver is None:
            _check_person(caller, row)
            await notices.change(db, *key, first_approver=caller.subject)
            answer.awaiting_second.append(row.notice_id)
            continue
        if row.approval == "four_eyes":
            _check_person(caller, row)
        changed = await notices.change(db, *key, state="ready", approved_by=caller.subject, approved_at=now)
        by_state["letter" if row.channel == "letter" else "mail"].add(key)
        if row.channel == "letter":
            await _post(db, changed, now)
        answer.approved.append(row.notice_id)
    if by_state["mail"]:
        await deliveries.release_proposed(db, by_state["mail"])
    return answer


def _check_person(caller: Caller, row: Any) -> None:
    if caller.subject.startswith(("key:", "service:")):
        raise Forbidden("Four eyes are two people's; a key cannot approve this.")
    if caller.subject in (row.first_approver, row.edited_by):
        raise SecondPerson(notice=str(row.notice_id))


async def _post(db: AsyncConnection, row: Any, now: datetime) -> None:
    """The letter is written; somebody posts it and says so."""
    title = f"Poster : {row.subject}" if row.language == "fr" else f"Post: {row.subject}"
    await tasking.open_task(db, row, "post", title=title, body=row.words or "", due_on=now.date(), at=now)


async def found(db: AsyncConnection, tenant: UUID, notice_id: UUID) -> Any:
    """One notice, locked. Raises NotFound."""
    row = await notices.one(db, tenant, notice_id, locked=True)
    if row is None:
        raise NotFound(f"There is no notice {notice_id}.")
    return row


async def scope_of(db: AsyncConnection, row: Any) -> Scope:
    """What a stopping command over this notice touches."""
    lines = (await notices.lines(db, {(row.tenant_id, row.notice_id)}))[row.notice_id]
    return Scope(row.tenant_id, item_ids=[line.item_id for line in lines])


async def reject(db: AsyncConnection, row: Any, why: str, now: datetime) -> None:
    """Nobody sends this one. Raises NotOpen once it has left."""
    if row.state not in ("proposed", "ready", "due"):
        raise NotOpen(f"The notice is {row.state}.")
    await superseding.stop(db, {(row.tenant_id, row.notice_id)}, now, "rejected")
    await notices.change(db, row.tenant_id, row.notice_id, note=why)


async def edit(
    db: AsyncConnection, caller: Caller, row: Any, now: datetime, *, recipients: Sequence[str] | None, note: str | None
) -> UUID:
    """Other recipients or other opening words: a new notice in its place, to be approved by somebody.

    Answers its id. Raises NotOpen once a part of it has left, RecipientRefused for an address that is not the debtor's.
    """
    if row.state not in ("proposed", "ready") or await superseding.begun(db, row):
        raise NotOpen(f"The notice is {row.state}.")
    changes: dict[str, Any] = {"approval": "confirm" if row.approval == "none" else row.approval}
    if recipients is not None:
        contacts = await facts.contacts(db, {(row.tenant_id, row.payer_id)})
        changes["recipients"] = allowed(recipients, contacts[row.tenant_id, row.payer_id])
    if note is not None:
        changes["note"] = note or None
    lines = (await notices.lines(db, {(row.tenant_id, row.notice_id)}))[row.notice_id]
    changes |= {"first_approver": None, "approved_by": None, "approved_at": None, "edited_by": caller.subject}
    return await superseding.replace(db, row, lines, lines, now, **changes)
