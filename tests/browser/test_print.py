"""On paper: no navigation, no buttons, tables whole; on top whose figures they are, as of when, narrowed to what."""

import re

import pytest
from playwright.async_api import Browser

from tests.browser.conftest import Look, Site, look

A4 = {"width": 703, "height": 1032}
"""A portrait sheet between margins of 12 mm, in CSS pixels."""
PAGES = [
    "/",
    "/customers",
    "/customers/{debtor}",
    "/invoices",
    "/invoices?state=all",
    "/invoices/{invoice}",
    "/aged-balance",
    "/aged-balance?on=2026-10-01",
    "/aged-balance/items?currency=EUR",
    "/dso",
    "/forecast",
    "/payments?state=all",
    "/promises?state=all",
    "/disputes?state=all",
    "/holds",
    "/plans",
    "/hand-over",
    "/team",
    "/calendars",
    "/operations",
]
SEEN = """(what) => [...document.querySelectorAll(what)].filter((each) => each.checkVisibility({
  visibilityProperty: true, contentVisibilityAuto: true })).map((each) => each.outerHTML.slice(0, 140))"""
CUT = """() => [...document.querySelectorAll(".grid, .grid *, .chart, .paper, h1")]
  .filter((each) => each.checkVisibility()
    && !each.closest(".unseen") && (each.getBoundingClientRect().right > innerWidth + 1
        || (getComputedStyle(each).overflowX !== "visible" && each.scrollWidth > each.clientWidth + 1)))
  .map((each) => each.outerHTML.slice(0, 140))"""
CLIPPING = """() => [...document.querySelectorAll(".grid")].map((table) => {
  for (let each = table.parentElement; each; each = each.parentElement)
    if (each.scrollHeight > each.clientHeight + 1 && getComputedStyle(each).overflowY !== "visible"
        && each !== document.documentElement && each !== document.body) return each.outerHTML.slice(0, 140);
}).filter(Boolean)"""
ACTING = "button, input, select, textarea, .side, .top, .btn, .filters, .pager, .skip, kbd, form[data-splits]"


async def on_paper(chromium: Browser, site: Site, *, theme: str = "light", language: str = "fr") -> Look:
    looking = await look(chromium, theme=theme, language=language)
    await looking.page.goto(f"{site.url}/login?language={language}")
    await looking.sign_in(site)
    await looking.page.emulate_media(media="print")
    await looking.page.set_viewport_size(A4)
    return looking


@pytest.mark.parametrize(("theme", "language"), [("light", "fr"), ("dark", "en")])
async def test_paper_has_the_figures_whole_and_nothing_to_press(
    chromium: Browser, site: Site, theme: str, language: str
) -> None:
    looking = await on_paper(chromium, site, theme=theme, language=language)
    for path in PAGES:
        await looking.page.goto(site.url + path.format(debtor=site.debtor, invoice=site.invoice))
        assert await looking.page.evaluate(SEEN, ACTING) == [], path
        assert await looking.page.evaluate(CUT) == [], path
        assert await looking.page.evaluate(CLIPPING) == [], path
    assert looking.complaints == []
    await looking.context.close()


async def test_paper_is_white_whatever_the_theme(chromium: Browser, site: Site) -> None:
    looking = await on_paper(chromium, site, theme="dark")
    await looking.page.goto(f"{site.url}/aged-balance")
    ground, ink = await looking.page.evaluate(
        "() => [getComputedStyle(document.documentElement).backgroundColor,"
        " getComputedStyle(document.querySelector('.grid td')).color]"
    )
    assert (ground, ink) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)")
    await looking.context.close()


async def test_the_company_the_filter_and_the_instant_stand_on_top_of_the_paper(chromium: Browser, site: Site) -> None:
    looking = await on_paper(chromium, site)
    head = looking.page.locator(".paper")
    for path in ("/customers?q=maison&profile=slow", "/aged-balance?q=maison&profile=slow", "/?q=maison&profile=slow"):
        await looking.page.goto(site.url + path)
        told = await head.inner_text()
        assert "Groupe Armoréa" in told, path
        assert "Recherche\u00a0: maison" in told, path
        assert "Profil payeur\u00a0: Payeur lent" in told, path
        assert re.search(r"À jour au \d+ \S+ 2026, \d\d:\d\d", told), path
        box = await head.bounding_box()
        first = await looking.page.locator("h1").bounding_box()
        assert box is not None
        assert first is not None
        assert box["y"] < first["y"], path
    await looking.page.goto(f"{site.url}/invoices?state=overdue")
    assert "Statut\u00a0: Échues" in await head.inner_text()
    await looking.page.emulate_media(media="screen")
    assert not await head.is_visible()
    await looking.context.close()


async def test_a_long_list_is_printed_to_its_last_line_under_its_headings(chromium: Browser, site: Site) -> None:
    looking = await on_paper(chromium, site)
    await looking.page.goto(f"{site.url}/invoices?state=all")
    lines = looking.page.locator(".grid tbody tr")
    assert await lines.count() > 40
    head = looking.page.locator(".grid thead")
    assert await head.evaluate("(each) => getComputedStyle(each).display") == "table-header-group"
    printed = await looking.page.pdf(format="A4")
    pages = re.findall(rb"/Type\s*/Page\b(?!s)", printed)
    tall = await looking.page.evaluate("() => document.documentElement.scrollHeight")
    assert len(pages) >= tall // 1200
    assert len(pages) > 1
    await looking.context.close()
