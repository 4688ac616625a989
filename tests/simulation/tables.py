"""The notifier's tables, played: what the statements of its stores say, each whole, on the rows of one transaction.

It stands in for `store.deliveries`, `store.doubts`, `store.volume` and `superseding`, where a notice has one delivery.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.notifier.store.deliveries import CLAIM_SECONDS, Claim, Conclusion, Holding
from services.notifier.store.pairs import Pair

TENANT = UUID(int=1)
LONG_AGO = float("-inf")
ENDS = frozenset({"sent", "failed", "stopped", "uncertain"})


@dataclass
class Row:
    """A delivery; instants are the machine's seconds."""

    delivery_id: UUID
    next_try: float
    state: str = "ready"
    fence: int = 0
    claimed_until: float = LONG_AGO
    tries: int = 0
    asks: int = 0

    def claim(self) -> Claim:
        one = self.delivery_id
        return Claim(
            TENANT, one, one, one, one, None, "reminder", str(one.int), "", "us@relance.example", None, 1,
            self.fence, b"", self.tries, self.asks,
        )  # fmt: skip


@dataclass
class Session:
    """What one transaction sees and changes."""

    rows: dict[UUID, Row]
    now: float


def _ours(db: Session, claims: Iterable[Claim], *states: str) -> list[Row]:
    found = ((db.rows[each.delivery_id], each.fence) for each in claims)
    return [row for row, fence in found if row.fence == fence and row.state in states]


async def claim(db: Session, most: int, now: datetime) -> list[Claim]:
    free = [row for row in db.rows.values() if row.state == "ready" and row.next_try <= db.now > row.claimed_until]
    for row in free[:most]:
        row.fence += 1
        row.claimed_until = db.now + CLAIM_SECONDS
    return [row.claim() for row in free[:most]]


async def soon(db: Session, now: datetime) -> int:
    return sum(row.state in ("ready", "on_wire") and row.next_try <= db.now + 5 for row in db.rows.values())


async def renew(db: Session, claims: Sequence[Claim]) -> set[Holding]:
    held = [row for row in _ours(db, claims, "ready", "on_wire") if row.claimed_until > LONG_AGO]
    for row in held:
        row.claimed_until = db.now + CLAIM_SECONDS
    return {(row.delivery_id, row.fence) for row in held}


async def let_go(db: Session, claims: Sequence[Claim], seconds: float, *, asks: int = 0, opens_at: Any = None) -> None:
    for row in _ours(db, claims, "ready"):
        if row.claimed_until > LONG_AGO:
            row.claimed_until, row.next_try, row.asks = LONG_AGO, db.now + seconds, row.asks + asks


async def put_on_wire(db: Session, claims: Sequence[Claim], at: datetime) -> dict[UUID, bool]:
    may = [row for row in _ours(db, claims, "ready") if row.claimed_until > db.now]
    for row in may:
        row.state, row.claimed_until = "on_wire", db.now + CLAIM_SECONDS
    return {row.delivery_id: True for row in may}


async def conclude(db: Session, asked: Any, now: datetime | None = None) -> list[Any]:
    """Both of that name: the outcomes of deliveries; and the ends of notices, of which there are none here."""
    if now is not None:
        return []
    told: Sequence[Conclusion] = asked
    for each in told:
        for row in _ours(db, [each.claim], "ready", "on_wire", "uncertain"):
            late = row.state == "uncertain" and each.state == "ready"
            row.state, row.tries = "stopped" if late else each.state, each.tries
            row.claimed_until, row.next_try = LONG_AGO, db.now + each.seconds
    return []


async def stop_these(db: Session, asked: Collection[Pair], reason: str) -> None:
    for _, delivery in asked:
        if db.rows[delivery].state == "ready":
            db.rows[delivery].state = "stopped"


async def stop(db: Session, asked: Collection[Pair], now: datetime, reason: str) -> list[UUID]:
    await stop_these(db, asked, reason)
    return [delivery for _, delivery in asked]


async def follow_facts(db: Session, asked: Collection[Pair], now: datetime) -> list[UUID]:
    return []


def _run_out(db: Session) -> list[Row]:
    return [row for row in db.rows.values() if row.state == "on_wire" and row.claimed_until < db.now]


async def lost(db: Session) -> list[Claim]:
    return [row.claim() for row in _run_out(db)]


async def expire(db: Session, asked: Sequence[Claim]) -> list[Any]:
    mine = {(each.delivery_id, each.fence) for each in asked}
    for row in _run_out(db):
        if (row.delivery_id, row.fence) in mine:
            row.state, row.claimed_until = "uncertain", LONG_AGO
    return []


async def left_on_wire(db: Session, fences: Collection[tuple[UUID, UUID, int]]) -> list[tuple[Claim, datetime | None]]:
    rows = ((db.rows[delivery], fence) for _, delivery, fence in fences)
    return [(r.claim(), None) for r, fence in rows if r.fence == fence and r.state in ("on_wire", "uncertain")]


async def doubtful(db: Session) -> int:
    return sum(row.state == "uncertain" for row in db.rows.values())
