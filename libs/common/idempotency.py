"""Idempotency-Key: a POST that is sent again under its key is carried out once, and answers what it answered.

The first request claims (tenant, caller, route, key) and commits the claim; its own transaction marks the claim
carried out in the same commit as its effect; its 2xx answer is kept. Refusals are not kept: a corrected request may
use the key again. A twin waits for the first one's answer. After a crash the mark tells a request that was carried
out from one that was not, so that it is never carried out twice.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.auth import Caller
from libs.common.db import Database
from libs.common.errors import Conflict, IdempotencyConflict, Refused
from libs.common.tables import idempotency_key

TWIN_SECONDS = 10.0
"""How long a twin waits for the answer of the first."""
ABANDONED = text("interval '120 seconds'")
"""Longer than any request may run (transaction_timeout 60 s): a claim this old without a mark belongs to the dead."""
_HAS_WRITTEN: ColumnElement[bool] = text("pg_current_xact_id_if_assigned() is not null")  # type: ignore[assignment]
ANSWER_MOST = 4_000_000
MARKED, LOST = 0, 1
_it = idempotency_key.c


class InvalidKey(Refused):
    """The Idempotency-Key is not 1 to 255 printable ASCII characters."""

    code = "invalid_idempotency_key"


class StillRunning(Conflict):
    """The first request with this Idempotency-Key is still under way."""

    code = "idempotency_running"
    remedy = "Wait some seconds and send it again under the same key."


class AnswerLost(Conflict):
    """The first request with this Idempotency-Key was carried out, but its answer is not kept."""

    code = "idempotency_answer_lost"
    remedy = "Read the list to find what it made; do not send it under another key."


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said. A `secret` answer is told once and kept nowhere."""

    status: int
    content_type: str | None
    body: bytes
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """One request under its key: `route` names the caller, the method and the path."""

    tenant_id: UUID
    route: str
    key: str
    digest: bytes

    def row(self) -> ColumnElement[bool]:
        """Its row in the table."""
        return and_(_it.tenant_id == self.tenant_id, _it.route == self.route, _it.key == self.key)


_present: ContextVar[Claim | None] = ContextVar("relance_claim", default=None)


def claim_of(caller: Caller, method: str, path: str, key: str, body: bytes) -> Claim:
    """The claim that a request makes; `path` with its query. Raises InvalidKey."""
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise InvalidKey(field="Idempotency-Key")
    return Claim(caller.tenant_id, f"{caller.subject} {method} {path}", key, hashlib.sha256(body).digest())


async def mark(db: AsyncConnection) -> None:
    """Say in this transaction that the present request was carried out: before each commit of one that has written.

    Nothing when the request came without a key.
    """
    claim = _present.get()
    if claim is not None:
        unmarked = and_(claim.row(), _it.status.is_(None), _HAS_WRITTEN)
        await db.execute(update(idempotency_key).where(unmarked).values(status=MARKED))


@asynccontextmanager
async def _unmarked(claim: Claim, database: Database) -> AsyncIterator[AsyncConnection]:
    token = _present.set(None)
    try:
        async with database.transaction(claim.tenant_id) as db:
            yield db
    finally:
        _present.reset(token)


async def once(database: Database, claim: Claim, act: Callable[[], Awaitable[Answer]]) -> tuple[Answer, bool]:
    """The answer to this claim, and whether it is that of an earlier request. Raises IdempotencyConflict and others.

    `act` carries the request out; its own answer is returned as it is, and kept when it is a 2xx.
    """
    earlier = await _claimed(database, claim)
    if earlier is not None:
        return earlier, True
    token = _present.set(claim)
    try:
        answer = await act()
    except BaseException:
        await asyncio.shield(_release(database, claim, failed=True))
        raise
    finally:
        _present.reset(token)
    if 200 <= answer.status < 300:
        await _keep(database, claim, answer)
    else:
        await _release(database, claim, failed=answer.status >= 500)
    return answer, False


async def _claimed(database: Database, claim: Claim) -> Answer | None:
    until = time.monotonic() + TWIN_SECONDS
    pause = 0.02
    while True:
        async with _unmarked(claim, database) as db:
            mine, earlier = await _look(db, claim)
        if mine or earlier is not None:
            return earlier
        if time.monotonic() > until:
            raise StillRunning
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.5)


async def _look(db: AsyncConnection, claim: Claim) -> tuple[bool, Answer | None]:
    adding = insert(idempotency_key).values(
        tenant_id=claim.tenant_id, route=claim.route, key=claim.key, request_sha256=claim.digest
    )
    taken_over = adding.on_conflict_do_update(
        index_elements=["tenant_id", "route", "key"],
        set_={"created_at": func.clock_timestamp()},
        where=and_(
            _it.request_sha256 == claim.digest,
            _it.status.is_(None),
            _it.created_at < func.clock_timestamp() - ABANDONED,
        ),
    )
    if (await db.execute(taken_over.returning(_it.key))).first() is not None:
        return True, None
    aged = (_it.created_at < func.clock_timestamp() - ABANDONED).label("aged")
    found = (
        await db.execute(select(_it.request_sha256, _it.status, _it.content_type, _it.answer, aged).where(claim.row()))
    ).one_or_none()
    if found is None:
        return False, None
    if found.request_sha256 != claim.digest:
        raise IdempotencyConflict
    if found.status == LOST or (found.status == MARKED and found.aged):
        raise AnswerLost
    return False, Answer(found.status, found.content_type, found.answer) if found.status else None


async def _keep(database: Database, claim: Claim, answer: Answer) -> None:
    kept: dict[str, object] = {"status": LOST}
    if not answer.secret and len(answer.body) <= ANSWER_MOST:
        kept = {"status": answer.status, "content_type": answer.content_type, "answer": answer.body}
    async with _unmarked(claim, database) as db:
        await db.execute(update(idempotency_key).where(claim.row()).values(kept))


async def _release(database: Database, claim: Claim, *, failed: bool) -> None:
    """A refusal lets the key go. A fault lets it go only if nothing was carried out."""
    async with _unmarked(claim, database) as db:
        if failed:
            marked = and_(claim.row(), _it.status == MARKED)
            await db.execute(update(idempotency_key).where(marked).values(status=LOST))
            await db.execute(delete(idempotency_key).where(claim.row(), _it.status.is_(None)))
        else:
            unanswered = or_(_it.status.is_(None), _it.status == MARKED)
            await db.execute(delete(idempotency_key).where(claim.row(), unanswered))
