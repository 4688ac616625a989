"""Late-payment charges over HTTP: what an item bears and why, to the row; quoted, invoiced, waived, collected."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from libs.common.auth import Caller
from libs.common.errors import Forbidden, Refused
from libs.common.http import Prose, Reference, Wire
from libs.common.paging import Cursor, Limit, cursor, cut, place
from services.scheduler import charging
from services.scheduler.api.shared import AmountOut, In, Reads, Writes, amount_of
from services.scheduler.charges import proof
from services.scheduler.charges.claims import Kind, State
from services.scheduler.charging import KINDS, Charged
from services.scheduler.commands import Asker
from services.scheduler.store import charges as store

routes = APIRouter(tags=["charges"])
MAY_WAIVE = frozenset({"manager", "administrator"})
Until = Annotated[date | None, Query(description="The last day that counts; today if it is left out.")]
Kinds = Annotated[list[Kind], Field(min_length=1, max_length=2)]


class ChargeOut(BaseModel):
    """A claim as it stands. `proof` holds the rows as they were counted when it was made."""

    charge_id: UUID
    item_id: UUID
    invoice_id: UUID
    kind: Kind
    state: State
    first_day: date
    last_day: date
    amount: AmountOut
    regime: str
    provisional: bool
    ends: bool
    invoice_number: str | None
    collected_on: date | None
    reason: str
    author: str
    quoted_at: datetime
    decided_at: datetime | None
    proof: dict[str, Any]


class ChargePage(BaseModel):
    """One page of claims."""

    items: list[ChargeOut]
    next: str | None


class ChargesOut(BaseModel):
    """What an item bears up to a day, what of it was claimed, and what may be claimed now."""

    item_id: UUID
    until: date
    counted_to: date
    regime: str | None
    basis: dict[Literal["fr", "en"], str]
    imputation: Literal["principal_first", "costs_interest_principal"]
    not_claimable: str | None
    """Why nothing is claimed: consumer, intercompany, factored, insolvency, charge, no_regime, information_only."""
    provisional: bool
    doubts: list[str]
    principal_left: AmountOut
    interest: AmountOut
    interest_left: AmountOut
    interest_to_claim: AmountOut
    lump_sum: AmountOut
    lump_sum_to_claim: AmountOut
    to_credit: AmountOut
    """Interest that was invoiced and is not owed by the facts of now."""
    fine: AmountOut | None
    """A figure for information only; never a line of a claim."""
    claims: list[ChargeOut]


class ProofLine(BaseModel):
    """One row: balance × percent × days / year."""

    first: date
    last: date
    days: int
    balance: AmountOut
    percent: str
    interest: str
    formula: str
    sources: list[str]


class ProofOut(BaseModel):
    """The rows behind a sum, their exact total, the sum rounded once, and what is to be known about it."""

    item_id: UUID
    number: str
    due_date: date
    regime: str | None
    rows: list[ProofLine]
    exact: str
    interest: AmountOut
    counted_to: date
    provisional: bool
    remarks: dict[Literal["fr", "en"], list[str]]


class Claiming(Wire):
    """Which charges, up to which day; today if it is left out."""

    kinds: Kinds = list(KINDS)
    until: date | None = None


class Invoicing(Claiming):
    """The number of the invoice that your own system made for these charges: it bears no interest itself."""

    invoice_number: Reference


class Waiving(Claiming):
    """Why it is given up. `ends` stops the interest for good; otherwise it goes on the day after."""

    reason: Prose
    ends: bool = True


class WaivingOne(Wire):
    """Why it is given up."""

    reason: Prose


class Collecting(Wire):
    """The day on which the money came."""

    on: date


class Undecided(BaseModel):
    """A late item of which something can still be claimed."""

    item_id: UUID
    number: str
    due_date: date
    open: bool
    charges: ChargesOut


class UndecidedPage(BaseModel):
    """One page of them. A page may be empty and have a next one: what cannot be claimed is left out."""

    items: list[Undecided]
    next: str | None


def out(row: Any) -> ChargeOut:
    """A charge's row as it is shown."""
    names = set(ChargeOut.model_fields) - {"amount"}
    return ChargeOut(amount=amount_of(row["amount_minor"], row["currency"]), **{name: row[name] for name in names})


def charges_out(found: Charged, until: date) -> ChargesOut:
    """An account as it is shown."""
    account, currency = found.account, found.row["currency"]
    sheet, regime = account.sheet(until), account.regime
    interest, lump = account.next("interest", until), account.next("lump_sum", until)
    fine = account.fine(until)
    return ChargesOut(
        item_id=found.row["item_id"],
        until=until,
        counted_to=sheet.counted_to,
        regime=regime.key if regime is not None else None,
        basis=dict(regime.basis) if regime is not None else {},
        imputation=account.imputation,
        not_claimable=account.why_not,
        provisional=sheet.provisional,
        doubts=list(sheet.doubts),
        principal_left=amount_of(sheet.left.principal, currency),
        interest=amount_of(sheet.interest, currency),
        interest_left=amount_of(sheet.left.interest, currency),
        interest_to_claim=amount_of(interest.minor if interest is not None else 0, currency),
        lump_sum=amount_of(account.lump_sum(until), currency),
        lump_sum_to_claim=amount_of(lump.minor if lump is not None else 0, currency),
        to_credit=amount_of(account.to_credit(), currency),
        fine=None if fine is None else amount_of(fine, currency),
        claims=[out(row) for row in sorted(found.claims, key=lambda row: (row["kind"], row["first_day"]))],
    )


async def _day(asker: Asker, found: Charged, until: date | None) -> date:
    """The day asked for, at most today at the item's company."""
    today = (await asker.calendar(found.row["entity_id"])).today(asker.now)
    if until is not None and until > today:
        raise Refused(
            f"{until} has not come: today is {today}.", field="until", remedy="Send a day that is over, or none."
        )
    return until or today


@routes.get("/v1/items/{item_id}/charges")
async def show_charges(item_id: UUID, caller: Reads, room: In, until: Until = None) -> ChargesOut:
    """What an item bears, what was claimed of it, and what may be claimed now."""
    async with room.asking(caller) as asker:
        found = await charging.charged(asker, item_id, room.tariffs)
        return charges_out(found, await _day(asker, found, until))


@routes.get("/v1/items/{item_id}/charges/proof")
async def prove_interest(item_id: UUID, caller: Reads, room: In, until: Until = None) -> ProofOut:
    """The proof sheet of an item's interest: one row a balance and rate, with the source of each rate."""
    async with room.asking(caller) as asker:
        found = await charging.charged(asker, item_id, room.tariffs)
        sheet = found.account.sheet(await _day(asker, found, until))
    regime = found.regime
    return ProofOut(
        item_id=item_id,
        number=found.row["number"],
        due_date=found.row["due_date"],
        regime=regime.key if regime is not None else None,
        rows=[_proof_line(line) for line in proof.lines(sheet)],
        exact=proof.exact_sum(sheet),
        interest=amount_of(sheet.interest, sheet.currency),
        counted_to=sheet.counted_to,
        provisional=sheet.provisional,
        remarks={} if regime is None else {
            "fr": list(proof.remarks(sheet, regime, "fr")), "en": list(proof.remarks(sheet, regime, "en"))
        },
    )  # fmt: skip


def _proof_line(line: proof.Line) -> ProofLine:
    names = ("first", "last", "days", "percent", "interest", "formula")
    return ProofLine(
        balance=AmountOut(**line.balance.wire()),
        sources=list(line.sources),
        **{name: getattr(line, name) for name in names},
    )


async def _decided(caller: Caller, room: In, item_id: UUID, told: Claiming, state: State, **facts: Any) -> ChargePage:
    async with room.asking(caller) as asker:
        found = await charging.charged(asker, item_id, room.tariffs)
        if facts.get("invoice_number") == found.row["number"]:
            raise Refused(
                "This is the number of the late invoice itself.",
                field="invoice_number",
                remedy="Send the number of the invoice that charges the interest or the lump sum.",
            )
        until = await _day(asker, found, told.until)
        kinds: Sequence[Kind] = list(dict.fromkeys(told.kinds))
        rows = await charging.decide(asker, item_id, kinds, state, until, room.tariffs, **facts)
    return ChargePage(items=[out(row) for row in rows], next=None)


@routes.post("/v1/items/{item_id}/charges/quote", status_code=201)
async def quote_charges(item_id: UUID, told: Claiming, caller: Writes, room: In) -> ChargePage:
    """Note what was told to the payer. A later quote takes the place of this one; nothing is used up by it."""
    return await _decided(caller, room, item_id, told, "quoted")


@routes.post("/v1/items/{item_id}/charges/invoice", status_code=201)
async def invoice_charges(item_id: UUID, told: Invoicing, caller: Writes, room: In) -> ChargePage:
    """Note that your system invoiced what may be claimed up to a day: no day and no lump sum is claimed again."""
    return await _decided(caller, room, item_id, told, "invoiced", invoice_number=told.invoice_number)


@routes.post("/v1/items/{item_id}/charges/waive", status_code=201)
async def waive_charges(item_id: UUID, told: Waiving, caller: Writes, room: In) -> ChargePage:
    """Give up what may be claimed up to a day, with a reason; a manager's act."""
    may_waive(caller)
    return await _decided(caller, room, item_id, told, "waived", reason=told.reason, ends=told.ends)


def may_waive(caller: Caller) -> None:
    """Raises Forbidden for everybody but managers and administrators."""
    if not caller.roles & MAY_WAIVE:
        raise Forbidden("Only a manager gives up a claim.", remedy="Ask a person with the role manager.")


@routes.get("/v1/charges")
async def list_charges(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    state: State | None = None,
    item_id: UUID | None = None,
) -> ChargePage:
    """Claims, in the order of their ids."""
    start = place(room.settings, "charges", after)
    async with room.database.transaction(caller.tenant_id) as db:
        last_seen = start[0] if start else None
        found = await store.page(db, caller.tenant_id, limit + 1, last_seen, state=state, item_id=item_id)
    rows, last = cut(found, limit)
    more = cursor(room.settings, "charges", last["charge_id"]) if last else None
    return ChargePage(items=[out(row) for row in rows], next=more)


@routes.get("/v1/charges/undecided")
async def list_undecided(
    *,
    caller: Reads,
    room: In,
    limit: Limit = 50,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    entity_id: UUID | None = None,
) -> UndecidedPage:
    """Late items, open or paid, of which something can still be claimed: nothing is lost when the principal is paid."""
    start = place(room.settings, "undecided", after)
    async with room.asking(caller) as asker:
        today = asker.now.date()
        last_seen = start[0] if start else None
        found = await store.late(asker.db, caller.tenant_id, today, limit + 1, last_seen, entity=entity_id)
        rows, last = cut(found, limit)
        known = await charging.accounts(asker.db, caller.tenant_id, [row["item_id"] for row in rows], room.tariffs)
        items = [each for row in rows if (each := await _undecided(asker, known[row["item_id"]])) is not None]
    more = cursor(room.settings, "undecided", last["item_id"]) if last else None
    return UndecidedPage(items=items, next=more)


async def _undecided(asker: Asker, found: Charged) -> Undecided | None:
    until = await _day(asker, found, None)
    if found.account.next("interest", until) is None and found.account.next("lump_sum", until) is None:
        return None
    names = ("item_id", "number", "due_date", "open")
    return Undecided(charges=charges_out(found, until), **{name: found.row[name] for name in names})


@routes.post("/v1/charges/{charge_id}/collect")
async def collect_charge(charge_id: UUID, told: Collecting, caller: Writes, room: In) -> ChargeOut:
    """The payer paid an invoiced charge. An invoice under its number that is settled here says so by itself."""
    async with room.asking(caller) as asker:
        return out(await charging.turn(asker, charge_id, "collected", collected_on=told.on))


@routes.post("/v1/charges/{charge_id}/waive")
async def waive_charge(charge_id: UUID, told: WaivingOne, caller: Writes, room: In) -> ChargeOut:
    """Give up a quoted or invoiced charge, with a reason; a manager's act. Your system credits its invoice."""
    may_waive(caller)
    async with room.asking(caller) as asker:
        return out(await charging.turn(asker, charge_id, "waived", reason=told.reason))
