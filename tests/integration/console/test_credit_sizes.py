"""The pages of credit control with 0, 1 and 10,000 rows of their owner's: they open, stay small, and say what is not
shown; their files hold all of it."""

import gzip
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest

from libs.common.ids import uuid7
from libs.common.settings import Settings
from tests.integration.console import credited
from tests.integration.console.conftest import Console
from tests.integration.console.owners import Asked, Owners, owners
from tests.integration.console.test_excel import table
from tests.integration.console.test_sizes import HTML, MANY, crowded

PAYER = UUID(hashlib.md5(b"d1").hexdigest())
FILE = f"/customers/{PAYER}/credit"
PAGES = {
    "/credit/requests": 110,
    "/credit/deadlines": 110,
    "/credit/declarations": 110,
    "/credit/insolvencies": 110,
    "/credit/messages": 110,
    "/hand-over/files": 110,
    FILE: 240,  # 100 invoices, 30 declarations, 30 requests of each kind
}
"""A page's address, and the rows that it has at most."""
LINES: dict[str, Callable[[], dict[str, Any]]] = {
    "/v1/credit/limits": lambda: credited.limit(PAYER, limit_id=str(uuid7())),
    "/v1/credit/blocks": lambda: credited.block(PAYER, block_id=str(uuid7())),
    "/v1/credit/write-offs": lambda: credited.write_off(PAYER, uuid7()),
    "/v1/credit/deadlines": lambda: credited.deadline(PAYER, uuid7()),
    "/v1/credit/declarations": lambda: credited.declaration(PAYER, uuid7()),
    "/v1/credit/insolvencies": lambda: credited.proceedings(PAYER) | {"insolvency_id": str(uuid7())},
    "/v1/credit/messages": lambda: credited.message() | {"message_id": str(uuid7())},
    "/v1/recovery-files": lambda: credited.file_of(PAYER, file_id=str(uuid7())),
}


@dataclass
class Office:
    """A tenant with one customer who has so many of everything."""

    size: int
    tenant: UUID
    browser: httpx.AsyncClient


@pytest.fixture(scope="module", params=[0, 1, MANY])
async def office(request: pytest.FixtureRequest, console: Console, settings: Settings) -> AsyncIterator[Office]:
    size: int = request.param
    tenant, email = await console.tenant(f"Crédit {size}")
    nothing = dict.fromkeys(("queue", "calls", "promised", "disputed", "held", "formal"), 0)
    await crowded(console, settings, tenant, nothing | {"customers": 1, "open": size, "invoices": size})
    browser = await console.sign_in(email)
    yield Office(size, tenant, browser)
    await browser.aclose()


@pytest.fixture(autouse=True)
def scheduler(console: Console, settings: Settings, office: Office) -> Iterator[Owners]:
    """The scheduler, page by page."""
    with owners(console, settings) as played:
        credited.filled(played, PAYER, uuid7())
        if not office.size:
            credited.empty(played, PAYER)
        for path, line in LINES.items():
            played.says["GET", path] = _paging(line, office.size)
        yield played


def _paging(line: Callable[[], dict[str, Any]], size: int) -> Callable[[Asked], dict[str, Any]]:
    def page(asked: Asked) -> dict[str, Any]:
        start, most = int(asked.params.get("cursor", "0")), int(asked.params["limit"])
        left = max(0, size - start)
        return {"items": [line() for _ in range(min(left, most))], "next": str(start + most) if left > most else None}

    return page


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_of_any_size_opens_stays_small_and_says_what_it_does_not_show(office: Office, path: str) -> None:
    page = await office.browser.get(path)
    assert page.status_code == 200, page.text[-2_000:]
    assert len(gzip.compress(page.content)) <= HTML
    rows = len(re.findall(r"<tr[ >]", page.text))
    assert rows <= PAGES[path]
    if not office.size:
        assert 'class="empty' in page.text
        return
    assert rows > min(office.size, 100)
    goes_on = 'rel="next"' in page.text or "Excel l" in page.text
    assert goes_on == (office.size == MANY)


async def test_files_hold_every_line(office: Office) -> None:
    _, items = table(await office.browser.get(f"{FILE}/items.xlsx"))
    _, asked = table(await office.browser.get(f"{FILE}/history.xlsx"))
    assert (len(items), len(asked)) == (office.size, 3 * office.size)
