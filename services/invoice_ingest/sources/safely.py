"""Reading documents at arm's length: in a child process that is killed when it takes too long or too much.

One child serves one document at a time and is kept for the next; its start takes longer than reading does.
"""

import asyncio
import contextlib
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

from services.invoice_ingest.errors import DocumentHostile, DocumentUnreadable
from services.invoice_ingest.sources.canonical import CanonicalInvoice

SECONDS = 10.0
"""Of patience for one document, on a machine that may be busy; its processor time is capped in the child."""
START_SECONDS = 15.0
_ROOT = Path(__file__).parents[3]
_CHILD = "services.invoice_ingest.sources.child"


class Relayed(DocumentUnreadable):
    """A refusal of the child's, in its own words and under its own code."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told["detail"], field=told.get("field", "document"), remedy=told.get("remedy", ""))
        self.told = told

    def problem(self) -> dict[str, Any]:
        """The child's problem."""
        return super().problem() | self.told


class SafeReader:
    """Reads any document that `reader.read` reads, or refuses it; never hangs, never swells."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def read(self, data: bytes) -> CanonicalInvoice:
        """The canonical invoice. Raises DocumentUnreadable, DocumentHostile or another refusal with its field."""
        async with self._turn:
            told = await self._ask(data)
        if "invoice" in told:
            return CanonicalInvoice.model_validate(told["invoice"])
        raise Relayed(told["problem"])

    async def _ask(self, data: bytes) -> dict[str, Any]:
        child = await self._started()
        try:
            async with asyncio.timeout(self.seconds):
                return await _exchange(child, data)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, BrokenPipeError) as error:
            await self._end()
            raise DocumentHostile(
                "Reading the document takes too long or too much memory.", field="document"
            ) from error

    async def _started(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV") if name in os.environ}
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                _CHILD,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                cwd=_ROOT,
                env=kept | {"PYTHONPATH": str(_ROOT)},
            )
            async with asyncio.timeout(START_SECONDS):
                await _exchange(self._child, b"")
        return self._child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.communicate()

    async def close(self) -> None:
        """End the child."""
        await self._end()


async def _exchange(child: asyncio.subprocess.Process, data: bytes) -> dict[str, Any]:
    if child.stdin is None or child.stdout is None:
        raise ConnectionError
    child.stdin.write(struct.pack(">I", len(data)) + data)
    await child.stdin.drain()
    (size,) = struct.unpack(">I", await child.stdout.readexactly(4))
    found: dict[str, Any] = json.loads(await child.stdout.readexactly(size))
    return found
