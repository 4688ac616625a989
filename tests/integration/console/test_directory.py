"""The directory's master: changes with their events, secrets shown once, two people for bank details, the audit."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select, text

from libs.common import directory
from libs.common.auth import service_token
from libs.common.directory import INSTALLATION, split_key
from libs.common.directory.tables import directory_source
from libs.common.ids import uuid7
from libs.common.seal import unseal
from libs.common.tables import outbox
from services.console import audit
from tests.integration.console.conftest import NOW, Console

IBAN = "FR76 3000 6000 0112 3456 7890 189"


async def told(console: Console, tenant: UUID) -> list[dict[str, Any]]:
    """The bodies recorded for a tenant, oldest first, with their type."""
    async with console.room.database.transaction(tenant) as db:
        rows = await db.execute(select(outbox.c.headers, outbox.c.body).order_by(outbox.c.seq))
        return [orjson.loads(body) | {"type": orjson.loads(headers)["ce_type"]} for headers, body in rows]


async def raw(console: Console, tenant: UUID) -> str:
    """Everything that the database keeps of a tenant in the tables that could hold a secret."""
    kept = ""
    async with console.room.database.transaction(tenant) as db:
        for table in (
            "outbox",
            "directory_source",
            "directory_api_key",
            "api_key_card",
            "audit",
            "app_user",
            "session",
        ):
            kept += str((await db.execute(text(f"select * from {table}"))).all())
    return kept


async def test_a_tenant_is_made_on_an_empty_installation_with_its_first_administrator(console: Console) -> None:
    tenant, email = await console.tenant("Maison Guichard")
    events = await told(console, tenant)
    assert [(each["type"], each["name"], each["version"]) for each in events] == [
        ("relance.TenantConfigured.v1", "Maison Guichard", 1)
    ]
    browser = await console.sign_in(email)
    assert (await browser.get("/operations")).status_code == 200
    await browser.aclose()


async def test_only_the_installations_administrator_makes_tenants(console: Console) -> None:
    tenant, _ = await console.tenant()
    refused = await console.call("POST", "/tenants", tenant, {"name": "Another"})
    assert refused.status_code == 403


async def test_a_new_entity_is_in_shadow_and_its_change_raises_its_version(console: Console) -> None:
    tenant, _ = await console.tenant()
    entity = await console.entity(tenant)
    facts = {"mode": "live", "run_in": "waived", "phone": "+33 1 02 03 04 05"}
    changed = await console.call("PATCH", f"/entities/{entity}", tenant, facts)
    assert (changed.json()["mode"], changed.json()["run_in"]) == ("live", "waived")
    assert changed.headers["etag"] == '"2"'
    events = [each for each in await told(console, tenant) if each["type"] == "relance.EntityConfigured.v1"]
    assert [(each["mode"], each["version"]) for each in events] == [("shadow", 1), ("live", 2)]
    assert events[0]["directory_version"] < events[1]["directory_version"]


async def test_a_new_entity_goes_live_after_a_full_day_in_shadow(console: Console) -> None:
    tenant, _ = await console.tenant()
    entity = await console.entity(tenant)
    early = await console.call("PATCH", f"/entities/{entity}", tenant, {"mode": "live"})
    assert (early.status_code, early.json()["code"], early.json()["field"]) == (409, "still_in_shadow", "mode")
    console.clock.advance(timedelta(days=1))
    try:
        live = await console.call("PATCH", f"/entities/{entity}", tenant, {"mode": "live"})
        assert (live.json()["mode"], live.json()["run_in"]) == ("live", "required")
        for mode in ("shadow", "live"):
            changed = await console.call("PATCH", f"/entities/{entity}", tenant, {"mode": mode})
            assert changed.json()["mode"] == mode
    finally:
        console.clock.advance(-timedelta(days=1))


async def test_an_edit_made_from_an_old_version_is_refused(console: Console) -> None:
    tenant, _ = await console.tenant()
    entity = await console.entity(tenant)
    async with console.client() as client:
        stale = console.token(tenant) | {"if-match": '"7"'}
        refused = await client.patch(f"/v1/directory/entities/{entity}", json={"mode": "live"}, headers=stale)
    assert refused.status_code == 412


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"currency": "XXQ"}, "currency"),
        ({"country": "ZZ"}, "country"),
        ({"country": "EU"}, "country"),
        ({"siren": "123456789"}, "siren"),
        ({"sender_email": "nobody"}, "sender_email"),
        ({"country": "fr"}, "country"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_an_entity_with_wrong_facts_is_refused_with_its_field(
    console: Console, facts: dict[str, Any], field: str
) -> None:
    tenant, _ = await console.tenant()
    good = {"name": "A", "sender_name": "B", "sender_email": "c@armorea.example"}
    refused = await console.call("POST", "/entities", tenant, good | facts)
    assert refused.status_code == 422
    assert refused.json()["field"] == field


async def test_two_entities_cannot_have_one_name(console: Console) -> None:
    tenant, _ = await console.tenant()
    await console.entity(tenant, "Kerdoncuff")
    facts = {"name": "KERDONCUFF", "sender_name": "B", "sender_email": "c@armorea.example"}
    assert (await console.call("POST", "/entities", tenant, facts)).json()["code"] == "name_taken"


async def test_an_api_key_opens_what_its_scopes_say_and_its_token_is_kept_nowhere(console: Console) -> None:
    tenant, _ = await console.tenant()
    issued = (await console.call("POST", "/api-keys", tenant, {"label": "ERP", "scopes": ["directory:admin"]})).json()
    prefix, secret = split_key(issued["token"]) or ("", "")
    assert issued["token"].startswith("rk_live_")
    async with console.client() as client:
        bearer = {"authorization": f"Bearer {issued['token']}"}
        assert (await client.get("/v1/directory/tenant", headers=bearer)).json()["tenant_id"] == str(tenant)
    assert secret not in await raw(console, tenant)
    assert prefix in await raw(console, tenant)


async def test_a_revoked_key_opens_nothing_and_revoking_twice_is_no_error(console: Console) -> None:
    tenant, _ = await console.tenant()
    issued = (await console.call("POST", "/api-keys", tenant, {"label": "ERP", "scopes": ["directory:admin"]})).json()
    revoked = await console.call("DELETE", f"/api-keys/{issued['key_id']}", tenant)
    assert (revoked.status_code, revoked.json()["laggards"]) == (200, [])
    async with console.client() as client:
        bearer = {"authorization": f"Bearer {issued['token']}"}
        assert (await client.get("/v1/directory/tenant", headers=bearer)).status_code == 401
    assert (await console.call("DELETE", f"/api-keys/{issued['key_id']}", tenant)).status_code == 200
    listed = (await console.call("GET", "/api-keys", tenant)).json()
    assert [(each["label"], each["revoked"]) for each in listed] == [("ERP", True)]


@pytest.mark.parametrize("scopes", [[], ["everything"]])
async def test_a_key_without_a_scope_that_exists_is_refused(console: Console, scopes: list[str]) -> None:
    tenant, _ = await console.tenant()
    refused = await console.call("POST", "/api-keys", tenant, {"label": "ERP", "scopes": scopes})
    assert (refused.status_code, refused.json()["field"]) == (422, "scopes")


async def test_an_expired_key_opens_nothing(console: Console) -> None:
    tenant, _ = await console.tenant()
    wanted = {"label": "ERP", "scopes": ["directory:admin"], "expires_at": "2020-01-01T00:00:00Z"}
    assert (await console.call("POST", "/api-keys", tenant, wanted)).json()["field"] == "expires_at"


async def test_a_sources_secret_is_shown_once_and_travels_sealed(console: Console) -> None:
    tenant, _ = await console.tenant()
    entity = await console.entity(tenant)
    wanted = {"entity_id": str(entity), "slug": "sap", "purpose": "invoices"}
    made = (await console.call("POST", "/sources", tenant, wanted)).json()
    assert made["secret"].startswith("whsec_")
    assert made["path"] == f"/v1/webhooks/invoices/{made['source_id']}"
    assert made["secret"] not in await raw(console, tenant)
    async with console.room.database.transaction() as db:
        known = await directory.source(db, UUID(made["source_id"]))
    assert known is not None
    assert (known.tenant_id, known.entity_id, known.purpose) == (tenant, entity, "invoices")
    assert [unseal(console.settings.seal_keys, each) for each in known.sealed_secrets] == [made["secret"]]


async def test_two_secrets_live_during_a_rotation_and_one_after_it(console: Console) -> None:
    tenant, _ = await console.tenant()
    entity = await console.entity(tenant)
    wanted = {"entity_id": str(entity), "slug": "bank", "purpose": "payments"}
    made = (await console.call("POST", "/sources", tenant, wanted)).json()
    path = f"/sources/{made['source_id']}"
    rotated = [(await console.call("POST", f"{path}/rotate", tenant)).json()["secret"] for _ in range(2)]

    async def live() -> list[str]:
        async with console.room.database.transaction(tenant) as db:
            sealed = await db.scalar(select(directory_source.c.sealed_secrets))
        return [unseal(console.settings.seal_keys, each) for each in sealed]

    assert await live() == [rotated[1], rotated[0]]
    await console.call("POST", f"{path}/retire", tenant)
    assert await live() == [rotated[1]]
    await console.call("PATCH", path, tenant, {"active": False})
    listed = (await console.call("GET", "/sources", tenant)).json()
    assert [(each["slug"], each["secrets"], each["active"]) for each in listed] == [("bank", 1, False)]


async def test_bank_details_need_two_people_and_take_effect_after_72_hours(console: Console) -> None:
    tenant, _ = await console.tenant()
    entity = await console.entity(tenant)
    wanted = {"entity_id": str(entity), "iban": IBAN, "holder": "Armoréa SAS"}
    first, second = f"user:{uuid7()}", f"user:{uuid7()}"
    made = await console.call("POST", "/bank-details", tenant, wanted, subject=first)
    path = f"/bank-details/{made.json()['proposal_id']}/approve"
    assert not [each for each in await told(console, tenant) if "BankDetails" in each["type"]]
    alone = await console.call("POST", path, tenant, subject=first)
    assert alone.json()["code"] == "second_person_needed"
    approved = await console.call("POST", path, tenant, subject=second)
    assert approved.json()["effective_at"] == (NOW + timedelta(hours=72)).isoformat().replace("+00:00", "Z")
    assert (await console.call("POST", path, tenant, subject=second)).json()["code"] == "already_decided"
    async with console.room.database.transaction(tenant) as db:
        known = await directory.bank_details(db, tenant, entity)
    assert [(each.iban, each.effective_at) for each in known] == [(IBAN.replace(" ", ""), NOW + timedelta(hours=72))]


@pytest.mark.parametrize("subject", ["key:0193", "service:scheduler"])
async def test_no_key_and_no_service_decides_about_bank_details(console: Console, subject: str) -> None:
    tenant, _ = await console.tenant()
    entity = await console.entity(tenant)
    wanted = {"entity_id": str(entity), "iban": IBAN, "holder": "Armoréa SAS"}
    assert (await console.call("POST", "/bank-details", tenant, wanted, subject=subject)).status_code == 403


async def test_an_iban_with_wrong_check_digits_is_refused(console: Console) -> None:
    tenant, _ = await console.tenant()
    entity = await console.entity(tenant)
    wanted = {"entity_id": str(entity), "iban": IBAN.replace("76", "77", 1), "holder": "Armoréa SAS"}
    refused = await console.call("POST", "/bank-details", tenant, wanted)
    assert (refused.status_code, refused.json()["field"]) == (422, "iban")


async def test_the_emergency_stop_is_told_and_lifted(console: Console) -> None:
    tenant, email = await console.tenant()
    stopped = await console.call("POST", "/tenant/stop", tenant, {"reason": "wrong amounts"})
    assert (stopped.status_code, stopped.json()["stopped"]) == (200, True)
    browser = await console.sign_in(email)
    banner = "Arrêt d’urgence : rien ne part"
    assert banner in (await browser.get("/operations")).text
    await console.call("POST", "/tenant/resume", tenant, {"reason": "corrected"})
    assert banner not in (await browser.get("/operations")).text
    states = [each["stopped"] for each in await told(console, tenant) if "Tenant" in each["type"]]
    assert states == [False, True, False]
    await browser.aclose()


async def test_the_last_administrator_cannot_be_closed(console: Console) -> None:
    tenant, _ = await console.tenant()
    user = (await console.call("GET", "/users", tenant)).json()[0]["user_id"]
    refused = await console.call("PATCH", f"/users/{user}", tenant, {"active": False})
    assert refused.status_code == 422
    assert "administrator" in refused.json()["remedy"]


@pytest.mark.parametrize("password", ["short", "a" * 30, "person@armorea.example"])
async def test_a_weak_password_is_refused(console: Console, password: str) -> None:
    tenant, _ = await console.tenant()
    facts = {"email": "person@armorea.example", "name": "P", "roles": ["auditor"], "password": password}
    assert (await console.call("POST", "/users", tenant, facts)).json()["code"] == "password_too_weak"


async def test_one_address_has_one_account_in_the_whole_installation(console: Console) -> None:
    _, email = await console.tenant()
    other, _ = await console.tenant()
    facts = {"email": email.upper(), "name": "P", "roles": ["auditor"]}
    assert (await console.call("POST", "/users", other, facts)).json()["code"] == "name_taken"


async def test_every_change_is_a_line_of_a_chain_that_shows_any_tampering(console: Console) -> None:
    tenant, _ = await console.tenant()
    entity = await console.entity(tenant)
    await console.call("PATCH", f"/entities/{entity}", tenant, {"mode": "live", "run_in": "waived"})
    lines = (await console.call("GET", "/audit", tenant)).json()
    assert [each["action"] for each in reversed(lines)] == [
        "tenant.created",
        "user.added",
        "entity.created",
        "entity.changed",
    ]
    waived = {"from": "required", "to": "waived"}
    assert lines[0]["facts"] == {"mode": {"from": "shadow", "to": "live"}, "run_in": waived}
    verdict = (await console.call("GET", "/audit/verify", tenant)).json()
    head = (await console.call("GET", "/audit/head", tenant)).json()
    assert (verdict["whole"], verdict["entries"], verdict["head"]) == (True, 4, head["hash"])


async def test_a_line_altered_behind_our_back_breaks_the_chain(console: Console, postgres: Any) -> None:
    tenant, _ = await console.tenant()
    await console.entity(tenant)
    postgres.query(f"update console.audit set actor = 'nobody' where seq = 2 and tenant_id = '{tenant}'")
    async with console.room.database.transaction(tenant) as db:
        verdict = await audit.verify(db, tenant)
    assert (verdict.whole, verdict.broken_at) == (False, 2)


async def test_no_role_of_the_service_can_alter_the_audit(console: Console, postgres: Any) -> None:
    for role in ("console_api", "console_loop"):
        for right in ("update", "delete", "truncate"):
            assert postgres.query(f"select has_table_privilege('{role}', 'console.audit', '{right}')").strip() == "f"


async def test_an_answer_with_a_secret_is_not_kept_for_a_repeated_request(console: Console) -> None:
    tenant, _ = await console.tenant()
    async with console.client() as client:
        headers = console.token(tenant) | {"idempotency-key": str(uuid7())}
        wanted = {"label": "ERP", "scopes": ["invoices:read"]}
        issued = (await client.post("/v1/directory/api-keys", json=wanted, headers=headers)).json()
    async with console.room.database.transaction(tenant) as db:
        kept = str((await db.execute(text("select convert_from(answer, 'UTF8') from idempotency_key"))).all())
    assert issued["token"] not in kept


SCOPED = [
    ("GET", "/tenant"),
    ("GET", "/entities"),
    ("GET", "/users"),
    ("GET", "/api-keys"),
    ("GET", "/sources"),
    ("GET", "/bank-details"),
    ("GET", "/audit"),
    ("POST", "/tenant/stop"),
    ("POST", "/entities"),
    ("POST", "/users"),
    ("POST", "/api-keys"),
    ("POST", "/sources"),
    ("POST", "/bank-details"),
]


@pytest.mark.parametrize("role", ["collector", "sales_owner", "treasurer", "manager", "auditor", ""])
async def test_only_administrators_reach_the_directory(console: Console, role: str) -> None:
    tenant, _ = await console.tenant()
    shown = service_token(
        console.settings, audience="console", tenant=tenant, subject="user:1", roles=[role] if role else []
    )
    async with console.client() as client:
        for method, path in SCOPED:
            headers = {"authorization": f"Bearer {shown}"}
            answer = await client.request(method, f"/v1/directory{path}", json={}, headers=headers)
            assert answer.status_code == 403, (role, method, path)


async def test_without_credentials_every_route_of_the_directory_answers_the_same_401(console: Console) -> None:
    async with console.client() as client:
        bodies = set()
        for method, path in SCOPED:
            for authorization in ("", "Bearer nonsense", "Bearer rk_live_aaaaaaaa_" + "A" * 43, "Basic eA=="):
                answer = await client.request(
                    method, f"/v1/directory{path}", json={}, headers={"authorization": authorization}
                )
                assert answer.status_code == 401
                bodies.add(answer.text)
    assert len(bodies) == 1


async def test_one_tenant_never_reaches_the_entries_of_another(console: Console) -> None:
    mine, _ = await console.tenant()
    theirs, _ = await console.tenant()
    entity = await console.entity(theirs)
    key = (await console.call("POST", "/api-keys", theirs, {"label": "X", "scopes": ["invoices:read"]})).json()
    tries = [
        ("GET", f"/entities/{entity}", None),
        ("PATCH", f"/entities/{entity}", {"mode": "live"}),
        ("DELETE", f"/api-keys/{key['key_id']}", None),
        ("POST", "/sources", {"entity_id": str(entity), "slug": "x", "purpose": "invoices"}),
    ]
    for method, path, body in tries:
        answer = await console.call(method, path, mine, body)
        assert answer.status_code == 404, (method, path, answer.text)
    assert (await console.call("GET", "/api-keys", mine)).json() == []
    assert INSTALLATION not in (mine, theirs)
