"""What payers agree to: promises and plans, made, judged and ended. Each returns its row.

The rule they protect: a pause covers the amount that was agreed and nothing else; money is judged by its value date,
and nobody breaks a word on a day that the bank's data do not tell of yet.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Table

from libs.common.errors import Conflict, Refused
from libs.common.ids import uuid7
from libs.common.money import Money
from services.scheduler import debts, insuring, speaking
from services.scheduler.calendar import Calendar, promise_until
from services.scheduler.commands import NIGHT, Asker, Row, Target, ahead, found, hold_row, lifted, owed, pause
from services.scheduler.commitments import plans, promises
from services.scheduler.commitments.plans import Clause, Part
from services.scheduler.errors import AlreadyEnded, AmountTooLarge
from services.scheduler.store import cases, facts, holds, items
from services.scheduler.tables import plan, promise

PLAN_WITHIN = timedelta(days=1_096)
"""The longest plan: three years."""
ENDED = {"kept": "kept", "partly_kept": "broken", "broken": "broken", "cancelled": "settled"}
"""What became of a promise → why its holds are lifted."""


async def promised(
    asker: Asker, target: Target, amount: Money, promised_for: date, *, of_items: bool, scope: Literal["case", "part"]
) -> Row:
    """A promise to pay: nothing leaves for the case, or for the part promised, until its date and two banking days.

    Raises ReviewDateInvalid, AmountTooLarge or ConsentMissing.
    """
    calendar = await asker.calendar(target.case["entity_id"])
    today = calendar.today(asker.now)
    ahead(promised_for, today - timedelta(days=1), "promised_for")
    items = [(row["item_id"], owed(row)) for row in sorted(target.items, key=_oldest)]
    _within(amount, sum(minor for _, minor in items), "amount")
    await insuring.within_cover(asker, target, promised_for, "promised_for")
    until = promise_until(promised_for)
    covered = promises.spread(amount.minor, items)
    rows = [
        _hold(asker, target, "item", item, "promise", until, amount.currency, minor) | {"due_on": promised_for}
        for item, minor in (covered if scope == "part" else ())
    ] or [
        _hold(asker, target, "case", target.case["case_id"], "promise", until, amount.currency, None)
        | {"due_on": promised_for}
    ]
    row = target.about | {
        "promise_id": uuid7(),
        "hold_ids": [held["hold_id"] for held in rows],
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "promised_for": promised_for,
        "made_on": today,
        "until": until,
        "item_ids": [item for item, _ in items],
        "of_items": of_items,
        "pause": scope,
        "owed_minor": sum(minor for _, minor in items),
        "author": asker.subject,
        "look_at": _night_after(calendar, until),
        "version": 1,
    }
    await holds.add(asker.db, promise, row)
    await pause(asker, target, rows, today)
    await asker.say(speaking.promised(row))
    return await found(asker, promise, row["promise_id"])


async def cancel_promise(asker: Asker, promise_id: UUID) -> Row:
    """The promise is off: chasing goes on where it stood. Raises NotFound or AlreadyEnded."""
    now = await _cancelled(asker, promise, promise_id, while_="open")
    await asker.say(speaking.promise_cancelled(now))
    return now


async def _cancelled(asker: Asker, table: Table, identity: UUID, *, while_: str) -> Row:
    row = await found(asker, table, identity)
    if row["state"] != while_:
        raise AlreadyEnded(f"This {table.name} is {row['state']}.")
    await holds.change(asker.db, table, asker.tenant, identity, state="cancelled", ended_at=asker.now)
    await lifted(asker, row["hold_ids"], "withdrawn")
    await cases.look_at(asker.db, {(asker.tenant, row["case_id"])}, asker.now)
    return await found(asker, table, identity)


async def judge_promise(asker: Asker, row: Row) -> None:
    """Kept when enough money of its span came, broken when the span is over; else it is judged again then."""
    calendar = await asker.calendar(row["entity_id"])
    today = calendar.today(asker.now)
    of, left = await debts.of_items(asker.db, asker.tenant, row["item_ids"])
    money = debts.payments(of)
    before = 0
    if not row["of_items"]:
        # All money of the payer keeps it; what is in another currency, or somebody else's, by what it gave its items.
        before = await holds.paid_within(asker.db, row)
        besides = await holds.not_within(asker.db, row, {each.payment_id for each in money if each.payment_id})
        money = [each for each in money if each.payment_id in besides]
    paid = before + promises.paid_in_span(money, row["made_on"], row["until"])
    covered = await _covered(asker, row["entity_id"])
    word = promises.Promise(row["amount_minor"], row["made_on"], row["until"])
    state = promises.outcome(word, paid, today, owed=left, covered_to=covered)
    if state == "open":
        later = _night_after(calendar, max(row["until"], today))
        await holds.change_quietly(
            asker.db, promise, asker.tenant, row["promise_id"], look_at=later, paid_minor=min(paid, row["amount_minor"])
        )
        return
    changed = {"state": state, "ended_at": asker.now, "paid_minor": min(paid, row["amount_minor"])}
    await holds.change(asker.db, promise, asker.tenant, row["promise_id"], **changed)
    if ENDED[state] == "broken":
        await items.broke(asker.db, asker.tenant, row["item_ids"], row["promise_id"], today, asker.now)
    await lifted(asker, row["hold_ids"], ENDED[state])
    await cases.look_at(asker.db, {(asker.tenant, row["case_id"])}, asker.now)
    now = {**row, "version": row["version"] + 1}
    said = speaking.promise_cancelled(now) if state == "cancelled" else speaking.promise_ended(now, state == "kept")
    await asker.say(said)


async def planned(asker: Asker, target: Target, parts: Sequence[tuple[date, Money]], clause: Clause, words: str) -> Row:
    """A plan over items: what of them it covers is not chased while its payments come, each within the clause's grace.

    Raises ReviewDateInvalid, AmountTooLarge, ConsentMissing, Refused or Conflict.
    """
    calendar = await asker.calendar(target.case["entity_id"])
    today = calendar.today(asker.now)
    items = [(row["item_id"], owed(row)) for row in sorted(target.items, key=_oldest)]
    currency = parts[0][1].currency
    whole = Money(sum(amount.minor for _, amount in parts), currency)
    _dates(sorted(day for day, _ in parts), today)
    _within(whole, sum(minor for _, minor in items), "instalments")
    await insuring.within_cover(asker, target, max(day for day, _ in parts), "instalments")
    other = await holds.in_running_plan(asker.db, asker.tenant, [item for item, _ in items])
    if other is not None:
        raise Conflict(
            f"The plan {other} has one of these items.",
            field="item_ids",
            remedy="Cancel that plan first, or leave its items out.",
        )
    until = clause.last_day(max(day for day, _ in parts))
    rows = [
        _hold(asker, target, "item", item, "plan", until, currency, minor)
        for item, minor in promises.spread(whole.minor, items)
    ]
    row = target.about | {
        "plan_id": uuid7(),
        "hold_ids": [held["hold_id"] for held in rows],
        "dates": [day for day, _ in parts],
        "amounts_minor": [amount.minor for _, amount in parts],
        "currency": currency,
        "item_ids": [item for item, _ in items],
        "owed_minor": sum(minor for _, minor in items),
        "grace_days": clause.grace_days,
        "tolerated": clause.tolerated,
        "clause": words,
        "author": asker.subject,
        "agreed_at": asker.now,
        "look_at": _night_after(calendar, clause.last_day(min(day for day, _ in parts))),
        "version": 1,
    }
    await holds.add(asker.db, plan, row)
    await pause(asker, target, rows, today)
    await asker.say(speaking.agreed(row))
    return await found(asker, plan, row["plan_id"])


async def cancel_plan(asker: Asker, plan_id: UUID) -> Row:
    """The plan is off: chasing goes on where it stood. Raises NotFound or AlreadyEnded."""
    return await _cancelled(asker, plan, plan_id, while_="running")


async def judge_plan(asker: Asker, row: Row) -> None:
    """Completed when all is paid, defaulted by the first miss that its clause does not forgive; else judged again."""
    calendar = await asker.calendar(row["entity_id"])
    today = calendar.today(asker.now)
    stands = await standing(asker, row, calendar)
    kept = {"stood": [{"state": each.state, "paid": each.paid} for each in stands.parts]}
    if stands.state == "running":
        later = _night_after(calendar, max(stands.look_after or today, today))
        await holds.change_quietly(asker.db, plan, asker.tenant, row["plan_id"], look_at=later, **kept)
        return
    changed = kept | {"state": stands.state, "ended_at": asker.now, "missed_on": stands.missed_on}
    await holds.change(asker.db, plan, asker.tenant, row["plan_id"], **changed)
    await lifted(asker, row["hold_ids"], "broken" if stands.missed_on else "kept")
    await cases.look_at(asker.db, {(asker.tenant, row["case_id"])}, asker.now)
    if stands.missed_on is not None:
        await asker.say(speaking.defaulted({**row, "version": row["version"] + 1}, stands.missed_on))


async def standing(asker: Asker, row: Row, calendar: Calendar) -> plans.Standing:
    """Where a plan stands now, by the value dates of the money for its items."""
    of, left = await debts.of_items(asker.db, asker.tenant, row["item_ids"])
    return plans.standing(
        [Part(day, minor) for day, minor in zip(row["dates"], row["amounts_minor"], strict=True)],
        Clause(row["grace_days"], row["tolerated"]),
        debts.payments(of),
        calendar.today(row["agreed_at"]),
        left,
        calendar.today(asker.now),
        await _covered(asker, row["entity_id"]),
    )


async def _covered(asker: Asker, entity: UUID) -> date | None:
    """The last day that the bank's data of a company tell of; None when they are not waited for."""
    key = (asker.tenant, entity)
    coverage = await facts.coverage(asker.db, {key})
    known = (await facts.entities(asker.db, {asker.tenant})).get(key)
    if key not in coverage or (known is not None and not known.feed_required):
        return None
    return coverage[key] or date.min


def _hold(  # noqa: PLR0917 - a hold's facts in their order
    asker: Asker, target: Target, scope: str, of: UUID, kind: str, until: date, currency: str, minor: int | None
) -> dict[str, Any]:
    sums = {} if minor is None else {"amount_minor": minor, "currency": currency}
    return hold_row(asker, scope, of, kind, until) | target.about | sums | {"reason": kind}


def _within(amount: Money, most: int, field: str) -> None:
    if not 0 < amount.minor <= most:
        raise AmountTooLarge(f"{amount} is not between zero and the {Money(most, amount.currency)} owed.", field=field)


def _dates(days: Sequence[date], today: date) -> None:
    remedy = "Send different days from today on, within three years."
    if len(set(days)) != len(days):
        raise Refused("Two instalments are on one day.", field="instalments", remedy=remedy)
    ahead(days[0], today - timedelta(days=1), "instalments")
    if days[-1] > today + PLAN_WITHIN:
        raise Refused(f"{days[-1]} is more than three years away.", field="instalments", remedy=remedy)


def _oldest(row: Row) -> tuple[date, str]:
    return row["due_date"], str(row["item_id"])


def _night_after(calendar: Calendar, day: date) -> datetime:
    return calendar.instant(day + timedelta(days=1), NIGHT)
