"""Credit control over HTTP: exposures, limits, blocks and what is proposed to be written off."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from libs.common.auth import Caller
from libs.common.errors import NotFound
from libs.common.http import Line, Prose, Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler import crediting
from services.scheduler.api.shared import (
    MANAGERS,
    AmountIn,
    AmountOut,
    Approves,
    In,
    Reads,
    Writes,
    amount_of,
    only_managers,
)
from services.scheduler.room import Room
from services.scheduler.store import credit as store
from services.scheduler.tables import credit_block, credit_limit, write_off_proposal

routes = APIRouter(prefix="/v1/credit", tags=["credit control"])
Act = Literal["block", "unblock"]
Reason = Literal["insolvency", "prescribed", "cost_over_benefit", "untraceable", "commercial", "other"]


class FigureOut(BaseModel):
    """An exposure in one currency beside its limit; `available` is negative when it is over."""

    exposure: AmountOut
    not_due: AmountOut
    overdue: AmountOut
    on_account: AmountOut
    limit: AmountOut | None
    available: AmountOut | None
    used_percent: int | None
    over: bool


class AccountOut(BaseModel):
    """What a payer owes against what it may owe, whether deliveries are stopped, and what the figures propose."""

    payer_id: UUID
    entity_id: UUID
    external_id: str
    figures: list[FigureOut]
    blocked: bool
    blocked_since: datetime | None
    blocked_why: str | None
    advice: Act | None


class AccountPage(BaseModel):
    """One page of accounts."""

    items: list[AccountOut]
    next: str | None


class NewLimit(Wire):
    """What a payer may owe in a currency, from a day on; without an end until it is replaced."""

    payer_id: UUID
    amount: AmountIn
    valid_from: date
    valid_until: date | None = None
    reason: Line


class LimitOut(BaseModel):
    """A limit: entered by one person, approved by another, replaced by the next, or withdrawn."""

    limit_id: UUID
    payer_id: UUID
    entity_id: UUID
    amount: AmountOut
    valid_from: date
    valid_until: date | None
    reason: str
    entered_by: str
    entered_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    withdrawn_by: str | None
    withdrawn_at: datetime | None
    why: str
    """Why it was withdrawn."""
    state: Literal["entered", "approved", "replaced", "withdrawn"]


class LimitPage(BaseModel):
    """One page of limits."""

    items: list[LimitOut]
    next: str | None


class NewBlock(Wire):
    """Deliveries to a payer are to stop, or to go on."""

    payer_id: UUID
    act: Act
    reason: Line


class Decision(Wire):
    """Why it is granted or not."""

    why: Line


class BlockOut(BaseModel):
    """A request and what became of it; the last approved act of a payer holds."""

    block_id: UUID
    payer_id: UUID
    entity_id: UUID
    act: Act
    reason: str
    figures: list[FigureOut]
    """As they stood when it was asked for."""
    requested_by: str
    requested_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    why: str
    state: Literal["requested", "approved", "rejected"]


class BlockPage(BaseModel):
    """One page of requests."""

    items: list[BlockOut]
    next: str | None


class NewWriteOff(Wire):
    """Give up what an item owes, or a part of it."""

    item_id: UUID
    amount: AmountIn | None = None
    reason: Reason
    note: Prose


class WriteOffOut(BaseModel):
    """A proposal: made by one person, granted by another, booked by the ERP."""

    proposal_id: UUID
    item_id: UUID
    entity_id: UUID
    payer_id: UUID
    amount: AmountOut
    reason: Reason
    note: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    why: str
    state: Literal["proposed", "approved", "rejected"]


class WriteOffPage(BaseModel):
    """One page of proposals."""

    items: list[WriteOffOut]
    next: str | None


def _with_amount(shape: Any, row: store.Row) -> Any:
    names = set(shape.model_fields) - {"amount"}
    return shape(amount=amount_of(row["amount_minor"], row["currency"]), **{name: row[name] for name in names})


def account_out(found: crediting.Account) -> AccountOut:
    """An account as it is shown."""
    names = ("payer_id", "entity_id", "external_id", "blocked", "advice")
    figures = [FigureOut(**each) for each in found.figures()]
    block = found.block or {"decided_at": None, "reason": None}
    since = {"blocked_since": block["decided_at"], "blocked_why": block["reason"]}
    return AccountOut(figures=figures, **since, **{name: getattr(found, name) for name in names})


def block_out(row: store.Row) -> BlockOut:
    """A request's row as it is shown."""
    return BlockOut(**{name: row[name] for name in BlockOut.model_fields})


@routes.get("/accounts")
async def list_accounts(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    over: bool = False,
    blocked: bool = False,
    payer_id: Annotated[list[UUID], Query(max_length=200)] = [],  # noqa: B006 - only read
) -> AccountPage:
    """Payers that owe something, by their ids: all, those over their limit, those whose deliveries are stopped; or
    those that are named, on one page, whatever they owe."""
    if payer_id:
        async with room.asking(caller) as asker:
            named = await crediting.accounts(asker, payer_id)
        return AccountPage(items=[account_out(each) for each in named.values()], next=None)
    start = place(room.settings, "credit-accounts", after)
    async with room.asking(caller) as asker:
        last_seen = start[0] if start else None
        found = await store.accounts(
            asker.db, asker.tenant, asker.now, limit + 1, last_seen, over=over, blocked=blocked
        )
        payers, last = cut(found, limit)
        known = await crediting.accounts(asker, payers)
    more = cursor(room.settings, "credit-accounts", last) if last else None
    return AccountPage(items=[account_out(known[each]) for each in payers if each in known], next=more)


@routes.get("/accounts/{payer_id}")
async def show_account(payer_id: UUID, caller: Reads, room: In) -> AccountOut:
    """One payer's exposure against its limit."""
    async with room.asking(caller) as asker:
        known = await crediting.accounts(asker, [payer_id])
    if payer_id not in known:
        raise NotFound(f"There is no payer {payer_id}.")
    return account_out(known[payer_id])


@routes.post("/limits", status_code=201)
async def enter_limit(told: NewLimit, caller: Writes, room: In) -> LimitOut:
    """Enter a limit with its reason. It holds once somebody else has approved it."""
    async with room.asking(caller) as asker:
        amount = told.amount.money()
        row = await crediting.enter_limit(
            asker, told.payer_id, amount, (told.valid_from, told.valid_until), told.reason
        )
    return LimitOut.model_validate(_with_amount(LimitOut, row))


@routes.post("/limits/{limit_id}/approve")
async def approve_limit(limit_id: UUID, caller: Approves, room: In) -> LimitOut:
    """Approve a limit that somebody else entered; the one before it in the same currency is replaced."""
    only_managers(caller, "approves a limit")
    async with room.asking(caller) as asker:
        return LimitOut.model_validate(_with_amount(LimitOut, await crediting.approve_limit(asker, limit_id)))


@routes.post("/limits/{limit_id}/withdraw")
async def withdraw_limit(limit_id: UUID, told: Decision, caller: Writes, room: In) -> LimitOut:
    """Take a limit back: one that waits by anybody, one that holds by a manager who has not entered it."""
    async with room.asking(caller) as asker:
        row = await crediting.withdraw_limit(asker, limit_id, told.why, manager=bool(caller.roles & MANAGERS))
    return LimitOut.model_validate(_with_amount(LimitOut, row))


@routes.get("/limits")
async def list_limits(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    payer_id: UUID | None = None,
    state: Literal["entered", "approved", "replaced", "withdrawn"] | None = None,
) -> LimitPage:
    """Every limit that was ever entered, with who entered, approved and withdrew it."""
    rows, more = await _page(room, caller, credit_limit, (limit, after), payer_id=payer_id, state=state)
    return LimitPage(items=[_with_amount(LimitOut, row) for row in rows], next=more)


@routes.post("/blocks", status_code=201)
async def request_block(told: NewBlock, caller: Writes, room: In) -> BlockOut:
    """Ask that deliveries to a payer stop, or go on. Somebody else grants it; your systems hear it then."""
    async with room.asking(caller) as asker:
        return block_out(await crediting.request_block(asker, told.payer_id, told.act, told.reason))


@routes.post("/blocks/{block_id}/approve")
async def approve_block(block_id: UUID, told: Decision, caller: Approves, room: In) -> BlockOut:
    """Grant what somebody else asked for: `credit.blocked` or `credit.unblocked` goes to your endpoints, signed."""
    only_managers(caller, "grants a request")
    async with room.asking(caller) as asker:
        return block_out(await crediting.decide_block(asker, block_id, approved=True, why=told.why))


@routes.post("/blocks/{block_id}/reject")
async def reject_block(block_id: UUID, told: Decision, caller: Approves, room: In) -> BlockOut:
    """Do not grant a request, or take your own back."""
    async with room.asking(caller) as asker:
        return block_out(await crediting.decide_block(asker, block_id, approved=False, why=told.why))


@routes.get("/blocks")
async def list_blocks(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    payer_id: UUID | None = None,
    state: Literal["requested", "approved", "rejected"] | None = None,
) -> BlockPage:
    """Requests in the order in which they were made."""
    rows, more = await _page(room, caller, credit_block, (limit, after), payer_id=payer_id, state=state)
    return BlockPage(items=[block_out(row) for row in rows], next=more)


@routes.post("/write-offs", status_code=201)
async def propose_write_off(told: NewWriteOff, caller: Writes, room: In) -> WriteOffOut:
    """Propose to give up what an item owes, with a reason and a note for who decides."""
    amount = told.amount.money() if told.amount else None
    async with room.asking(caller) as asker:
        row = await crediting.propose_write_off(asker, told.item_id, amount, told.reason, told.note)
    return WriteOffOut.model_validate(_with_amount(WriteOffOut, row))


@routes.post("/write-offs/{proposal_id}/approve")
async def approve_write_off(proposal_id: UUID, told: Decision, caller: Approves, room: In) -> WriteOffOut:
    """Agree to what somebody else proposed. Your ERP books it; the item is settled when its ledger says so."""
    only_managers(caller, "gives a claim up")
    async with room.asking(caller) as asker:
        row = await crediting.decide_write_off(asker, proposal_id, approved=True, why=told.why)
    return WriteOffOut.model_validate(_with_amount(WriteOffOut, row))


@routes.post("/write-offs/{proposal_id}/reject")
async def reject_write_off(proposal_id: UUID, told: Decision, caller: Approves, room: In) -> WriteOffOut:
    """Do not agree, or take your own proposal back."""
    async with room.asking(caller) as asker:
        row = await crediting.decide_write_off(asker, proposal_id, approved=False, why=told.why)
    return WriteOffOut.model_validate(_with_amount(WriteOffOut, row))


@routes.get("/write-offs")
async def list_write_offs(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    payer_id: UUID | None = None,
    state: Literal["proposed", "approved", "rejected"] | None = None,
) -> WriteOffPage:
    """Proposals in the order in which they were made."""
    rows, more = await _page(room, caller, write_off_proposal, (limit, after), payer_id=payer_id, state=state)
    return WriteOffPage(items=[_with_amount(WriteOffOut, row) for row in rows], next=more)


async def _page(
    room: Room, caller: Caller, table: Any, wanted: tuple[int, str | None], **equals: Any
) -> tuple[Any, str | None]:
    kind, (limit, after) = table.name, wanted
    start = place(room.settings, kind, after)
    async with room.database.transaction(caller.tenant_id) as db:
        found = await store.page(db, table, caller.tenant_id, limit + 1, start[0] if start else None, **equals)
    rows, last = cut(found, limit)
    key = next(column.name for column in table.primary_key if column.name != "tenant_id")
    return rows, cursor(room.settings, kind, last[key]) if last else None
