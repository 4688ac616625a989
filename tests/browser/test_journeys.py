"""What finance people do every morning, counted in clicks and keys, in a real browser against owners that answer.

A click counts, a key pressed counts, typing does not. The limits are the design's.
"""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from playwright.async_api import Browser, Page
from sqlalchemy import select, update

from libs.common.db import Database
from libs.common.events import event
from libs.common.events.deliveries import TaskOpened
from libs.common.events.payments import PaymentReceived
from libs.common.ids import case_id, uuid7
from libs.common.money import Money
from libs.common.settings import Settings
from services.console.tables import read_model as model
from tests.browser.conftest import Look, Site, look
from tests.browser.test_pages import sideways, violations
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.owners import Asked, Owners, owners, refusal
from tests.integration.console.test_read_model import hear

SUM = {"amount": "100.10", "currency": "EUR"}
DOLLARS = Money(100_000, "USD")
DAY_BEFORE = NOW.date() - timedelta(days=1)
WORDS = {
    "version": 1,
    "kind": "reminder",
    "approval": "confirm",
    "first_approver": None,
    "edited_by": None,
    "channel": "email",
    "subject": "Vos factures échues",
    "text": "Bonjour",
    "html": "<!doctype html><html lang=fr><title>Message</title><body><p>Bonjour</p></body></html>",
    "note": None,
    "sums": [SUM],
    "lines": [{}],
    "deliveries": [{"recipient": "compta@client.example"}],
}
TASK = {"title": "Appel – Maison", "body": "À appeler : Mme Aubry"}


@dataclass
class Furnished:
    """What waits in the site's tenant for the journeys."""

    payment: UUID
    item: UUID
    amount: str
    task: UUID
    notices: list[str]
    abroad: UUID
    """A payment in dollars."""


@pytest.fixture(scope="module")
async def furnished(site: Site, settings: Settings) -> Furnished:
    """A call to make, and a payment that nobody matched, of exactly what one item owes."""
    loops = Database(settings, "console", "loop")
    async with loops.transaction() as db:
        item = model.item
        asked = select(item).where(item.c.tenant_id == site.tenant, ~item.c.gone, item.c.residual.is_(None))
        owing = (await db.execute(asked.where(item.c.amount > 0).order_by(item.c.due_date))).first()
        notice = model.notice
        mine = (notice.c.tenant_id == site.tenant, notice.c.state == "proposed")
        notices = [str(each) for (each,) in await db.execute(select(notice.c.notice_id).where(*mine))]
        document = update(model.invoice).where(model.invoice.c.tenant_id == site.tenant).values(document_id=uuid7())
        await db.execute(document)
    assert owing is not None
    money, payment, task, abroad = Money(owing.amount, owing.currency), uuid7(), uuid7(), uuid7()
    about = {"tenant_id": site.tenant, "version": 1, "entity_id": owing.entity_id}
    called = {"payer_id": site.debtor, "case_id": case_id(site.tenant, site.debtor), "task_id": task, "kind": "call"}
    told = [
        PaymentReceived(**about, payment_id=payment, amount=money, unapplied=money, value_date=NOW.date()),
        TaskOpened(**about, **called, due_on=NOW.date()),
        PaymentReceived(**about, payment_id=abroad, amount=DOLLARS, unapplied=DOLLARS, value_date=DAY_BEFORE),
    ]
    await hear(loops, [event(each, NOW) for each in told], 10)
    await loops.close()
    return Furnished(payment, owing.item_id, money.decimal(), task, notices, abroad)


@pytest.fixture
async def served(console: Console, settings: Settings, furnished: Furnished) -> AsyncIterator[Owners]:
    with owners(console, settings) as played:
        part = {"item_id": str(furnished.item), "invoice_id": str(uuid7()), "number": "F1"}
        part |= {"amount": {"amount": furnished.amount, "currency": "EUR"}}
        best = {"rank": 1, "shape": "one", "items": [part], "credits": [], "share": 0.97, "score": 9.0, "evidence": []}
        listed = {"notices": [{"id": each, "sums": [SUM]} for each in furnished.notices], "next": None}
        played.says["GET", "/v1/notices"] = listed | {"as_of": NOW.isoformat()}
        played.says["GET", "/v1/notices/*"] = lambda asked: WORDS | {"id": asked.path.rpartition("/")[2]}
        played.says["GET", "/v1/tasks/*"] = TASK
        played.says["POST", f"/v1/tasks/{furnished.task}/outcome"] = {"task_id": str(furnished.task)}
        played.says["POST", "/v1/notices/approve"] = {"approved": [], "awaiting_second": []}
        played.says["GET", f"/v1/payments/{furnished.payment}/suggestions"] = {"suggestions": [best]}
        played.says["POST", f"/v1/payments/{furnished.payment}/allocations"] = {"allocations": [], "unapplied": None}
        played.says["GET", "/internal/v1/operations"] = lambda asked: {
            "service": asked.owner,
            "letters": [],
            "stopped": [],
        }
        yield played


@dataclass
class Hand:
    """A person's hand on mouse and keys: it counts."""

    looking: Look
    count: int = field(default=0)

    @property
    def page(self) -> Page:
        return self.looking.page

    async def click(self, what: str) -> None:
        self.count += 1
        await self.page.locator(what).first.click()

    async def press(self, key: str) -> None:
        self.count += 1
        await self.page.keyboard.press(key)

    async def told(self, words: str) -> None:
        """Wait until the page tells what was done."""
        await self.page.locator(".said-now", has_text=words).wait_for(timeout=10_000)


@pytest.fixture
async def hand(chromium: Browser, site: Site, served: Owners) -> AsyncIterator[Hand]:
    looking = await look(chromium)
    await looking.sign_in(site)
    yield Hand(looking)
    assert looking.complaints == []
    await looking.context.close()


async def test_the_mornings_queue_is_approved_in_three_clicks(hand: Hand, served: Owners, furnished: Furnished) -> None:
    await hand.click(".head .btn.first")
    await hand.page.wait_for_url("**/notices/review**")
    await hand.click("form[action^='/notices/approve'] button")
    await hand.told("approuvée")
    assert hand.count <= 3
    [asked] = served.did("/v1/notices/approve")
    assert asked.body["count"] == len(asked.body["ids"]) == len(set(asked.body["ids"]))
    assert set(asked.body["ids"]) <= set(furnished.notices)


async def test_one_notice_is_approved_by_one_key(hand: Hand, served: Owners) -> None:
    await hand.press("a")
    await hand.told("approuvée")
    assert hand.count == 1
    [asked] = served.did("/v1/notices/approve")
    assert (asked.body["count"], asked.body["sums"]) == (1, [SUM])


async def test_a_call_with_a_promise_takes_four_clicks(
    hand: Hand, site: Site, served: Owners, furnished: Furnished
) -> None:
    await hand.click("nav.tiles a[href*='tab=calls']")
    await hand.page.wait_for_url("**tab=calls**")
    await hand.page.goto(f"{site.url}/?tab=calls&line={furnished.task}")
    await hand.click(".pane .radios label:has(input[value=promise])")
    await hand.click(".pane form.outcome .btn")
    await hand.told("promesse est notée")
    assert hand.count <= 4
    assert [one.path for one in served.done] == ["/v1/promises", f"/v1/tasks/{furnished.task}/outcome"]


async def test_one_match_is_one_key(hand: Hand, site: Site, served: Owners, furnished: Furnished) -> None:
    await hand.page.goto(f"{site.url}/payments?line={furnished.payment}")
    await hand.press("Enter")
    await hand.told("Affecté")
    assert hand.count == 1
    [asked] = served.did(f"/v1/payments/{furnished.payment}/allocations")
    assert [each["item_id"] for each in asked.body["allocations"]] == [str(furnished.item)]


async def test_in_another_currency_the_form_suggests_what_is_owed_and_asks_what_of_the_payment_that_is(
    hand: Hand, site: Site, furnished: Furnished
) -> None:
    page = hand.page
    await page.goto(f"{site.url}/payments?line={furnished.abroad}&find=F000")
    row = page.locator(".parts tbody tr").first
    owed, paid = row.locator(".there"), row.locator(".amount")
    await row.locator("[type=checkbox]").check()
    plain = str(await owed.get_attribute("data-owes")).replace(".", ",")
    assert (await owed.input_value(), await paid.input_value()) == (plain, "")
    assert await paid.evaluate("(each) => each === document.activeElement")
    await paid.fill("100,25")
    assert await page.locator("[data-remains]").inner_text() == "899,75"


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 720)])
async def test_the_workbenchs_pane_stays_in_sight_and_no_field_lies_under_its_foot(
    hand: Hand, site: Site, furnished: Furnished, width: int, height: int
) -> None:
    page = hand.page
    await page.set_viewport_size({"width": width, "height": height})
    await page.goto(f"{site.url}/payments?line={furnished.payment}&find=F000")
    assert await page.locator(".pane-body .parts tbody tr").count() > 10
    pane = page.locator(".bench .pane")
    for down in (0, 300, 0):
        await page.evaluate(f"window.scrollTo(0, {down})")
        box = await pane.bounding_box()
        assert box is not None and box["y"] >= 0
        assert box["y"] + box["height"] <= height, f"the foot is out of sight at {down}: {box}"
    boxes = "(all) => all.map((one) => one.getBoundingClientRect().toJSON())"
    parts = await pane.locator(":scope > *").evaluate_all(boxes)
    assert all(above["bottom"] <= below["top"] + 1 for above, below in itertools.pairwise(parts)), parts
    scrolls = "(each) => each.scrollHeight > each.clientHeight"
    assert await page.locator(".pane-body").evaluate(scrolls), "what is longer than the pane scrolls in it"
    assert await page.evaluate(COVERED) == []


COVERED = """() => [...document.querySelectorAll(".bench .pane :is(input:not([type=hidden]), select, button, a)")]
  .filter((each) => {
    each.focus()
    const { left, top, width, height } = each.getBoundingClientRect()
    const there = document.elementFromPoint(left + width / 2, top + height / 2)
    return !there || !(each.contains(there) || there.contains(each) && there.closest("label"))
  }).map((each) => each.outerHTML.slice(0, 120))"""
"""The fields of the pane that something covers, or that lie outside of it, once they were reached by the keyboard."""


async def test_from_a_cell_of_the_balance_to_the_document_are_three_clicks(
    hand: Hand, site: Site, served: Owners
) -> None:
    served.says["GET", "/internal/v1/documents/*"] = httpx.Response(
        200, content=b"<x/>", headers={"content-type": "application/xml"}
    )
    await hand.page.goto(f"{site.url}/aged-balance")
    await hand.click("table.grid td a[href*='/aged-balance/items']")
    await hand.page.wait_for_url("**/aged-balance/items**")
    await hand.click("table.grid tbody th a")
    await hand.page.wait_for_url("**/invoices/**")
    async with hand.page.context.expect_page() as opening:
        await hand.click("a[href$='/document']")
    shown = await opening.value
    await shown.wait_for_load_state()
    assert "<x/>" in await shown.inner_text("body")
    assert hand.count <= 3


async def test_why_is_one_click(hand: Hand, site: Site, served: Owners) -> None:
    def explained(asked: Asked) -> dict[str, Any]:
        return {
            "item_id": asked.path.split("/")[3],
            "invoice_id": str(site.invoice),
            "number": "F1",
            "due_date": "2026-10-01",
            "reasons": [{"code": "promised", "fr": "Une promesse court.", "en": "A promise runs."}],
            "next_step": "firm",
            "next_on": "2026-12-03",
            "level": 2,
            "residual": SUM,
            "policy": "standard",
            "policy_number": 1,
            "history": [{"step": "friendly", "on": "2026-10-05", "state": "completed"}],
        }

    served.says["GET", "/v1/items/*/explain"] = explained
    await hand.page.goto(f"{site.url}/customers/{site.debtor}")
    await hand.click("a[data-part=why]")
    await hand.page.locator("#part .because").wait_for()
    assert "Une promesse court." in await hand.page.inner_text("#part")
    assert hand.count == 1
    assert await violations(hand.looking) == []


async def test_all_sending_stops_in_two_clicks_and_every_page_says_so(hand: Hand, site: Site) -> None:
    await hand.page.goto(f"{site.url}/operations")
    await hand.click("button[data-opens=stop]")
    assert await violations(hand.looking) == []
    await hand.click("#stop .btn.danger")
    await hand.told("Arrêté")
    assert hand.count == 2
    await hand.page.goto(site.url)
    assert await hand.page.locator(".banner").count() == 1
    await hand.page.goto(f"{site.url}/operations")
    await hand.click("button[data-opens=start]")
    await hand.page.fill("#start input[name=reason]", "Corrigé")
    await hand.click("#start .btn.first")
    await hand.told("reprennent")


async def test_a_dispute_on_three_invoices_takes_six_clicks(hand: Hand, site: Site, served: Owners) -> None:
    await hand.page.goto(f"{site.url}/customers/{site.debtor}")
    boxes = hand.page.locator("[data-item]")
    ticked = min(3, await boxes.count())
    for place in range(ticked):
        hand.count += 1
        await boxes.nth(place).check()
    await hand.press("d")
    await hand.click("#dispute .radios label:has(input[value=quality])")
    await hand.click("#dispute .btn.first")
    await hand.told("litige est ouvert")
    assert hand.count <= 6
    assert len(served.did("/v1/disputes")) == ticked


async def test_a_double_click_holds_once_and_the_undo_is_one_key(hand: Hand, site: Site, served: Owners) -> None:
    await hand.page.goto(f"{site.url}/customers/{site.debtor}")
    await hand.press("h")
    await hand.page.fill("#hold textarea", "Attend un avoir")
    await hand.page.locator("#hold .btn.first").dblclick()
    await hand.told("suspendues")
    assert len(served.did("/v1/holds")) == 1
    await hand.press("z")
    await hand.told("reprennent")
    assert served.done[-1].path.endswith("/lift")


async def test_a_refusal_stays_at_its_form_and_keeps_what_was_typed(hand: Hand, site: Site, served: Owners) -> None:
    served.says["POST", "/v1/promises"] = refusal(422, "amount_too_large", field="amount")
    await hand.page.goto(f"{site.url}/customers/{site.debtor}")
    await hand.press("p")
    await hand.page.fill("#promise input[name=amount]", "99 999,00")
    await hand.click("#promise .btn.first")
    await hand.page.locator("#promise .refused [role=alert]").wait_for()
    assert "Réduisez le montant" in await hand.page.inner_text("#promise .refused")
    assert await hand.page.input_value("#promise input[name=amount]") == "99 999,00"
    assert await hand.page.get_attribute("#promise input[name=amount]", "aria-invalid") == "true"
    assert await violations(hand.looking) == []
    assert len(hand.looking.complaints) == 1, "the browser notes the 422 of the request, nothing else"
    assert "422" in hand.looking.complaints.pop()


DIALOGS = ("call", "promise", "dispute", "hold", "note")


@pytest.mark.parametrize(
    ("theme", "language", "width"), [("light", "fr", 1440), ("dark", "en", 390), ("dark", "fr", 320)]
)
async def test_every_form_is_without_fault(
    chromium: Browser, site: Site, served: Owners, furnished: Furnished, *, theme: str, language: str, width: int
) -> None:
    looking = await look(chromium, theme=theme, language=language, width=width)
    await looking.page.goto(f"{site.url}/login?language={language}")
    await looking.sign_in(site)
    await looking.page.goto(f"{site.url}/customers/{site.debtor}")
    for name in DIALOGS:
        await looking.page.locator(f"button[data-opens={name}]").click()
        assert await violations(looking) == [], name
        assert await sideways(looking) == 0, name
        await looking.page.keyboard.press("Escape")
    for path in ("/", f"/?tab=calls&line={furnished.task}", f"/payments?line={furnished.payment}"):
        await looking.page.goto(site.url + path)
        assert await violations(looking) == [], path
        assert await sideways(looking) == 0, path
    assert looking.complaints == []
    await looking.context.close()
