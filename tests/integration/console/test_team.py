"""The team of a manager: every line of Today in one portfolio, late work, substitutes by date, and who did what."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, insert, select, update

from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.settings import Settings
from services.console import audit
from services.console.audit import Deed
from services.console.pages.shell import day_start
from services.console.store import team, today
from services.console.store.ledger import Chosen
from services.console.tables import app_user, substitute
from services.console.tables import read_model as model
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.history import History
from tests.integration.console.street import lived
from tests.integration.console.test_excel import table

DAY = NOW.date()


@dataclass
class Team:
    """A tenant with three customers of Nadia's, two of Thomas's and one of nobody, and its manager's browser."""

    console: Console
    history: History
    browser: httpx.AsyncClient
    people: dict[str, UUID]

    async def write(self, *statements: Any) -> None:
        async with self.console.room.database.transaction(self.history.tenant) as db:
            for each in statements:
                await db.execute(each)

    async def portfolios(self) -> dict[str | None, team.Portfolio]:
        async with self.console.room.settled(self.history.tenant, DAY) as db:
            found = await team.portfolios(db, self.history.tenant, DAY, day_start(NOW))
        return {each.name: each for each in found}


async def staffed(console: Console, settings: Settings, tenant: UUID) -> tuple[History, dict[str, UUID]]:
    """A history whose customers have collectors, with calls and replies to do, and two people to do them."""
    told = await lived(settings, tenant, 43, debtors=6, invoices=40)
    people = {}
    for name in ("Nadia", "Karim"):
        email = await console.user(tenant, "collector")
        async with console.room.database.transaction(tenant) as db:
            mine = (app_user.c.tenant_id == tenant, app_user.c.email == email)
            named = update(app_user).where(*mine).values(name=name, portfolio=name if name == "Nadia" else None)
            people[name] = (await db.execute(named.returning(app_user.c.user_id))).scalar_one()
    loops = Database(settings, "console", "loop")
    async with loops.transaction(tenant) as db:
        debtor, task = model.debtor, model.task
        debtors = list(await db.scalars(select(debtor.c.debtor_id).where(debtor.c.tenant_id == tenant)))
        for place, identity in enumerate(sorted(debtors)):
            mine = (debtor.c.tenant_id == tenant, debtor.c.debtor_id == identity)
            collector = None if place == 0 else "Nadia" if place < 4 else "Thomas"
            await db.execute(update(debtor).where(*mine).values(collector=collector))
            for due, kind in ((DAY, "call"), (DAY - timedelta(days=3), "call"), (DAY, "reply")):
                opened = {"task_id": uuid7(), "opened_version": 1, "due_on": due, "kind": kind, "opened_at": NOW}
                await db.execute(insert(task).values(tenant_id=tenant, payer_id=identity, **opened))
    await loops.close()
    return told, people


def standing_in(tenant: UUID, user: UUID, portfolio: str, first: int, last: int) -> Any:
    """The statement that names a substitute from so many days after today to so many."""
    row = {"tenant_id": tenant, "user_id": user, "named_by": "x", "named_at": NOW, "portfolio": portfolio}
    days = {"from_on": DAY + timedelta(days=first), "until_on": DAY + timedelta(days=last)}
    return insert(substitute).values(**row, **days, substitute_id=uuid7())


@pytest.fixture(scope="module")
async def staff(console: Console, settings: Settings) -> AsyncIterator[Team]:
    tenant, _ = await console.tenant()
    told, people = await staffed(console, settings, tenant)
    browser = await console.sign_in(await console.user(tenant, "manager"))
    yield Team(console, told, browser, people)
    await browser.aclose()


async def test_every_line_of_today_is_in_one_portfolio(staff: Team) -> None:
    found, tenant = await staff.portfolios(), staff.history.tenant
    async with staff.console.room.settled(tenant, DAY) as db:
        counts = await today.counts(db, tenant, DAY, Chosen())
        mine = await today.counts(db, tenant, DAY, Chosen(collector="Nadia"))
    assert {tab: load.lines for tab, load in team.totals(found.values()).items()} == {
        tab: count.lines for tab, count in counts.items()
    }
    assert {tab: found["Nadia"].load(tab).lines for tab in today.TABS} == {t: c.lines for t, c in mine.items()}
    assert sum(each.customers for each in found.values()) == 6
    assert sum(amount.minor for each in found.values() for amount in each.owed) == staff.history.owed()
    assert sum(a.minor for each in found.values() for a in each.overdue) == staff.history.owed(DAY)


async def test_work_of_before_today_is_late(staff: Team) -> None:
    found = await staff.portfolios()
    assert {name: each.load("calls") for name, each in found.items()} == {
        None: team.Load(2, 1),
        "Nadia": team.Load(6, 3),
        "Thomas": team.Load(4, 2),
    }
    assert found["Nadia"].load("replies") == team.Load(3, 0)
    proposed = sum(each.load("send").lines for each in found.values())
    assert proposed and sum(each.load("send").late for each in found.values()) == proposed


async def test_a_portfolio_names_its_person_and_who_stands_in_today(staff: Team) -> None:
    tenant = staff.history.tenant
    karim = staff.people["Karim"]
    await staff.write(standing_in(tenant, karim, "Thomas", -1, 1), standing_in(tenant, karim, "Nadia", 1, 9))
    found = await staff.portfolios()
    assert [holder.name for holder in found["Nadia"].holders] == ["Nadia"]
    assert [(holder.name, holder.until) for holder in found["Thomas"].holders] == [("Karim", DAY + timedelta(days=1))]
    page = (await staff.browser.get("/team")).text
    assert "remplace jusqu’au 24/11/2026" in page and "du 24/11/2026 au 02/12/2026" in page
    assert "Sans responsable" in page and '/?tab=calls&amp;collector=Nadia"' in page


async def test_a_manager_names_and_ends_the_substitute_of_another(staff: Team) -> None:
    origin = {"origin": staff.console.settings.public_url}
    told = {
        "portfolio": "Nadia",
        "user_id": str(staff.people["Karim"]),
        "from_on": "01/12/2026",
        "until_on": "2026-12-02",
    }
    page = (await staff.browser.get("/portfolio")).text
    token = page.split('name="csrf" value="')[1].split('"')[0]
    sent = await staff.browser.post("/portfolio/substitutes", data=told | {"csrf": token}, headers=origin)
    assert sent.status_code == 303, sent.text
    page = (await staff.browser.get("/team")).text
    assert "du 01/12/2026 au 02/12/2026" in page
    page = (await staff.browser.get("/portfolio")).text
    end = page.split("du 01/12/2026")[1].split('action="')[1].split('"')[0]
    assert (await staff.browser.post(end, data={"csrf": token}, headers=origin)).status_code == 303
    assert "du 01/12/2026" not in (await staff.browser.get("/team")).text


async def test_what_people_did_in_a_week_is_counted_message_by_message(staff: Team) -> None:
    tenant, actor = staff.history.tenant, f"user:{staff.people['Nadia']}"
    async with staff.console.room.database.transaction(tenant) as db:
        for at, action, facts in (
            (NOW, "notices.approve", {"ids": 12}),
            (NOW, "notices.approve", {"ids": 1}),
            (NOW, "tasks.outcome", {}),
            (NOW, "user.signed_in", {}),
            (NOW - timedelta(days=8), "calls", {}),
        ):
            await audit.write(db, Deed(tenant, at, actor, action, "x", uuid7(), facts))
        members = {each.name: each for each in await team.members(db, tenant, day_start(NOW - timedelta(days=7)))}
        count = await db.scalar(select(func.count()).where(app_user.c.tenant_id == tenant))
    assert members["Nadia"].did == {"approved": 13, "calls": 1, "promises": 0, "payments": 0, "all": 3}
    assert members["Karim"].did["all"] == 0 and len(members) == count


async def test_the_team_leaves_as_a_file(staff: Team) -> None:
    _, lines = table(await staff.browser.get("/team.xlsx"))
    assert {line["Portefeuille"] for line in lines} == {"Nadia", "Thomas", "Sans responsable"}
    assert round(sum(line["Encours"] for line in lines) * 100) == staff.history.owed()
    assert sum(line["Appels et tâches"] for line in lines) == 12
