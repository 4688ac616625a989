"""Role × route, generated from the routes themselves; portfolios and their substitutes; sales owners see their own."""

import re
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy import select, update

from libs.common.auth import ROLES
from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.settings import Settings
from services.console import pages
from services.console.pages.guard import SCOPE, PageRoute
from services.console.tables import app_user
from services.console.tables import read_model as model
from tests.integration.console.conftest import NOW, Console, csrf
from tests.integration.console.history import History, played
from tests.integration.console.owners import owners, refusal
from tests.integration.console.test_read_model import hear

UNSCOPED = {"/login", "/logout", "/preferences", "/copies/{token}", "/copies/{token}/{document_id}"}
"""Signing in and out, and what one prefers: everybody's."""


def scopes(dependant: Dependant) -> set[str]:
    """The scopes that a route asks for, whatever depth they stand at."""
    mine = {getattr(dependant.call, SCOPE)} if hasattr(dependant.call, SCOPE) else set()
    return mine.union(*(scopes(each) for each in dependant.dependencies))


def page_routes() -> list[tuple[str, str, set[str]]]:
    found = [route for router in pages.routers() for route in router.routes if isinstance(route, APIRoute)]
    return [(method, route.path, scopes(route.dependant)) for route in found for method in sorted(route.methods or ())]


def filled(path: str) -> str:
    """A path with ids of nothing in it."""
    words = {"service": "scheduler", "act": "replay", "kind": "x", "language": "fr", "key": "friendly"}
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda part: words.get(part[1], str(uuid7())), path)


def test_every_page_is_guarded_by_a_scope() -> None:
    for router in pages.routers():
        assert all(isinstance(route, PageRoute) for route in router.routes)
    assert {path for _, path, asked in page_routes() if not asked} == UNSCOPED


@pytest.mark.parametrize("role", sorted(ROLES))
async def test_a_role_opens_what_its_scopes_allow_and_nothing_else(
    console: Console, settings: Settings, role: str
) -> None:
    tenant, _ = await console.tenant()
    wrong: list[object] = []
    with owners(console, settings) as played_owners:
        for method in ("POST", "PATCH", "PUT", "DELETE"):
            played_owners.says[method, "*"] = refusal(404, "not_found")
        browser = await console.sign_in(await console.user(tenant, role))
        token = csrf(await browser.get("/customers"))
        for method, path, asked in page_routes():
            if path in UNSCOPED:
                continue
            answer = await _ask(browser, method, filled(path), token, settings.public_url)
            allowed = asked <= ROLES[role]
            if (answer.status_code == 403) == allowed or answer.status_code >= 500:
                wrong.append((method, path, answer.status_code))
        await browser.aclose()
    assert wrong == []


async def _ask(browser: httpx.AsyncClient, method: str, path: str, token: str, origin: str) -> httpx.Response:
    if method == "GET":
        return await browser.get(path)
    return await browser.request(method, path, data={"csrf": token}, headers={"origin": origin})


@pytest.fixture(scope="module")
async def history(console: Console, settings: Settings) -> History:
    tenant, _ = await console.tenant()
    told = played(tenant, 41, debtors=6, invoices=40)
    loops = Database(settings, "console", "loop")
    await hear(loops, told.events, 200)
    async with loops.transaction() as db:
        debtor = model.debtor
        names = [row[0] for row in await db.execute(select(debtor.c.debtor_id).where(debtor.c.tenant_id == tenant))]
        for place, identity in enumerate(sorted(names)):
            facts = {"collector": "Nadia" if place % 2 else "Thomas", "sales_owner": "Julien" if place < 2 else "Zoé"}
            mine = (debtor.c.tenant_id == tenant, debtor.c.debtor_id == identity)
            await db.execute(update(debtor).where(*mine).values(**facts))
    await loops.close()
    return told


async def person(
    console: Console, history: History, role: str, portfolio: str | None
) -> tuple[httpx.AsyncClient, UUID]:
    """A browser of somebody with this role and portfolio, and their id."""
    email = await console.user(history.tenant, role)
    async with console.room.database.transaction(history.tenant) as db:
        mine = (app_user.c.tenant_id == history.tenant, app_user.c.email == email)
        changing = update(app_user).where(*mine).values(portfolio=portfolio).returning(app_user.c.user_id)
        user: UUID = (await db.execute(changing)).scalar_one()
    return await console.sign_in(email), user


def count(page: httpx.Response) -> int:
    return int(page.text.split('<p class="soft">')[1].split(" ")[0])


async def test_a_collector_sees_the_own_portfolio_first_and_the_rest_when_asked(
    console: Console, history: History
) -> None:
    browser, _ = await person(console, history, "collector", "Nadia")
    assert count(await browser.get("/customers")) == 3
    assert count(await browser.get("/customers?mine=no")) == 6
    assert count(await browser.get("/customers?collector=Thomas")) == 3
    await browser.aclose()


async def test_a_substitute_sees_a_portfolio_from_its_first_day_to_its_last(console: Console, history: History) -> None:
    nadia, _ = await person(console, history, "collector", "Nadia")
    thomas, his = await person(console, history, "collector", "Thomas")
    day = NOW.date()
    token, origin = csrf(await nadia.get("/portfolio")), {"origin": console.settings.public_url}

    async def name(portfolio: str, first: int, last: int) -> httpx.Response:
        days = {"from_on": str(day + timedelta(first)), "until_on": str(day + timedelta(last))}
        told = {"csrf": token, "portfolio": portfolio, "user_id": str(his), "next": "/portfolio", **days}
        return await nadia.post("/portfolio/substitutes", data=told, headers=origin)

    assert (await name("Nadia", 1, 5)).status_code == 303
    assert count(await thomas.get("/customers")) == 3, "tomorrow, not yet"
    assert (await name("Nadia", 0, 0)).status_code == 303
    assert count(await thomas.get("/customers")) == 6
    assert "Nadia" in (await thomas.get("/portfolio")).text
    assert (await name("Thomas", 0, 5)).status_code == 403, "another's portfolio is not hers to give"
    assert (await name("Nadia", 3, 1)).status_code == 422
    await nadia.aclose()
    await thomas.aclose()


async def test_a_sales_owner_sees_own_customers_reads_and_notes_and_nothing_of_others(
    console: Console, settings: Settings, history: History
) -> None:
    browser, _ = await person(console, history, "sales_owner", "Julien")
    debtor = model.debtor
    async with console.room.database.transaction(history.tenant) as db:
        asked = select(debtor.c.debtor_id, debtor.c.sales_owner, debtor.c.name).where(
            debtor.c.tenant_id == history.tenant
        )
        known = list(await db.execute(asked))
        owned = [row for row in known if row.sales_owner == "Julien"]
        other = next(row for row in known if row.sales_owner != "Julien")
        items = select(model.invoice.c.invoice_id).where(model.invoice.c.tenant_id == history.tenant)
        foreign = (await db.execute(items.where(model.invoice.c.debtor_id == other.debtor_id))).scalars().first()
    assert count(await browser.get("/customers?mine=no")) == 2
    assert (await browser.get(f"/customers/{other.debtor_id}")).status_code == 404
    assert (await browser.get(f"/invoices/{foreign}")).status_code == 404
    for path in ("/invoices?state=all", "/?tab=calls", "/promises", "/holds", f"/search?q={other.name}"):
        page = await browser.get(path)
        assert page.status_code == 200
        assert f"/customers/{other.debtor_id}" not in page.text, path
    mine = owned[0].debtor_id
    with owners(console, settings) as played_owners:
        page = await browser.get(f"/customers/{mine}")
        assert f'action="/customers/{mine}/note"' in page.text
        assert f'action="/customers/{mine}/hold"' not in page.text
        told = {"csrf": csrf(page), "text": "Vu au salon", "next": f"/customers/{mine}"}
        origin = {"origin": settings.public_url}
        assert (await browser.post(f"/customers/{mine}/note", data=told, headers=origin)).status_code == 303
        refused = await browser.post(f"/customers/{other.debtor_id}/note", data=told, headers=origin)
        assert refused.status_code == 404
        assert played_owners.done == []
    nobody, _ = await person(console, history, "sales_owner", None)
    assert count(await nobody.get("/customers")) == 0, "without a portfolio there is nothing to see"
    await browser.aclose()
    await nobody.aclose()
