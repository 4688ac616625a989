"""The audit chain of a tenant: every change by a person or a key, each row's hash covering the row before.

Whoever alters or drops a row breaks the chain from there on; whoever cuts its end is found by comparing the head that
was published before (`GET /v1/directory/audit/head`, and one log line per row). The roles may only add and read.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, Row, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.console.tables import audit

GENESIS = "0" * 64
PAGE = 1000

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """The last row of a chain; seq 0 and the genesis hash when there is none."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a chain is whole; if not, `broken_at` is the first row that does not fit."""

    entries: int
    head: str
    broken_at: int | None

    @property
    def whole(self) -> bool:
        return self.broken_at is None


def chain(previous: str, entry: Facts) -> str:
    """The hash of an entry after `previous`: SHA-256 over both, keys sorted, instants in UTC."""
    shown = {**entry, "at": entry["at"].astimezone(UTC).isoformat(), "tenant_id": str(entry["tenant_id"])}
    content = orjson.dumps(shown, default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(previous.encode() + b"\n" + content).hexdigest()


async def head(db: AsyncConnection, tenant_id: UUID) -> Head:
    """The chain's end as it stands."""
    asked = select(audit.c.seq, audit.c.hash).where(audit.c.tenant_id == tenant_id)
    found = (await db.execute(asked.order_by(audit.c.seq.desc()).limit(1))).one_or_none()
    return Head(found.seq, found.hash) if found else Head(0, GENESIS)


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done, by whom, to what. `actor` is user:<id>, key:<id> or the command line; facts hold no secret."""

    tenant_id: UUID
    at: datetime
    actor: str
    action: str
    subject_kind: str
    subject_id: object
    facts: Facts = field(default_factory=dict)


async def write(db: AsyncConnection, deed: Deed) -> Head:
    """Add one entry in the transaction of what it tells."""
    key = {"key": f"audit:{deed.tenant_id}"}
    await db.execute(text("select pg_advisory_xact_lock(hashtextextended(:key, 0))"), key)
    before = await head(db, deed.tenant_id)
    plain = {name: getattr(deed, name) for name in ("tenant_id", "at", "actor", "action", "subject_kind")}
    facts = orjson.loads(orjson.dumps(dict(deed.facts), default=str))
    entry = {**plain, "seq": before.seq + 1, "subject_id": str(deed.subject_id), "facts": facts}
    mine = chain(before.hash, entry)
    await db.execute(insert(audit).values(**entry, previous=before.hash, hash=mine))
    return Head(before.seq + 1, mine)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page of the audit is narrowed to; nothing unless it is told."""

    actor: str = ""
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.actor:
            found.append(audit.c.actor == self.actor)
        if self.kind:
            found.append(audit.c.subject_kind == self.kind)
        if self.since is not None:
            found.append(audit.c.at >= self.since)
        if self.until is not None:
            found.append(audit.c.at < self.until)
        return found


async def page(
    db: AsyncConnection, tenant_id: UUID, before: int | None = None, limit: int = 100, wanted: Wanted | None = None
) -> list[Facts]:
    """The newest entries that match, or those older than `before`, newest first."""
    asked = select(audit).where(audit.c.tenant_id == tenant_id, *(wanted or Wanted()).conditions())
    if before is not None:
        asked = asked.where(audit.c.seq < before)
    return [dict(row._mapping) for row in await db.execute(asked.order_by(audit.c.seq.desc()).limit(limit))]


async def actors(db: AsyncConnection, tenant_id: UUID) -> list[str]:
    """Whoever did something."""
    return list(await db.scalars(select(audit.c.actor).where(audit.c.tenant_id == tenant_id).distinct()))


async def kinds(db: AsyncConnection, tenant_id: UUID) -> list[str]:
    """The kinds of things that something was done to."""
    asked = select(audit.c.subject_kind).where(audit.c.tenant_id == tenant_id).distinct()
    return sorted(await db.scalars(asked))


async def first(db: AsyncConnection, tenant_id: UUID, action: str, subject: object) -> datetime | None:
    """When this was first done to a thing; None if it never was."""
    asked = select(func.min(audit.c.at)).where(
        audit.c.tenant_id == tenant_id, audit.c.action == action, audit.c.subject_id == str(subject)
    )
    found: datetime | None = await db.scalar(asked)
    return found


async def verify(db: AsyncConnection, tenant_id: UUID) -> Verdict:
    """Walk the whole chain."""
    last = Head(0, GENESIS)
    while rows := await _after(db, tenant_id, last.seq):
        for row in rows:
            if not _fits(row, last):
                return Verdict(last.seq, last.hash, last.seq + 1)
            last = Head(row.seq, row.hash)
    return Verdict(last.seq, last.hash, None)


def _fits(row: Row[Any], last: Head) -> bool:
    entry = {str(name): value for name, value in row._mapping.items() if name not in ("previous", "hash")}
    return bool(row.seq == last.seq + 1 and row.previous == last.hash and row.hash == chain(last.hash, entry))


async def _after(db: AsyncConnection, tenant_id: UUID, seq: int) -> list[Row[Any]]:
    asked = select(audit).where(audit.c.tenant_id == tenant_id, audit.c.seq > seq).order_by(audit.c.seq).limit(PAGE)
    return list(await db.execute(asked))
