"""Integrations, users and the audit as pages: secrets once, reasons of refusals, who did what when."""

import html
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import any_, literal, select, text

from libs.common import directory
from libs.common.db import Database
from libs.common.webhooks import sign
from services.console.pages.deeds import named
from services.console.tables import app_user, session
from tests.integration.console.street import Resident, Street, street  # noqa: F401 - the fixture itself
from tests.integration.console.test_excel import table
from tests.integration.invoice_ingest.office import invoice
from tests.support import eventually


@dataclass
class Firm:
    """A tenant with one entity, its administrator and its auditor."""

    street: Street
    tenant: UUID
    administrator: Resident
    auditor: Resident

    async def secret(self, path: str, fields: dict[str, object], at: str = "/integrations") -> str:
        """What a page shows once."""
        answer = await self.administrator.send(path, fields, at=at)
        assert answer.status_code == 200, answer.text[-2_000:]
        assert answer.headers["cache-control"] == "no-store"
        found = re.search(r'id="secret"[^>]*value="([^"]+)"', answer.text)
        assert found is not None
        return html.unescape(found[1])


@pytest.fixture
async def firm(street: Street) -> AsyncIterator[Firm]:  # noqa: F811
    tenant, _ = await street.console.tenant()
    await street.console.entity(tenant)
    administrator, auditor = await street.person(tenant, "administrator"), await street.person(tenant, "auditor")
    await street.spread(tenant)
    yield Firm(street, tenant, administrator, auditor)
    await administrator.client.aclose()
    await auditor.client.aclose()


async def test_a_key_is_shown_once_opens_what_it_may_and_ends_when_revoked(firm: Firm) -> None:
    token = await firm.secret(
        "/integrations/keys", {"label": "ERP Sage", "scope": ["invoices:read"], "kind": "live", "expires_on": ""}
    )
    assert token.startswith("rk_live_")
    page = await firm.administrator.page("/integrations")
    assert token not in page
    assert "ERP Sage" in page
    await firm.street.spread(firm.tenant)
    door = firm.street.console.room.peers.client
    url = f"{firm.street.settings.urls['invoice_ingest']}/v1/invoices"
    assert (await door.get(url, headers={"Authorization": f"Bearer {token}"})).status_code == 200
    revoke = re.search(r'action="(/integrations/keys/[^"]+/revoke)"', page)
    assert revoke is not None
    assert (await firm.administrator.send(revoke[1], {}, at="/integrations")).status_code == 303
    page = await firm.administrator.page("/integrations")
    assert "révoquée partout" in page
    assert "/revoke" not in page


async def test_a_key_without_rights_or_with_a_past_end_is_refused(firm: Firm) -> None:
    none = await firm.administrator.send("/integrations/keys", {"label": "x", "kind": "live"}, at="/integrations")
    past = {"label": "x", "kind": "live", "scope": "invoices:read", "expires_on": "2020-01-01"}
    assert none.status_code == 422
    assert (await firm.administrator.send("/integrations/keys", past, at="/integrations")).status_code == 422


async def _post(firm: Firm, source: str, secret: str, body: bytes, *, at: int | None = None) -> httpx.Response:
    stamp, name = at or int(time.time()), f"msg_{uuid4().hex}"
    headers = {
        "webhook-id": name,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(secret, name, stamp, body),
    }
    url = f"{firm.street.settings.urls['invoice_ingest']}/v1/webhooks/invoices/{source}"
    return await firm.street.console.room.peers.client.post(url, content=body, headers=headers)


async def _source(firm: Firm) -> str:
    async with firm.street.databases["console"].transaction() as db:
        (found,) = await directory.sources(db, firm.tenant)
    return str(found.source_id)


async def test_a_source_signs_with_both_secrets_while_it_changes_and_its_refusals_say_why(firm: Firm) -> None:
    first = await firm.secret("/integrations/sources", {"slug": "sage", "purpose": "invoices", "label": "ERP"})
    await firm.street.spread(firm.tenant)
    source = await _source(firm)
    body = json.dumps(invoice()).encode()
    assert (await _post(firm, source, first, body)).status_code == 201
    second = await firm.secret(f"/integrations/sources/{source}/rotate", {})
    assert second not in await firm.administrator.page("/integrations")
    await firm.street.forget("invoice_ingest")
    await firm.street.spread(firm.tenant)
    assert (await _post(firm, source, first, body)).status_code == 200
    assert (await _post(firm, source, second, body)).status_code == 200
    assert (await firm.administrator.send(f"/integrations/sources/{source}/retire", {}, at="/integrations")).is_redirect
    await firm.street.spread(firm.tenant)
    await firm.street.forget("invoice_ingest")
    assert (await _post(firm, source, first, body)).status_code == 401
    assert (await _post(firm, source, second, b"{}")).status_code == 422

    async def told() -> bool:
        page = await firm.administrator.page("/integrations?refused=yes")
        return "aucun secret actif" in page and "Un champ manque" in page

    await eventually(told)
    assert ">pris<" not in await firm.administrator.page("/integrations?refused=yes")
    assert "Refusés seulement</option>" in (page := await firm.administrator.page("/integrations"))
    assert 'value="yes" selected' not in page
    _, lines = table(await firm.administrator.client.get(f"/integrations/webhooks.xlsx?source={source}"))
    assert {line["Résultat"] for line in lines} == {"pris", "refusé"}
    assert {line["Source"] for line in lines} == {"sage"}


async def test_a_silent_service_is_named_and_the_page_still_opens(firm: Firm) -> None:
    doors = firm.street.doors
    kept = doors.doors.pop(firm.street.settings.urls["payment_matching"])
    page = await firm.administrator.page("/integrations")
    doors.doors[firm.street.settings.urls["payment_matching"]] = kept
    assert "Paiements et lettrage ne répond pas" in page


async def test_a_person_is_added_signs_in_changes_role_and_is_closed(firm: Firm) -> None:
    email = f"nadia.{uuid4().hex}@armorea.example"
    new = {"email": email, "name": "Nadia Ferrand", "language": "fr", "role": ["collector"], "portfolio": "Nadia"}
    password = await firm.secret("/users", new, at="/users")
    browser = await firm.street.console.sign_in(email, password)
    assert (await browser.get("/customers")).status_code == 200
    async with firm.street.databases["console"].transaction() as db:
        user = await db.scalar(select(app_user.c.user_id).where(app_user.c.email == email))
    changed = {"name": "Nadia Ferrand", "role": ["collector", "treasurer"], "portfolio": ""}
    assert (await firm.administrator.send(f"/users/{user}", changed, at="/users")).is_redirect
    assert (await browser.get("/customers")).status_code == 303, "its sessions end with its roles"
    another = await firm.secret(f"/users/{user}/password", {}, at="/users")
    assert another != password
    assert (await firm.administrator.send(f"/users/{user}/close", {}, at="/users")).is_redirect
    page = await firm.administrator.page("/users")
    assert "fermé" in page
    async with firm.street.databases["console"].transaction() as db:
        assert (await db.execute(select(session).where(session.c.user_id == user))).first() is None
    await browser.aclose()


async def test_the_last_administrator_stays_and_a_role_that_is_none_is_refused(firm: Firm) -> None:
    table_ = app_user.c
    async with firm.street.databases["console"].transaction() as db:
        asked = select(table_.user_id).where(
            table_.tenant_id == firm.tenant, literal("administrator") == any_(table_.roles)
        )
        administrators = list(await db.scalars(asked.order_by(table_.last_login_at.nulls_first())))
    answers = [await firm.administrator.send(f"/users/{user}/close", {}, at="/users") for user in administrators]
    assert [answer.status_code for answer in answers] == [303, 422]
    new = {"email": "a@b.example", "name": "A", "language": "fr", "role": "wizard"}
    assert (await firm.administrator.send("/users", new, at="/users")).status_code == 422


async def test_the_audit_tells_who_did_what_and_that_the_chain_is_whole(firm: Firm) -> None:
    await firm.secret("/integrations/keys", {"label": "<b>ERP</b>", "scope": ["invoices:read"], "kind": "test"})
    text_of = {"subject": "Merci", "body": "Merci de votre règlement."}
    assert (await firm.administrator.send("/templates/thanks/fr", text_of, at="/templates/thanks/fr")).is_redirect
    page = await firm.auditor.page("/audit?verify=yes")
    assert "Clé créée" in page
    assert "Modèle enregistré" in page
    assert "La chaîne est entière" in page
    assert "<b>ERP</b>" not in page
    assert "Merci de votre" not in page
    only = await firm.auditor.page("/audit?kind=api_key&since=2026-11-23&until=2026-11-23")
    assert "Clé créée" in only
    assert "Modèle enregistré" not in only
    assert "Aucun acte" in await firm.auditor.page("/audit?until=2020-01-01")
    _, lines = table(await firm.auditor.client.get("/audit.xlsx?kind=template"))
    assert [line["Quoi"] for line in lines] == ["Modèle enregistré"]
    assert (await firm.auditor.client.get("/integrations")).status_code == 403
    assert (await firm.auditor.client.get("/users")).status_code == 403


async def test_a_deed_that_was_altered_breaks_the_chain_where_it_stands(firm: Firm) -> None:
    owner = Database(firm.street.settings, "console", "owner")
    async with owner.transaction() as db:
        altering = text("update audit set actor = 'user:nobody' where tenant_id = :tenant and seq = 2")
        await db.execute(altering.bindparams(tenant=firm.tenant))
    await owner.close()
    assert "rompue à l’acte 2" in await firm.auditor.page("/audit?verify=yes")


@pytest.mark.parametrize(
    ("method", "path", "answer", "expected"),
    [
        ("POST", "/v1/holds", {"hold_id": "h"}, ("holds", "hold", "h")),
        ("POST", f"/v1/holds/{UUID(int=1)}/lift", None, ("holds.lift", "hold", str(UUID(int=1)))),
        ("POST", "/v1/notices/approve", {"approved": []}, ("notices.approve", "notice", "")),
        ("PATCH", f"/v1/notices/{UUID(int=2)}", {}, ("notices.change", "notice", str(UUID(int=2)))),
        (
            "DELETE",
            f"/v1/payments/{UUID(int=3)}/allocations/{UUID(int=4)}",
            None,
            ("payments.allocations.remove", "payment", str(UUID(int=3))),
        ),
        ("POST", "/v1/policies", {"version_id": "v"}, ("policies", "policy", "v")),
        ("POST", "/v1/templates/firm/fr/versions", {}, ("templates.versions", "template", "firm/fr")),
    ],
)
def test_a_command_is_named_by_its_path(method: str, path: str, answer: object, expected: tuple[str, str, str]) -> None:
    assert named(method, path, answer) == expected
