"""Every page, light and dark, French and English, wide and narrow: no complaint, no axe violation, no side scroll."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from tests.browser.conftest import Look, Site, look

PAGES = [
    "/",
    "/?tab=formal",
    "/?tab=calls",
    "/?tab=promises",
    "/?tab=replies",
    "/?tab=blocked",
    "/customers",
    "/customers/{debtor}",
    "/invoices",
    "/invoices?state=paid",
    "/invoices/{invoice}",
    "/invoices/{invoice}/charges",
    "/aged-balance",
    "/aged-balance?on=2026-10-01",
    "/aged-balance?on=2020-01-01",
    "/aged-balance/items?currency=EUR",
    "/aged-balance/items?currency=EUR&age=1&debtor={debtor}&on=2026-10-20",
    "/shadow",
    "/dso",
    "/payments",
    "/payments?state=all",
    "/promises",
    "/promises?state=all",
    "/disputes?state=all",
    "/holds",
    "/holds?state=lifted",
    "/plans",
    "/hand-over",
    "/hand-over/files",
    "/credit",
    "/credit/requests",
    "/credit/deadlines",
    "/credit/insolvencies",
    "/credit/messages",
    "/customers/{debtor}/credit",
    "/forecast",
    "/figures",
    "/team",
    "/reports",
    "/portfolio",
    "/calendars",
    "/search?q=maison",
    "/search?q=nothing-like-this",
    "/operations",
]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


async def violations(looking: Look) -> list[str]:
    found = await Axe().run(looking.page, options=RULES)
    return [
        f"{each['id']}: {node['html'][:160]}" for each in found.response["violations"] for node in each["nodes"][:3]
    ]


async def sideways(looking: Look) -> int:
    wide: int = await looking.page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wide


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_page_is_without_fault(chromium: Browser, site: Site, theme: str, language: str) -> None:
    looking = await look(chromium, theme=theme, language=language)
    await looking.page.goto(f"{site.url}/login?language={language}")
    faults = await violations(looking)
    await looking.sign_in(site)
    for path in PAGES:
        shown = await looking.page.goto(site.url + path.format(debtor=site.debtor, invoice=site.invoice))
        assert shown is not None
        assert shown.status == 200, path
        faults += [f"{path} {fault}" for fault in await violations(looking)]
    assert faults == []
    assert looking.complaints == []
    await looking.context.close()


@pytest.mark.parametrize("width", [320, 390])
async def test_no_page_scrolls_sideways_on_a_phone(chromium: Browser, site: Site, width: int) -> None:
    looking = await look(chromium, width=width)
    await looking.sign_in(site)
    for path in PAGES:
        await looking.page.goto(site.url + path.format(debtor=site.debtor, invoice=site.invoice))
        assert await sideways(looking) == 0, path
    assert await violations(looking) == []
    assert looking.complaints == []
    await looking.context.close()


async def test_every_page_says_what_to_do_when_there_is_nothing(chromium: Browser, site: Site) -> None:
    looking = await look(chromium)
    await looking.sign_in(site, site.empty_email)
    for path in PAGES:
        if "{" in path:
            continue
        shown = await looking.page.goto(site.url + path)
        assert shown is not None
        assert shown.status == 200, path
        assert await violations(looking) == [], path
    assert looking.complaints == []
    await looking.context.close()


async def test_the_keyboard_reaches_the_search_and_the_lines(chromium: Browser, site: Site) -> None:
    looking = await look(chromium)
    await looking.sign_in(site)
    await looking.page.keyboard.press("/")
    await looking.page.keyboard.type("maison 1")
    await looking.page.keyboard.press("Enter")
    await looking.page.wait_for_url("**/search?q=maison+1")
    await looking.page.goto(site.url)
    names = await looking.page.locator(".queue .who").all_inner_texts()
    await looking.page.keyboard.press("j")
    await looking.page.wait_for_url("**line=**")
    assert await looking.page.locator(".queue tr.on .who").inner_text() == names[1]
    await looking.context.close()


async def test_the_theme_and_the_language_stay_with_the_person(chromium: Browser, site: Site) -> None:
    looking = await look(chromium)
    await looking.sign_in(site)
    await looking.page.goto(f"{site.url}/operations")
    await looking.page.click("button[name=theme]")
    await looking.page.wait_for_load_state()
    assert await looking.page.get_attribute("html", "data-theme") == "dark"
    await looking.page.click("details.menu summary")
    await looking.page.click("button[name=language]")
    await looking.page.wait_for_load_state()
    assert await looking.page.get_attribute("html", "lang") == "en"
    await looking.page.click("details.menu summary")
    await looking.page.click("button[name=language]")
    await looking.page.wait_for_load_state()
    assert await looking.page.get_attribute("html", "lang") == "fr"
    assert looking.complaints == []
    await looking.context.close()
