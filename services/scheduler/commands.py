"""What people do to keep silent or go on: holds, promises, plans, disputes. Each returns its rows.

The rule it protects: a pause covers its scope and amount and nothing else, has a review date, and a part of an item
that is released unpaid raises the item's cycle. Whoever calls a stopping command waits for the permits afterwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.errors import Conflict, NotFound
from libs.common.events import event
from libs.common.events.envelope import Body
from libs.common.ids import uuid7
from libs.common.money import Money
from libs.common.permits import Scope
from services.scheduler import speaking
from services.scheduler.calendar import Calendar
from services.scheduler.errors import AlreadyEnded, AmountTooLarge, ReviewDateInvalid, ScopeUnknown
from services.scheduler.store import cases, holds, items, zones
from services.scheduler.tables import hold

Row = Mapping[str, Any]
REVIEW_WITHIN = timedelta(days=366)
NIGHT = time(4)
"""The local hour at which a day's promises are judged: no clock changes at it."""
PAID = ("kept", "settled")
"""Why a hold was lifted whose amount is not owed any more: nothing of it is released unpaid."""

OF_SOMETHING = {
    "promise": "a promise",
    "plan": "a plan",
    "dispute": "a dispute",
    "recovery": "a recovery file",
    "insolvency": "insolvency proceedings",
}
"""Kinds of holds that end with what placed them."""


@dataclass(frozen=True)
class Asker:
    """Who asks, for which tenant, at which business instant."""

    db: AsyncConnection
    tenant: UUID
    subject: str
    now: datetime

    async def say(self, *bodies: Body) -> None:
        """Record events of this instant."""
        await outbox.record(self.db, *(event(body, self.now) for body in bodies))

    async def calendar(self, entity: UUID | None) -> Calendar:
        """The calendar of an entity of the tenant; Paris while nobody knows it."""
        known = await zones.calendars(self.db, {self.tenant})
        found = known.get((self.tenant, entity)) if entity else None
        return found or zones.calendar("FR", "Europe/Paris")


@dataclass(frozen=True)
class Target:
    """The case that something is about, and the items it names."""

    case: Row
    items: Sequence[Row] = field(default_factory=tuple)

    @property
    def about(self) -> dict[str, Any]:
        """The columns that every row about a case has."""
        return {name: self.case[name] for name in ("tenant_id", "entity_id", "case_id", "payer_id")}


async def place_hold(
    asker: Asker,
    *,
    scope: str,
    scope_id: UUID,
    kind: Literal["manual", "exclusion"],
    reason: str,
    review_on: date,
    amount: Money | None = None,
    lift_at_review: bool = False,
) -> Row:
    """Pause a scope, or an amount of an item, until somebody looks again. Raises ScopeUnknown, ReviewDateInvalid."""
    touched = await holds.cases_over(asker.db, asker.tenant, scope, scope_id)
    if not touched and scope != "tenant":
        raise ScopeUnknown(f"There is no {scope} {scope_id} here.", field="scope_id")
    one = touched[0] if len(touched) == 1 and scope in ("item", "case", "debtor", "payer") else None
    if scope == "item" and one is not None:
        target = await item_target(asker, scope_id)
        fits(amount, target.items[0])
    calendar = await asker.calendar(touched[0]["entity_id"] if touched else None)
    ahead(review_on, calendar.today(asker.now))
    row = hold_row(asker, scope, scope_id, kind, review_on) | {
        "entity_id": touched[0]["entity_id"] if one or scope == "entity" else None,
        "case_id": one["case_id"] if one else None,
        "payer_id": one["payer_id"] if one else None,
        "amount_minor": amount.minor if amount else None,
        "currency": amount.currency if amount else None,
        "reason": reason,
        "lift_at_review": lift_at_review,
    }
    await holds.place(asker.db, [row])
    await holds.look_over(asker.db, asker.tenant, scope, scope_id, asker.now)
    await asker.say(speaking.placed(row))
    return await found(asker, hold, row["hold_id"])


async def lift_hold(asker: Asker, hold_id: UUID) -> Row:
    """Go on. Raises NotFound, AlreadyEnded, and Conflict for a hold that belongs to a promise, plan or dispute."""
    row = await found(asker, hold, hold_id)
    if row["state"] != "active":
        raise AlreadyEnded("This hold was lifted before.")
    if row["kind"] in OF_SOMETHING:
        what = OF_SOMETHING[row["kind"]]
        raise Conflict(f"This hold belongs to {what}.", remedy=f"End {what} instead.")
    await lifted(asker, [hold_id], "lifted")
    return await found(asker, hold, hold_id)


async def lifted(asker: Asker, hold_ids: Sequence[UUID], why: str) -> None:
    """Lift these holds; a part of an item that was paused and is still owed is chased again in a new cycle."""
    rows = await holds.lift(asker.db, asker.tenant, hold_ids, at=asker.now, by=asker.subject, why=why)
    for row in rows:
        if row["amount_minor"] is not None and row["scope"] == "item" and why not in PAID:
            await _part_released(asker, row)
        await holds.look_over(asker.db, asker.tenant, row["scope"], row["scope_id"], asker.now)
    await asker.say(*(speaking.lifted(row) for row in rows))


async def _part_released(asker: Asker, row: Row) -> None:
    known = await items.of_ids(asker.db, asker.tenant, [row["scope_id"]])
    if not known or not known[0]["open"] or row["amount_minor"] >= owed(known[0]):
        return
    today = (await asker.calendar(row["entity_id"])).today(asker.now)
    keys = {name: known[0][name] for name in ("tenant_id", "item_id", "invoice_id")}
    cause = {f"released:{row['hold_id']}": [today.isoformat(), "released", asker.now.isoformat()]}
    await items.came_back(asker.db, [{**keys, "cycles": cause}])


async def item_target(asker: Asker, *item_ids: UUID) -> Target:
    """The case of these items, locked. Raises NotFound, or Conflict when they belong to several cases."""
    rows = [row for row in await items.of_ids(asker.db, asker.tenant, item_ids) if row["case_id"] is not None]
    missing = set(item_ids) - {row["item_id"] for row in rows}
    if missing:
        raise NotFound(f"There is no item {min(missing)}.")
    ids = {row["case_id"] for row in rows}
    if len(ids) != 1:
        raise Conflict("These items belong to several cases.", field="item_ids")
    found_case = await case_target(asker, ids.pop())
    fresh = {row["item_id"]: row for row in await items.of_ids(asker.db, asker.tenant, item_ids)}
    return Target(found_case.case, [fresh[each] for each in item_ids])


async def case_target(asker: Asker, case_id: UUID) -> Target:
    """A case, locked. Raises NotFound."""
    row = await cases.one(asker.db, asker.tenant, case_id, lock=True)
    if row is None:
        raise NotFound(f"There is no case {case_id}.")
    return Target(row)


async def oldest_due(asker: Asker, target: Target, amount: Money) -> Target:
    """The case's open items in the amount's currency, oldest due first, until the amount is reached."""
    chosen: list[Row] = []
    left = amount.minor
    for row in await items.open_of_case(asker.db, asker.tenant, target.case["case_id"], amount.currency):
        if left <= 0:
            break
        chosen.append(row)
        left -= owed(row)
    if left > 0:
        raise AmountTooLarge("The case owes less than this.", field="amount")
    return Target(target.case, chosen)


async def found(asker: Asker, table: Table, identity: UUID) -> Row:
    """One hold, promise, plan or dispute, locked. Raises NotFound."""
    row = await holds.get(asker.db, table, asker.tenant, identity)
    if row is None:
        raise NotFound(f"There is no {table.name} {identity}.")
    return row


def stops(scope: str, scope_id: UUID, touched: Sequence[Row], tenant: UUID) -> Scope:
    """The leases that a stopping command over this scope waits for."""
    if scope == "item":
        return Scope(tenant, item_ids=[scope_id])
    if scope == "entity":
        return Scope(tenant, entity_ids=[scope_id])
    if scope == "party":
        return Scope(tenant, party_ids=[scope_id])
    if scope in ("debtor", "payer"):
        return Scope(tenant, debtor_ids=[scope_id])
    if scope == "case" and touched:
        return Scope(tenant, debtor_ids=[touched[0]["payer_id"]])
    return Scope(tenant)


def hold_row(asker: Asker, scope: str, scope_id: UUID, kind: str, review_on: date) -> dict[str, Any]:
    """A hold's columns but those of what it is about."""
    return {
        "tenant_id": asker.tenant,
        "hold_id": uuid7(),
        "scope": scope,
        "scope_id": scope_id,
        "kind": kind,
        "amount_minor": None,
        "currency": None,
        "author": asker.subject,
        "review_on": review_on,
        "lift_at_review": False,
        "placed_at": asker.now,
        "version": 1,
    }


async def pause(asker: Asker, target: Target, rows: Sequence[dict[str, Any]], today: date) -> None:
    """Place the holds of something that a payer said or agreed: it is a sign of life."""
    await holds.place(asker.db, rows)
    case = target.case["case_id"]
    await cases.answered(asker.db, [cases.answer(asker.tenant, case, today, asker.now)])
    await cases.look_at(asker.db, {(asker.tenant, case)}, asker.now)
    await asker.say(*(speaking.placed(row) for row in rows))


def owed(row: Row) -> int:
    """What an item owes by its row, in minor units."""
    minor: int = row["amount_minor"] if row["residual_minor"] is None else row["residual_minor"]
    return minor


def fits(amount: Money | None, row: Row) -> None:
    """Raises AmountTooLarge for an amount that is not a part of what an item owes."""
    if amount is None:
        return
    if amount.currency != row["currency"] or not 0 < amount.minor <= owed(row):
        raise AmountTooLarge(f"The item owes {Money(owed(row), row['currency'])}.", field="amount")


def ahead(day: date, today: date, field: str = "review_on") -> None:
    """Raises ReviewDateInvalid for a day that is not ahead, or more than a year."""
    if not today < day <= today + REVIEW_WITHIN:
        raise ReviewDateInvalid(f"{day} is not after {today} and within a year.", field=field)
