"""Key figures over HTTP, one address each, with what they were counted from. Shares are from 0 to 1, four decimals."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from libs.common.auth import Caller
from libs.common.errors import Refused
from services.scheduler import measuring
from services.scheduler.api.shared import AmountOut, In, Reads, amount_of
from services.scheduler.calendar import Calendar
from services.scheduler.errors import NoPeriod
from services.scheduler.kpis.collecting import effectiveness, share
from services.scheduler.measuring import Asked
from services.scheduler.room import Room
from services.scheduler.store import charges, zones

routes = APIRouter(prefix="/v1/kpis", tags=["kpis"])
LONGEST = timedelta(days=366)
Company = Annotated[UUID | None, Query(description="Of one company; of all if it is left out.")]


class Period(BaseModel):
    """The days of a figure, both included."""

    first: date
    last: date


class Dso(BaseModel):
    """Days sales outstanding at the end of a day; None where there are no sales to count by."""

    currency: str
    outstanding: AmountOut
    overdue: AmountOut
    overdue_share: str | None
    sales_90_days: AmountOut
    simple: str | None
    best_possible: str | None
    countback: str | None


class DsoAnswer(BaseModel):
    """By currency; currencies are never added up."""

    on: date
    figures: list[Dso]


class Collected(BaseModel):
    """How well a period's money was collected. `cost_of_overdue` needs `percent`, what a year of money costs."""

    currency: str
    owed_at_start: AmountOut
    sold: AmountOut
    owed_at_end: AmountOut
    not_due_at_end: AmountOut
    effectiveness: str | None
    items_settled: int
    days_late: str | None
    days_late_by_amount: str | None
    cost_of_overdue: AmountOut | None


class CollectedAnswer(Period):
    """By currency."""

    figures: list[Collected]


class Kept(BaseModel):
    """Promises that ended in a period; cancelled ones are left out."""

    currency: str
    kept: int
    partly_kept: int
    broken: int
    kept_rate: str | None
    promised: AmountOut
    paid_in_time: AmountOut
    paid_rate: str | None


class KeptAnswer(Period):
    """By currency."""

    figures: list[Kept]


class WrongAnswer(Period):
    """Reminders that reached payers, and those that asked for an item paid in full before their day."""

    reminders: int
    wrong: int
    wrong_rate: str | None


class StepEffect(BaseModel):
    """What followed a step. Without a control group it is what followed, not what the step caused."""

    step: str
    currency: str
    items: int
    settled: int
    settled_rate: str | None
    reminded: AmountOut
    settled_amount: AmountOut


class StepAnswer(Period):
    """By step and currency."""

    within_days: int
    figures: list[StepEffect]


def _shown(figure: Fraction | None, places: int = 4) -> str | None:
    if figure is None:
        return None
    exact = Decimal(figure.numerator) / Decimal(figure.denominator)
    return str(exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))


@asynccontextmanager
async def _asking(room: Room, caller: Caller, entity: UUID | None) -> AsyncIterator[Asked]:
    async with room.database.transaction(caller.tenant_id) as db:
        known = await zones.calendars(db, {caller.tenant_id})
        mine = [calendar for (_, each), calendar in sorted(known.items()) if entity in (None, each)]
        yield Asked(db, caller.tenant_id, entity, mine[0] if mine else Calendar("FR", "Europe/Paris"))


def period(
    first: Annotated[date, Query(description="The first day.")],
    last: Annotated[date, Query(description="The last day.")],
) -> Period:
    """Raises NoPeriod when it ends before it begins, or is longer than a year."""
    if not 2000 <= first.year <= 2100 or not first <= last <= first + LONGEST:
        raise NoPeriod(f"{first} to {last} is no period.", field="last")
    return Period(first=first, last=last)


Of = Annotated[Period, Depends(period)]


@routes.get("/dso")
async def show_dso(caller: Reads, room: In, on: date | None = None, entity_id: Company = None) -> DsoAnswer:
    """DSO by countback, simple and best possible, and the overdue share, at the end of a day as it was known then."""
    async with _asking(room, caller, entity_id) as asked:
        day = on or asked.calendar.today(room.clock.now())
        if not 2000 <= day.year <= 2100:
            raise Refused(f"{day} is not between 2000 and 2100.", field="on", remedy="Send a day of our time.")
        found = await measuring.standing(asked, day)
    return DsoAnswer(
        on=day,
        figures=[
            Dso(
                currency=currency,
                outstanding=amount_of(each.outstanding, currency),
                overdue=amount_of(each.overdue, currency),
                overdue_share=_shown(share(each.overdue, each.outstanding)),
                sales_90_days=amount_of(each.sold_90, currency),
                simple=_shown(each.simple, 1),
                best_possible=_shown(each.best, 1),
                countback=_shown(each.countback, 1),
            )
            for currency, each in found.items()
        ],
    )


@routes.get("/collection")
async def show_collection(
    of: Of,
    caller: Reads,
    room: In,
    entity_id: Company = None,
    percent: Annotated[str | None, Query(pattern=r"^(0|[1-9][0-9]?)(\.[0-9]{1,4})?$")] = None,
) -> CollectedAnswer:
    """Collection effectiveness, average days late, and what overdue money cost.

    At `percent` a year, else at the `cost_of_money` of the company's terms; without either there is no cost.
    """
    async with _asking(room, caller, entity_id) as asked:
        told = percent or await _cost_of_money(asked)
        rate = Decimal(told) if told is not None else None
        found = await measuring.collection(asked, of.first, of.last, rate)
    return CollectedAnswer(
        first=of.first,
        last=of.last,
        figures=[
            Collected(
                currency=each.currency,
                owed_at_start=amount_of(each.at_start, each.currency),
                sold=amount_of(each.sold, each.currency),
                owed_at_end=amount_of(each.at_end, each.currency),
                not_due_at_end=amount_of(each.not_due, each.currency),
                effectiveness=_shown(effectiveness(each.at_start, each.sold, each.at_end, each.not_due)),
                items_settled=each.lateness.items,
                days_late=_shown(each.lateness.mean, 1),
                days_late_by_amount=_shown(each.lateness.weighted, 1),
                cost_of_overdue=None if each.cost is None else amount_of(each.cost, each.currency),
            )
            for each in found
        ],
    )


async def _cost_of_money(asked: Asked) -> str | None:
    if asked.entity is None:
        return None
    terms = (await charges.terms_now(asked.db, asked.tenant, [asked.entity])).get(asked.entity)
    cost: str | None = terms["cost_of_money"] if terms is not None else None
    return cost


@routes.get("/promises")
async def show_promises_kept(of: Of, caller: Reads, room: In, entity_id: Company = None) -> KeptAnswer:
    """The share of promises that were kept, by number and by money."""
    async with _asking(room, caller, entity_id) as asked:
        found = await measuring.words(asked, of.first, of.last)
    return KeptAnswer(
        first=of.first,
        last=of.last,
        figures=[
            Kept(
                currency=currency,
                kept=each.kept,
                partly_kept=each.partly,
                broken=each.broken,
                kept_rate=_shown(each.kept_rate),
                promised=amount_of(each.promised, currency),
                paid_in_time=amount_of(each.paid, currency),
                paid_rate=_shown(each.paid_rate),
            )
            for currency, each in found.items()
        ],
    )


@routes.get("/reminders")
async def show_wrong_reminders(of: Of, caller: Reads, room: In, entity_id: Company = None) -> WrongAnswer:
    """The wrong-reminder rate: reminders that asked for what had been paid before, by the money's value date."""
    async with _asking(room, caller, entity_id) as asked:
        found = await measuring.reminders(asked, of.first, of.last)
    return WrongAnswer(
        first=of.first,
        last=of.last,
        reminders=found.reminders,
        wrong=found.wrong,
        wrong_rate=_shown(found.wrong_rate),
    )


@routes.get("/steps")
async def show_step_effects(
    of: Of,
    caller: Reads,
    room: In,
    entity_id: Company = None,
    within: Annotated[int, Query(ge=1, le=90)] = 10,
) -> StepAnswer:
    """What followed each step: the share of its items that were paid within so many days."""
    async with _asking(room, caller, entity_id) as asked:
        found = await measuring.steps(asked, of.first, of.last, within)
    return StepAnswer(
        first=of.first,
        last=of.last,
        within_days=within,
        figures=[
            StepEffect(
                step=step,
                currency=currency,
                items=each.items,
                settled=each.settled,
                settled_rate=_shown(each.settled_rate),
                reminded=amount_of(each.minor, currency),
                settled_amount=amount_of(each.settled_minor, currency),
            )
            for step, currency, each in found
        ],
    )
