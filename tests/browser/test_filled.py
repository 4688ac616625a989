"""Pages whose rows are their owners' to tell, with rows: no complaint, no axe violation, no side scroll."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Browser
from sqlalchemy import select

from libs.common.db import Database
from libs.common.events import event
from libs.common.events.payments import PaymentReceived
from libs.common.ids import uuid7
from libs.common.money import Money
from libs.common.settings import Settings
from services.console.store import customers
from services.console.store.ledger import open_now
from services.console.tables import read_model as model
from tests.browser.conftest import Site, look
from tests.browser.test_pages import sideways, violations
from tests.integration.console import credited
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.credited import FILE
from tests.integration.console.history import History
from tests.integration.console.owners import Asked, Owners, owners
from tests.integration.console.test_charges_sheet import PROOF, account
from tests.integration.console.test_matching_by_hand import open_item, suggestion
from tests.integration.console.test_measures import ANSWERS
from tests.integration.console.test_read_model import hear
from tests.integration.console.test_rehearsing import OTHER, SUMMARY, VERSION, contact, version
from tests.integration.console.test_team import staffed, standing_in
from tests.integration.console.test_tieout import say

PAGES = [
    "/team",
    "/reports",
    "/figures?first=2026-09-01&last=2026-09-30",
    "/tie-out",
    "/calendars?year=2026",
    "/invoices/{invoice}/charges",
    "/payments?state=left",
    "/payments/two-people",
    "/credit?mine=no",
    "/credit/requests",
    "/credit/deadlines",
    "/credit/declarations",
    "/credit/insolvencies",
    "/credit/messages",
    "/hand-over/files",
    f"/hand-over/files/{FILE}",
    "/customers/{debtor}",
    "/customers/{debtor}/credit",
    "/policies",
    f"/policies/{VERSION}/check",
    f"/policies/{VERSION}/simulate?first=2026-01-05&last=2026-01-30&against={OTHER}",
]
PAYMENT = uuid7()


def _figures(played: Owners) -> None:
    for path, answer in ANSWERS.items():
        played.says["GET", path] = answer
    lines = [
        {"standing": standing, "state": standing, "reason": reason, "count": count}
        for standing, reason, count in (("said", "accepted", 210), ("held", "gap", 31), ("unanswered", "held", 2))
    ]
    day = {"entity_id": str(uuid7()), "on": "2026-09-29", "due": 243, "unanswered": 2, "balanced": False}
    played.says["GET", "/v1/daily-balance"] = {
        "double_reminders": 0,
        "balanced": False,
        "items": [day | {"lines": lines}],
    }


def _policies(played: Owners) -> None:
    rich = {"anchor": "due_date", "offset": 5, "channels": ["email"], "audience": [], "approval": "none"}
    steps = [{"key": "friendly", "kind": "reminder", "tone": 2} | rich]
    versions = [version(VERSION, 1), version(OTHER, 2)]
    for each in versions:
        each |= {"policy": {"steps": steps}, "state": "active" if each["number"] == 2 else "retired"}
        played.says["GET", f"/v1/policies/{each['version_id']}"] = each
    played.says["GET", "/v1/policies"] = {"items": versions, "next": None}
    finding = {"severity": "error", "rule": "gap_too_short", "step": "friendly", "field": "steps[0]"}
    said = {"fr": {"told": "trop tôt", "remedy": "Espacez."}, "en": {"told": "too soon", "remedy": "Wait."}}
    played.says["GET", f"/v1/policies/{VERSION}/findings"] = {"clean": False, "findings": [finding | said]}
    played.says["POST", f"/v1/policies/{VERSION}/simulations"] = {
        "version_id": VERSION,
        "mode": "past",
        "compared_with": "version",
        "cases": 300,
        "summary": SUMMARY,
        "other": SUMMARY | {"notices": 9},
        "agreement": {"both": 7, "here": 5, "there": 2},
        "contacts": [contact(n) for n in range(1, 31)],
        "next": "more",
    }


def _two_people(played: Owners, entity: UUID) -> None:
    above = {"amount": "5000.00", "currency": "EUR"}
    limit = {"entity_id": str(entity), "above": above, "set_by": "user:x", "set_at": "2026-11-20T09:00:00Z"}
    played.says["GET", "/v1/matching/two-people"] = {"limits": [limit]}


def _calendar(played: Owners, entity: UUID) -> None:
    days = [("2026-01-01", "holiday", "Jour de l'an"), ("2026-05-15", "closed", None), ("2026-08-15", "holiday", "X")]
    played.says["GET", f"/v1/calendars/{entity}"] = {
        "known": True,
        "works_today": True,
        "next_business_day": "2026-11-24",
        "business_days": 252,
        "days": [{"on": on, "why": why, "name": name} for on, why, name in days],
    }


async def _payment(console: Console, played: Owners, history: History) -> None:
    item = await open_item(console, history)
    best = suggestion(item, Money(item.amount - 235, "EUR").decimal())
    rest = {"amount": "2.35", "currency": "EUR"}
    best["items"][0] |= {
        "number": "FAC-2026-0001234-LYON",
        "rest": rest,
        "may_write_off": ["discount", "fee", "provider_fee", "rounding", "withholding", "other"],
        "write_off": "discount",
    }
    told = {"payer_name": "SARL DUPONT", "remittance": "VIR F00012", "allocations": [], "payer_iban": "FR76"}

    def looked(asked: Asked) -> dict[str, Any]:
        known = [each for each in asked.body.get("payments", []) if each == str(PAYMENT)]
        return {"payments": dict.fromkeys(known, told), "suggestions": dict.fromkeys(known, best), "items": {}}

    played.says["POST", "/internal/v1/lookups"] = looked
    played.says["GET", f"/v1/payments/{PAYMENT}/suggestions"] = {"suggestions": [best]}


@pytest.fixture(scope="module")
async def filled(console: Console, settings: Settings, site: Site) -> AsyncIterator[Site]:
    """A tenant whose owners answer with rows, with a team and a payment to match."""
    tenant, email = await console.tenant("Maison pleine")
    entity = await console.entity(tenant)
    history, people = await staffed(console, settings, tenant)
    room = console.room
    async with room.database.transaction(tenant) as db:
        await db.execute(standing_in(tenant, people["Karim"], "Thomas", -1, 1))
    money = Money(123_456, "EUR")
    facts = {"tenant_id": tenant, "version": 1, "entity_id": history.entity, "value_date": NOW.date()}
    came = PaymentReceived(**facts, payment_id=PAYMENT, amount=money, unapplied=money)
    loops = Database(settings, "console", "loop")
    await hear(loops, [event(came, NOW)])
    await loops.close()
    invoice = next(known["invoice"] for known in history.items.values() if not known["gone"])
    with owners(console, settings) as played:
        _figures(played)
        _policies(played)
        _two_people(played, entity)
        _calendar(played, entity)
        say(played, str(entity))
        for one, each in history.items.items():
            if each["invoice"] == invoice:
                played.says["GET", f"/v1/items/{one}/charges"] = account()
                played.says["GET", f"/v1/items/{one}/charges/proof"] = PROOF
        await _payment(console, played, history)
        async with room.database.transaction(tenant) as db:
            item = model.item
            owing = select(item.c.debtor_id, item.c.item_id).where(item.c.tenant_id == tenant, open_now())
            debtor, one_item = (await db.execute(owing.order_by(item.c.item_id).limit(1))).one()
            payer = (await customers.one(db, tenant, debtor))["payer_id"] or debtor
        credited.filled(played, payer, one_item)
        yield replace(site, email=email, tenant=tenant, invoice=invoice, debtor=debtor)


@pytest.mark.parametrize(("theme", "language"), [("light", "fr"), ("dark", "en")])
async def test_pages_with_rows_of_their_owners_are_without_fault(
    chromium: Browser, filled: Site, theme: str, language: str
) -> None:
    looking = await look(chromium, theme=theme, language=language)
    await looking.page.goto(f"{filled.url}/login?language={language}")
    await looking.sign_in(filled)
    faults = []
    for path in PAGES:
        shown = await looking.page.goto(filled.url + path.format(invoice=filled.invoice, debtor=filled.debtor))
        assert shown is not None
        assert shown.status == 200, path
        assert await looking.page.locator(".note.care[role=status]").count() == 0, f"{path}: its owner is away"
        faults += [f"{path} {fault}" for fault in await violations(looking)]
        for width in (390, 320):
            await looking.page.set_viewport_size({"width": width, "height": 900})
            if over := await sideways(looking):
                faults.append(f"{path} scrolls sideways by {over} at {width}")
        await looking.page.set_viewport_size({"width": 1440, "height": 900})
    assert faults == [], "\n".join(faults)
    assert looking.complaints == []
    await looking.context.close()


async def test_how_sure_a_suggestion_is_stands_whole_in_the_list_beside_the_open_payment(
    chromium: Browser, filled: Site
) -> None:
    looking = await look(chromium)
    await looking.sign_in(filled)
    page = looking.page
    await page.set_viewport_size({"width": 1440, "height": 900})
    await page.goto(f"{filled.url}/payments?state=left")
    region = page.locator(".bench .list .scroller")
    assert await region.locator("td .tag").inner_text() == "90\u00a0%"
    assert "FAC-2026-0001234-LYON" in await region.inner_text()
    assert await region.evaluate("each => each.scrollWidth - each.clientWidth") == 0
    await looking.context.close()


async def test_a_day_is_typed_as_the_page_writes_it_in_a_browser_of_another_country(
    chromium: Browser, filled: Site
) -> None:
    context = await chromium.new_context(locale="en-US", viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    looking = await look(chromium)
    looking.page, looking.context = page, context
    await looking.sign_in(filled)
    await page.goto(f"{filled.url}/aged-balance")
    assert await page.input_value(".day > input[name=on]") == "23/11/2026"
    await page.fill(".day > input[name=on]", "01/10/2026")
    await page.press(".day > input[name=on]", "Enter")
    await page.wait_for_url("**on=01**")
    assert "1 octobre 2026" in await page.inner_text(".head")
    await page.fill(".day > [type=date]", "2026-11-02", force=True)
    await page.wait_for_url("**on=02**")
    assert await page.input_value(".day > input[name=on]") == "02/11/2026"
    await context.close()
