"""Aged balance and DSO as pages: past days say what they are, cells lead to their items, figures agree everywhere."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from libs.common.db import Database
from libs.common.settings import Settings
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.history import History, played
from tests.integration.console.test_excel import table
from tests.integration.console.test_past import local
from tests.integration.console.test_read_model import hear

TODAY = NOW.date()


@dataclass
class Steered:
    """A tenant with a history, and its administrator's browser."""

    history: History
    browser: httpx.AsyncClient

    async def page(self, path: str) -> str:
        answer = await self.browser.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture(scope="module")
async def steered(console: Console, settings: Settings) -> AsyncIterator[Steered]:
    tenant, email = await console.tenant()
    await console.entity(tenant)
    history = played(tenant, 21, debtors=5, invoices=40)
    loops = Database(settings, "console", "loop")
    await hear(loops, history.events, 200)
    await loops.close()
    browser = await console.sign_in(email)
    yield Steered(history, browser)
    await browser.aclose()


def euros(minor: int) -> str:
    whole = f"{minor // 100:,}".replace(",", "\u00a0")
    return f"{whole},{minor % 100:02}\u00a0€"


async def test_the_balance_of_today_is_what_is_owed_and_a_past_one_says_so(steered: Steered) -> None:
    page = await steered.page("/aged-balance")
    assert euros(steered.history.owed()) in page
    assert "telle qu’elle était affichée" not in page
    past = local(steered.history) - timedelta(days=20)
    page = await steered.page(f"/aged-balance?on={past}")
    assert "telle qu’elle était affichée" in page
    assert f'value="{past:%d/%m/%Y}"' in page
    page = await steered.page("/aged-balance?on=2020-01-01")
    assert "reconstituée" in page
    assert "Rien n’est dû à cette date" in page


async def test_a_cell_leads_to_items_that_sum_to_it(steered: Steered) -> None:
    page = await steered.page("/aged-balance")
    cells = re.findall(r'<a href="(/aged-balance/items\?[^"]+debtor=[^"]+age=[^"]+)">([^<]+)</a>', page)
    assert len(cells) > 4
    for address, amount in cells[:6]:
        items = await steered.page(address.replace("&amp;", "&"))
        assert f"· {amount}</p>" in items
        _, lines = table(await steered.browser.get(address.replace("&amp;", "&").replace("/items", "/items.xlsx")))
        assert euros(round(sum(line["Solde"] for line in lines) * 100)) == amount


async def test_the_excel_file_of_a_past_balance_has_the_figures_of_its_page(steered: Steered) -> None:
    past = local(steered.history) - timedelta(days=10)
    head, lines = table(await steered.browser.get(f"/aged-balance.xlsx?on={past}"))
    assert head["Source"] == "telle qu’affichée ce jour-là"
    total = round(sum(line["Encours"] for line in lines) * 100)
    assert total > 0
    assert euros(total) in await steered.page(f"/aged-balance?on={past}")
    ages = ("Non échu", "1–30 j", "31–60 j", "61–90 j", "> 90 j")
    assert all(round(sum(line[age] or 0 for age in ages), 2) == line["Encours"] for line in lines)


def months(lines: list[dict[str, Any]]) -> dict[date, dict[str, Any]]:
    return {line["Fin de"].date(): line for line in lines}


async def test_the_dso_page_and_its_file_agree_with_the_balance_of_each_month_end(steered: Steered) -> None:
    page = await steered.page("/dso")
    _, lines = table(await steered.browser.get("/dso.xlsx"))
    told = months(lines)
    assert TODAY in told
    assert told[TODAY]["Encours"] * 100 == steered.history.owed()
    assert told[TODAY]["Échu"] * 100 == steered.history.owed(TODAY)
    for day, line in told.items():
        assert euros(round(line["Encours"] * 100)) in page
        _, balance = table(await steered.browser.get(f"/aged-balance.xlsx?on={day}"))
        assert round(sum(one["Encours"] for one in balance), 2) == line["Encours"], day
        assert round(sum(one["Non échu"] or 0 for one in balance), 2) == line["Non échu"], day


async def test_the_best_possible_dso_is_the_not_due_share_of_the_simple_one(steered: Steered) -> None:
    _, lines = table(await steered.browser.get("/dso.xlsx"))
    checked = 0
    for line in lines:
        if line["Encours"] and line["DSO simple"] is not None:
            expected = line["Non échu"] / line["Encours"] * (line["Encours"] / line["Facturé sur 90 j"] * 90)
            assert abs(line["Meilleur DSO possible"] - expected) <= 0.05
            checked += 1
    assert checked


async def test_a_sales_owner_has_no_dso_page(console: Console, settings: Settings) -> None:
    tenant, _ = await console.tenant()
    browser = await console.sign_in(await console.user(tenant, "sales_owner"))
    assert (await browser.get("/dso")).status_code == 403
    assert 'href="/dso"' not in (await browser.get("/")).text
    await browser.aclose()


async def test_nothing_at_all_is_a_page_too(console: Console) -> None:
    _, email = await console.tenant()
    browser = await console.sign_in(email)
    for path in ("/dso", "/dso.xlsx", "/aged-balance", "/aged-balance.xlsx", "/aged-balance/items?age=9&currency=xx"):
        assert (await browser.get(path)).status_code == 200, path
    await browser.aclose()
