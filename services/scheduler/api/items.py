"""Items over HTTP: found by number, explained at any instant, taken over from history."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field, model_validator

from libs.common.errors import Refused
from libs.common.http import Prose, Wire
from libs.common.permits import Scope
from services.scheduler import commands, taking_over, telling
from services.scheduler.api.explanations import ExplanationOut, facts, reason
from services.scheduler.api.shared import AmountOut, In, Reads, Writes, shown
from services.scheduler.store import items as store
from services.scheduler.store.waiting import Chosen

routes = APIRouter(prefix="/v1/items", tags=["items"])
MOST = 50
At = Annotated[AwareDatetime | None, Query(description="An instant with its offset; now if it is left out.")]


class ItemRow(BaseModel):
    """An item as it is kept."""

    item_id: UUID
    invoice_id: UUID
    case_id: UUID | None
    number: str
    due_date: date
    amount: AmountOut | None
    residual: AmountOut | None
    open: bool
    take_over: Literal["none", "waiting", "released", "statement"]


class ItemRows(BaseModel):
    """The items found, the newest invoice first."""

    items: list[ItemRow]


class TakeOver(Wire):
    """What happens to an item of imported history. A hold needs its reason and review date."""

    decision: Literal["release", "statement", "hold"]
    review_on: date | None = None
    reason: Prose = "take_over"


class TakeOverFilter(Wire):
    """Which waiting items are meant, by company, payer and due date; all of the tenant when nothing is given."""

    entity_id: UUID | None = None
    payer_id: UUID | None = None
    due_from: date | None = None
    due_to: date | None = None


class TakeOverMany(TakeOver):
    """A decision about many items: a list, or a filter with the number that was seen. `dry_run` only counts them."""

    item_ids: Annotated[list[UUID], Field(min_length=1, max_length=10_000)] | None = None
    filter: TakeOverFilter | None = None
    count: Annotated[int, Field(ge=0)] | None = None
    dry_run: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> "TakeOverMany":
        if (self.item_ids is None) == (self.filter is None):
            raise ValueError("send item_ids or filter, not both")
        if self.filter is not None and self.count is None and not self.dry_run:
            raise ValueError("a filter goes with the count that was seen; dry_run tells it")
        return self

    def chosen(self) -> Chosen:
        """The items that are meant."""
        if self.item_ids is not None:
            return Chosen(item_ids=list(dict.fromkeys(self.item_ids)))
        return Chosen(**self.filter.model_dump()) if self.filter is not None else Chosen()


class TakenOverOut(BaseModel):
    """How many items the decision was about, or would be, and what they owe, one sum a currency."""

    decision: Literal["release", "statement", "hold"]
    count: int
    sums: list[AmountOut]
    dry_run: bool


def row_out(row: Any) -> ItemRow:
    """An item's row as it is shown."""
    residual = row["amount_minor"] if row["residual_minor"] is None else row["residual_minor"]
    waiting = row["take_over_decision"] or "waiting" if row["take_over"] else "none"
    names = ("item_id", "invoice_id", "case_id", "number", "due_date", "open")
    return ItemRow(
        amount=shown(row["amount_minor"], row["currency"]),
        residual=shown(residual, row["currency"]),
        take_over=waiting,
        **{name: row[name] for name in names},
    )


@routes.get("")
async def find_items(
    caller: Reads,
    room: In,
    number: Annotated[str | None, Query(max_length=100)] = None,
    invoice_id: UUID | None = None,
) -> ItemRows:
    """The items of the invoices with this number, or of one invoice."""
    if (number is None) == (invoice_id is None):
        raise Refused("Send either number or invoice_id.", field="number")
    async with room.database.transaction(caller.tenant_id) as db:
        if invoice_id is not None:
            found = await store.of_invoice(db, caller.tenant_id, invoice_id)
        else:
            found = await store.of_number(db, caller.tenant_id, number or "", MOST)
    return ItemRows(items=[row_out(row) for row in found if row["number"] is not None])


@routes.get("/{item_id}/explain")
async def explain_item(item_id: UUID, caller: Reads, room: In, at: At = None) -> ExplanationOut:
    """Why it was reminded or not, and what comes next, as known at an instant."""
    now = room.clock.now()
    instant: datetime = _within_reason(at) or now
    async with room.database.transaction(caller.tenant_id) as db:
        told, situation, _ = await telling.of_item(db, caller.tenant_id, item_id, room.policies, now=now, at=instant)
    version, rule = situation.on(told.item)
    return ExplanationOut(
        **facts(told),
        case_id=situation.case.case_id,
        entity_id=situation.case.entity_id,
        payer_id=situation.case.payer_id,
        policy=version.policy.name if version else None,
        policy_number=version.number if version else None,
        policy_from=rule.scope if rule is not None else "entity",
        assignment_id=rule.assignment_id if rule is not None else None,
        at=instant,
        caveats=[reason(each) for each in situation.caveats],
    )


@routes.post("/take-over")
async def take_over_many(told: TakeOverMany, caller: Writes, room: In) -> TakenOverOut:
    """Decide about many items of imported history at once; 409 `set_changed` when they are not those that were seen."""
    async with room.asking(caller) as asker:
        if told.dry_run:
            found = await taking_over.seen(asker, told.chosen())
        else:
            found = await taking_over.many(
                asker, told.chosen(), told.decision, told.count, review_on=told.review_on, reason=told.reason
            )
    if told.decision == "hold" and not told.dry_run:
        await room.stopped(Scope(caller.tenant_id, item_ids=found.item_ids))
    sums = [AmountOut(**amount.wire()) for _, amount in sorted(found.sums.items())]
    return TakenOverOut(decision=told.decision, count=len(found.item_ids), sums=sums, dry_run=told.dry_run)


@routes.post("/{item_id}/take-over")
async def take_over(item_id: UUID, told: TakeOver, caller: Writes, room: In) -> ItemRow:
    """Let an item of imported history into the ladder, send its statement first, or hold it."""
    async with room.asking(caller) as asker:
        if told.decision != "hold":
            return row_out(await taking_over.one(asker, item_id, told.decision))
        if told.review_on is None:
            raise Refused("A hold needs a review date.", field="review_on")
        row = await taking_over.one(asker, item_id, "release")
        await commands.place_hold(
            asker, scope="item", scope_id=item_id, kind="manual", reason=told.reason, review_on=told.review_on
        )
    await room.stopped(Scope(caller.tenant_id, item_ids=[item_id]))
    return row_out(row)


def _within_reason(at: datetime | None) -> datetime | None:
    if at is not None and not 2000 <= at.year <= 2100:
        raise Refused("The instant is not between 2000 and 2100.", field="at")
    return at
