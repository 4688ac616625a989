"""The set-up pages before the real doors of the other services: no complaint, no axe violation, no side scroll."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.browser.conftest import Look, Site, look
from tests.browser.test_pages import sideways, violations
from tests.integration.console.conftest import csrf
from tests.integration.console.street import Resident, Street, street  # noqa: F401 - the fixture itself
from tests.integration.console.test_imports import CSV, chosen
from tests.integration.console.test_past_reminders import TABLE as REMINDERS

PAGES = [
    "/policies",
    "/policies/{version}",
    "/policies/{version}/check",
    "/policies/{version}/edit",
    "/policies/{version}/simulate",
    "/policies/{version}/simulate?first=2026-01-05&last=2026-01-30",
    "/templates",
    "/templates/firm/fr",
    "/templates/call/en",
    "/imports",
    "{tried}",
    "{remembered}",
    "/integrations",
    "/users",
    "/audit",
    "/audit?verify=yes",
]


@pytest.fixture(scope="module")
async def pages(site: Site, street: Street) -> AsyncIterator[list[str]]:  # noqa: F811
    """The pages' addresses, with things to look at."""
    await street.spread(site.tenant)
    somebody = await street.person(site.tenant, "manager")
    listed = await somebody.page("/policies")
    version = listed.partition('href="/policies/')[2].partition('"')[0]
    tried = await _tried(somebody)
    remembered = await _remembered(somebody)
    await somebody.client.aclose()
    yield [path.format(version=version, tried=tried, remembered=remembered) for path in PAGES]


async def _tried(somebody: Resident) -> str:
    """A file that was read and tried, with one line in error."""
    fields = {"csrf": csrf(await somebody.client.get("/imports"))}
    headers = {"origin": somebody.origin}
    files = {"file": ("factures.csv", CSV.encode("cp1252"))}
    sent = await somebody.client.post("/imports", data=fields, files=files, headers=headers)
    at = str(sent.headers["location"])
    await somebody.send(f"{at}/try", chosen(await somebody.page(at)), at=at)
    return at


async def _remembered(somebody: Resident) -> str:
    """A file of past reminders that was tried: no line of it is about an invoice that is known."""
    shown = await somebody.client.get("/imports")
    options = shown.text.partition('action="/imports/past-reminders"')[2].partition("</form>")[0]
    found = re.findall(r'value="([0-9a-f-]{36})"', options)
    fields = {"csrf": csrf(shown), "entity": found[-1]}
    files = {"file": ("relances.csv", REMINDERS.encode())}
    headers = {"origin": somebody.origin}
    sent = await somebody.client.post("/imports/past-reminders", data=fields, files=files, headers=headers)
    assert sent.status_code == 303, sent.text[-500:]
    return str(sent.headers["location"])


async def wide(looking: Look) -> list[str]:
    """What sticks out of the page."""
    found: list[str] = await looking.page.evaluate(
        """() => [...document.querySelectorAll("body *")]
             .filter((each) => each.getBoundingClientRect().right > innerWidth && !each.closest(".scroller, .side ul"))
             .map((each) => each.outerHTML.slice(0, 120))"""
    )
    return found


@pytest.mark.parametrize(("theme", "language"), [("light", "fr"), ("dark", "en")])
async def test_every_set_up_page_is_without_fault(
    chromium: Browser, site: Site, pages: list[str], theme: str, language: str
) -> None:
    looking = await look(chromium, theme=theme, language=language)
    await looking.sign_in(site)
    faults = []
    for path in pages:
        shown = await looking.page.goto(site.url + path)
        assert shown is not None
        assert shown.status == 200, path
        faults += [f"{path} {fault}" for fault in await violations(looking)]
        for width in (390, 320):
            await looking.page.set_viewport_size({"width": width, "height": 900})
            assert await sideways(looking) == 0, f"{path} {width} {await wide(looking)}"
        await looking.page.set_viewport_size({"width": 1440, "height": 900})
    assert faults == []
    assert looking.complaints == []
    await looking.context.close()


@pytest.mark.parametrize(("theme", "language"), [("light", "fr"), ("dark", "en")])
async def test_a_step_is_changed_checked_and_played_in_the_form(
    chromium: Browser, site: Site, pages: list[str], theme: str, language: str
) -> None:
    looking = await look(chromium, theme=theme, language=language)
    await looking.sign_in(site)
    page = looking.page
    await page.goto(site.url + next(path for path in pages if path.endswith("/edit")))
    await page.locator("details.more summary").nth(2).click()
    await page.select_option("select[name='term:3'] >> nth=0", "item.overdue")
    await page.fill("input[name='value:3'] >> nth=0", "dix")
    await page.click("button[value=check]")
    flaw = page.locator("#flaw-3-when")
    assert await flaw.is_visible(), "the details of a step with a mistake are open"
    faults = await violations(looking)
    await page.evaluate("document.querySelectorAll('details.more').forEach((each) => { each.open = true })")
    for width in (1440, 390, 320):
        await page.set_viewport_size({"width": width, "height": 900})
        assert await sideways(looking) == 0, f"{width} {await wide(looking)}"
    faults += await violations(looking)
    await page.fill("input[name='value:3'] >> nth=0", "12")
    await page.click("button[value=play]")
    await page.locator(".tiles").first.wait_for()
    faults += await violations(looking)
    assert faults == [], "\n".join(faults)
    assert looking.complaints == []
    await looking.context.close()


async def test_a_text_is_shown_while_it_is_written_and_the_way_back_stays_one_step(
    chromium: Browser, site: Site, pages: list[str]
) -> None:
    looking = await look(chromium)
    await looking.sign_in(site)
    await looking.page.goto(f"{site.url}/templates")
    await looking.page.goto(f"{site.url}/templates/firm/fr")
    await looking.page.select_option("select[name=notice_id]", "")
    await looking.page.fill("textarea[name=body]", "Bonjour à vous, en direct.")
    await looking.page.frame_locator("iframe.letter").get_by_text("Bonjour à vous, en direct.").wait_for()
    await looking.page.fill("textarea[name=body]", "Et encore une fois.")
    await looking.page.frame_locator("iframe.letter").get_by_text("Et encore une fois.").wait_for()
    await looking.page.go_back()
    await looking.page.wait_for_url("**/templates")
    assert looking.complaints == []
    await looking.context.close()


async def test_a_first_import_takes_five_clicks(chromium: Browser, site: Site, street: Street) -> None:  # noqa: F811
    tenant, email = await street.console.tenant()
    await street.console.entity(tenant)
    await street.spread(tenant)
    looking = await look(chromium)
    await looking.sign_in(site, email)
    page = looking.page
    table = {"name": "factures.csv", "mimeType": "text/csv", "buffer": CSV.encode("cp1252")}
    await page.click('nav a[href="/imports"]')
    await page.set_input_files('form[action="/imports"] input[type=file]', files=[table])  # type: ignore[list-item]
    await page.click('form[action="/imports"] button.first')
    await page.click('form[action$="/try"] button.first')
    await page.click('form[action$="/take"] button.first')
    await page.get_by_text("Factures prises : 2.").wait_for()
    assert looking.complaints == []
    await looking.context.close()


async def test_keys_open_every_page_and_one_person_may_switch_them_off(chromium: Browser, site: Site) -> None:
    looking = await look(chromium)
    await looking.sign_in(site)
    page = looking.page
    await page.keyboard.press("g")
    await page.keyboard.press("b")
    await page.wait_for_url("**/aged-balance")
    await page.keyboard.press("?")
    await page.locator("#part .keys").wait_for()
    assert await violations(looking) == []
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    assert await page.evaluate("() => document.activeElement.id") == "finder"
    await page.keyboard.type("g?")
    assert await page.input_value("#finder") == "g?"
    await page.goto(f"{site.url}/keys")
    await page.click("button[name=shortcuts]")
    await page.wait_for_selector("html[data-keys=off]")
    await page.keyboard.press("g")
    await page.keyboard.press("b")
    await page.keyboard.press("?")
    assert page.url == f"{site.url}/keys"
    assert await page.locator("#part[open]").count() == 0
    await page.click("button[name=shortcuts]")
    await page.wait_for_selector("html:not([data-keys])")
    assert looking.complaints == []
    await looking.context.close()
