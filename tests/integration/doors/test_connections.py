"""Slow, endless and huge: what a hostile client does to a real socket leaves the others served."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx

from libs.common.auth import service_token
from libs.common.settings import Settings
from tests.integration.doors.conftest import Running

CHUNK = b"x" * 1_000_000


def bearer(audience: str = "console") -> dict[str, str]:
    token = service_token(
        Settings.from_env({}), audience=audience, tenant=uuid4(), subject="a", roles=["administrator"]
    )
    return {"Authorization": f"Bearer {token}"}


async def knock(port: int, raw: bytes) -> bytes:
    """Send bytes as they are; all that came back until the connection was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close our side, whatever the other did."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def drip(port: int, head: bytes) -> bytes:
    """Send `head`, then a byte every half second (nothing at all without a head); what came until it was cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)

    async def on() -> None:
        while head:
            await asyncio.sleep(0.5)
            writer.write(b"a")
            await writer.drain()

    dripping = asyncio.create_task(on())
    try:
        async with asyncio.timeout(40):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        dripping.cancel()
        await asyncio.gather(dripping, return_exceptions=True)
        await hang_up(writer)


async def test_two_hundred_slow_clients_are_cut_and_the_others_are_served(running: Running) -> None:
    body = b"POST /v1/things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"
    heads = [b"", b"POST /v1/things HTTP/1.1\r\nX-Slow: ", b"GET /", body]
    slow = [asyncio.create_task(drip(running.port, heads[index % 4])) for index in range(200)]
    async with httpx.AsyncClient(trust_env=False) as client:
        while not all(one.done() for one in slow):
            answer = await client.post(running.url + "/v1/things", json={"name": "a"}, headers=bearer())
            assert answer.status_code == 201
            await asyncio.sleep(0.25)
    answers = [one.result() for one in slow]
    assert all(answer == b"" for index, answer in enumerate(answers) if index % 4 != 3)
    assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers[3::4])


async def test_two_hundred_megabytes_in_chunks_are_refused_and_not_kept(running: Running) -> None:
    before = running.memory()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield CHUNK

    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            answer = await client.post(
                running.url + "/v1/things", content=endless(), headers=bearer() | {"Content-Type": "application/json"}
            )
            assert answer.status_code == 413
        except httpx.NetworkError:
            assert True, "cut off while it was still writing: as good an answer"
        assert (await client.get(running.url + "/healthz/live")).status_code == 200
    assert running.memory() - before < 60_000_000


async def test_a_client_that_writes_somewhat_too_much_still_reads_the_refusal(running: Running) -> None:

    async def five() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield CHUNK

    async with httpx.AsyncClient(trust_env=False) as client:
        headers = bearer() | {"Content-Type": "application/json"}
        answer = await client.post(running.url + "/v1/things", content=five(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_declared_size_beyond_the_limit_is_refused_before_the_body(running: Running) -> None:
    answer = await knock(running.port, b"POST /v1/things HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too_large"


async def test_an_endless_head_is_cut(running: Running) -> None:
    assert await knock(running.port, b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 1_000_000) == b""


async def test_what_is_not_http_is_refused(running: Running) -> None:
    for raw in (
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET  / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    ):
        answer = await knock(running.port, raw)
        assert answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 404"))
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(running.url + "/healthz/live")).status_code == 200
