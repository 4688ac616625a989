"""The page of a company in shadow: what would have been sent beside what its earlier system sent."""

from collections.abc import AsyncIterator
from html import escape
from typing import Any
from uuid import UUID

import pytest

from libs.common.ids import uuid7
from libs.common.settings import Settings
from services.console.store import payments
from tests.integration.console.conftest import Console
from tests.integration.console.owners import Browser, Owners, owners, refusal
from tests.integration.console.street import lived

COUNTS = {"same": 7, "softer": 1, "harder": 0, "ours_only": 2, "theirs_only": 3}


def line(found: str, **sides: Any) -> dict[str, Any]:
    told = {"item_id": str(uuid7()), "number": "F-<b>42", "found": found, "ours": None, "theirs": None}
    return told | {"days_later": None} | sides


@pytest.fixture
async def desk(console: Console, settings: Settings) -> AsyncIterator[tuple[Browser, Owners, UUID]]:
    tenant, _ = await console.tenant()
    entity = await console.entity(tenant)
    with owners(console, settings) as scheduler:
        client = await console.sign_in(await console.user(tenant, "manager"))
        yield Browser(client, settings.public_url, uuid7(), uuid7(), []), scheduler, entity
        await client.aclose()


async def test_what_would_have_been_sent_stands_beside_what_was(desk: tuple[Browser, Owners, UUID]) -> None:
    browser, scheduler, entity = desk
    ours, theirs = {"on": "2026-09-03", "tone": 2, "step": "friendly"}, {"on": "2026-09-01", "tone": 2, "step": ""}
    scheduler.says["GET", "/v1/shadow"] = {
        "entity_id": str(entity), "first": "2026-09-01", "last": "2026-09-30", "within": 3, "ours": 10, "theirs": 11,
        "counts": COUNTS, "next": "more",
        "items": [line("same", ours=ours, theirs=theirs, days_later=2), line("theirs_only", theirs=theirs)],
    }  # fmt: skip
    answer = await browser.client.get("/shadow?first=2026-09-01&last=30/09/2026&found=same")
    assert answer.status_code == 200
    page = answer.text
    assert "F-&lt;b&gt;42" in page and "Rappel courtois" in page and "ton 2" in page
    assert "de leur côté seulement" in page and "cursor=more" in page
    [asked] = [each for each in scheduler.asked if each.path == "/v1/shadow"]
    assert asked.params == {
        "entity_id": str(entity), "first": "2026-09-01", "last": "2026-09-30", "found": "same"
    }  # fmt: skip


async def test_a_reminder_leads_to_its_invoice_and_names_the_customer(console: Console, settings: Settings) -> None:
    tenant, _ = await console.tenant()
    history = await lived(settings, tenant, 17, debtors=2, invoices=4)
    item, known = next((item, known) for item, known in history.items.items() if not known["gone"])
    with owners(console, settings) as scheduler:
        theirs = {"on": "2026-09-01", "tone": 2, "step": ""}
        told = line("theirs_only", theirs=theirs, item_id=str(item), number="F-1")
        scheduler.says["GET", "/v1/shadow"] = {
            "entity_id": str(history.entity), "first": "2026-09-01", "last": "2026-09-30", "within": 3, "ours": 0,
            "theirs": 1, "counts": COUNTS, "next": None, "items": [told],
        }  # fmt: skip
        await console.entity(tenant)
        client = await console.sign_in(await console.user(tenant, "manager"))
        page = (await client.get("/shadow")).text
        async with console.room.database.transaction(tenant) as db:
            [of] = (await payments.invoices_of(db, tenant, [item])).values()
        assert f'<a class="who" href="/invoices/{known["invoice"]}">F-1</a>' in page
        assert of["name"] and f'<span class="small">{escape(of["name"])}</span>' in page
        await client.aclose()


async def test_a_refused_period_says_why_and_no_reminders_say_what_to_do(desk: tuple[Browser, Owners, UUID]) -> None:
    browser, scheduler, entity = desk
    scheduler.says["GET", "/v1/shadow"] = refusal(422, "refused", field="last", remedy="Ask for a last day.")
    wrong = await browser.client.get("/shadow?first=2020-01-01&last=2026-09-30")
    assert (wrong.status_code, 'role="alert"' in wrong.text) == (422, True)
    scheduler.says["GET", "/v1/shadow"] = {
        "entity_id": str(entity), "first": "2026-09-01", "last": "2026-09-30", "within": 3, "ours": 0, "theirs": 0,
        "counts": {}, "items": [], "next": None,
    }  # fmt: skip
    assert "Imports, Relances passées" in (await browser.client.get("/shadow")).text
    scheduler.says["GET", "/v1/shadow"] = refusal(503, "unavailable")
    away = await browser.client.get("/shadow")
    assert (away.status_code, "Imports, Relances passées" in away.text) == (200, False)


async def test_only_who_sees_all_customers_sees_the_comparison(
    console: Console, desk: tuple[Browser, Owners, UUID]
) -> None:
    tenant, _ = await console.tenant()
    client = await console.sign_in(await console.user(tenant, "sales_owner"))
    assert (await client.get("/shadow")).status_code == 403
    await client.aclose()
