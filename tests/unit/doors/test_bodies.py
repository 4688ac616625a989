"""Bodies: a corpus of nasty ones, none of which may end in anything but a refusal with a reason."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.http import MalformedBody, read_json
from tests.unit.doors.conftest import World

GOOD = {"name": "a", "parts": [{"text": "b", "amount": {"amount": "1.00", "currency": "EUR"}}]}


def thing(**changed: object) -> bytes:
    return json.dumps(GOOD | changed).encode()


def amount(value: str) -> bytes:
    return b'{"name":"a","parts":[{"text":"b","amount":{"amount":' + value.encode() + b',"currency":"EUR"}}]}'


NOT_JSON = [
    b"",
    b" ",
    b"\x00",
    b"{",
    b"}",
    b"[",
    b"[]]",
    b'{"name":"a"',
    b'{"name":"a"}}',
    b'{"name":"a"} {"name":"b"}',
    b'{"name":}',
    b'{"name" "a"}',
    b"{'name':'a'}",
    b'{name:"a"}',
    b'{"name":"a",}',
    b'{"name":undefined}',
    b'{"name":"a"}//',
    b"\xff\xfe{\x00",
    b'\xef\xbb\xbf{"name":"a"}',
    '{"name":"é"}'.encode("latin-1"),
    b'{"name":"\xed\xa0\x80"}',
    b'{"name":"\xc0\x80"}',
    b'{"name":"\xf5\x80\x80\x80"}',
    b'{"name":"a\nb"}',
    b'{"name":"a\x00b"}',
    b'{"name":"\\x41"}',
    b'{"name":"\\u00"}',
    b'{"name":"a","count":NaN}',
    b'{"name":"a","count":Infinity}',
    b'{"name":"a","count":-Infinity}',
    b'{"name":"a","count":01}',
    b'{"name":"a","count":+1}',
    b'{"name":"a","count":.5}',
    b'{"name":"a","count":0x10}',
    b'{"name":"a","count":' + b"9" * 5_000 + b"}",
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b'{"name":"a","name":"b"}',
    b'{"name":"a","free":{"x":1,"x":2}}',
    b'{"name":"a","parts":[{"text":"a","text":"b"}]}',
    b'{"name":"a","n\\u0061me":"b"}',
    b'{"name":"\\u0000"}',
    b'{"name":"a\\u0000b"}',
    b'{"name":"\\u0001"}',
    b'{"name":"\\u001f"}',
    b'{"name":"\\u007f"}',
    b'{"name":"\\b"}',
    b'{"name":"\\ud800"}',
    b'{"name":"\\udc00"}',
    b'{"name":"\\udc00\\ud800"}',
    b'{"free":{"\\u0000":1},"name":"a"}',
    b'{"free":{"x":["\\u0000"]},"name":"a"}',
    b'{"name":"a","free":' + b'{"a":' * 60 + b"1" + b"}" * 60 + b"}",
    b'{"name":"a","free":{"x":' + b"[" * 60 + b"]" * 60 + b"}}",
]
UNFIT = [
    b"null",
    b"true",
    b"1",
    b'"text"',
    b"[]",
    b"{}",
    b'{"name":null}',
    b'{"name":1}',
    b'{"name":["a"]}',
    b'{"name":{"a":1}}',
    b'{"name":""}',
    b'{"name":"   "}',
    b'{"name":"a\\nb"}',
    b'{"name":"a\\r\\nBcc: b"}',
    b'{"name":"a\\u2028b"}',
    thing(name="x" * 301),
    thing(note="x" * 5_001),
    thing(extra=1),
    thing(parts=[{"text": "b", "amount": GOOD["parts"], "x": 1}]),
    thing(parts={}),
    thing(count="many"),
    thing(count=1.5),
    b'{"name":"a","count":1e400}',
    b'{"name":"a","count":-1e-400.5}',
    amount('"1E+999999"'),
    amount('"1e2"'),
    amount('"1_000.00"'),
    amount('"١٢"'),
    amount('"1.005"'),
    amount('"-"'),
    amount('" 1.00"'),
    amount('"1,00"'),
    amount('"NaN"'),
    amount('"Infinity"'),
    amount('"' + "9" * 40 + '"'),
    amount("1.00"),
    amount("100"),
    amount("null"),
    amount('{"amount":"1"}'),
    b'{"name":"a","parts":[{"text":"b","amount":{"amount":"1.00","currency":"XXX"}}]}',
    b'{"name":"a","parts":[{"text":"b","amount":{"amount":"1.00","currency":"EUR","x":1}}]}',
]


@pytest.mark.parametrize("body", [*NOT_JSON, *UNFIT])
async def test_a_nasty_body_is_refused_with_a_reason(world: World, body: bytes) -> None:
    headers = world.bearer("administrator") | {"Content-Type": "application/json"}
    answer = await world.client.post("/v1/things", content=body, headers=headers)
    told = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["status"] == 422
    assert told["detail"]


async def test_the_body_that_they_are_made_from_is_taken(world: World) -> None:
    answer = await world.client.post("/v1/things", content=thing(), headers=world.bearer("administrator") | JSON)
    assert answer.status_code == 201


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (thing(extra=1), "extra"),
        (b'{"name":"a","parts":[{"text":"b"}]}', "parts.0.amount"),
        (b'{"name":"a","parts":[{"text":"b","x":1,"amount":{"amount":"1","currency":"EUR"}}]}', "parts.0.x"),
        (b'{"name":"a","free":{"x":["\\u0000"]}}', "free.x.0"),
        (b'{"name":"a","name":"b"}', "name"),
    ],
)
async def test_a_refusal_names_the_path_of_the_field(world: World, body: bytes, field: str) -> None:
    answer = await world.client.post("/v1/things", content=body, headers=world.bearer("administrator") | JSON)
    assert answer.json()["field"] == field


def test_a_text_that_only_talks_about_a_control_character_is_taken() -> None:
    assert read_json(b'{"a":"\\\\u0000 \\u00e9 \\ud83d\\ude00 \\n\\t"}') == {"a": "\\u0000 é 😀 \n\t"}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('abcé\n\t\\"'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.booleans())
def test_what_is_json_is_read_as_json(value: object, ascii_only: bool) -> None:
    assert read_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        read_json(raw)
    except MalformedBody as refused:
        assert refused.detail


async def test_a_body_beyond_the_limit_is_413(world: World) -> None:
    answer = await world.client.post(
        "/v1/things", content=b" " * 2_000_001, headers=world.bearer("administrator") | JSON
    )
    assert (answer.status_code, answer.json()["most"]) == (413, 2_000_000)


async def test_a_compressed_body_is_415(world: World) -> None:
    headers = world.bearer("administrator") | JSON | {"Content-Encoding": "gzip"}
    answer = await world.client.post("/v1/things", content=b"x", headers=headers)
    assert answer.status_code == 415


@pytest.mark.parametrize("path", ["/v1/things/%00", "/v1/things/a%0ab", "/v1/things/%7f"])
async def test_a_path_with_control_characters_leads_nowhere(world: World, path: str) -> None:
    assert (await world.client.get(path, headers=world.bearer("auditor"))).status_code == 404


async def test_a_query_with_control_characters_is_refused(world: World) -> None:
    answer = await world.client.get(f"/v1/things/{world.tenant}?q=%00", headers=world.bearer("auditor"))
    assert answer.status_code == 422
