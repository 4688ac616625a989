"""Under any history the pages agree to the cent with the scheduler's books, with the history itself, and with what
they showed on each day before. Hypothesis draws the history; each is heard by the handlers of both services."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from sqlalchemy import select

from libs.common import ids
from libs.common.consumer.rounds import runs
from libs.common.db import Database
from libs.common.devstack.postgres import Postgres
from libs.common.events import Event
from libs.common.money import Money
from libs.common.settings import Settings
from services.console.figures import PERIOD, together
from services.console.store import balance, customers, dso, invoices, kept, past, today
from services.console.store.ledger import EDGES, Chosen
from services.console.store.slices import Question
from services.scheduler import handlers as scheduler
from services.scheduler.tables import item as scheduled
from tests.integration.console.history import History
from tests.integration.console.test_read_model import hear
from tests.support import fresh_tenant

ZONE = "Europe/Paris"
Act = tuple[str, int, int]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["invoice", "invoice", "amend", "cancel", "pay", "part", "undo", "chase", "wait"]),
        st.integers(0, 9),
        st.integers(1, 900_000),
    ),
    min_size=3,
    max_size=25,
)


@dataclass
class Books:
    """The two services' databases."""

    console: Database
    scheduler: Database

    async def tell(self, events: list[Event]) -> None:
        """Both hear them, as their consumers would."""
        await hear(self.console, events, 7)
        known = scheduler.handlers()
        async with self.scheduler.transaction() as db:
            for run in runs(events):
                if (handler := known.get(type(run[0].body))) is not None:
                    await scheduler.lock(db, run)
                    await handler(db, run)

    async def owed(self, tenant: UUID) -> dict[UUID, int]:
        """What each customer owes, by the scheduler's items."""
        item = scheduled
        asked = select(item).where(item.c.tenant_id == tenant)
        found: dict[UUID, int] = {}
        async with self.scheduler.transaction() as db:
            for row in (await db.execute(asked)).mappings():
                left = row["residual_minor"] if row["residual_minor"] is not None else row["amount_minor"]
                if row["invoice_version"] > row["cancelled_version"] and left:
                    found[row["debtor_id"]] = found.get(row["debtor_id"], 0) + left
        return found


@pytest.fixture(scope="module")
async def books(settings: Settings, postgres: Postgres) -> AsyncIterator[Books]:
    both = Books(Database(settings, "console", "loop"), Database(settings, "scheduler", "loop"))
    yield both
    await both.console.close()
    await both.scheduler.close()


def played(history: History, acts: list[Act]) -> None:
    """The history that was drawn."""
    debtors = [history.debtor(number) for number in range(3)]
    for number, (act, which, minor) in enumerate(acts):
        known = list(history.invoices)
        if act == "wait":
            history.at += timedelta(days=which * 9)
        elif act == "invoice" or not known:
            history.invoice(debtors[which % 3], f"F{number:05}", minor, parts=1 + which % 3)
        else:
            _on_one(history, act, known[which % len(known)], minor)


def _on_one(history: History, act: str, invoice: UUID, minor: int) -> None:
    first = ids.item_id(invoice, 1)
    known = history.items[first]
    left = known["amount"] - known["paid"]
    if history.invoices[invoice]["cancelled"] or known["gone"]:
        return
    if act == "amend":
        parts = [each for each in history.items.values() if each["invoice"] == invoice]
        if all(each["version"] == 0 for each in parts):  # matching tells residuals anew after it: other histories
            history.amend(invoice, parts=1 + minor % 3)
    elif act == "cancel":
        history.cancel(invoice)
        history.invoices[invoice]["cancelled"] = True
    elif act == "chase":
        history.follow_up(first)
    elif left > 0:
        history.pay(first, left if act == "pay" else 1 + minor % left, undo=act == "undo")


def local(history: History) -> date:
    return history.at.astimezone(ZoneInfo(ZONE)).date()


@dataclass(frozen=True)
class Pages:
    """What the pages show of one day."""

    ages: tuple[int, ...]
    lines: dict[UUID, int]
    outstanding: int
    sold_90: int


async def pages(books: Books, tenant: UUID, day: date, now: date) -> Pages:
    async with books.console.transaction() as db:
        seen = past.day_seen(day, now, await past.begun(db, tenant, ZONE), ZONE)
        await kept.settle(db, tenant, now, sales=True)
        aged = await balance.aged(db, tenant, seen, Chosen())
        stood = list(together(told for _, told in await dso.standing(db, tenant, seen)).values())
    lines = {line.debtor_id: line.total.minor for line in aged.lines}
    ages = tuple(age.minor for age in aged.totals[0].ages) if aged.totals else (0,) * (len(EDGES) + 1)
    return Pages(ages, lines, sum(each.outstanding for each in stood), sum(each.sold_90 for each in stood))


def by_hand(history: History, day: date) -> tuple[int, ...]:
    """The ages, added up from the history alone."""
    ages = [0] * (len(EDGES) + 1)
    for known in history.items.values():
        if not known["gone"]:
            late = (day - known["due"]).days
            ages[sum(late > edge for edge in EDGES)] += known["amount"] - known["paid"]
    return tuple(ages)


async def agree(books: Books, acts: list[Act]) -> None:
    """One history, told day by day."""
    tenant = fresh_tenant()
    history = History(tenant, random.Random(1))
    played(history, acts)
    days: dict[date, list[Event]] = {}
    for each in history.events:
        days.setdefault(each.time.astimezone(ZoneInfo(ZONE)).date(), []).append(each)
    shown: dict[date, Pages] = {}
    for day, events in sorted(days.items()):
        await books.tell(events)
        shown[day] = await pages(books, tenant, day, day)
    now = local(history)
    at_end = await pages(books, tenant, now, now)
    assert at_end.ages == by_hand(history, now)
    assert at_end.outstanding == history.owed() == sum(at_end.lines.values())
    assert at_end.lines == await books.owed(tenant)
    await _lists_agree(books, history, at_end, now)
    later = now + timedelta(days=45)
    assert (await pages(books, tenant, later, later)).ages == by_hand(history, later)
    async with books.console.transaction() as db:
        first = await past.begun(db, tenant, ZONE) or later
    for day, before in shown.items():
        if day >= first:  # days before the first thing that was told come from the books: nobody was shown them
            assert await pages(books, tenant, day, later) == before, (day, acts)


async def _lists_agree(books: Books, history: History, at_end: Pages, now: date) -> None:
    """The lists of customers and invoices, the days of sales, and the work of the morning."""
    tenant = history.tenant
    plain = Question(tenant, now, Chosen(), {"state": "open"}, limit=1_000)
    late = Question(tenant, now, Chosen(), {"state": "overdue"}, limit=1_000)
    async with books.console.transaction() as db:
        await kept.settle(db, tenant, now, sales=True)
        accounts, open_, overdue = (
            await customers.listed(db, plain),
            await invoices.listed(db, plain),
            await invoices.listed(db, late),
        )
        stood = together(told for _, told in await dso.standing(db, tenant, past.day_seen(now, now, None, ZONE)))
        counts = await today.counts(db, tenant, now, Chosen())
        work = {tab: await today.listed(db, tenant, now, Chosen(), tab=tab) for tab in today.TABS}
    assert sum(sum_.minor for sum_ in accounts.sums) == at_end.outstanding
    assert {each.debtor_id: each.total.minor for each in accounts.lines if each.total} == at_end.lines
    for found in (open_, overdue):
        assert found.count == len(found.lines)
        assert sum(each.minor for each in found.sums) == sum(line["left"].minor for line in found.lines)
    assert sum(each.minor for each in open_.sums) == at_end.outstanding
    for told in stood.values():
        if told.sold_90 > 0:
            assert told.simple == Fraction(at_end.outstanding * PERIOD, at_end.sold_90)
            assert told.best == told.simple * Fraction(told.not_due, told.outstanding) if told.outstanding else True
    for tab, count in counts.items():
        assert count.lines == len(work[tab])
        zero = Money.zero("EUR")
        late = sum((line["late"] or zero).minor for line in work[tab])
        assert sum(amount.minor for amount in count.amounts) == late


def each_drawn(books: Books, checked: Callable[[Books, list[Act]], Any], examples: int) -> Callable[[], None]:
    loop = asyncio.get_running_loop()

    @how(max_examples=examples, database=None)
    @given(ACTS)
    def any_history(acts: list[Act]) -> None:
        asyncio.run_coroutine_threadsafe(checked(books, acts), loop).result(timeout=120)

    return any_history


async def test_pages_agree_with_the_books_and_with_what_they_showed_under_any_history(books: Books) -> None:
    await asyncio.to_thread(each_drawn(books, agree, 10))
