"""Connections: uvicorn reads request heads without a time or size limit; this protocol has both.

A client that opens a connection and says nothing, or drips its head, is cut after ten seconds.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
HEAD_MOST = 65_536


class TimedProtocol(HttpToolsProtocol):
    """HTTP/1.1 with a limit on how long, and how much, a request's head may take."""

    _cutting: asyncio.TimerHandle | None = None
    _head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_head()

    def data_received(self, data: bytes) -> None:
        if self._cutting is None and self._idle():
            self._begin_head()
        if self._cutting is not None:
            self._head += len(data)
        super().data_received(data)
        if self._cutting is not None and self._head > HEAD_MOST:
            self._cut()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def _idle(self) -> bool:
        cycle: Any = self.cycle
        return cycle is None or cycle.response_complete

    def _begin_head(self) -> None:
        self._head = 0
        self._cutting = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._cut)

    def _end_head(self) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
            self._cutting = None

    def _cut(self) -> None:
        self._end_head()
        if not self.transport.is_closing():
            self.transport.close()
