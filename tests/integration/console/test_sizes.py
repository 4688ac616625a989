"""Every list with 0, 1 and 10,000 rows: it opens, says how many there are, pages by 100, stays small, and its last
page opens too; an empty one says what will stand there."""

import gzip
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from bench.console import fill
from libs.common.clock import today
from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.settings import Settings
from services.console.pages import formats
from services.console.pages.web import ZONE
from services.console.store import kept
from services.console.tables import read_model
from tests.integration.console.conftest import Console

MANY = 10_000
HTML = 25_000
LISTS = {
    "/": "{}",
    "/?tab=calls": "",
    "/?tab=promises": "",
    "/?tab=blocked": "",
    "/customers": "{} client",
    "/invoices": "{} facture",
    "/invoices?state=overdue": "",
    "/invoices?state=all": "{} facture",
    "/aged-balance": "{} client",
    "/payments?state=all": "{} paiement",
    "/promises": "{} promesse",
    "/disputes": "{} litige",
    "/holds": "",
    "/hand-over": "{} dossier",
    "/credit": "{} encours",
}
"""A list's address, and how it tells its number."""


@dataclass
class Crowd:
    """A tenant with so many of everything."""

    size: int
    browser: httpx.AsyncClient


@pytest.fixture(scope="module", params=[0, 1, MANY])
async def crowd(request: pytest.FixtureRequest, console: Console, settings: Settings) -> AsyncIterator[Crowd]:
    size: int = request.param
    tenant, email = await console.tenant(f"Foule {size}")
    names = ("customers", "open", "queue", "calls", "promised", "disputed", "held", "formal")
    # The paid half gives the payments, the other half what is owed.
    await crowded(console, settings, tenant, dict.fromkeys(names, size) | {"invoices": 2 * size})
    browser = await console.sign_in(email)
    yield Crowd(size, browser)
    await browser.aclose()


async def crowded(console: Console, settings: Settings, tenant: UUID, told: dict[str, int]) -> None:
    """Fill a tenant with so many of each, worked out and known to the planner."""
    loops = Database(settings, "console", "loop")
    async with loops.transaction() as db:
        await fill(db, told | {"tenant": tenant, "entity": uuid7()})
    more = True
    while more:
        async with loops.transaction() as db:
            more = await kept.settle(db, tenant, today(console.clock, ZONE))
    await loops.close()
    owner = Database(settings, "console", "owner")
    async with owner.engine.connect() as session:
        free = await session.execution_options(isolation_level="AUTOCOMMIT")
        for table in read_model.tables:  # as autovacuum does within a minute
            await free.execute(text(f"analyze {table.name}"))
    await owner.close()


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_of_any_size_opens_tells_its_number_and_stays_small(crowd: Crowd, path: str) -> None:
    page = await crowd.browser.get(path)
    assert page.status_code == 200, page.text[-2_000:]
    assert len(gzip.compress(page.content)) <= HTML
    rows = len(re.findall(r"<tr[ >]", page.text))
    assert rows <= 110
    if not crowd.size:
        assert 'class="empty' in page.text
        return
    if "overdue" in path:
        return
    assert rows >= min(crowd.size, 100)
    if told := LISTS[path]:
        assert told.format(formats.number(crowd.size * (2 if path == "/invoices?state=all" else 1), "fr")) in page.text


@pytest.mark.parametrize("path", LISTS)
async def test_the_last_page_and_one_behind_it_open(crowd: Crowd, path: str) -> None:
    for page in (100, 100_000 if path.startswith("/invoices") or "?" not in path else 101):
        joined = "&" if "?" in path else "?"
        answer = await crowd.browser.get(f"{path}{joined}page={page}")
        assert answer.status_code == 200, answer.text[-2_000:]
        assert len(re.findall(r"<tr[ >]", answer.text)) <= 110
