"""Signed webhooks: nothing gets in without a right signature, and nothing makes the door fall over."""

import base64
import time

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.common.webhooks import TOLERANCE_SECONDS, Shown, genuine, secret_bytes, sign
from tests.unit.doors.conftest import SECRETS, World

OLD, NEW = SECRETS
KEYS = [secret_bytes(secret) for secret in SECRETS]
BODY = b'{"number": "F-1"}'
AT = 1_790_000_000


def shown(body: bytes = BODY, at: int = AT, secret: str = OLD, name: str = "msg_1") -> Shown:
    return Shown(name, str(at), sign(secret, name, at, body))


def test_a_message_signed_with_either_live_secret_is_genuine() -> None:
    assert genuine(KEYS, shown(secret=OLD), BODY, AT)
    assert genuine(KEYS, shown(secret=NEW), BODY, AT)


def test_a_secret_that_was_taken_away_signs_no_more() -> None:
    assert not genuine(KEYS[1:], shown(secret=OLD), BODY, AT)


def test_one_right_signature_among_others_is_enough() -> None:
    right = shown()
    several = f"v1,AAAA v1a,BBBB {right.signatures} v2,CCCC"
    assert genuine(KEYS[:1], Shown(right.webhook_id, right.stamp, several), BODY, AT)


@pytest.mark.parametrize(("drift", "taken"), [(-301, False), (-299, True), (0, True), (299, True), (301, False)])
def test_a_message_is_taken_within_five_minutes_of_its_time(drift: int, taken: bool) -> None:
    assert TOLERANCE_SECONDS == 300
    assert genuine(KEYS[:1], shown(), BODY, AT + drift) is taken


TAMPERED = {
    "another body": (shown(), BODY + b" "),
    "another id": (Shown("msg_2", str(AT), shown().signatures), BODY),
    "another time": (Shown("msg_1", str(AT + 1), shown().signatures), BODY),
    "no id": (Shown(None, str(AT), shown().signatures), BODY),
    "no time": (Shown("msg_1", None, shown().signatures), BODY),
    "no signature": (Shown("msg_1", str(AT), None), BODY),
    "empty signature": (Shown("msg_1", str(AT), ""), BODY),
    "no comma": (Shown("msg_1", str(AT), "v1"), BODY),
    "two commas": (Shown("msg_1", str(AT), "v1,," + (shown().signatures or "")[3:]), BODY),
    "bad base64": (Shown("msg_1", str(AT), "v1,***"), BODY),
    "not ascii": (Shown("msg_1", str(AT), "v1,é€\udce9"), BODY),
    "another version": (Shown("msg_1", str(AT), "v1a," + (shown().signatures or "")[3:]), BODY),
    "capital version": (Shown("msg_1", str(AT), "V1," + (shown().signatures or "")[3:]), BODY),
    "time with sign": (Shown("msg_1", f"+{AT}", shown().signatures), BODY),
    "time with point": (Shown("msg_1", f"{AT}.0", shown().signatures), BODY),
    "time in other digits": (Shown("msg_1", "١٧٩٠٠٠٠٠٠٠", shown().signatures), BODY),
    "time not a number": (Shown("msg_1", "nan", shown().signatures), BODY),
    "time beyond all": (Shown("msg_1", "9" * 400, shown().signatures), BODY),
    "id with space": (Shown("msg 1", str(AT), shown(name="msg 1").signatures), BODY),
    "endless header": (Shown("msg_1", str(AT), "v1,AAAA " * 5_000 + (shown().signatures or "")), BODY),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_a_message_that_was_tampered_with_is_not_genuine(kind: str) -> None:
    headers, body = TAMPERED[kind]
    assert not genuine(KEYS, headers, body, AT)


async def post(world: World, body: bytes, headers: dict[str, bytes]) -> httpx.Response:
    path = f"/v1/webhooks/invoices/{world.source}"
    return await world.client.post(path, content=body, headers=list(headers.items()))


def told(at: int, body: bytes = BODY, secret: str = OLD) -> dict[str, bytes]:
    return {
        "webhook-id": b"msg_1",
        "webhook-timestamp": str(at).encode(),
        "webhook-signature": sign(secret, "msg_1", at, body).encode(),
    }


async def test_a_signed_webhook_is_heard_for_the_tenant_of_its_source(world: World) -> None:
    answer = await post(world, BODY, told(int(time.time())))
    assert answer.status_code == 200
    assert answer.json() == {"tenant": str(world.tenant), "id": "msg_1"}


async def test_every_refusal_has_the_same_answer(world: World) -> None:
    now = int(time.time())
    wrong = [
        {},
        told(now - 1_000),
        told(now, b"other"),
        told(now, secret="whsec_" + base64.b64encode(b"x" * 24).decode()),
        told(now) | {"webhook-signature": b"v1"},
        told(now) | {"webhook-timestamp": b"\xff"},
    ]
    answers = [await post(world, BODY, headers) for headers in wrong]
    answers.append(await world.client.post(f"/v1/webhooks/invoices/{world.tenant}", content=BODY, headers=told(now)))
    answers.append(await world.client.post("/v1/webhooks/invoices/nothing", content=BODY, headers=told(now)))
    assert [answer.status_code for answer in answers[:-2]] == [401] * len(wrong)
    assert answers[-1].status_code == 401
    assert len({answer.content for answer in answers if answer.status_code == 401}) == 1


async def test_a_header_that_stands_twice_is_refused(world: World) -> None:
    headers = [*told(int(time.time())).items(), ("webhook-id", b"msg_1")]
    answer = await world.client.post(f"/v1/webhooks/invoices/{world.source}", content=BODY, headers=headers)
    assert answer.status_code == 401


async def test_a_source_made_for_something_else_is_refused(world: World) -> None:
    kept = world.app.state.doorkeeper.sources.kept
    until, known = kept[world.source]
    kept[world.source] = (
        until,
        type(known)(known.tenant_id, known.source_id, known.entity_id, "payments", known.sealed_secrets, True),
    )
    assert (await post(world, BODY, told(int(time.time())))).status_code == 401


async def test_an_inactive_source_is_refused(world: World) -> None:
    kept = world.app.state.doorkeeper.sources.kept
    until, known = kept[world.source]
    kept[world.source] = (
        until,
        type(known)(known.tenant_id, known.source_id, known.entity_id, "invoices", known.sealed_secrets, False),
    )
    assert (await post(world, BODY, told(int(time.time())))).status_code == 401


async def test_a_right_signature_over_something_that_is_not_json_is_a_refusal_with_a_reason(world: World) -> None:
    body = b'{"number": NaN}'
    answer = await post(world, body, told(int(time.time()), body))
    assert answer.status_code == 422
    assert answer.json()["code"] == "malformed_body"


header_bytes = st.binary(max_size=60).map(lambda raw: bytes(byte for byte in raw if byte not in b"\r\n\0"))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.one_of(st.binary(max_size=200), st.just(BODY)),
    headers=st.fixed_dictionaries(
        {},
        optional={
            "webhook-id": st.one_of(header_bytes, st.just(b"msg_1")),
            "webhook-timestamp": st.one_of(header_bytes, st.integers().map(lambda n: str(n).encode())),
            "webhook-signature": st.one_of(
                header_bytes,
                header_bytes.map(lambda raw: b"v1," + base64.b64encode(raw)),
                st.lists(header_bytes).map(lambda parts: b" ".join(b"v1," + part for part in parts)),
            ),
            "content-type": st.sampled_from([b"application/json", b"text/plain", b"\xff", b"multipart/form-data"]),
        },
    ),
)
async def test_no_headers_and_body_get_in_without_a_signature_or_break_the_door(
    world: World, body: bytes, headers: dict[str, bytes]
) -> None:
    answer = await post(world, body, headers)
    assert answer.status_code == 401
