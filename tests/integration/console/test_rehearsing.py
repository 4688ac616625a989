"""The simulation page with what the scheduler tells: customers, amounts, the next ones, and hostile text."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from libs.common.ids import uuid7
from libs.common.settings import Settings
from tests.integration.console.conftest import Console
from tests.integration.console.owners import Browser, Owners, owners

VERSION = str(uuid7())
OTHER = str(uuid7())
STEP = {"key": "friendly", "kind": "reminder", "tone": 2}
SUMMARY = {
    "notices": 12, "by_step": {"friendly": 12}, "tasks_by_day": {"2026-01-07": 3}, "busiest_day": "2026-01-07",
    "approvals": 4, "paid_already": 1, "disputed": 0, "most_in_30_days": 2,
}  # fmt: skip


def version(identity: str, number: int) -> dict[str, Any]:
    return {"version_id": identity, "name": "standard", "number": number, "state": "active", "author": "ada",
            "policy": {"steps": [STEP]}}  # fmt: skip


def contact(n: int) -> dict[str, Any]:
    return {
        "date": "2026-01-07", "case_id": str(uuid7()), "payer_id": str(uuid7()), "step": "friendly",
        "kind": "reminder", "tone": 2, "channel": "email", "approval": "confirm", "items": [str(uuid7())], "lines": n,
        "asked": [{"amount": "1250.00", "currency": "EUR"}], "paid_already": n == 1, "disputed": False,
        "found": "here",
    }  # fmt: skip


@pytest.fixture
async def desk(console: Console, settings: Settings) -> AsyncIterator[tuple[Browser, Owners]]:
    tenant, _ = await console.tenant()
    with owners(console, settings) as scheduler:
        client = await console.sign_in(await console.user(tenant, "manager"))
        nobody = uuid7()
        scheduler.says["GET", f"/v1/policies/{VERSION}"] = version(VERSION, 1)
        scheduler.says["GET", "/v1/policies"] = {"items": [version(VERSION, 1), version(OTHER, 2)], "next": None}
        yield Browser(client, settings.public_url, nobody, nobody, []), scheduler
        await client.aclose()


async def test_a_simulation_is_shown_with_its_comparison_and_leads_to_the_next_customers(
    desk: tuple[Browser, Owners],
) -> None:
    browser, scheduler = desk
    scheduler.says["POST", f"/v1/policies/{VERSION}/simulations"] = {
        "version_id": VERSION, "mode": "past", "compared_with": "version", "cases": 300, "summary": SUMMARY,
        "other": SUMMARY | {"notices": 9}, "agreement": {"both": 7, "here": 5, "there": 2},
        "contacts": [contact(n) for n in range(1, 231)], "next": "more",
    }  # fmt: skip
    page = (
        await browser.client.get(f"/policies/{VERSION}/simulate?first=2026-01-05&last=2026-01-30&against={OTHER}")
    ).text
    assert "230 contacts" in page and "300 comptes clients" in page
    assert "7 des deux côtés, 5 ici seulement, 2 en face seulement" in page
    assert page.count("1\u00a0250,00\u00a0€") == 200 and "30 autres contacts" in page
    assert "Déjà payés" in page and "cursor=more" in page
    (asked,) = [one for one in scheduler.asked if one.path.endswith("/simulations")]
    assert asked.body == {"first": "2026-01-05", "last": "2026-01-30", "limit": 300, "against": OTHER}
    await browser.client.get(f"/policies/{VERSION}/simulate?first=2026-01-05&last=2026-01-30&cursor=more")
    assert scheduler.asked[-1].body["cursor"] == "more"


async def test_a_finding_is_told_in_the_readers_language_and_as_text(desk: tuple[Browser, Owners]) -> None:
    browser, scheduler = desk
    words = {"told": "<b>trop tôt</b>", "remedy": "Espacez."}
    finding = {"severity": "error", "rule": "gap_too_short", "step": "friendly", "field": "steps[0]", "fr": words,
               "en": {"told": "too soon", "remedy": "Wait."}}  # fmt: skip
    scheduler.says["GET", f"/v1/policies/{VERSION}/findings"] = {"clean": False, "findings": [finding]}
    page = (await browser.client.get(f"/policies/{VERSION}/check")).text
    assert "&lt;b&gt;trop tôt&lt;/b&gt;" in page and "<b>trop" not in page
    assert "pas encore utilisable" in page and "too soon" not in page
