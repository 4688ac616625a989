"""Who should be handed over: at the end of the ladder, and never later than ten days before the insurer's deadline.

The rule it protects (DOMAIN §6): 45 days after the due date once a formal notice was delivered, sooner where an
insurer's clock runs; a proposal is a line in a list until a person decides.
"""

from collections import defaultdict
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from services.scheduler import insuring
from services.scheduler.commands import Asker
from services.scheduler.store import insurance
from services.scheduler.store import recovery as store

AFTER_DAYS = 45
MOST = 500
AHEAD = timedelta(days=15)
"""Ten days before a deadline, and the weekend or holidays before those."""
Group = tuple[UUID, UUID, str, str]


async def proposals(asker: Asker) -> list[dict[str, Any]]:
    """Payers with items to hand over, a line each currency and reason, the most urgent first."""
    today = (await asker.calendar(None)).today(asker.now)
    found: dict[Group, dict[UUID, date]] = defaultdict(dict)
    seen: set[UUID] = set()
    for clock in await _insured(asker, today):
        if clock.deadlines.hand_over_by <= clock.today:
            row = clock.row
            key = (row["entity_id"], row["payer_id"], row["currency"], "insurer")
            found[key][row["item_id"]] = clock.deadlines.hand_over_by
            seen.add(row["item_id"])
    for row in await store.warned(asker.db, asker.tenant, today, AFTER_DAYS, MOST):
        if row["item_id"] not in seen:
            key = (row["entity_id"], row["payer_id"], row["currency"], "ladder_done")
            found[key][row["item_id"]] = row["due_date"] + timedelta(days=AFTER_DAYS)
    lines = [_line(key, items) for key, items in found.items()]
    return sorted(lines, key=lambda line: (line["by"], str(line["payer_id"])))


async def _insured(asker: Asker, today: date) -> list[insuring.Clock]:
    rows = await insurance.covered(asker.db, asker.tenant, today + AHEAD, MOST, None, None)
    free = await store.free(asker.db, asker.tenant, [row["item_id"] for row in rows])
    return await insuring.clocks(asker, [row for row in rows if row["item_id"] in free])


def _line(key: Group, items: dict[UUID, date]) -> dict[str, Any]:
    entity, payer, currency, why = key
    return {
        "entity_id": entity, "payer_id": payer, "currency": currency, "why": why, "by": min(items.values()),
        "item_ids": sorted(items),
    }  # fmt: skip
