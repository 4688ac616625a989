"""Service tokens: only what we signed, for us, now."""

import base64
import hashlib
import hmac
import json
import time

import pytest

from libs.common.auth import ROLES, SCOPES, Quota, opened_token, service_token
from libs.common.errors import QuotaExceeded, Unauthenticated
from libs.common.ids import uuid7
from libs.common.settings import Settings
from tests.unit.doors.conftest import World

SETTINGS = Settings.from_env({})
TENANT = uuid7()
NOW = time.time()


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged(
    header: dict[str, object], key: bytes = SETTINGS.service_secret, digest: str = "sha256", **changed: object
) -> str:
    claims: dict[str, object] = {"aud": "console", "ten": str(TENANT), "sub": "x", "roles": [], "iat": int(NOW)}
    claims |= {"exp": int(NOW) + 60} | changed
    claims = {name: value for name, value in claims.items() if value is not None}
    signed = f"{part(header)}.{part(claims)}"
    mac = hmac.digest(key, signed.encode(), digest)
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def ours(**changed: object) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    _, body, _ = forged({}, **changed).split(".")
    mac = hmac.digest(SETTINGS.service_secret, f"{header}.{body}".encode(), hashlib.sha256)
    return f"{header}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def test_a_token_tells_its_tenant_subject_and_what_its_roles_may_do() -> None:
    token = service_token(SETTINGS, audience="console", tenant=TENANT, subject="anna", roles=["auditor"])
    caller = opened_token(SETTINGS, token, audience="console")
    assert (caller.tenant_id, caller.subject, caller.service) == (TENANT, "anna", None)
    assert caller.scopes == ROLES["auditor"]


def test_a_service_that_speaks_for_itself_has_no_scopes() -> None:
    token = service_token(SETTINGS, audience="console", tenant=TENANT, subject="service:notifier")
    caller = opened_token(SETTINGS, token, audience="console")
    assert (caller.service, caller.scopes) == ("notifier", frozenset())


def test_the_reference_forgery_is_right_before_it_is_made_wrong() -> None:
    assert opened_token(SETTINGS, ours(), audience="console", now=NOW).tenant_id == TENANT


WRONG = {
    "alg none": forged({"alg": "none", "typ": "JWT"}),
    "alg none without signature": forged({"alg": "none"}).rpartition(".")[0] + ".",
    "another algorithm": forged({"alg": "HS512", "typ": "JWT"}, digest="sha512"),
    "another key": forged({"alg": "HS256", "typ": "JWT"}, key=b"guessed"),
    "another audience": ours(aud="scheduler"),
    "no audience": ours(aud=None),
    "expired": ours(iat=int(NOW) - 120, exp=int(NOW) - 60),
    "lives too long": ours(exp=int(NOW) + 3_600),
    "from the future": ours(iat=int(NOW) + 600, exp=int(NOW) + 660),
    "no expiry": ours(exp=None),
    "expiry is text": ours(exp="never"),
    "no tenant": ours(ten=None),
    "tenant is no id": ours(ten="all"),
    "tenant is a list": ours(ten=[str(TENANT)]),
    "roles are a number": ours(roles=7),
    "empty": "",
    "one part": "abc",
    "two parts": "abc.def",
    "dots": "...",
    "not base64": "é.é.é",
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_token_that_is_not_ours_for_us_now_opens_nothing(kind: str) -> None:
    with pytest.raises(Unauthenticated):
        opened_token(SETTINGS, WRONG[kind], audience="console", now=NOW)


def test_a_token_ends_after_sixty_seconds() -> None:
    token = ours()
    assert opened_token(SETTINGS, token, audience="console", now=int(NOW) + 59)
    with pytest.raises(Unauthenticated):
        opened_token(SETTINGS, token, audience="console", now=int(NOW) + 60)


async def test_a_scope_that_is_missing_is_forbidden_not_unauthenticated(world: World) -> None:
    answer = await world.client.post("/v1/things", json={"name": "a"}, headers=world.bearer("auditor"))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer rk_live_x_y", "Bearer rk_", "Bearer a b"]
)
async def test_every_failed_proof_is_the_same_401(world: World, shown: str) -> None:
    answer = await world.client.get(f"/v1/things/{world.tenant}", headers={"Authorization": shown} if shown else {})
    plain = await world.client.get(f"/v1/things/{world.tenant}", headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, answer.content) == (401, plain.content)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_internal_routes_know_the_calling_service(world: World) -> None:
    answer = await world.client.post("/internal/v1/things", headers=world.bearer(subject="service:notifier"))
    assert answer.json() == {"service": "notifier"}


async def test_internal_routes_take_no_api_key(world: World) -> None:
    key = "rk_live_abcdefgh_" + "x" * 43
    answer = await world.client.post("/internal/v1/things", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 401


def test_a_tenant_beyond_its_quota_waits_and_others_do_not() -> None:
    quota = Quota(rate=1, burst=2)
    quota.take(TENANT)
    quota.take(TENANT)
    with pytest.raises(QuotaExceeded) as refused:
        quota.take(TENANT)
    assert refused.value.facts["retry_after"] == 1
    quota.take(uuid7())


async def test_a_used_up_quota_is_429_with_retry_after(world: World) -> None:
    world.app.state.doorkeeper.quota = Quota(rate=0.1, burst=1)
    path = f"/v1/things/{world.tenant}"
    await world.client.get(path, headers=world.bearer("auditor"))
    answer = await world.client.get(path, headers=world.bearer("auditor"))
    assert (answer.status_code, answer.json()["code"]) == (429, "quota_exceeded")
    assert int(answer.headers["retry-after"]) >= 1


def test_every_role_has_only_scopes_that_exist() -> None:
    assert frozenset().union(*ROLES.values()) <= SCOPES
