"""The charges sheet of an invoice: its sums, the rows behind them, what was claimed, and what cannot be."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from libs.common.ids import uuid7
from libs.common.settings import Settings
from tests.integration.console.conftest import Console
from tests.integration.console.history import History
from tests.integration.console.owners import Browser, Owners, owners, refusal
from tests.integration.console.street import lived

Desk = tuple[Browser, Owners, UUID, list[UUID]]


def euros(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def account(**facts: Any) -> dict[str, Any]:
    claim = {"charge_id": str(uuid7()), "kind": "lump_sum", "state": "quoted", "first_day": "2026-07-02",
             "last_day": "2026-07-02", "amount": euros("40.00"), "invoice_number": None}  # fmt: skip
    return {
        "until": "2026-10-01", "regime": "fr", "basis": {"fr": "Code de commerce, L441-10", "en": "Commercial code"},
        "not_claimable": None, "provisional": True, "interest": euros("37.81"), "interest_to_claim": euros("37.81"),
        "lump_sum": euros("40.00"), "lump_sum_to_claim": euros("0.00"), "claims": [claim],
    } | facts  # fmt: skip


PROOF = {
    "rows": [{"first": "2026-07-02", "last": "2026-09-30", "days": 91, "balance": euros("1500.00"), "percent": "10.15",
              "interest": "37.9589", "formula": "1500 × 10.15 % × 91 / 365", "sources": ["BCE <2026>"]}],
    "exact": "37.9589", "interest": euros("37.96"), "remarks": {"fr": ["Taux non publié."], "en": ["Not published."]},
}  # fmt: skip
BARE = PROOF | {"rows": [], "remarks": {}}


@pytest.fixture(scope="module")
async def history(console: Console, settings: Settings) -> History:
    tenant, _ = await console.tenant()
    return await lived(settings, tenant, 7, debtors=3, invoices=20)


@pytest.fixture
async def desk(console: Console, settings: Settings, history: History) -> AsyncIterator[Desk]:
    with owners(console, settings) as scheduler:
        client = await console.sign_in(await console.user(history.tenant, "manager"))
        item, known = next((item, known) for item, known in history.items.items() if not known["gone"])
        mine = [one for one, each in history.items.items() if each["invoice"] == known["invoice"] and not each["gone"]]
        assert item in mine
        for one in mine:
            scheduler.says["GET", f"/v1/items/{one}/charges"] = account()
            scheduler.says["GET", f"/v1/items/{one}/charges/proof"] = PROOF
        yield Browser(client, settings.public_url, uuid7(), uuid7(), []), scheduler, known["invoice"], mine
        await client.aclose()


async def test_every_row_stands_with_its_rate_and_source_and_what_was_claimed(desk: Desk) -> None:
    browser, _, invoice, items = desk
    assert f'href="/invoices/{invoice}/charges"' in (await browser.client.get(f"/invoices/{invoice}")).text
    page = (await browser.client.get(f"/invoices/{invoice}/charges?until=2026-10-01")).text
    for told in ("1500 × 10.15 % × 91 / 365", "BCE &lt;2026&gt;", "provisoire", "annoncé",
                 "Code de commerce, L441-10", "Taux non publié.", "arrondi une fois : 37,96\u00a0€"):  # fmt: skip
        assert page.count(told) == len(items), told
    assert "<2026>" not in page and page.count("37,81\u00a0€") == 2 * len(items), "borne, and all of it to claim"


async def test_what_bears_nothing_says_why_and_a_scheduler_that_is_away_is_told(desk: Desk) -> None:
    browser, scheduler, invoice, items = desk
    for one in items:
        scheduler.says["GET", f"/v1/items/{one}/charges"] = account(not_claimable="factored", claims=[], basis={})
        scheduler.says["GET", f"/v1/items/{one}/charges/proof"] = BARE
    page = (await browser.client.get(f"/invoices/{invoice}/charges")).text
    assert "Un affactureur l’encaisse." in page and "Aucun intérêt" in page
    scheduler.says["GET", f"/v1/items/{items[0]}/charges"] = refusal(503, "unavailable")
    away = await browser.client.get(f"/invoices/{invoice}/charges")
    assert away.status_code == 200 and "ne répond pas" in away.text
    scheduler.says["GET", f"/v1/items/{items[0]}/charges"] = refusal(404, "not_found")
    early = await browser.client.get(f"/invoices/{invoice}/charges")
    assert early.status_code == 200 and "ne connaît pas encore" in early.text
    assert (await browser.client.get(f"/invoices/{uuid7()}/charges")).status_code == 404
