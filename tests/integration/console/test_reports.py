"""Reports: every file that leaves, in one place; key figures and the tie-out as their owners tell them."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from libs.common.auth import ROLES
from libs.common.ids import uuid7
from libs.common.settings import Settings
from services.console.pages.reports import REPORTS
from tests.integration.console.conftest import Console
from tests.integration.console.owners import Owners, owners
from tests.integration.console.test_excel import table
from tests.integration.console.test_measures import ANSWERS, PERIOD, euros

EVERY = [each for _, some in REPORTS for each in some]


@pytest.fixture
async def told(console: Console, settings: Settings) -> AsyncIterator[Owners]:
    with owners(console, settings) as played:
        for path, answer in ANSWERS.items():
            played.says["GET", path] = answer
        yield played


@pytest.mark.parametrize("role", ["manager", "collector", "sales_owner", "auditor"])
async def test_a_role_is_offered_the_files_that_it_may_have_and_each_opens(
    console: Console, told: Owners, role: str
) -> None:
    tenant, _ = await console.tenant()
    told.says["GET", "/v1/plans"] = {"items": [], "next": None, "as_of": "2026-11-23T08:42:00Z"}
    told.says["GET", "/v1/tie-out"] = lambda one: httpx.Response(200, json=[])
    for path in ("/v1/credit/deadlines", "/v1/recovery-files"):
        told.says["GET", path] = {"items": [], "next": None}
    browser = await console.sign_in(await console.user(tenant, role))
    page = (await browser.get("/reports?first=01/09/2026&last=30/09/2026")).text
    offered = re.findall(r'href="([^"]+\.xlsx[^"]*)"', page)
    assert len(offered) == len([each for each in EVERY if each.scope in ROLES[role]])
    for path in offered:
        answer = await browser.get(path.replace("&amp;", "&"))
        assert (answer.status_code, answer.headers["content-type"][:20]) == (200, "application/vnd.open"), path
    await browser.aclose()


async def test_key_figures_leave_with_their_period_and_real_numbers(console: Console, told: Owners) -> None:
    tenant, _ = await console.tenant()
    browser = await console.sign_in(await console.user(tenant, "manager"))
    head, [line] = table(await browser.get("/figures/promises.xlsx?first=2026-09-01&last=30/09/2026"))
    assert [one.params for one in told.asked if one.path == "/v1/kpis/promises"] == [PERIOD]
    assert (line["Tenues"], line["Rompues"], line["Promis"], float(line["Part tenue"])) == (3, 1, 4000, 0.75)
    assert len(head) == 3, "as of, first and last day"
    _, [step] = table(await browser.get("/figures/steps.xlsx"))
    assert (step["Étape"], step["Payées"]) == ("Rappel courtois", 22)
    assert (await browser.get("/figures/anything.xlsx")).status_code == 404
    await browser.aclose()


async def test_the_tie_out_leaves_with_both_ledgers(console: Console, told: Owners) -> None:
    tenant, _ = await console.tenant()
    entity = str(uuid7())
    balance = {"ours": euros("900.00"), "theirs": euros("1000.00"), "difference": euros("-100.00"),
               "control_account": None, "control_difference": None, "customers_off": 2, "customers": 9}  # fmt: skip
    company = {"entity_id": entity, "as_of": "2026-11-20", "state": "taken", "balances": [balance]}
    told.says["GET", "/v1/tie-out"] = lambda one: httpx.Response(200, json=[company])
    browser = await console.sign_in(await console.user(tenant, "treasurer"))
    _, [line] = table(await browser.get("/tie-out.xlsx"))
    assert entity in line.values() and -100 in line.values()
    await browser.aclose()
