"""A process of ours is whole or gone, and goes in order."""

import asyncio
import signal
import socket

import httpx
import pytest

from tests.integration.doors.conftest import Start
from tests.support import eventually


@pytest.mark.parametrize(
    ("kind", "said"),
    [("dying", "loop died, ending the process"), ("leaving", "loop ended by itself, ending the process")],
)
async def test_a_loop_that_ends_ends_the_process_and_says_which(start: Start, kind: str, said: str) -> None:
    code, facts, logged = await (await start(kind)).ended()
    assert code != 0
    assert said in logged
    assert f'"loop":"{kind}"' in logged
    assert "pool closed" in facts


@pytest.mark.parametrize("kind", ["stuck", "blocking"])
async def test_a_loop_that_makes_no_turn_ends_the_process_and_says_which(start: Start, kind: str) -> None:
    code, _, logged = await (await start(kind)).ended()
    assert code == 70
    assert "loop is stuck, ending the process" in logged
    assert f'"loop":"{kind}"' in logged


async def test_sigterm_lets_answers_and_batches_finish_before_the_pools_close(start: Start) -> None:
    running = await start("turning")
    await running.serving()
    async with httpx.AsyncClient(trust_env=False) as client:
        waiting = asyncio.create_task(client.get(running.url + "/v1/slow", timeout=10))
        assert running.process.stdout is not None
        assert await running.process.stdout.readline() == b"slow begun\n"
        running.tell(signal.SIGTERM)
        assert (await waiting).status_code == 200
    code, facts, logged = await running.ended()
    assert facts.splitlines() == ["slow answered", "batch finished", "batch finished", "pool closed"]
    assert code == 0
    assert '"event":"ended"' in logged


async def test_after_sigterm_nobody_new_is_let_in(start: Start) -> None:
    running = await start("turning")
    await running.serving()
    async with httpx.AsyncClient(trust_env=False) as client:
        waiting = asyncio.create_task(client.get(running.url + "/v1/slow", timeout=10))
        assert running.process.stdout is not None
        await running.process.stdout.readline()
        running.tell(signal.SIGTERM)

        def refused() -> bool:
            with socket.socket() as knock:
                return knock.connect_ex(("127.0.0.1", running.port)) != 0

        await eventually(refused)
        assert not waiting.done()
        assert (await waiting).status_code == 200
    assert (await running.ended())[0] == 0


async def test_a_port_in_use_is_one_clear_line(start: Start) -> None:
    first = await start("turning")
    await first.serving()
    code, _, logged = await (await start("turning", first.port)).ended()
    assert code != 0
    assert "The doors could not be opened" in logged
