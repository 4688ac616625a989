"""Reference rates and agreed terms over HTTP. A rate holds once a second person has approved it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints, model_validator

from libs.common.auth import Caller
from libs.common.errors import Forbidden, NotFound, Refused
from libs.common.http import Prose, Wire
from libs.common.ids import uuid7
from services.scheduler.api.charges import MAY_WAIVE
from services.scheduler.api.shared import AmountIn, AmountOut, Approves, In, Reads, Writes, shown
from services.scheduler.charges.rates import HALF_YEARLY, Index, half_year
from services.scheduler.charges.regimes import DayCount, Key
from services.scheduler.errors import AlreadyEnded, FourEyes
from services.scheduler.room import Room
from services.scheduler.store import charges as store

routes = APIRouter(prefix="/v1/charges", tags=["charges"])
Percent = Annotated[str, StringConstraints(pattern=r"^-?(0|[1-9][0-9]?)(\.[0-9]{1,4})?$")]
Cost = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]?)(\.[0-9]{1,4})?$")]
RateState = Literal["shipped", "shipped_unconfirmed", "entered", "approved", "replaced"]
Scope = Literal["entity", "debtor"]


class NewRate(Wire):
    """A published rate, from the day on which it holds, and where that can be read."""

    index: Index
    valid_from: date
    percent: Percent
    source: Prose
    published_on: date | None = None


class RateOut(BaseModel):
    """A rate of the table. Approved ones outrank the shipped ones of the same day."""

    rate_id: UUID | None
    index: Index
    valid_from: date
    percent: str
    source: str
    published_on: date | None
    entered_by: str
    approved_by: str | None
    state: RateState


class RateList(BaseModel):
    """Every rate that is known, ours first, and up to which day each index is published."""

    items: list[RateOut]
    known_to: dict[Index, date | None]


class NewTerms(Wire):
    """What is agreed; what is left out is as the company's terms, or the law, say.

    A rate is a fixed `percent`, or `points` on an `index`. In France an agreed rate is at least three times the legal
    one, whatever is said here.
    """

    regime: Key | None = None
    percent: Percent | None = None
    index: Index | None = None
    points: Percent | None = None
    day_count: DayCount | None = None
    lump_sum: AmountIn | None = None
    imputation: Literal["principal_first", "costs_interest_principal"] | None = None
    reason: Prose

    @model_validator(mode="after")
    def _one_rate(self) -> "NewTerms":
        if self.percent is not None and self.index is not None:
            raise ValueError("a rate is a percent, or points on an index, not both")
        if (self.index is None) != (self.points is None):
            raise ValueError("an index goes with its points")
        if any(each is not None and Decimal(each) < 0 for each in (self.percent, self.points)):
            raise ValueError("an agreed rate is not negative")
        return self


class CompanyTerms(NewTerms):
    """Terms for all debtors of a company, and what a year of money costs it: the key figures count by that."""

    cost_of_money: Cost | None = None


class TermsOut(BaseModel):
    """The terms of a company or a debtor as they stand."""

    scope: Scope
    scope_id: UUID
    regime: Key | None
    percent: str | None
    index: Index | None
    points: str | None
    day_count: DayCount | None
    lump_sum: AmountOut | None
    imputation: Literal["principal_first", "costs_interest_principal"] | None
    cost_of_money: str | None
    reason: str
    author: str
    set_at: datetime


def _rate_out(row: store.Row) -> RateOut:
    names = ("rate_id", "valid_from", "percent", "source", "published_on", "entered_by", "approved_by", "state")
    return RateOut(index=row["series"], **{name: row[name] for name in names})


def _terms_out(row: store.Row) -> TermsOut:
    names = set(TermsOut.model_fields) - {"index", "lump_sum"}
    return TermsOut(
        index=row["series"],
        lump_sum=shown(row["lump_minor"], row["currency"]),
        **{name: row[name] for name in names},
    )


@routes.get("/rates")
async def list_rates(caller: Reads, room: In, index: Index | None = None) -> RateList:
    """The table of rates: those that come with the product and your own, with their sources and who approved them."""
    async with room.database.transaction(caller.tenant_id) as db:
        own = await store.rates(db, caller.tenant_id, series=index)
        book = await room.tariffs.book(db, caller.tenant_id)
    shipped = [
        RateOut(
            rate_id=None,
            index=rate.index,
            valid_from=rate.valid_from,
            percent=str(rate.percent),
            source=rate.source,
            published_on=rate.published_on,
            entered_by=rate.entered_by,
            approved_by=rate.approved_by,
            state="shipped" if rate.approved_by else "shipped_unconfirmed",
        )
        for rate in room.tariffs.shipped().rows(index)
    ]
    named: list[Index] = [index] if index is not None else ["ecb_mro", "fr_legal", "de_base", "at_base", "boe", "bam"]
    return RateList(items=[*shipped, *map(_rate_out, own)], known_to={each: book.known_to(each) for each in named})


@routes.post("/rates", status_code=201)
async def enter_rate(told: NewRate, caller: Writes, room: In) -> RateOut:
    """Enter a rate with its source. It holds once somebody else has approved it."""
    if not 2000 <= told.valid_from.year <= 2100:
        raise Refused(f"{told.valid_from} is not between 2000 and 2100.", field="valid_from")
    if told.index in HALF_YEARLY and told.valid_from != half_year(told.valid_from):
        raise Refused(
            f"{told.index} holds from 1 January or 1 July, not from {told.valid_from}.",
            field="valid_from",
            remedy=f"Send {half_year(told.valid_from)}; a change within a half-year counts from the next.",
        )
    async with room.asking(caller) as asker:
        row = {
            "tenant_id": asker.tenant, "rate_id": uuid7(), "series": told.index, "valid_from": told.valid_from,
            "percent": told.percent, "source": told.source, "published_on": told.published_on,
            "entered_by": asker.subject, "entered_at": asker.now, "approved_by": None, "state": "entered",
        }  # fmt: skip
        await store.enter_rate(asker.db, row)
    return _rate_out(row)


@routes.post("/rates/{rate_id}/approve")
async def approve_rate(rate_id: UUID, caller: Approves, room: In) -> RateOut:
    """Vouch for a rate that somebody else entered. It takes the place of the one approved for the same day before."""
    async with room.asking(caller) as asker:
        row = await store.rate(asker.db, asker.tenant, rate_id)
        if row is None:
            raise NotFound(f"There is no rate {rate_id}.")
        if row["state"] != "entered":
            raise AlreadyEnded(f"This rate is {row['state']}.", field="rate_id")
        if row["entered_by"] == asker.subject:
            raise FourEyes(remedy="Another person has to compare it with its source and approve it.")
        return _rate_out(await store.approve_rate(asker.db, row, asker.subject, asker.now))


@routes.get("/terms/entities/{entity_id}")
async def show_company_terms(entity_id: UUID, caller: Reads, room: In) -> TermsOut:
    """The terms of a company."""
    return await _shown(room, caller, "entity", entity_id)


@routes.get("/terms/debtors/{debtor_id}")
async def show_debtor_terms(debtor_id: UUID, caller: Reads, room: In) -> TermsOut:
    """The terms of a debtor."""
    return await _shown(room, caller, "debtor", debtor_id)


@routes.put("/terms/entities/{entity_id}")
async def set_company_terms(entity_id: UUID, told: CompanyTerms, caller: Writes, room: In) -> TermsOut:
    """Say what holds for all debtors of a company, and why; a manager's act. Earlier terms stay on record."""
    return await _set(room, caller, "entity", entity_id, told)


@routes.put("/terms/debtors/{debtor_id}")
async def set_debtor_terms(debtor_id: UUID, told: NewTerms, caller: Writes, room: In) -> TermsOut:
    """Say what was agreed with a debtor, and why; a manager's act. Earlier terms stay on record."""
    return await _set(room, caller, "debtor", debtor_id, told)


async def _shown(room: Room, caller: Caller, scope: Scope, scope_id: UUID) -> TermsOut:
    async with room.database.transaction(caller.tenant_id) as db:
        found = (await store.terms_now(db, caller.tenant_id, [scope_id])).get(scope_id)
    if found is None or found["scope"] != scope:
        raise NotFound(f"There are no terms for the {scope} {scope_id}: the law of its country holds.")
    return _terms_out(found)


async def _set(room: Room, caller: Caller, scope: Scope, scope_id: UUID, told: NewTerms) -> TermsOut:
    if not caller.roles & MAY_WAIVE:
        raise Forbidden("Only a manager sets terms.", remedy="Ask a person with the role manager.")
    async with room.asking(caller) as asker:
        if not await store.knows(asker.db, asker.tenant, scope, scope_id):
            raise NotFound(f"There is no {scope} {scope_id} here.")
        lump = told.lump_sum.money() if told.lump_sum else None
        row = {
            "tenant_id": asker.tenant, "terms_id": uuid7(), "scope": scope, "scope_id": scope_id,
            "regime": told.regime, "percent": told.percent, "series": told.index, "points": told.points,
            "day_count": told.day_count, "lump_minor": lump.minor if lump else None,
            "currency": lump.currency if lump else None, "imputation": told.imputation,
            "cost_of_money": told.cost_of_money if isinstance(told, CompanyTerms) else None,
            "reason": told.reason, "author": asker.subject, "set_at": asker.now,
        }  # fmt: skip
        await store.set_terms(asker.db, row)
    return _terms_out(row)
