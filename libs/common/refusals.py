"""Webhooks that were refused, and why: kept for the people who own the source, for 14 days, without what they said.

No body, no signature and no secret is kept: the webhook-id, the code, the field, how often. Whoever posts cannot
make it grow without end: what is not signed is counted by source, reason and hour, and so is what is signed once a
source had its share of lines in an hour. Lines are written together, once a second at most, and never by the
request that was refused: its answer tells nothing by how long it takes.
"""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import func

from libs.common import logs
from libs.common.db import Database
from libs.common.errors import RelanceError
from libs.common.ids import named
from libs.common.sets import columns, inserting
from libs.common.tables import webhook_refused

HOUR = 3600
SHARE = 200
"""Lines of one source in an hour and a process; what comes beyond is counted in the hour's line."""
MOST = 2_000
"""Lines that wait to be written; what comes beyond is not kept."""
EVERY = 1.0
ID = 120


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal. `webhook_id` is None where what was shown may be anybody's."""

    tenant_id: UUID
    source_id: UUID
    code: str
    title: str
    field: str | None = None
    webhook_id: str | None = None


class Refusals:
    """Takes refusals in, and writes them a moment later."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._waiting: OrderedDict[UUID, tuple[Refusal, int]] = OrderedDict()
        self._shares: dict[tuple[UUID, int], int] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, refusal: Refusal) -> None:
        """Remember one; costs the caller nothing."""
        hour = int(time.time() // HOUR)
        if refusal.webhook_id is not None and not self._share(refusal.source_id, hour):
            refusal = replace(refusal, webhook_id=None)
        place = refusal.webhook_id or f"hour {hour}"
        identity = named("webhook-refused", refusal.source_id, refusal.code, refusal.field or "", place)
        known = self._waiting.get(identity)
        if known is None and len(self._waiting) >= MOST:
            return
        self._waiting[identity] = (refusal, (known[1] if known else 0) + 1)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._later())

    def _share(self, source: UUID, hour: int) -> bool:
        if len(self._shares) > MOST:
            self._shares.clear()
        taken = self._shares[source, hour] = self._shares.get((source, hour), 0) + 1
        return taken <= SHARE

    async def _later(self) -> None:
        await asyncio.sleep(EVERY)
        try:
            await self.write()
        except Exception as error:
            # The refusal itself was answered; only its line is lost.
            logs.logger().warning("refusals.not_kept", error=type(error).__name__)

    async def write(self) -> None:
        """Write what waits; a line that is there counts on."""
        waiting, self._waiting = self._waiting, OrderedDict()
        if not waiting:
            return
        rows = [_row(identity, refusal, count) for identity, (refusal, count) in sorted(waiting.items())]
        noting = inserting(webhook_refused, tuple(rows[0]))
        more = {"count": webhook_refused.c.count + noting.excluded.count, "last_at": func.clock_timestamp()}
        async with self.database.transaction(*{refusal.tenant_id for refusal, _ in waiting.values()}) as db:
            counted = noting.on_conflict_do_update(index_elements=["tenant_id", "refusal_id"], set_=more)
            await db.execute(counted, columns(rows))

    async def close(self) -> None:
        """Write what waits and end."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)
        await self.write()


def _row(identity: UUID, refusal: Refusal, count: int) -> dict[str, Any]:
    return {
        "tenant_id": refusal.tenant_id,
        "refusal_id": identity,
        "source_id": refusal.source_id,
        "webhook_id": refusal.webhook_id[:ID] if refusal.webhook_id else None,
        "code": refusal.code,
        "field": refusal.field[:ID] if refusal.field else None,
        "title": refusal.title[:300],
        "count": count,
    }


def of(error: RelanceError) -> tuple[str, str, str | None] | None:
    """Code, title and field of a refusal that its sender can do something about; None for our own trouble."""
    told = error.problem()
    if int(told["status"]) >= 500 or int(told["status"]) == 429:
        return None
    return str(told["code"]), str(told["title"]), told.get("field")
