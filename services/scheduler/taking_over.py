"""Imported history: what a person decides about the items that wait in take-over, one or a hundred thousand at once.

The rule it protects: nothing of it enters the ladder by itself, and a decision about many is about exactly those that
were seen: their number goes with it, and another number changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from libs.common.errors import Refused, SetChanged
from libs.common.money import Money, totals
from services.scheduler import commands, speaking
from services.scheduler.commands import Asker, Row
from services.scheduler.errors import NotInTakeOver
from services.scheduler.store import cases, holds, waiting
from services.scheduler.store.waiting import Chosen

Decision = Literal["release", "statement", "hold"]
MOST = 100_000
MOST_HELD = 10_000
"""A hold is a row and an event for each item."""
NAMED = 20


@dataclass(frozen=True)
class TakenOver:
    """The items that a decision was about, and what they owe, one sum a currency."""

    item_ids: Sequence[UUID]
    sums: Mapping[str, Money]


async def one(asker: Asker, item_id: UUID, decision: Literal["release", "statement"]) -> Row:
    """An item of imported history goes to the ladder, at once or after a statement of account. Raises NotInTakeOver."""
    target = await commands.item_target(asker, item_id)
    each = target.items[0]
    if not each["take_over"] or each["take_over_decision"] is not None:
        raise NotInTakeOver(f"Item {item_id} does not wait in take-over.")
    await _decided(asker, [each], decision)
    return (await commands.item_target(asker, item_id)).items[0]


async def many(
    asker: Asker, chosen: Chosen, decision: Decision, count: int | None, *, review_on: date | None, reason: str
) -> TakenOver:
    """The same about a set. Raises NotInTakeOver, SetChanged when it is not as large as was seen, or Refused."""
    rows = await waiting.locked(asker.db, asker.tenant, chosen, MOST + 1)
    if len(rows) > (MOST_HELD if decision == "hold" else MOST):
        raise Refused("These are too many at once.", field="filter", remedy="Narrow the filter by entity or due date.")
    if chosen.item_ids is not None and len(rows) != len(chosen.item_ids):
        missing = sorted(set(chosen.item_ids) - {row["item_id"] for row in rows})
        told = [str(each) for each in missing[:NAMED]]
        raise NotInTakeOver(f"{len(missing)} of these items do not wait in take-over.", field="item_ids", items=told)
    if count is not None and len(rows) != count:
        raise SetChanged(f"{len(rows)} items wait now, not {count}.", field="count", count=len(rows))
    if decision == "hold":
        await _held(asker, rows, review_on, reason)
    await _decided(asker, rows, decision)
    return TakenOver([row["item_id"] for row in rows], totals(_owed(row) for row in rows))


async def seen(asker: Asker, chosen: Chosen) -> TakenOver:
    """What a decision would be about now; nothing changes."""
    rows = await waiting.some(asker.db, asker.tenant, chosen, MOST + 1)
    return TakenOver([row["item_id"] for row in rows], totals(_owed(row) for row in rows))


async def _decided(asker: Asker, rows: Sequence[Row], decision: Decision) -> None:
    days = {entity: (await asker.calendar(entity)).today(asker.now) for entity in {row["entity_id"] for row in rows}}
    told = "statement" if decision == "statement" else "released"
    await waiting.decide(
        asker.db,
        [
            {
                "tenant_id": asker.tenant,
                "item_id": row["item_id"],
                "take_over_decision": told,
                "take_over_on": days[row["entity_id"]],
                "take_over_at": asker.now,
            }
            for row in rows
        ],
    )
    await cases.look_at(asker.db, {(asker.tenant, row["case_id"]) for row in rows}, asker.now)


async def _held(asker: Asker, rows: Sequence[Row], review_on: date | None, reason: str) -> None:
    if review_on is None:
        raise Refused("A hold needs a review date.", field="review_on")
    commands.ahead(review_on, asker.now.date())
    placed: list[dict[str, Any]] = [
        commands.hold_row(asker, "item", row["item_id"], "manual", review_on)
        | {name: row[name] for name in ("entity_id", "case_id", "payer_id")}
        | {"reason": reason}
        for row in rows
    ]
    await holds.place(asker.db, placed)
    await asker.say(*(speaking.placed(row) for row in placed))


def _owed(row: Row) -> Money:
    return Money(row["amount_minor"] if row["residual_minor"] is None else row["residual_minor"], row["currency"])
