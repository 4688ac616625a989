"""Plans are agreed on a customer's file and are the scheduler's; the forecast and the hand-over list add up."""

import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.clock import today
from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.money import Money
from libs.common.settings import Settings
from services.console.pages.plans import shares
from services.console.pages.web import ZONE
from services.console.store import coming, forecast, handing, kept
from services.console.store.ledger import Chosen
from services.console.store.slices import Question
from services.console.tables import read_model as model
from tests.integration.console.conftest import Console
from tests.integration.console.history import History, played
from tests.integration.console.owners import Browser, Owners, owners
from tests.integration.console.street import lived
from tests.integration.console.test_read_model import hear

Desk = tuple[Browser, Owners, History]


@pytest.fixture(scope="module")
async def history(console: Console, settings: Settings) -> History:
    tenant, _ = await console.tenant()
    return await lived(settings, tenant, 31, debtors=4, invoices=60)


@pytest.fixture
async def desk(console: Console, settings: Settings, history: History) -> AsyncIterator[Desk]:
    with owners(console, settings) as played_owners:
        client = await console.sign_in(await console.user(history.tenant, "collector"))
        owing = [item for item, known in history.items.items() if not known["gone"] and known["amount"] > known["paid"]]
        debtor = history.invoices[history.items[owing[0]]["invoice"]]["debtor"]
        mine = [one for one in owing if history.invoices[history.items[one]["invoice"]]["debtor"] == debtor]
        yield Browser(client, settings.public_url, debtor, debtor, mine[:3]), played_owners, history
        await client.aclose()


async def test_a_plan_carries_equal_parts_of_what_the_ticked_invoices_owe(desk: Desk) -> None:
    browser, scheduler, history = desk
    scheduler.says["POST", "/v1/plans"] = {"plan_id": str(uuid7())}
    items = [str(item) for item in browser.items]
    fields = {"item": items, "count": "4", "first_on": "2026-12-31", "every": "month"}
    answer = await browser.send(f"/customers/{browser.debtor}/plan", fields)
    assert answer.status_code == 303, answer.text
    (told,) = scheduler.did("/v1/plans")
    assert told.body["item_ids"] == items
    owed = sum(history.items[item]["amount"] - history.items[item]["paid"] for item in browser.items)
    amounts = [Money.parse(part["amount"]["amount"], "EUR").minor for part in told.body["instalments"]]
    assert sum(amounts) == owed
    assert max(amounts) - min(amounts) < 4
    assert [part["on"] for part in told.body["instalments"]] == ["2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31"]
    assert "4 versements" in (await browser.client.get(f"/customers/{browser.debtor}")).text


@pytest.mark.parametrize(
    "wrong", [{"item": []}, {"count": "1"}, {"count": "x"}, {"first_on": "morgen"}, {"every": "day"}]
)
async def test_a_plan_that_makes_no_sense_is_refused_where_it_was_typed(desk: Desk, wrong: dict[str, object]) -> None:
    browser, scheduler, _ = desk
    items = [str(item) for item in browser.items]
    fields = {"item": items, "count": "4", "first_on": "2026-12-31", "every": "month"} | wrong
    answer = await browser.send(f"/customers/{browser.debtor}/plan", fields, quiet=True)
    assert answer.status_code in (400, 409, 422), answer.text
    assert not scheduler.did("/v1/plans")


async def test_plans_show_what_came_and_can_be_called_off(desk: Desk) -> None:
    browser, scheduler, _ = desk
    plan = {
        "plan_id": str(uuid7()),
        "payer_id": str(browser.payer),
        "agreed_at": "2026-10-01T08:00:00+00:00",
        "state": "running",
        "instalments": [
            {"on": "2026-11-01", "amount": _amount("100.00"), "paid": _amount("100.00"), "state": "paid"},
            {"on": "2026-12-01", "amount": _amount("150.50"), "paid": _amount("0.00"), "state": "to_come"},
        ],
    }
    scheduler.says["GET", "/v1/plans"] = {"items": [plan], "next": "more"}
    page = (await browser.client.get("/plans")).text
    assert "250,50" in page
    assert "01/12/2026" in page
    assert "cursor=more" in page
    answer = await browser.send(f"/plans/{plan['plan_id']}/cancel", {}, at="/plans")
    assert answer.status_code == 303
    assert scheduler.did(f"/v1/plans/{plan['plan_id']}/cancel")
    scheduler.says["GET", "/v1/plans"] = {"items": [plan], "next": None}
    file = await browser.client.get("/plans.xlsx")
    assert file.headers["content-type"].endswith("spreadsheetml.sheet")
    assert (await browser.client.get("/plans?state=odd&cursor=x")).status_code == 200


def _amount(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def test_the_rest_is_in_the_last_part_and_months_end_where_they_end() -> None:
    found = shares(Money(100_00, "EUR"), 3, date(2027, 1, 31), "month")
    assert found == [
        (date(2027, 1, 31), Money(33_33, "EUR")),
        (date(2027, 2, 28), Money(33_33, "EUR")),
        (date(2027, 3, 31), Money(33_34, "EUR")),
    ]
    assert [on for on, _ in shares(Money(9, "EUR"), 3, date(2026, 12, 24), "two_weeks")][-1] == date(2027, 1, 21)


async def test_all_that_is_owed_is_in_one_place_of_the_forecast(console: Console, history: History) -> None:
    day = today(console.clock, ZONE)
    for looked in (day, day - timedelta(days=60)):
        async with console.room.settled(history.tenant, day) as db:
            found = await forecast.expected(db, history.tenant, looked)
        assert found.sum(forecast.WEEKS) + found.later + found.beyond == Money(history.owed(), "EUR")
        assert [week.first.weekday() for week in found.weeks[1:]] == [0] * (forecast.WEEKS - 1)
        monday = looked - timedelta(days=looked.weekday())
        due: Counter[int] = Counter()
        for known in history.items.values():  # instalments of one invoice fall due in weeks of their own
            if not known["gone"] and known["due"] >= looked:
                due[(known["due"] - monday).days // 7] += known["amount"] - known["paid"]
        assert [week.due.minor for week in found.weeks] == [due[place] for place in range(forecast.WEEKS)]


async def test_a_customer_is_expected_as_late_as_they_pay(console: Console, settings: Settings) -> None:
    tenant, _ = await console.tenant()
    history = History(tenant, random.Random(5))
    slow, other = history.debtor(1), history.debtor(2)
    for number in range(3):
        history.at = history.at.replace(month=6, day=1)
        history.invoice(slow, f"S{number}", 10_000)
    history.at = history.at.replace(month=8, day=30, hour=8)  # 60 days after they were due
    for item in list(history.items):
        history.pay(item, 10_000)
        history.at = history.at.replace(month=8, day=30, hour=8)
    history.at = history.at.replace(month=11, day=1)
    history.invoice(slow, "S9", 50_000)
    loops = Database(settings, "console", "loop")
    await hear(loops, history.events, 50)
    day = date(2026, 11, 23)
    async with loops.transaction() as db:
        await kept.settle(db, tenant, day)
        found = await forecast.expected(db, tenant, day)
    await loops.close()
    due = next(known["due"] for known in history.items.values() if not known["paid"])
    weeks = [week for week in found.weeks if week.expected.minor]
    assert 58 <= found.delay <= 62
    likely = due + timedelta(days=found.delay)
    assert [week.first for week in weeks] == [likely - timedelta(days=likely.weekday())]
    assert other


async def test_who_still_owes_after_a_formal_notice_is_on_the_list(
    console: Console, history: History, settings: Settings, desk: Desk
) -> None:
    loops, notice = Database(settings, "console", "loop"), model.notice
    day = today(console.clock, ZONE)
    async with loops.transaction() as db:
        mine = (notice.c.tenant_id == history.tenant, notice.c.state == "sent")
        await db.execute(update(notice).where(*mine).values(kind="formal_notice"))
        question = Question(history.tenant, day, Chosen(), {"state": "all"}, order="owed", down=True)
        found = await handing.listed(db, question)
        await kept.settle(db, history.tenant, day)
    await loops.close()
    covered = _covered(history)
    assert covered
    assert {line["payer_id"]: line["money"].minor for line in found.lines} == covered
    page = (await desk[0].client.get("/hand-over")).text
    assert f"/aged-balance/items.xlsx?debtor={found.lines[0]['debtor_id']}" in page
    assert (await desk[0].client.get("/hand-over.xlsx?state=ripe")).status_code == 200


def _covered(history: History) -> dict[UUID, int]:
    """What each customer still owes of what was asked for in a notice that was sent."""
    items = {part.item_id for each in history.events if each.type == "ReminderSent" for part in each.body.covers}
    found: dict[UUID, int] = {}
    for item in items:
        known = history.items[item]
        left = 0 if known["gone"] else known["amount"] - known["paid"]
        debtor = history.invoices[known["invoice"]]["debtor"]
        if left:
            found[debtor] = found.get(debtor, 0) + left
    return found


async def kept_by_day(db: AsyncConnection, tenant: UUID) -> list[Any]:
    """What is kept of what is to come, without what is nothing any more."""
    rows = await db.execute(select(model.coming).where(model.coming.c.tenant_id == tenant, model.coming.c["items"] > 0))
    return sorted(tuple(row) for row in rows)


async def test_what_is_to_come_follows_every_fact_without_being_added_up_anew(
    console: Console, settings: Settings
) -> None:
    tenant, _ = await console.tenant()
    history = played(tenant, 11, debtors=5, invoices=40)
    half = len(history.events) // 2
    day = date(2026, 11, 23)
    loops = Database(settings, "console", "loop")
    await hear(loops, history.events[:half], 25)
    async with loops.transaction() as db:
        await kept.settle(db, tenant, day)
        await forecast.measured(db, tenant, day)
        before = await kept_by_day(db, tenant)
    await hear(loops, history.events[half:], 25)
    async with loops.transaction() as db:
        await kept.settle(db, tenant, day)
        followed = await kept_by_day(db, tenant)
        await coming.anew(db, model, tenant)
        anew = await kept_by_day(db, tenant)
    await loops.close()
    assert followed == anew != before
    assert anew
