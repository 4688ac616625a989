"""Stored markup: what others write is shown as text on every page, in every free-text field, and nothing of it runs.

Session fixation, forms from elsewhere and open redirects are in test_signing_in; guessed ids in test_pages,
test_acting, test_imports and test_documents for tenants, and in test_roles for roles.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import insert, select, update

from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.settings import Settings
from services.console.store import kept
from services.console.tables import note
from services.console.tables import read_model as model
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.history import History, played
from tests.integration.console.owners import Owners, owners
from tests.integration.console.test_read_model import hear

EVIL = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>{{7*7}}"
FORMS = ("<img src=x", "<script>alert", "onerror=alert(1)>\"'>", "49")
"""What of it must stand on no page as it is."""


@dataclass
class Hostile:
    """A tenant in which every text that others may write is markup."""

    history: History
    browser: httpx.AsyncClient
    others: Owners

    @property
    def debtor(self) -> UUID:
        return next(iter(self.history.invoices.values()))["debtor"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
async def hostile(console: Console, settings: Settings) -> AsyncIterator[Hostile]:
    tenant, email = await console.tenant()
    history = played(tenant, 77, debtors=3, invoices=30)
    loops = Database(settings, "console", "loop")
    await hear(loops, history.events, 100)
    await _written(loops, tenant, history)
    await loops.close()
    with owners(console, settings) as others:
        browser = await console.sign_in(email)
        yield Hostile(history, browser, others)
        await browser.aclose()


async def _written(loops: Database, tenant: UUID, history: History) -> None:
    """Names, numbers, references, contacts, collectors, notes: all of them markup."""
    debtor, invoice = model.debtor, model.invoice
    texts = dict.fromkeys(("name", "external_id", "collector", "sales_owner", "phone", "siren"), EVIL)
    contact = {"name": EVIL, "email": EVIL, "phone": EVIL, "roles": []}
    async with loops.transaction() as db:
        await db.execute(update(debtor).where(debtor.c.tenant_id == tenant).values(**texts, contacts=[contact]))
        numbers = dict.fromkeys(("number", "order_number", "payment_reference"), EVIL)
        await db.execute(update(invoice).where(invoice.c.tenant_id == tenant).values(**numbers))
        for identity in set(await db.scalars(select(debtor.c.debtor_id).where(debtor.c.tenant_id == tenant))):
            facts: dict[str, Any] = {"user_id": uuid7(), "author": EVIL, "at": datetime(2026, 11, 1, tzinfo=UTC)}
            made = {"tenant_id": tenant, "note_id": uuid7(), "debtor_id": identity, "text": EVIL, "pinned": True}
            await db.execute(insert(note).values(**made, **facts))
        await kept.settle(db, tenant, NOW.date(), sales=True)


def harmless(page: httpx.Response) -> str:
    """The page, on which the text stands escaped and in no other form."""
    assert page.status_code == 200, page.text[-2_000:]
    for each in FORMS[:3]:
        assert each not in page.text
    assert "img-src 'self' data:" in page.headers["content-security-policy"]
    assert "script-src 'self'" in page.headers["content-security-policy"]
    return page.text


SHOWN = "&lt;script&gt;alert(2)&lt;/script&gt;{{7*7}}"


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/?tab=blocked", "/?tab=promises", "/customers", "/customers?q=<script>", "/invoices", "/aged-balance"),
        *("/aged-balance/items", "/promises", "/disputes", "/holds", "/search?q=<img", "/operations"),
    ],
)
async def test_a_debtors_name_and_an_invoices_number_are_text_on_every_list(hostile: Hostile, path: str) -> None:
    assert SHOWN in harmless(await hostile.browser.get(path))


async def test_names_contacts_references_and_notes_are_text_on_a_customers_file(hostile: Hostile) -> None:
    page = harmless(await hostile.browser.get(f"/customers/{hostile.debtor}"))
    assert page.count(SHOWN) >= 8


async def test_an_invoices_references_are_text_on_its_page(hostile: Hostile) -> None:
    page = harmless(await hostile.browser.get(f"/invoices/{next(iter(hostile.history.invoices))}"))
    assert SHOWN in page


async def test_a_remittance_and_a_payers_name_are_text_on_the_workbench(hostile: Hostile) -> None:
    told = {"payer_name": EVIL, "payer_iban": EVIL, "remittance": EVIL, "allocations": []}

    def looked_up(one: Any) -> dict[str, Any]:
        return {"payments": dict.fromkeys(one.body["payments"], told), "suggestions": {}}

    hostile.others.says["POST", "/internal/v1/lookups"] = looked_up
    page = harmless(await hostile.browser.get("/payments?state=all"))
    assert SHOWN in page
    del hostile.others.says["POST", "/internal/v1/lookups"]


async def test_a_mails_subject_text_and_note_are_text_in_the_queue(hostile: Hostile) -> None:
    notice = {
        "id": str(uuid7()),
        "version": 4,
        "kind": "reminder",
        "approval": "confirm",
        "first_approver": None,
        "edited_by": None,
        "channel": "email",
        "subject": EVIL,
        "text": EVIL,
        "html": f"<p>{EVIL}</p>",
        "note": EVIL,
        "sums": [{"amount": "120.50", "currency": "EUR"}],
        "lines": [{}],
        "deliveries": [{"recipient": EVIL}],
    }
    hostile.others.says["GET", "/v1/notices/*"] = notice
    page = harmless(await hostile.browser.get("/"))
    assert page.count(SHOWN) >= 3
    del hostile.others.says["GET", "/v1/notices/*"]


async def test_who_asked_for_a_hold_and_why_are_text(hostile: Hostile) -> None:
    def looked_up(one: Any) -> dict[str, Any]:
        return {kind: {each: {"author": EVIL, "reason": EVIL} for each in ids} for kind, ids in one.body.items()}

    hostile.others.says["POST", "/internal/v1/lookups"] = looked_up
    for path in ("/holds?state=lifted", "/promises?state=all", "/disputes"):
        harmless(await hostile.browser.get(path))
    del hostile.others.says["POST", "/internal/v1/lookups"]


async def test_what_an_owner_answers_as_a_refusal_is_text(hostile: Hostile) -> None:
    answer = httpx.Response(409, json={"code": EVIL, "title": EVIL, "detail": EVIL, "remedy": EVIL, "status": 409})
    hostile.others.says["GET", "/v1/plans"] = answer
    page = await hostile.browser.get("/plans")
    assert page.status_code == 409
    for each in FORMS[:3]:
        assert each not in page.text
    del hostile.others.says["GET", "/v1/plans"]
