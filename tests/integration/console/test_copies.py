"""The link of a mail opens the copies it was made for, to whoever holds it, and nothing else."""

from typing import Any

import httpx

from libs.common.ids import uuid7
from libs.common.settings import Settings
from tests.integration.console.conftest import Console
from tests.integration.console.owners import owners

TOKEN = "1" + "a2" * 32
PDF = b"%PDF-1.7 a copy"


async def test_the_link_of_a_mail_lists_its_copies_and_shows_each_without_signing_in(
    console: Console, settings: Settings
) -> None:
    document, tenant = uuid7(), uuid7()
    told: dict[str, Any] = {
        "tenant_id": str(tenant),
        "language": "en",
        "creditor": "Verrerie <Léman>",
        "copies": [{"document_id": str(document), "number": "FA-2026-0001"}],
    }
    with owners(console, settings) as played:
        played.says["GET", f"/internal/v1/copies/{TOKEN}"] = told
        played.says["GET", f"/internal/v1/documents/{document}"] = httpx.Response(
            200, content=PDF, headers={"content-type": "application/pdf"}
        )
        browser = console.client()
        page = await browser.get(f"/copies/{TOKEN}?language=en")
        assert page.status_code == 200 and "Verrerie &lt;Léman&gt;" in page.text and "Invoice copies" in page.text
        assert "no-store" in page.headers["cache-control"] and "noindex" in page.text
        shown = await browser.get(f"/copies/{TOKEN}/{document}")
        assert (shown.status_code, shown.content, shown.headers["content-type"]) == (200, PDF, "application/pdf")
        assert 'filename="FA-2026-0001.pdf"' in shown.headers["content-disposition"]
        assert (await browser.get(f"/copies/{TOKEN}/{uuid7()}")).status_code == 404
        await browser.aclose()


async def test_a_link_that_nobody_made_opens_nothing(console: Console, settings: Settings) -> None:
    with owners(console, settings):
        browser = console.client()
        for token in (TOKEN, "1", "..%2Fx", "A" * 60):
            assert (await browser.get(f"/copies/{token}")).status_code in (404, 422)
        await browser.aclose()
