"""The set-up pages before the real doors of the other services: no complaint, no axe violation, no side scroll."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.browser.conftest import Look, Site, look
from tests.browser.test_pages import sideways, violations
from tests.integration.console.street import Street, street  # noqa: F401 - the fixture itself

PAGES = ["/policies", "/policies/{version}", "/templates", "/templates/firm/fr", "/templates/call/en"]


@pytest.fixture(scope="module")
async def pages(site: Site, street: Street) -> AsyncIterator[list[str]]:  # noqa: F811
    """The pages' addresses, with things to look at."""
    await street.spread(site.tenant)
    somebody = await street.person(site.tenant, "manager")
    listed = await somebody.page("/policies")
    version = listed.partition('href="/policies/')[2].partition('"')[0]
    await somebody.client.aclose()
    yield [path.format(version=version) for path in PAGES]


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
