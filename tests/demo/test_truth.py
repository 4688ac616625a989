"""The demo's data: what a finance director would ask of them, and that every page tells the same.

Needs a running demo in this folder's state (RELANCE_STATE, RELANCE_BASE_PORT); it is only read.
"""

import io
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import holidays
import httpx
import pytest
from openpyxl import load_workbook
from sqlalchemy import text

from libs.common.db import driver_url, make_engine
from libs.common.settings import Settings
from tests.integration.console.conftest import submit

PARIS = ZoneInfo("Europe/Paris")
FREE = holidays.country_holidays("FR")
LISTS = ("/customers?mine=no", "/invoices?state=open", "/invoices?state=overdue", "/promises", "/disputes", "/holds")
SEEN = ("/customers?mine=no", "/invoices", "/aged-balance", "/dso", "/policies", "/templates", "/users", "/audit")
CHASING = ("reminder", "final_notice")


@dataclass
class Demo:
    """The running demo: a browser of its login, its API, its tables."""

    settings: Settings
    browser: httpx.AsyncClient
    key: str
    tenant: str

    async def page(self, path: str) -> str:
        answer = await self.browser.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.text

    async def file(self, path: str) -> list[dict[str, Any]]:
        """The lines of an Excel file by heading."""
        answer = await self.browser.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        sheet = load_workbook(io.BytesIO(answer.content)).worksheets[0]
        rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
        blank = next(place for place, row in enumerate(rows) if not any(row))
        return [dict(zip(rows[blank + 1], row, strict=True)) for row in rows[blank + 2 :]]

    async def all(self, service: str, path: str, name: str) -> list[dict[str, Any]]:
        """Every page of a service's list."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            params: dict[str, Any] = {"limit": 200} | ({"cursor": cursor} if cursor else {})
            url = self.settings.urls[service] + path
            answer = await self.browser.get(url, params=params, headers={"authorization": f"Bearer {self.key}"})
            answer.raise_for_status()
            told = answer.json()
            found += told[name]
            cursor = told["next"]
            if not cursor:
                return found

    async def rows(self, query: str) -> list[Any]:
        """Read-only SQL on the demo's own database."""
        port = self.settings.database_url.rpartition(":")[2]
        engine = make_engine(driver_url(f"postgresql://postgres:development@127.0.0.1:{port}"), 1)
        try:
            async with engine.connect() as db:
                await db.execute(text("set transaction read only"))
                return list(await db.execute(text(query), {"tenant": self.tenant}))
        finally:
            await engine.dispose()


@pytest.fixture(scope="module")
async def demo() -> AsyncIterator[Demo]:
    settings = Settings.from_env()
    file = settings.state / "credentials.json"
    if not file.exists():
        pytest.fail("There is no demo in this folder: run `make demo` first.")
    known = json.loads(file.read_text())
    async with httpx.AsyncClient(base_url=settings.public_url, timeout=60) as browser:
        fields = {"email": known["login"], "password": known["password"]}
        answer = await submit(browser, "/login", fields)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/", "the printed login opens Today"
        yield Demo(settings, browser, known["api_key"], known["tenant_id"])


def number(shown: str) -> int:
    """`1 234` as pages write it."""
    return int(shown.replace("\u00a0", ""))


def cents(value: Any) -> int:
    return round(Decimal(str(value or 0)) * 100)


async def test_overdue_is_between_fifteen_and_thirty_five_percent_of_outstanding(demo: Demo) -> None:
    now = max(await demo.file("/dso.xlsx"), key=lambda line: line["Fin de"])
    share = cents(now["Échu"]) / cents(now["Encours"])
    assert 0.15 <= share <= 0.35, f"{share:.1%}"


async def test_the_best_possible_dso_is_the_not_due_share_of_the_simple_one(demo: Demo) -> None:
    for line in await demo.file("/dso.xlsx"):
        share = cents(line["Non échu"]) / cents(line["Encours"])
        assert abs(line["Meilleur DSO possible"] - share * line["DSO simple"]) <= 0.1, line["Fin de"]


async def test_the_pages_and_the_owner_of_the_items_agree_to_the_cent(demo: Demo) -> None:
    items = await demo.all("payment_matching", "/v1/open-items", "items")
    owed: defaultdict[str, int] = defaultdict(int)
    for item in items:
        owed[item["residual"]["currency"]] += cents(item["residual"]["amount"])
    balance = await demo.file("/aged-balance.xlsx?mine=no")
    customers = await demo.file("/customers.xlsx?mine=no")
    invoices = await demo.file("/invoices.xlsx?state=open&mine=no")
    now = max(await demo.file("/dso.xlsx"), key=lambda line: line["Fin de"])
    assert sum(cents(line["Encours"]) for line in balance) == owed["EUR"]
    assert sum(cents(line["Encours"]) for line in customers) == owed["EUR"]
    assert sum(cents(line["Solde"]) for line in invoices) == owed["EUR"]
    assert cents(now["Encours"]) == owed["EUR"]
    overdue = sum(cents(line["Encours"]) - cents(line["Non échu"]) for line in balance)
    assert sum(cents(line["Échu"]) for line in customers) == overdue
    assert cents(now["Échu"]) == overdue


async def test_a_tab_its_list_and_its_file_have_the_same_lines(demo: Demo) -> None:
    for path in (
        "/customers?mine=no",
        "/invoices?state=open",
        "/invoices?state=overdue",
        "/promises",
        "/disputes",
        "/holds",
    ):
        told = re.search(r'<p class="soft">([\d\u00a0]+) ', await demo.page(path))
        assert told is not None, path
        head, _, words = path.partition("?")
        lines = await demo.file(f"{head}.xlsx?{words}")
        assert len({line["Code"] for line in lines} if head == "/customers" else lines) == number(told[1]), path


async def test_the_morning_is_a_full_one(demo: Demo) -> None:
    """Whatever weekday the demo was played on: the bounds are wide, and no kind of work is missing."""
    page = await demo.page("/")
    counts = [number(count) for count in re.findall(r'<span class="figure">([\d\u00a0]+)</span>', page)]
    send, formal, calls, promises, replies, _ = counts
    assert 10 <= send <= 45, "notices to approve"
    assert formal <= 6
    assert 2 <= calls <= 20, "calls and other tasks"
    assert promises + replies >= 1, "a promise to check or a reply to read"
    assert 3 <= len(await demo.file("/payments.xlsx")) <= 25, "payments wait for a person"


async def sent(demo: Demo) -> list[Any]:
    """Every notice that left: its payer, party, kind, channel and instant."""
    return await demo.rows(
        "select n.payer_id, coalesce(r.party_id, n.payer_id) as party_id, n.kind, n.channel, n.sent_at, n.notice_id,"
        "       n.covers"
        "  from console.notice n left join console.reminder r using (tenant_id, reminder_id)"
        " where n.tenant_id = :tenant and n.sent_at is not null order by n.sent_at"
    )


async def test_no_reminder_follows_a_formal_notice_while_what_it_asks_for_is_owed(demo: Demo) -> None:
    owing = "select item_id, coalesce(residual, amount) as owed, moved_at from console.item where tenant_id = :tenant"
    paid = {str(row.item_id): row.moved_at for row in await demo.rows(owing) if not row.owed}
    asked: defaultdict[Any, set[str]] = defaultdict(set)
    for one in await sent(demo):
        if one.kind in ("reminder", "final_notice", "pre_due", "acknowledge"):
            still = {item for item in asked[one.payer_id] if item not in paid or paid[item] > one.sent_at}
            assert still == set(), f"{one.kind} {one.notice_id} at {one.sent_at}"
        if one.kind == "formal_notice":
            asked[one.payer_id] |= {part["item_id"] for part in one.covers}


async def test_nothing_left_outside_its_window(demo: Demo) -> None:
    for one in await sent(demo):
        if one.channel != "email":
            continue
        local = one.sent_at.astimezone(PARIS)
        assert local.weekday() < 5, one.notice_id
        assert local.date() not in FREE, one.notice_id
        assert 9 <= local.hour < 18, f"{one.notice_id} at {local}"


async def test_no_party_had_more_than_four_reminders_in_thirty_days(demo: Demo) -> None:
    """Formal notices, which nothing may delay, come besides."""
    days: defaultdict[Any, list[date]] = defaultdict(list)
    for one in await sent(demo):
        if one.kind in CHASING and one.channel == "email":
            days[one.party_id].append(one.sent_at.astimezone(PARIS).date())
    worst = 0
    for told in days.values():
        for first in told:
            worst = max(worst, sum(first <= day < first + timedelta(days=30) for day in told))
    assert worst <= 4


async def test_credit_control_has_something_of_each_kind(demo: Demo) -> None:
    lines = await demo.file("/credit.xlsx?mine=no")
    limited = [line for line in lines if line["Limite"]]
    assert 20 <= len({line["Code"] for line in limited}) <= 30
    over = [line for line in limited if cents(line["Encours"]) > cents(line["Limite"])]
    assert 0 < len(over) < len(limited) / 2
    assert len([line for line in lines if line["Statut"] == "Bloqué"]) == 1
    assert {line["Demande"] for line in await demo.file("/credit/requests.xlsx")} == {"Limite de crédit", "Bloquer"}
    assert len(await demo.file("/credit/insolvencies.xlsx")) == 1
    said = {line["Issue"] for line in await demo.file("/credit/declarations.xlsx")}
    assert said == {"en attente", "acceptée", "refusée", "indemnisée"}
    assert await demo.file("/credit/deadlines.xlsx")


async def test_today_tells_what_waits_for_a_second_person(demo: Demo) -> None:
    page = await demo.page("/")
    assert "2 demandes de crédit" in page and "1 affectation de paiement" in page


async def test_no_page_is_empty_that_a_finance_director_would_open(demo: Demo) -> None:
    for path in (
        "/customers?mine=no",
        "/invoices",
        "/aged-balance",
        "/dso",
        "/policies",
        "/templates",
        "/users",
        "/audit",
    ):
        page = await demo.page(path)
        assert '<div class="empty">' not in page, path
