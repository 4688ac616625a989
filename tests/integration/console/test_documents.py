"""The invoice as it was received: shown to who may see it, as what it is, under headers that let nothing in it run."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.settings import Settings
from services.console.tables import read_model as model
from tests.integration.console.conftest import Console
from tests.integration.console.history import History, played
from tests.integration.console.owners import owners
from tests.integration.console.test_read_model import hear

PDF = b"%PDF-1.7 a copy"
XML = b'<?xml version="1.0"?><x xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></x>'
DOCUMENT = uuid7()


@pytest.fixture(scope="module")
async def history(console: Console, settings: Settings) -> History:
    tenant, _ = await console.tenant()
    told = played(tenant, 31, debtors=3, invoices=20)
    loops = Database(settings, "console", "loop")
    await hear(loops, told.events, 200)
    async with loops.transaction() as db:
        mine = (model.invoice.c.tenant_id == tenant, model.invoice.c.invoice_id == one(told))
        await db.execute(update(model.invoice).where(*mine).values(document_id=DOCUMENT, number='F/2026 "1"\r\nX: y'))
    await loops.close()
    return told


def one(history: History) -> UUID:
    found: UUID = next(iter(history.invoices))
    return found


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ((PDF, "application/pdf"), ("application/pdf", "F-2026-1-X-y.pdf")),
        ((XML, "application/xml"), ("text/plain; charset=utf-8", "F-2026-1-X-y.xml")),
        ((XML, "text/html"), ("text/plain; charset=utf-8", "F-2026-1-X-y.xml")),
    ],
)
async def test_a_document_is_shown_as_what_it_is_and_nothing_in_it_runs(
    console: Console, settings: Settings, history: History, sent: tuple[bytes, str], told: tuple[str, str]
) -> None:
    (content, media), (shown_as, name) = sent, told
    with owners(console, settings) as played_owners:
        played_owners.says["GET", f"/internal/v1/documents/{DOCUMENT}"] = httpx.Response(
            200, content=content, headers={"content-type": media}
        )
        browser = await console.sign_in(await console.user(history.tenant, "auditor"))
        shown = await browser.get(f"/invoices/{one(history)}/document")
        assert (shown.status_code, shown.content) == (200, content)
        assert shown.headers["content-type"] == shown_as
        assert shown.headers["content-disposition"] == f'inline; filename="{name}"'
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert "script-src" not in shown.headers["content-security-policy"]
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert shown.headers["x-frame-options"] == "DENY"
        assert "no-store" in shown.headers["cache-control"]
        page = await browser.get(f"/invoices/{one(history)}")
        assert f'href="/invoices/{one(history)}/document"' in page.text
        await browser.aclose()


async def test_a_document_of_nobody_of_another_tenant_or_of_no_invoice_is_not_there(
    console: Console, settings: Settings, history: History
) -> None:
    other, _ = await console.tenant()
    with owners(console, settings) as played_owners:
        stranger = await console.sign_in(await console.user(other, "manager"))
        owner = await console.sign_in(await console.user(history.tenant, "sales_owner"))
        manager = await console.sign_in(await console.user(history.tenant, "manager"))
        without = list(history.invoices)[1]
        for browser, invoice in (
            (stranger, one(history)),
            (owner, one(history)),
            (manager, uuid7()),
            (manager, without),
        ):
            assert (await browser.get(f"/invoices/{invoice}/document")).status_code == 404
        assert played_owners.asked == []
        assert (await manager.get(f"/invoices/{one(history)}/document")).status_code == 404, (
            "its owner does not have it"
        )
        for browser in (stranger, owner, manager):
            await browser.aclose()
