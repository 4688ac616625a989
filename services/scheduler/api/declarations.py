"""What was declared to insurers, and what they made of it, over HTTP."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from libs.common.errors import NotFound
from libs.common.http import Prose, Reference, Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler import answering
from services.scheduler.api.shared import AmountIn, AmountOut, In, Reads, Writes, amount_of, shown
from services.scheduler.commands import Asker
from services.scheduler.store import declarations as store

routes = APIRouter(prefix="/v1/credit/declarations", tags=["credit insurance"])
Outcome = Literal["accepted", "refused", "indemnified"]


class NewAnswer(Wire):
    """The insurer's answer to a declaration. An indemnity has its `amount`; it may come in parts."""

    outcome: Outcome
    answered_on: date
    amount: AmountIn | None = None
    reference: Reference
    note: Prose | None = None


class AnswerOut(BaseModel):
    """An answer as it was recorded."""

    answer_id: UUID
    outcome: Outcome
    answered_on: date
    amount: AmountOut | None
    reference: str
    note: str
    author: str
    recorded_at: datetime


class DeclarationOut(BaseModel):
    """A declared item: when, in time or not, and what the insurer answered, the first answer first."""

    item_id: UUID
    payer_id: UUID
    entity_id: UUID
    number: str
    due_date: date
    amount: AmountOut
    owed: AmountOut
    """What the customer owes of it now, whatever the insurer paid."""
    insurer: str
    policy: str
    declared_on: date
    declare_by: date
    late: bool
    claim_by: date | None
    reference: str
    author: str
    recorded_at: datetime
    outcome: Literal["awaited", "accepted", "refused", "indemnified"]
    """The last answer; `awaited` before there is one."""
    indemnified: AmountOut
    """All that the insurer paid for it."""
    answers: list[AnswerOut]


class DeclarationPage(BaseModel):
    """One page of declared items."""

    items: list[DeclarationOut]
    next: str | None


@routes.get("")
async def list_declarations(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    payer_id: UUID | None = None,
    outcome: Literal["awaited", "accepted", "refused", "indemnified"] | None = None,
    until: date | None = None,
) -> DeclarationPage:
    """Items that were declared to an insurer, paid or not, the first deadline first: `claim_by`, or `declare_by` where
    the policy has no day for claims. Of a payer, with a last outcome, or with a deadline `until` a day."""
    start = place(room.settings, "declarations", after)
    narrowed: dict[str, Any] = {"payer": payer_id, "outcome": outcome, "until": until}
    async with room.asking(caller) as asker:
        begin = (start[0], start[1]) if start else None
        found = await store.page(asker.db, asker.tenant, limit + 1, begin, **narrowed)
        rows, last = cut(found, limit)
        told = await _out(asker, rows)
    more = cursor(room.settings, "declarations", last["by"], last["item_id"]) if last else None
    return DeclarationPage(items=told, next=more)


@routes.get("/{item_id}")
async def show_declaration(item_id: UUID, caller: Reads, room: In) -> DeclarationOut:
    """What was declared of one item, with every answer."""
    async with room.asking(caller) as asker:
        told = await _out(asker, await store.of_items(asker.db, asker.tenant, [item_id]))
    if not told:
        raise NotFound(f"The item {item_id} was not declared.")
    return told[0]


@routes.post("/{item_id}/answers", status_code=201)
async def record_answer(item_id: UUID, told: NewAnswer, caller: Writes, room: In) -> DeclarationOut:
    """Record what the insurer said: accepted, refused, or paid. The customer owes what it owed; answers stay."""
    amount = told.amount.money() if told.amount else None
    async with room.asking(caller) as asker:
        facts = (told.outcome, told.answered_on, amount, told.reference, told.note or "")
        row = await answering.answered(asker, item_id, *facts)
        return (await _out(asker, [row]))[0]


async def _out(asker: Asker, rows: Sequence[store.Row]) -> list[DeclarationOut]:
    said: dict[UUID, list[store.Row]] = defaultdict(list)
    for row in await store.answers(asker.db, asker.tenant, [row["item_id"] for row in rows]):
        said[row["item_id"]].append(row)
    return [_declaration(row, said[row["item_id"]]) for row in rows]


def _declaration(row: store.Row, said: Sequence[store.Row]) -> DeclarationOut:
    paid = sum(each["amount_minor"] for each in said if each["outcome"] == answering.INDEMNIFIED)
    same = ("item_id", "payer_id", "entity_id", "number", "due_date", "insurer", "declared_on", "declare_by",
            "claim_by", "reference", "author", "recorded_at", "outcome")  # fmt: skip
    facts: dict[str, Any] = {name: row[name] for name in same}
    return DeclarationOut(
        **facts,
        amount=amount_of(row["amount_minor"], row["currency"]),
        owed=amount_of(row["owed_minor"], row["currency"]),
        policy=row["name"],
        late=row["declared_on"] > row["declare_by"],
        indemnified=amount_of(paid, row["currency"]),
        answers=[_answer(each) for each in said],
    )


def _answer(row: store.Row) -> AnswerOut:
    names = ("answer_id", "outcome", "answered_on", "reference", "note", "author", "recorded_at")
    return AnswerOut(amount=shown(row["amount_minor"], row["currency"]), **{name: row[name] for name in names})
