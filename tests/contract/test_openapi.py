"""The documents and the services say the same: schemathesis sends what the documents allow and what they do not,
and sees no 5xx and no answer that is not written down."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.specs.openapi import checks as openapi_checks

from libs.common.http.merging import PathTwice, merged
from libs.common.webhooks import sign
from tests.contract.serving import SECRET, SERVICES, World
from tests.contract.walking import Seen, operations

PUBLISHED = Path(__file__).parents[2] / "docs" / "openapi.json"
SETTINGS = settings(
    max_examples=int(os.environ.get("RELANCE_CONTRACT_EXAMPLES", "8")),
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ALL_UP_TO, ONE_IN = 40, 12
"""Large bodies have a thousand boundaries: the first so many are sent, of the others one in so many."""
CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
]


@schemathesis.serializer("message/rfc822")
def as_it_is(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A mail is sent as the bytes it is."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.fixture(scope="session")
def seen() -> Seen:
    """Ids that the services told during the walk."""
    return Seen()


@pytest.fixture(scope="session")
def http() -> Iterator[requests.Session]:
    """A client that keeps its connections."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


def documents(world: World) -> dict[str, dict[str, Any]]:
    return {service: world.document(service) for service in SERVICES}


def test_one_document_holds_all_services_and_no_path_twice(world: World) -> None:
    whole = merged(documents(world))
    paths = [path for one in documents(world).values() for path in one["paths"] if not path.startswith("/internal/")]
    assert sorted(whole["paths"]) == sorted(paths)


def test_two_services_on_one_path_are_refused() -> None:
    one = {"paths": {"/v1/x": {"get": {"operationId": "x"}}}, "components": {"schemas": {}}}
    with pytest.raises(PathTwice):
        merged({"console": one, "scheduler": one})


def test_the_published_document_is_current(world: World) -> None:
    whole = json.dumps(merged(documents(world)), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get("RELANCE_WRITE_OPENAPI"):
        PUBLISHED.write_text(whole, "utf-8")
    assert PUBLISHED.read_text("utf-8") == whole, "write it again with RELANCE_WRITE_OPENAPI=1"


def test_every_operation_is_guarded_or_signed(world: World) -> None:
    open_doors = [it.name for it in operations(documents(world)) if "security" not in it.told]
    assert [name for name in open_doors if "/v1/" in name or "/internal/" in name] == []


def test_every_operation_says_what_it_is_for(world: World) -> None:
    assert [it.name for it in operations(documents(world)) if not it.told.get("summary")] == []


def _signed(case: schemathesis.Case, prepared: requests.PreparedRequest) -> None:
    body = prepared.body or b""
    raw = body.encode() if isinstance(body, str) else bytes(body)
    stamp = int(time.time())
    prepared.headers["webhook-id"] = f"msg_{stamp}_{abs(hash(raw))}"
    prepared.headers["webhook-timestamp"] = str(stamp)
    prepared.headers["webhook-signature"] = sign(SECRET, prepared.headers["webhook-id"], stamp, raw)


def _send(world: World, seen: Seen, service: str, case: schemathesis.Case, http: requests.Session) -> None:
    mine = {"entity_id": str(world.mine.entity_id), "tenant_id": str(world.mine.tenant_id)}
    signed = case.path.startswith("/v1/webhooks/")
    if signed and case.path_parameters:
        case.path_parameters["source"] = str(world.mine.sources[case.path.split("/")[3]])
    elif case.path_parameters:
        for name in case.path_parameters:
            case.path_parameters[name] = mine.get(name) or seen.one(name) or case.path_parameters[name]
    if isinstance(case.body, dict | list):
        case.body = seen.into(case.body, mine)
    if isinstance(case.query, dict):
        case.query = seen.into(dict(case.query), mine)
    told = {} if signed else {"Authorization": world.mine.bearer(world.settings, service)}
    request = requests.Request(**case.as_transport_kwargs(base_url=world.settings.urls[service], headers=told))
    prepared = http.prepare_request(request)
    if signed:
        _signed(case, prepared)
    answer = http.send(prepared, timeout=30, allow_redirects=False)
    if answer.content and answer.headers.get("content-type", "").startswith("application/json"):
        seen.harvest(answer.json())
    case.validate_response(schemathesis.Response.from_requests(answer, verify=False), checks=CHECKS)


def _walk(operation: schemathesis.APIOperation, send: Callable[[schemathesis.Case], None]) -> None:
    """Every example, every boundary of the document and some more at random, right and wrong ones."""
    config = HypothesisTestConfig(
        project=operation.schema.config, modes=list(HypothesisTestMode), settings=SETTINGS, explicit_settings=SETTINGS
    )
    create_test(operation=operation, test_func=send, config=config)()


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_answers_as_its_document_says(
    world: World, seen: Seen, http: requests.Session, service: str
) -> None:
    found: dict[str, str] = {}

    sent: Counter[str] = Counter()

    def send(case: schemathesis.Case) -> None:
        sent[case.operation.label] += 1
        if sent[case.operation.label] > ALL_UP_TO and sent[case.operation.label] % ONE_IN:
            return
        try:
            _send(world, seen, service, case, http)
        except FailureGroup as failures:
            for failure in failures.exceptions:
                told = f"{case.method} {case.path}: {type(failure).__name__}"
                found.setdefault(told, f"{failure}\n{case.as_curl_command()}")

    for offered in schemathesis.openapi.from_dict(world.document(service)).get_all_operations():
        _walk(offered.ok(), send)
    assert not found, "\n\n".join(f"{told}\n{text}" for told, text in found.items())
