"""Disputes as people work on them: opened, investigated, answered; and ended by a credit note or by money.

The rule it protects: the disputed amount is not chased until it is answered, and not while the credit note of an
upheld one is still to come, however long that takes: the list says who is late.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from libs.common.errors import Refused
from libs.common.ids import uuid7
from libs.common.money import Money
from services.scheduler import debts, speaking
from services.scheduler.commands import Asker, Row, Target, ahead, fits, found, hold_row, lifted, owed, pause
from services.scheduler.commitments import disputes
from services.scheduler.commitments.disputes import OPEN, Dispute
from services.scheduler.errors import AlreadyEnded
from services.scheduler.store import cases, holds
from services.scheduler.tables import dispute, hold

ANSWER_IN = 10
"""Working days in which a dispute should be answered."""
CREDIT_IN = 10
"""Working days in which the credit note of an upheld dispute should come."""


@dataclass(frozen=True, slots=True)
class Why:
    """What the payer says: our reason, the lifecycle's code and status if a platform told it, and words."""

    reason: str
    code: str | None = None
    status: int | None = None
    note: str = ""
    owner: str = ""


async def disputed(asker: Asker, target: Target, amount: Money | None, why: Why, respond_by: date | None) -> Row:
    """The payer disputes an item or a part of it: that much is not chased. Raises AmountTooLarge, ReviewDateInvalid."""
    calendar = await asker.calendar(target.case["entity_id"])
    today = calendar.today(asker.now)
    each = target.items[0]
    fits(amount, each)
    minor = amount.minor if amount else owed(each)
    if minor <= 0:
        raise Refused(
            "This item owes nothing.",
            field="item_id",
            remedy="Dispute an open item; what was paid is refunded.",
        )
    answer = respond_by or calendar.add_business_days(today, ANSWER_IN)
    ahead(answer, today)
    sums = {"amount_minor": minor, "currency": each["currency"]}
    held = hold_row(asker, "item", each["item_id"], "dispute", answer) | target.about | sums | {"reason": why.reason}
    principal = (await debts.debts(asker.db, asker.tenant, [each]))[each["item_id"]].principal
    row = {
        **target.about,
        **sums,
        "dispute_id": uuid7(),
        "item_id": each["item_id"],
        "hold_id": held["hold_id"],
        "principal_minor": principal,
        "reason": why.reason,
        "code": why.code,
        "lifecycle_status": why.status,
        "note": why.note,
        "author": asker.subject,
        "owner": why.owner or asker.subject,
        "respond_by": answer,
        "opened_at": asker.now,
        "version": 1,
    }
    await holds.add(asker.db, dispute, row)
    await pause(asker, target, [held], today)
    await asker.say(speaking.disputed(row))
    return await found(asker, dispute, row["dispute_id"])


async def investigate(asker: Asker, dispute_id: UUID, owner: str, respond_by: date | None) -> Row:
    """Somebody looks into it, and answers by a day. Raises NotFound, AlreadyEnded or ReviewDateInvalid."""
    row = await _unanswered(asker, dispute_id)
    calendar = await asker.calendar(row["entity_id"])
    changed: dict[str, Any] = {"state": "investigating", "owner": owner}
    if respond_by is not None:
        ahead(respond_by, calendar.today(asker.now), "respond_by")
        changed["respond_by"] = respond_by
        await holds.change(asker.db, hold, asker.tenant, row["hold_id"], review_on=respond_by)
    await holds.change(asker.db, dispute, asker.tenant, dispute_id, **changed)
    return await found(asker, dispute, dispute_id)


async def resolve(
    asker: Asker, dispute_id: UUID, outcome: Literal["upheld", "rejected", "withdrawn"], answer: str = ""
) -> Row:
    """Upheld: the pause stays until the credit note comes. Rejected or withdrawn: it is chased again.

    Raises NotFound or AlreadyEnded.
    """
    row = await _unanswered(asker, dispute_id)
    changed: dict[str, Any] = {
        "state": outcome, "resolved_by": "person", "resolved_at": asker.now, "answer": answer, "look_at": asker.now
    }  # fmt: skip
    if outcome == "upheld":
        calendar = await asker.calendar(row["entity_id"])
        credit_by = calendar.add_business_days(calendar.today(asker.now), CREDIT_IN)
        changed["credit_due_on"] = credit_by
        await holds.change(asker.db, hold, asker.tenant, row["hold_id"], review_on=credit_by)
    else:
        changed["closed_at"] = asker.now
        await lifted(asker, [row["hold_id"]], "resolved" if outcome == "rejected" else "withdrawn")
    await holds.change(asker.db, dispute, asker.tenant, dispute_id, **changed)
    now = await found(asker, dispute, dispute_id)
    await asker.say(speaking.resolved(now))
    return now


async def judge(asker: Asker, row: Row) -> None:
    """End a dispute that a credit note covers, or whose item was paid; else pause what of it is not credited yet."""
    of, residual = await debts.of_items(asker.db, asker.tenant, [row["item_id"]])
    debt = of.get(row["item_id"])
    if debt is None:
        await holds.change_quietly(asker.db, dispute, asker.tenant, row["dispute_id"], look_at=None)
        return
    begun = row["principal_minor"] if row["principal_minor"] is not None else debt.principal
    known = Dispute(row["state"], row["amount_minor"], begun)
    ended = disputes.outcome(known, debt.principal, residual)
    if ended is None:
        left = row["amount_minor"] - disputes.credited(known, debt.principal)
        now = {"look_at": None, "principal_minor": begun, "hold_id": await _lowered(asker, row, left)}
        await holds.change_quietly(asker.db, dispute, asker.tenant, row["dispute_id"], **now)
        return
    changed: dict[str, Any] = {"state": ended.state, "closed_at": asker.now, "look_at": None, "principal_minor": begun}
    changed["resolved_by"] = ended.by
    if row["resolved_at"] is None:
        changed["resolved_at"] = asker.now
    await holds.change(asker.db, dispute, asker.tenant, row["dispute_id"], **changed)
    await lifted(asker, [row["hold_id"]], "settled")
    await cases.look_at(asker.db, {(asker.tenant, row["case_id"])}, asker.now)
    if row["resolved_at"] is None:
        await asker.say(speaking.resolved(await found(asker, dispute, row["dispute_id"])))


async def _lowered(asker: Asker, row: Row, left: int) -> UUID:
    """The hold of a dispute of which only this much is left: another one, so that the days before keep theirs."""
    held = await found(asker, hold, row["hold_id"])
    identity: UUID = held["hold_id"]
    if held["amount_minor"] == left or held["state"] != "active":
        return identity
    await lifted(asker, [identity], "settled")
    kept = {name: held[name] for name in ("entity_id", "case_id", "payer_id", "currency", "reason", "author")}
    fresh = hold_row(asker, "item", row["item_id"], "dispute", held["review_on"]) | kept | {"amount_minor": left}
    await holds.place(asker.db, [fresh])
    await asker.say(speaking.placed(fresh))
    lowered: UUID = fresh["hold_id"]
    return lowered


async def _unanswered(asker: Asker, dispute_id: UUID) -> Row:
    row = await found(asker, dispute, dispute_id)
    if row["state"] not in OPEN:
        raise AlreadyEnded(f"This dispute is {row['state']}.", remedy="Open a new one if the payer says something new.")
    return row
