"""Deliveries: claimed with a fence, put on the wire, concluded. Every write after a claim compares its fence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, Column, Select, Update, and_, bindparam, func, or_, select, text, union, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from libs.common.directory.tables import directory_tenant
from libs.common.sets import adding, columns, given, inserting
from services.notifier.store.pairs import Pair, of_pairs, pairs, parameters
from services.notifier.tables import delivery, delivery_line, notice

CLAIM_SECONDS = 60
_CLAIM = text(f"interval '{CLAIM_SECONDS} seconds'")


def copies(cc: str) -> list[str]:
    """The addresses of a delivery that get a copy."""
    return [each for each in cc.split(",") if each]


Holding = tuple[UUID, int]
"""A delivery and the fence under which it is held: a process may hold one again before it has let go of the last."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery in this process's hands, as long as `fence` is the row's."""

    tenant_id: UUID
    delivery_id: UUID
    notice_id: UUID
    entity_id: UUID
    case_id: UUID
    contact_id: UUID | None
    kind: str
    recipient: str
    cc: str
    sender: str
    reply_to: str | None
    debtor_version: int
    fence: int
    raw: bytes | None
    tries: int
    asks: int

    @property
    def holding(self) -> Holding:
        return self.delivery_id, self.fence

    @property
    def copies(self) -> list[str]:
        """The addresses that get a copy."""
        return copies(self.cc)


def seconds_of(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.make_interval(0, 0, 0, 0, 0, 0, column)


Taken = tuple[UUID, UUID, str]
"""Tenant, occurrence, recipient."""


async def taken(db: AsyncConnection, occurrences: Collection[Pair]) -> set[Taken]:
    """Who has, or may have, which of these (tenant, occurrence) from a delivery already."""
    query = select(delivery_line.c.tenant_id, delivery_line.c.occurrence_id, delivery_line.c.recipient)
    live = query.join(pairs(), of_pairs(delivery_line.c.occurrence_id)).where(delivery_line.c.live)
    found = await db.execute(live, parameters(occurrences)) if occurrences else ()
    return {(row.tenant_id, row.occurrence_id, row.recipient) for row in found}


async def add(db: AsyncConnection, rows: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]]) -> None:
    """Add deliveries and the (occurrence, recipient) that each of them takes."""
    if rows:
        await db.execute(adding(delivery, tuple(rows[0])), columns(rows))
        # Without "on conflict": a recipient taken meanwhile by another process must fail this transaction.
        await db.execute(inserting(delivery_line, tuple(lines[0])), columns(lines))


@cache
def _of_notices() -> Select[Any]:
    shown = [column for column in delivery.c if column.name != "raw"]
    return select(*shown).join(pairs(), of_pairs(delivery.c.notice_id)).order_by(delivery.c.delivery_id)


async def of_notices(db: AsyncConnection, asked: Collection[Pair]) -> list[Any]:
    """The deliveries of these notices, without their bytes."""
    return list(await db.execute(_of_notices(), parameters(asked)))


async def release_proposed(db: AsyncConnection, asked: Collection[Pair]) -> None:
    """Approved: the proposed deliveries of these notices may go."""
    change = update(delivery).where(of_pairs(delivery.c.notice_id), delivery.c.state == "proposed")
    await db.execute(change.values(state="ready", next_try_at=func.clock_timestamp()), parameters(asked))


async def stop(db: AsyncConnection, asked: Collection[Pair], reason: str) -> None:
    """What of these notices is not on the wire will not go there; their (occurrence, recipient) are free again."""
    await _stop(db, asked, reason, delivery.c.notice_id)


async def stop_these(db: AsyncConnection, asked: Collection[Pair], reason: str) -> None:
    """The same for single deliveries."""
    await _stop(db, asked, reason, delivery.c.delivery_id)


async def _stop(db: AsyncConnection, asked: Collection[Pair], reason: str, of: Column[Any]) -> None:
    change = (
        update(delivery)
        .where(of_pairs(of), delivery.c.state.in_(("proposed", "ready")))
        .values(state="stopped", reason=reason, raw=None, claimed_until=None)
        .returning(delivery.c.tenant_id, delivery.c.delivery_id)
    )
    stopped = {(row.tenant_id, row.delivery_id) for row in await db.execute(change, parameters(asked))}
    await free(db, stopped)


async def free(db: AsyncConnection, asked: Collection[Pair]) -> None:
    """These are provably unsent: others may cover the same occurrences for the same recipient."""
    if asked:
        change = update(delivery_line).where(of_pairs(delivery_line.c.delivery_id)).values(live=False)
        await db.execute(change, parameters(asked))


_OPENED = delivery.c.opens_at <= bindparam("now")


def _free(when: ColumnElement[bool], first: Column[Any]) -> CTE:
    free = (
        select(delivery.c.tenant_id, delivery.c.delivery_id)
        .join(directory_tenant, directory_tenant.c.tenant_id == delivery.c.tenant_id)
        .where(
            delivery.c.state == "ready",
            when,
            func.coalesce(delivery.c.claimed_until, text("'-infinity'")) < func.clock_timestamp(),
            ~directory_tenant.c.stopped,
        )
        .order_by(first)
        .limit(bindparam("most"))
        .with_for_update(of=delivery, skip_locked=True)
    )
    return free.cte(f"by_{first.name}")


@cache
def _claimed() -> Any:
    due = _free(delivery.c.next_try_at <= func.clock_timestamp(), delivery.c.next_try_at)
    opened = _free(_OPENED, delivery.c.opens_at)
    taken = union(select(due), select(opened)).limit(bindparam("most")).cte("taken")
    return (
        update(delivery)
        .where(delivery.c.tenant_id == taken.c.tenant_id, delivery.c.delivery_id == taken.c.delivery_id)
        .values(fence=delivery.c.fence + 1, claimed_until=func.clock_timestamp() + _CLAIM, opens_at=None)
        .returning(*(delivery.c[name] for name in Claim.__slots__))
    )


async def claim(db: AsyncConnection, most: int, now: datetime) -> list[Claim]:
    """Take up to so many deliveries that may go now, for 60 s of the database's clock, under a new fence.

    Tries are counted on the database's clock; the instant for which a permit told one to wait is of the business's.
    """
    return [Claim(*row) for row in await db.execute(_claimed(), {"most": most, "now": now})]


_soon = select(func.count()).where(
    delivery.c.state.in_(("ready", "on_wire")),
    or_(delivery.c.next_try_at <= func.clock_timestamp() + timedelta(seconds=5), _OPENED),
)


async def soon(db: AsyncConnection, now: datetime) -> int:
    """How many are on their way, or have their next try within five seconds."""
    return int(await db.scalar(_soon, {"now": now}) or 0)


@cache
def fenced(names: tuple[str, ...]) -> tuple[Any, ColumnElement[bool]]:
    rows = given(delivery, names)
    mine = and_(
        delivery.c.tenant_id == rows.c.tenant_id,
        delivery.c.delivery_id == rows.c.delivery_id,
        delivery.c.fence == rows.c.fence,
    )
    return rows, mine


KEY = ("tenant_id", "delivery_id", "fence")


def keys(claims: Sequence[Claim]) -> dict[str, list[Any]]:
    return columns([{name: getattr(each, name) for name in KEY} for each in claims])


@cache
def _renewing() -> Update:
    _, mine = fenced(KEY)
    held = delivery.c.claimed_until.is_not(None)
    change = update(delivery).where(mine, held, delivery.c.state.in_(("ready", "on_wire")))
    renewed = change.values(claimed_until=func.clock_timestamp() + _CLAIM)
    return renewed.returning(delivery.c.delivery_id, delivery.c.fence)


async def renew(db: AsyncConnection, claims: Sequence[Claim]) -> set[Holding]:
    """Hold these for another 60 s; answers those that are still ours: what was given back meanwhile is not."""
    return {(row.delivery_id, row.fence) for row in await db.execute(_renewing(), keys(claims))} if claims else set()


@cache
def _letting_go() -> Update:
    rows, mine = fenced((*KEY, "tries", "asks"))
    again = func.clock_timestamp() + seconds_of(bindparam("seconds"))
    told = {"claimed_until": None, "tries": rows.c.tries, "asks": rows.c.asks, "next_try_at": again}
    told |= {"opens_at": bindparam("opens_at", type_=delivery.c.opens_at.type)}
    # What was given back meanwhile waits as long as it was told then.
    held = delivery.c.claimed_until.is_not(None)
    return update(delivery).where(mine, held, delivery.c.state == "ready").values(told)


async def let_go(
    db: AsyncConnection, claims: Sequence[Claim], seconds: float, *, asks: int = 0, opens_at: datetime | None = None
) -> None:
    """Give these back, untouched, to be claimed again after so many seconds, or once the business's clock is there."""
    rows = [{name: getattr(each, name) for name in (*KEY, "tries")} | {"asks": each.asks + asks} for each in claims]
    if rows:
        await db.execute(_letting_go(), columns(rows) | {"seconds": seconds, "opens_at": opens_at})


@cache
def _freezing() -> Update:
    rows, mine = fenced((*KEY, "raw", "raw_sha256"))
    change = update(delivery).where(mine, delivery.c.raw.is_(None))
    return change.values(raw=rows.c.raw, raw_sha256=rows.c.raw_sha256)


async def freeze(db: AsyncConnection, built: Sequence[tuple[Claim, bytes, bytes]]) -> None:
    """Keep the bytes and their sha256: every later try sends these."""
    rows = [
        {name: getattr(each, name) for name in KEY} | {"raw": raw, "raw_sha256": digest} for each, raw, digest in built
    ]
    if rows:
        await db.execute(_freezing(), columns(rows))


@cache
def _putting_on_wire() -> Update:
    _, mine = fenced(KEY)
    change = update(delivery).where(
        mine,
        delivery.c.state == "ready",
        delivery.c.claimed_until > func.clock_timestamp(),
        delivery.c.tenant_id == notice.c.tenant_id,
        delivery.c.notice_id == notice.c.notice_id,
        notice.c.state.in_(("ready", "sent", "uncertain")),
    )
    told = change.values(
        state="on_wire",
        on_wire_at=func.clock_timestamp(),
        sent_at=bindparam("left_at"),
        claimed_until=func.clock_timestamp() + _CLAIM,
    )
    return told.returning(delivery.c.delivery_id, notice.c.approved_by)


async def put_on_wire(db: AsyncConnection, claims: Sequence[Claim], at: datetime) -> dict[UUID, bool]:
    """From here on a crash means doubt; `at` is the business instant.

    Answers those that may go, and whether a person approved each.
    """
    found = await db.execute(_putting_on_wire(), keys(claims) | {"left_at": at})
    return {row.delivery_id: row.approved_by is not None for row in found}


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What became of a claimed delivery. `seconds` until the next try, if it is `ready` again."""

    claim: Claim
    state: str
    reason: str | None = None
    code: int = 0
    reply: str | None = None
    sent_at: datetime | None = None
    tries: int = 0
    seconds: float = 0.0


_concluding = text("""
    update delivery d
       set state = case when d.state = 'uncertain' and g.state = 'ready' then 'stopped' else g.state end,
           reason = g.reason, code = g.code, reply = g.reply, sent_at = g.sent_at, tries = g.tries,
           claimed_until = null,
           next_try_at = clock_timestamp() + make_interval(secs => g.seconds),
           raw = case when g.state in ('sent', 'failed') then null else d.raw end
      from unnest(cast(:tenants as uuid[]), cast(:ids as uuid[]), cast(:fences as bigint[]), cast(:states as text[]),
                  cast(:reasons as text[]), cast(:codes as int[]), cast(:replies as text[]),
                  cast(:instants as timestamptz[]), cast(:tries as int[]), cast(:seconds as float8[]))
           as g (tenant_id, delivery_id, fence, state, reason, code, reply, sent_at, tries, seconds)
     where d.tenant_id = g.tenant_id and d.delivery_id = g.delivery_id and d.fence = g.fence
       and d.state in ('ready', 'on_wire', 'uncertain')
    returning d.tenant_id, d.delivery_id, d.notice_id, d.state
""")


async def conclude(db: AsyncConnection, conclusions: Sequence[Conclusion]) -> list[Any]:
    """Record outcomes under their fences. Doubt that was said stays said: a late proof that a mail was not taken
    stops it instead of trying again. Answers the rows that changed: tenant, delivery, notice, state."""
    found = await db.execute(
        _concluding,
        {
            "tenants": [each.claim.tenant_id for each in conclusions],
            "ids": [each.claim.delivery_id for each in conclusions],
            "fences": [each.claim.fence for each in conclusions],
            "states": [each.state for each in conclusions],
            "reasons": [each.reason for each in conclusions],
            "codes": [each.code for each in conclusions],
            "replies": [each.reply for each in conclusions],
            "instants": [each.sent_at for each in conclusions],
            "tries": [each.tries for each in conclusions],
            "seconds": [each.seconds for each in conclusions],
        },
    )
    changed = list(found)
    await free(db, {(row.tenant_id, row.delivery_id) for row in changed if row.state in ("failed", "stopped")})
    return changed


async def locked(db: AsyncConnection, asked: Collection[Pair]) -> list[Any]:
    """These deliveries, locked, without their bytes."""
    shown = [column for column in delivery.c if column.name != "raw"]
    query = select(*shown).join(pairs(), of_pairs(delivery.c.delivery_id)).with_for_update(of=delivery)
    return list(await db.execute(query, parameters(asked))) if asked else []


async def latest_to(db: AsyncConnection, tenant: UUID, address: str) -> Any | None:
    """The last mail that left to this address, without its bytes."""
    shown = [column for column in delivery.c if column.name != "raw"]
    mine = (delivery.c.tenant_id == tenant, delivery.c.recipient == address, delivery.c.state == "sent")
    return (await db.execute(select(*shown).where(*mine).order_by(delivery.c.sent_at.desc()).limit(1))).one_or_none()


async def change(db: AsyncConnection, tenant: UUID, delivery_id: UUID, **values: Any) -> None:
    changing = update(delivery).where(delivery.c.tenant_id == tenant, delivery.c.delivery_id == delivery_id)
    await db.execute(changing.values(**values))


async def read_by_payer(db: AsyncConnection, asked: Collection[Pair], version: Mapping[Pair, int]) -> None:
    """The payer's file changed and these notices' recipients did not: their permits ask with the new version."""
    for tenant, notice_id in sorted(asked):
        changing = update(delivery).where(
            delivery.c.tenant_id == tenant,
            delivery.c.notice_id == notice_id,
            delivery.c.state.in_(("proposed", "ready")),
        )
        await db.execute(changing.values(debtor_version=version[tenant, notice_id]))


@cache
def _threads() -> Select[Any]:
    shown = (
        delivery.c.tenant_id, delivery.c.case_id, delivery.c.recipient, delivery.c.delivery_id, delivery.c.sender
    )  # fmt: skip
    sent = select(*shown).join(pairs(), of_pairs(delivery.c.case_id)).where(delivery.c.state == "sent")
    return sent.order_by(delivery.c.sent_at.desc())


async def threads(db: AsyncConnection, claims: Sequence[Claim]) -> dict[UUID, tuple[UUID, str]]:
    """Claimed delivery → the first mail that left to this recipient in this case, and its sender."""
    asked = {(each.tenant_id, each.case_id) for each in claims}
    first = {
        (row.tenant_id, row.case_id, row.recipient): (row.delivery_id, row.sender)
        for row in await db.execute(_threads(), parameters(asked))
    }
    keys = {each.delivery_id: (each.tenant_id, each.case_id, each.recipient) for each in claims}
    return {delivery_id: first[key] for delivery_id, key in keys.items() if key in first}


async def page(
    db: AsyncConnection, tenant: UUID, *, where: Sequence[ColumnElement[bool]], after: UUID | None, most: int
) -> list[Any]:
    """Deliveries of a tenant in the order of their ids, without their bytes."""
    shown = [column for column in delivery.c if column.name != "raw"]
    query = select(*shown).where(delivery.c.tenant_id == tenant, *where).order_by(delivery.c.delivery_id).limit(most)
    return list(await db.execute(query.where(delivery.c.delivery_id > after) if after else query))
