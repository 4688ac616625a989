"""Links that can be bad: a relay of bytes between a client and a server on this machine, with moods.

Instants and bytes are those of the wire: what a mood holds back or loses never arrives later.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Mood = Literal["clear", "slow", "hole", "reset", "deaf"]
"""slow: every piece 0.3 s late. hole: nothing passes. reset: cut at once. deaf: requests pass, answers are lost."""
LATE = 0.3
PIECE = 65_536


@dataclass
class Link:
    """Listens on a port of its own and passes everything on to `port_behind`; `delay` is what it always takes."""

    host: str = "127.0.0.1"
    port_behind: int = 0
    delay: float = 0.0
    port: int = 0
    mood: Mood = "clear"
    passed: int = 0
    """Pieces that arrived."""
    lost: int = 0
    """Pieces that never arrived, and connections that were cut."""
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> "Link":
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._cut()

    @asynccontextmanager
    async def turned(self, mood: Mood) -> AsyncIterator[None]:
        """Of this mood for a while; connections that lost something are cut at its end, as a link that comes back
        finds them."""
        self.mood = mood
        if mood == "reset":
            self._cut()
        yield
        if mood != "slow":
            self._cut()
        self.mood = "clear"

    def _cut(self) -> None:
        self.lost += len(self._open)
        for each in self._open:
            each.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mood == "reset":
            self.lost += 1
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.port_behind)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, back}
        self._open |= ends
        await asyncio.gather(self._pass(reader, back, answers=False), self._pass(there, writer, answers=True))
        self._open -= ends

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        with suppress(OSError):
            while piece := await reader.read(PIECE):
                if self.mood == "hole" or (self.mood == "deaf" and answers):
                    self.lost += 1
                    continue
                await asyncio.sleep(self.delay + (LATE if self.mood == "slow" else 0))
                self.passed += 1
                writer.write(piece)
                await writer.drain()
        writer.close()
