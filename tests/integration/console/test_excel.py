"""Excel files: the lines of the page with typed cells, the filters on top, and nothing that runs as a formula."""

import asyncio
import io
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from openpyxl import load_workbook
from sqlalchemy import insert

from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.settings import Settings
from services.console.tables import read_model as model
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.test_pages import Played, shown  # noqa: F401 - the fixture itself


def table(answer: httpx.Response) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What stands above the table, and its lines by heading."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/vnd.openxmlformats")
    page = load_workbook(io.BytesIO(answer.content)).worksheets[0]
    rows = [[cell.value for cell in row] for row in page.iter_rows()]
    blank = next(place for place, row in enumerate(rows) if not any(row))
    head = {str(row[0]): row[1] for row in rows[1:blank]}
    return head, [dict(zip(rows[blank + 1], row, strict=True)) for row in rows[blank + 2 :]]


async def test_a_file_has_every_line_of_the_list_with_real_numbers_and_dates(shown: Played) -> None:  # noqa: F811
    head, lines = table(await shown.browser.get("/invoices.xlsx?state=open"))
    assert isinstance(head["À jour au"], datetime)
    assert head["Statut"] == "Ouvertes"
    assert sum(line["Solde"] for line in lines) * 100 == shown.history.owed()
    assert all(isinstance(line["Échéance"], datetime) for line in lines)
    assert all(isinstance(line["Montant"], int | float | Decimal) for line in lines)
    assert {line["Devise"] for line in lines} == {"EUR"}


async def test_a_file_is_narrowed_and_ordered_as_its_page_is(shown: Played) -> None:  # noqa: F811
    head, lines = table(await shown.browser.get("/customers.xlsx?q=maison%201&order=name"))
    assert head["Recherche"] == "maison 1"
    assert lines
    assert all("maison 1" in line["Client"].lower() for line in lines)
    assert [line["Client"] for line in lines] == sorted(line["Client"] for line in lines)


async def test_a_file_of_another_tenant_is_not_given(console: Console, shown: Played) -> None:  # noqa: F811
    _, email = await console.tenant("Autre")
    browser = await console.sign_in(email)
    _, lines = table(await browser.get("/invoices.xlsx?state=all"))
    assert lines == []
    await browser.aclose()
    nobody = console.client()
    assert (await nobody.get("/invoices.xlsx")).status_code == 303
    await nobody.aclose()


@pytest.fixture(scope="module")
async def crowd(console: Console, settings: Settings) -> tuple[UUID, str]:
    """A tenant with 10,500 customers, the first named like a formula."""
    tenant, email = await console.tenant("Foule")
    loops = Database(settings, "console", "loop")
    names = ['=HYPERLINK("http://evil","x")', "+33 1", "-2+3", "@SUM(A1)", "Nul\x00"]
    names += [f"Client {number}" for number in range(10_500 - len(names))]
    rows = [
        {"tenant_id": tenant, "debtor_id": uuid7(), "version": 1, "name": name, "external_id": f"C{number}"}
        for number, name in enumerate(names)
    ]
    async with loops.transaction() as db:
        for start in range(0, len(rows), 1_000):
            cleaned = [row | {"name": row["name"].replace("\x00", "\x01")} for row in rows[start : start + 1_000]]
            await db.execute(insert(model.debtor), cleaned)
    await loops.close()
    return tenant, email


async def test_ten_thousand_lines_are_sent_while_pages_are_answered(console: Console, crowd: tuple[UUID, str]) -> None:
    browser = await console.sign_in(crowd[1])
    making = asyncio.create_task(browser.get("/customers.xlsx"))
    page = await browser.get("/customers")
    assert page.status_code == 200
    assert not making.done()
    _, lines = table(await making)
    assert len(lines) == 10_500
    assert len({line["Code"] for line in lines}) == 10_500
    await browser.aclose()


async def test_what_begins_like_a_formula_stays_text(console: Console, crowd: tuple[UUID, str]) -> None:
    browser = await console.sign_in(crowd[1])
    answer = await browser.get("/customers.xlsx?order=name")
    page = load_workbook(io.BytesIO(answer.content)).worksheets[0]
    named = {str(cell.value): cell for (cell, *_) in page.iter_rows()}
    for name in ('=HYPERLINK("http://evil","x")', "+33 1", "-2+3", "@SUM(A1)"):
        assert named[name].data_type == "s"
        assert named[name].quotePrefix
    assert not named["Client 7"].quotePrefix
    assert NOW.year == 2026
    await browser.aclose()
