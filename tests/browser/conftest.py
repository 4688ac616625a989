"""A console with a believable tenant, served over HTTP, and a headless Chromium that looks at it."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from libs.common.db import Database
from libs.common.settings import Settings
from tests.integration.console.conftest import PASSWORD, Console, console  # noqa: F401 - the fixture itself
from tests.integration.console.history import played
from tests.integration.console.test_read_model import hear
from tests.support import eventually

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Quiet(uvicorn.Server):
    """A server that leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(frozen=True)
class Site:
    """Where the console is, who may sign in, and one debtor and one invoice to look at."""

    url: str
    email: str
    tenant: UUID
    debtor: UUID
    invoice: UUID
    empty_email: str


@pytest.fixture(scope="package")
async def site(console: Console, settings: Settings) -> AsyncIterator[Site]:  # noqa: F811 - asked for by its name
    """The console over HTTP, its port given back to whoever tests next; one tenant with a history, one with nothing."""
    tenant, email = await console.tenant("Groupe Armoréa")
    await console.entity(tenant)
    _, empty = await console.tenant("Maison neuve")
    history = played(tenant, 7, debtors=12, invoices=60)
    loops = Database(settings, "console", "loop")
    await hear(loops, history.events, 200)
    await loops.close()
    config = uvicorn.Config(
        console.app.http, port=settings.ports["console"], lifespan="off", log_config=None, access_log=False
    )
    server = Quiet(config)
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    invoice = next(iter(history.invoices))
    debtor = history.invoices[invoice]["debtor"]
    yield Site(f"http://localhost:{settings.ports['console']}", email, tenant, debtor, invoice, empty)
    server.should_exit = True
    await serving


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt install chromium")
    async with async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        await browser.close()


@dataclass
class Look:
    """A browser page and everything it complained about."""

    page: Page
    context: BrowserContext
    complaints: list[str]
    language: str = "fr"

    async def sign_in(self, site: Site, email: str = "") -> None:
        await self.page.goto(f"{site.url}/login")
        await self.page.fill("input[name=email]", email or site.email)
        await self.page.fill("input[name=password]", PASSWORD)
        await self.page.click("button.first")
        await self.page.wait_for_selector("main#main")
        if await self.page.get_attribute("html", "lang") != self.language:  # a person's own language goes before others
            await self.page.click("details.menu summary")
            await self.page.click("button[name=language]")
            await self.page.wait_for_selector(f"html[lang={self.language}] main#main")


async def look(chromium: Browser, *, width: int = 1440, theme: str = "light", language: str = "fr") -> Look:
    """A fresh browser context that remembers every console message, failed request and page error."""
    context = await chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
        locale="en-GB" if language == "en" else "fr-FR",
        reduced_motion="reduce",
    )
    page = await context.new_page()
    found = Look(page, context, [], language)
    page.on("console", lambda message: found.complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    return found
