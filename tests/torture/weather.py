"""Bad weather by a seed: what happens to processes, servers and links of one living stack, in a drawn order.

Each fault is a stimulus that lasts some seconds and is over when its coroutine ends; the stack then has to heal.
"""

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import get_args

import asyncpg
import psutil

from libs.common import dead_letters, kafka
from libs.common.db import Database
from libs.common.devstack.parts import answers
from libs.common.events import HEARD
from libs.common.settings import PORTS, SCHEMAS
from tests.support import eventually
from tests.support.living import Living
from tests.torture.links import Link, Mood

ROOT = Path(__file__).parents[2]
Named = tuple[str, Callable[[], Awaitable[object]]]
RECOVERY = 90.0
SILENCE = 15.0
UNREADABLE = b"not an event"
ACTORS = ("scheduler", "notifier", "payment_matching")
"""The services that decide, send and match: a second process of each comes and goes."""
MOODS = tuple(mood for mood in get_args(Mood) if mood != "clear")


@dataclass
class Weather:
    """The faults of one stack, drawn by `dice`, and what was done to it, for whoever reads a violation."""

    stack: Living
    links: Mapping[str, Link]
    dice: Random
    poisoned: bytes
    """The key of a debtor whose events come after an unreadable record."""
    began: float = field(default_factory=time.monotonic)
    timeline: list[str] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)

    def drawn(self) -> tuple[list[Named], list[Named]]:
        """Every fault once over everything that it can strike, in an order of the seed: those to strike while invoices
        come, and those while mails leave. Only then are the links between the services in use."""
        parts = (*PORTS, "postgres", "kafka")
        anywhere: list[Named] = [
            *((f"freeze {part}", partial(self._freeze, part)) for part in parts),
            *((f"restart {part}", partial(self._restart, part)) for part in PORTS),
            *((f"kill {part}", partial(self._kill, part)) for part in ("notifier", "payment_matching")),
            *((f"second {part}", partial(self._second, part)) for part in ACTORS),
            ("backends ended", self._backends_ended),
            ("connections used up", self._crowded),
            ("database read-only", self._read_only),
            ("unreadable records", self._poison),
        ]
        links: list[Named] = [
            (f"{mood} link to {name}", partial(self._link, name, mood)) for name in self.links for mood in MOODS
        ]
        self.dice.shuffle(anywhere)
        half = len(anywhere) // 2
        sending = [*anywhere[half:], *links]
        self.dice.shuffle(sending)
        return anywhere[:half], sending

    async def rage(self, faults: list[Named], at_once: int = 2) -> None:
        """These faults, two at a time, with short pauses."""
        queue = list(faults)

        async def strike() -> None:
            while queue:
                name, fault = queue.pop()
                self._note(f"{name} begins")
                await fault()
                self.fired[name.split()[0]] += 1
                self._note(f"{name} is over")
                await asyncio.sleep(self.dice.random())

        await asyncio.gather(*(strike() for _ in range(at_once)))

    def _note(self, what: str) -> None:
        self.timeline.append(f"{time.monotonic() - self.began:7.1f} s  {what}")

    def _seconds(self, least: float, most: float) -> float:
        return least + self.dice.random() * (most - least)

    # Processes

    async def _process(self, part: str) -> psutil.Process:
        """The process of a part, once it runs."""

        async def found() -> psutil.Process | None:
            with suppress(AssertionError, KeyError, psutil.NoSuchProcess):
                process = self.stack.process(part)
                return process if process.is_running() else None
            return None

        return await eventually(found, RECOVERY)

    async def _freeze(self, part: str) -> None:
        """Stopped with everything it has in hand, for longer than a lease as often as not, and let go on."""
        process = await self._process(part)
        frozen = [process, *process.children(recursive=True)]
        for each in frozen:
            with suppress(psutil.NoSuchProcess):
                each.suspend()
        await asyncio.sleep(self._seconds(1, 7))
        for each in frozen:
            with suppress(psutil.NoSuchProcess):
                each.resume()

    async def _restart(self, part: str) -> None:
        """Told to end, as by a rolling restart; the supervisor starts it again."""
        process = await self._process(part)
        with suppress(psutil.NoSuchProcess):
            process.terminate()
        await self._serves_again(part, process.pid)

    async def _kill(self, part: str) -> None:
        process = await self._process(part)
        with suppress(psutil.NoSuchProcess):
            process.kill()
        await self._serves_again(part, process.pid)

    async def _serves_again(self, part: str, before: int) -> None:
        url = f"http://127.0.0.1:{self.stack.settings.ports[part]}/healthz/ready"

        async def serves() -> bool:
            return (await self._process(part)).pid != before and await asyncio.to_thread(answers, url)

        await eventually(serves, RECOVERY, every=0.3)

    async def _second(self, part: str) -> None:
        """Another process with the same loops joins its groups, works and leaves without a word."""
        env = os.environ | {"RELANCE_STATE": str(self.stack.settings.state), "RELANCE_HOST": "127.0.0.9"}
        argv = [sys.executable, "-m", "libs.common.cli", part, "--only", "work"]
        with (self.stack.settings.state / "logs" / f"second-{part}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, env=env, stdout=log, stderr=log)
        url = f"http://127.0.0.9:{self.stack.settings.ports[part]}/healthz/ready"
        await eventually(lambda: asyncio.to_thread(answers, url), RECOVERY, every=0.3)
        await asyncio.sleep(self._seconds(2, 6))
        process.send_signal(self.dice.choice((signal.SIGTERM, signal.SIGKILL)))
        await process.wait()

    # Links

    async def _link(self, name: str, mood: Mood) -> None:
        """Bad in the midst of a conversation, if there is one within some seconds."""
        link = self.links[name]
        before = link.passed
        with suppress(AssertionError):
            await eventually(lambda: link.passed > before, SILENCE, every=0.01)
            await asyncio.sleep(self.dice.random())
        async with link.turned(mood):
            await asyncio.sleep(self._seconds(1, 4))

    # Servers

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[asyncpg.Connection]:
        """As its administrator, whatever else is wrong with it."""

        async def connected() -> asyncpg.Connection | None:
            with suppress(OSError, asyncpg.PostgresError, TimeoutError):
                return await asyncpg.connect(self.stack.settings.admin_url, timeout=5)
            return None

        found = await eventually(connected, RECOVERY, every=0.3)
        try:
            yield found
        finally:
            found.terminate()

    async def _backends_ended(self) -> None:
        """Every connection of every service is ended by the server, thrice."""
        for _ in range(3):
            async with self._database() as db:
                await db.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where usename like '%\\_api'"
                    " or usename like '%\\_loop'"
                )
            await asyncio.sleep(self._seconds(0.5, 2))

    async def _crowded(self) -> None:
        """Somebody else takes every connection that the server has."""
        password = self.stack.settings.loop_password
        url = self.stack.settings.database_url.replace("//", f"//console_loop:{password}@")
        taken = []
        try:
            while True:
                taken.append(await asyncpg.connect(url, timeout=5))
        except (asyncpg.TooManyConnectionsError, OSError, TimeoutError):
            pass
        async with self._database() as db:
            await db.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'notifier_loop'")
        await asyncio.sleep(self._seconds(2, 4))
        for each in taken:
            each.terminate()

    async def _read_only(self) -> None:
        """As a server that has lost its place to another one: nothing may be written there."""
        for said in ("on", "off"):
            async with self._database() as db:
                await db.execute(f"alter system set default_transaction_read_only = {said}")
                await db.execute("select pg_reload_conf()")
            await asyncio.sleep(self._seconds(2, 4) if said == "on" else 0)

    async def _poison(self) -> None:
        """A record that nobody can read, on every topic, before later events of a debtor."""
        producer = kafka.producer(self.stack.settings)
        await producer.start()
        try:
            for topic in sorted({topic for heard in HEARD.values() for topic in heard}):
                await producer.send_and_wait(topic, value=UNREADABLE, key=self.poisoned)
        finally:
            await producer.stop()

    # Afterwards

    async def letters_dropped(self) -> int:
        """An operator drops the unreadable records that were set aside; answers how many. Anything else may not be
        there."""
        count = 0
        for service in SCHEMAS:
            database = Database(self.stack.settings, service, "loop", pool=1)
            async with database.transaction() as db:
                for letter in await dead_letters.letters(db, states=["open"], limit=100):
                    _, _, body = await dead_letters.letter(db, letter.letter_id)
                    assert body == UNREADABLE, letter
                    await dead_letters.drop(db, letter.letter_id, "operator", "planted")
                    count += 1
            await database.close()
        return count
