"""Starting the small service in a process of its own, and ending it whatever happens."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from tests.support import eventually
from tests.support.stack import free_base


@dataclass
class Running:
    """The small service as a process."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tell(self, told: signal.Signals) -> None:
        self.process.send_signal(told)

    async def kill(self) -> None:
        """End it now, if it has not ended."""
        if self.process.returncode is None:
            self.tell(signal.SIGKILL)
        await self.process.communicate()

    async def ended(self) -> tuple[int, str, str]:
        """Exit code, what it said and what it logged."""
        async with asyncio.timeout(30):
            said, logged = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, said.decode(), logged.decode()

    async def serving(self) -> None:
        """Wait until it answers."""

        async def alive() -> bool:
            assert self.process.returncode is None
            try:
                async with httpx.AsyncClient(trust_env=False) as client:
                    return (await client.get(self.url + "/healthz/live")).status_code == 200
            except httpx.HTTPError:
                return False

        await eventually(alive)

    def memory(self) -> int:
        """Resident bytes now."""
        text = Path(f"/proc/{self.process.pid}/statm").read_text()
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def begin(kind: str, port: int | None = None) -> Running:
    """Start the small service with a kind of loop, on a port of its own or on this one."""
    base = port or free_base()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.integration.doors.small_service", kind),
        env=os.environ | {"RELANCE_BASE_PORT": str(base)},
        cwd=Path(__file__).parents[3],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return Running(process, base)


class Start(Protocol):
    """Starts the small service and sees to its end."""

    async def __call__(self, kind: str, port: int | None = None) -> Running: ...


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start the small service with a kind of loop; every one that was started is ended."""
    started: list[Running] = []

    async def kept(kind: str, port: int | None = None) -> Running:
        started.append(await begin(kind, port))
        return started[-1]

    yield kept
    for running in started:
        await running.kill()


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[Running]:
    """One small service that several tests knock at."""
    it = await begin("turning")
    await it.serving()
    yield it
    await it.kill()
