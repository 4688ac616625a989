"""Answers: problems without our insides, headers on everything, a document that tells all of it."""

from uuid import UUID

import httpx
import pytest

from libs.common.db import Database
from libs.common.http import etag, make_app
from libs.common.ids import uuid7
from libs.common.settings import Settings
from tests.unit.doors.conftest import World


async def test_an_error_of_ours_shows_nothing_of_our_insides(world: World) -> None:
    answer = await world.client.get("/v1/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"]


async def test_a_database_that_is_away_is_503_and_safe_to_repeat(world: World) -> None:
    answer = await world.client.get("/v1/away")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("PATCH", "/v1/broken", 405),
        ("GET", "/v1/things/no-id", 422),
        ("GET", "/healthz/live", 200),
    ],
)
async def test_every_answer_carries_the_guarding_headers(world: World, method: str, path: str, status: int) -> None:
    answer = await world.client.request(method, path, headers=world.bearer("auditor"))
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_wrong_method_is_told_the_right_ones(world: World) -> None:
    answer = await world.client.request("DELETE", "/v1/things")
    assert (answer.status_code, answer.json()["code"], answer.headers["allow"]) == (405, "method_not_allowed", "POST")


async def test_a_request_id_is_echoed_if_it_is_harmless_and_made_if_not(world: World) -> None:
    kept = await world.client.get("/healthz/live", headers={"X-Request-Id": "order-1234567"})
    made = await world.client.get("/healthz/live", headers={"X-Request-Id": 'x" injected'})
    assert kept.headers["x-request-id"] == "order-1234567"
    assert UUID(made.headers["x-request-id"])


async def test_a_service_without_its_database_is_alive_and_not_ready(world: World) -> None:
    assert (await world.client.get("/healthz/live")).status_code == 200
    ready = await world.client.get("/healthz/ready")
    assert (ready.status_code, "schema" in ready.json()["troubles"]) == (503, True)


async def test_metrics_count_by_route_template(world: World) -> None:
    await world.client.get(f"/v1/things/{uuid7()}", headers=world.bearer("auditor"))
    text = (await world.client.get("/metrics")).text
    assert 'route="/v1/things/{thing_id}"' in text


async def test_a_traceparent_that_is_malformed_is_not_followed(world: World) -> None:
    answer = await world.client.get("/healthz/live", headers={"traceparent": "00-zz-zz-00"})
    assert answer.status_code == 200


def test_the_document_tells_proofs_refusals_and_the_key(world: World) -> None:
    operation = world.app.openapi()["paths"]["/v1/things"]["post"]
    assert set(operation["responses"]) >= {"201", "401", "403", "409", "413", "415", "422", "429", "503"}
    assert operation["security"] == [{"bearer": []}]
    assert operation["x-scopes"] == ["invoices:write"]
    assert [parameter["name"] for parameter in operation["parameters"]] == ["Idempotency-Key"]
    assert "HTTPValidationError" not in world.app.openapi()["components"]["schemas"]


async def test_production_shows_no_document_and_demands_https() -> None:
    base = {"RELANCE_ENVIRONMENT": "production", "RELANCE_SEAL_KEYS": "k:" + "A" * 43 + "=", "RELANCE_KAFKA": "k:1"}
    secrets = {f"RELANCE_{name}": "x" for name in ("API_PASSWORD", "LOOP_PASSWORD", "SERVICE_SECRET")}
    settings = Settings.from_env(base | secrets | {"RELANCE_DATABASE_URL": "postgresql://127.0.0.1:1/none"})
    database = Database(settings, "console", "api")
    app = make_app(settings, "console", title="P", routers=[], state=None, database=database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door") as client:
        answers = [await client.get(path) for path in ("/docs", "/openapi.json", "/redoc")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert answers[0].headers["strict-transport-security"]


def test_an_etag_is_quoted() -> None:
    assert etag(3) == '"3"'
