"""Requests as bytes over kept-alive connections, and the processes that answer them.

The bytes are made before the clock starts, so that what is measured is the service. Waits are counted from the
instant a request was due, not from when it could be sent.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx

from libs.common.devstack.parts import NICENESS
from libs.common.settings import Settings

CONNECTIONS = 32
Send = Callable[[bytes], Awaitable[int]]


@asynccontextmanager
async def lines_to(url: str, count: int = CONNECTIONS) -> AsyncIterator[asyncio.Queue[Send]]:
    """Kept-alive connections; each sends the bytes of a request and gives the status of its answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    pairs = [await asyncio.open_connection(host, int(port)) for _ in range(count)]
    free: asyncio.Queue[Send] = asyncio.Queue()
    for reader, writer in pairs:
        free.put_nowait(_sender(reader, writer))
    try:
        yield free
    finally:
        for _, writer in pairs:
            writer.close()


def _sender(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Send:
    async def send(told: bytes) -> int:
        writer.write(told)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        return int(head[9:12])

    return send


async def flood(url: str, messages: Sequence[bytes], status: int) -> float:
    """Requests a second over some connections, each waiting for its answer."""
    left = iter(messages)
    async with lines_to(url) as free:

        async def worker(send: Send) -> None:
            for told in left:
                assert await send(told) == status

        began = time.perf_counter()
        await asyncio.gather(*(worker(free.get_nowait()) for _ in range(CONNECTIONS)))
        return len(messages) / (time.perf_counter() - began)


async def paced(
    url: str, messages: Iterable[bytes], pace: int, status: int, answered: Callable[[int], None] | None = None
) -> list[float]:
    """Requests at `pace` a second; the seconds from when each was due to its answer. `answered` hears of each."""
    waits: list[float] = []
    async with lines_to(url) as free:

        async def one(number: int, due: float, told: bytes) -> None:
            send = await free.get()
            assert await send(told) == status
            waits.append(time.perf_counter() - due)
            if answered:
                answered(number)
            free.put_nowait(send)

        started = time.perf_counter() + 0.1
        async with asyncio.TaskGroup() as group:
            for number, told in enumerate(messages):
                due = started + number / pace
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(one(number, due, told))
    return waits


def beside(settings: Settings, service: str) -> Settings:
    """The same stack with ports of its own for one more process of a service."""
    ports = {name: port + 50 for name, port in settings.ports.items()}
    return replace(settings, ports=ports, urls=dict(settings.urls) | {service: f"http://127.0.0.1:{ports[service]}"})


@asynccontextmanager
async def serving(settings: Settings, service: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process that answers on the service's port until the block ends: the service as the stack starts it, or
    what is told."""
    told = {
        "RELANCE_BASE_PORT": str(settings.ports["console"]),
        "RELANCE_STATE": str(settings.state),
        "RELANCE_DATABASE_URL": settings.database_url,
        "RELANCE_KAFKA": settings.kafka,
    }
    nice = ("nice", "-n", str(NICENESS.get(service, 0)))
    command = [*nice, sys.executable, "-m", *(arguments or ("libs.common.cli", service))]
    with (settings.state / f"bench-{service}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **told}, stdout=log, stderr=log)
        try:
            await _answers(settings.urls[service], process)
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _answers(url: str, process: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(300):
            if process.returncode is not None:
                raise RuntimeError(f"the process ended with {process.returncode}")
            try:
                await client.get(f"{url}/healthz/live", timeout=2)
            except httpx.TransportError:
                await asyncio.sleep(0.1)
            else:
                return
    raise TimeoutError(url)
