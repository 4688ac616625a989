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
from services.scheduler.calendar import Calendar, promise_until
from services.scheduler.errors import AlreadyEnded, AmountTooLarge, ReviewDateInvalid, ScopeUnknown
from services.scheduler.store import cases, holds, items, zones
from services.scheduler.tables import dispute, hold, plan, promise

Row = Mapping[str, Any]
REVIEW_WITHIN = timedelta(days=366)
NIGHT = time(4)
"""The local hour at which a day's promises are judged: no clock changes at it."""
CREDIT_IN = 10
"""Working days in which the credit note of an upheld dispute should come."""


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
        _fits(amount, target.items[0])
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
    if row["kind"] in ("promise", "plan", "dispute"):
        raise Conflict(f"This hold belongs to a {row['kind']}.", remedy=f"End the {row['kind']} instead.")
    await lifted(asker, [hold_id], "lifted")
    return await found(asker, hold, hold_id)


async def lifted(asker: Asker, hold_ids: Sequence[UUID], why: str) -> None:
    """Lift these holds; a part of an item that was paused is chased again in a new cycle."""
    rows = await holds.lift(asker.db, asker.tenant, hold_ids, at=asker.now, by=asker.subject, why=why)
    for row in rows:
        if row["amount_minor"] is not None and row["scope"] == "item":
            await _part_released(asker, row)
        await holds.look_over(asker.db, asker.tenant, row["scope"], row["scope_id"], asker.now)
    await asker.say(*(speaking.lifted(row) for row in rows))


async def _part_released(asker: Asker, row: Row) -> None:
    known = await items.of_ids(asker.db, asker.tenant, [row["scope_id"]])
    if not known or not known[0]["open"] or row["amount_minor"] >= _owed(known[0]):
        return
    today = (await asker.calendar(row["entity_id"])).today(asker.now)
    keys = {name: known[0][name] for name in ("tenant_id", "item_id", "invoice_id")}
    cause = {f"released:{row['hold_id']}": [today.isoformat(), "released", asker.now.isoformat()]}
    await items.came_back(asker.db, [{**keys, "cycles": cause}])


async def promised(
    asker: Asker, target: Target, amount: Money, promised_for: date, *, of_items: bool, pause: Literal["case", "part"]
) -> Row:
    """A promise to pay: nothing leaves for the case, or for its items, until its date and two banking days."""
    calendar = await asker.calendar(target.case["entity_id"])
    today = calendar.today(asker.now)
    ahead(promised_for, today - timedelta(days=1), "promised_for")
    until = promise_until(promised_for)
    scopes = [("item", row["item_id"]) for row in target.items] if pause == "part" else []
    rows = [
        hold_row(asker, scope, scope_id, "promise", until) | target.about | {"reason": "promise"}
        for scope, scope_id in scopes or [("case", target.case["case_id"])]
    ]
    row = target.about | {
        "promise_id": uuid7(),
        "hold_ids": [held["hold_id"] for held in rows],
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "promised_for": promised_for,
        "made_on": today,
        "until": until,
        "item_ids": [each["item_id"] for each in target.items],
        "of_items": of_items,
        "owed_minor": sum(_owed(each) for each in target.items),
        "author": asker.subject,
        "look_at": calendar.instant(until + timedelta(days=1), NIGHT),
        "version": 1,
    }
    await holds.add(asker.db, promise, row)
    await _pause(asker, target, rows, today)
    await asker.say(speaking.promised(row))
    return await found(asker, promise, row["promise_id"])


async def cancel_promise(asker: Asker, promise_id: UUID) -> Row:
    """The promise is off: chasing goes on where it stood. Raises NotFound or AlreadyEnded."""
    row = await found(asker, promise, promise_id)
    if row["state"] != "open":
        raise AlreadyEnded(f"This promise is {row['state']}.")
    changed = {"state": "cancelled", "ended_at": asker.now}
    await holds.change(asker.db, promise, asker.tenant, promise_id, **changed)
    await lifted(asker, row["hold_ids"], "withdrawn")
    now = await found(asker, promise, promise_id)
    await asker.say(speaking.promise_cancelled(now))
    return now


async def planned(asker: Asker, target: Target, parts: Sequence[tuple[date, Money]]) -> Row:
    """An instalment plan over items: they are not chased while it is kept, until its last date and two banking days."""
    calendar = await asker.calendar(target.case["entity_id"])
    today = calendar.today(asker.now)
    ahead(min(day for day, _ in parts), today - timedelta(days=1), "instalments")
    until = promise_until(max(day for day, _ in parts))
    rows = [
        hold_row(asker, "item", each["item_id"], "plan", until) | target.about | {"reason": "plan"}
        for each in target.items
    ]
    row = target.about | {
        "plan_id": uuid7(),
        "hold_ids": [held["hold_id"] for held in rows],
        "dates": [day for day, _ in parts],
        "amounts_minor": [amount.minor for _, amount in parts],
        "currency": parts[0][1].currency,
        "item_ids": [each["item_id"] for each in target.items],
        "owed_minor": sum(_owed(each) for each in target.items),
        "author": asker.subject,
        "agreed_at": asker.now,
        "look_at": calendar.instant(promise_until(min(day for day, _ in parts)) + timedelta(days=1), NIGHT),
        "version": 1,
    }
    await holds.add(asker.db, plan, row)
    await _pause(asker, target, rows, today)
    await asker.say(speaking.agreed(row))
    return await found(asker, plan, row["plan_id"])


async def disputed(asker: Asker, target: Target, amount: Money | None, reason: str, review_on: date | None) -> Row:
    """The payer disputes an item or a part of it: that much is not chased. Raises AmountTooLarge."""
    calendar = await asker.calendar(target.case["entity_id"])
    today = calendar.today(asker.now)
    each = target.items[0]
    _fits(amount, each)
    review = review_on or calendar.add_business_days(today, CREDIT_IN)
    ahead(review, today)
    minor = amount.minor if amount else _owed(each)
    sums = {"amount_minor": minor, "currency": each["currency"]}
    held = hold_row(asker, "item", each["item_id"], "dispute", review) | target.about | sums | {"reason": reason}
    row = (
        target.about
        | sums
        | {
            "dispute_id": uuid7(),
            "item_id": each["item_id"],
            "hold_id": held["hold_id"],
            "reason": reason,
            "author": asker.subject,
            "opened_at": asker.now,
            "version": 1,
        }
    )
    await holds.add(asker.db, dispute, row)
    await _pause(asker, target, [held], today)
    await asker.say(speaking.disputed(row))
    return await found(asker, dispute, row["dispute_id"])


async def resolve_dispute(asker: Asker, dispute_id: UUID, outcome: Literal["upheld", "rejected", "withdrawn"]) -> Row:
    """Upheld: the pause stays until the credit note comes, ten working days at most. Else it is chased again."""
    row = await found(asker, dispute, dispute_id)
    if row["state"] != "opened":
        raise AlreadyEnded(f"This dispute is {row['state']}.")
    changed = {"state": outcome, "resolved_at": asker.now}
    await holds.change(asker.db, dispute, asker.tenant, dispute_id, **changed)
    if outcome == "upheld":
        calendar = await asker.calendar(row["entity_id"])
        review = calendar.add_business_days(calendar.today(asker.now), CREDIT_IN)
        later = {"review_on": review, "lift_at_review": True}
        await holds.change(asker.db, hold, asker.tenant, row["hold_id"], **later)
    else:
        await lifted(asker, [row["hold_id"]], "resolved" if outcome == "rejected" else "withdrawn")
    now = await found(asker, dispute, dispute_id)
    await asker.say(speaking.resolved(now))
    return now


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
        left -= _owed(row)
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


async def _pause(asker: Asker, target: Target, rows: Sequence[dict[str, Any]], today: date) -> None:
    await holds.place(asker.db, rows)
    case = target.case["case_id"]
    await cases.answered(asker.db, [cases.answer(asker.tenant, case, today, asker.now)])
    await cases.look_at(asker.db, {(asker.tenant, case)}, asker.now)
    await asker.say(*(speaking.placed(row) for row in rows))


def _owed(row: Row) -> int:
    minor: int = row["amount_minor"] if row["residual_minor"] is None else row["residual_minor"]
    return minor


def _fits(amount: Money | None, row: Row) -> None:
    if amount is None:
        return
    if amount.currency != row["currency"] or not 0 < amount.minor <= _owed(row):
        raise AmountTooLarge(f"The item owes {Money(_owed(row), row['currency'])}.", field="amount")


def ahead(day: date, today: date, field: str = "review_on") -> None:
    """Raises ReviewDateInvalid for a day that is not ahead, or more than a year."""
    if not today < day <= today + REVIEW_WITHIN:
        raise ReviewDateInvalid(f"{day} is not after {today} and within a year.", field=field)
