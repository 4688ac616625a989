"""Reading files at arm's length: in a child process that is killed when it takes too long or too much.

Documents have one child that serves one after the other and is kept for the next, because its start takes longer than
reading does. A table has a child of its own, two at a time, and ends with it.
"""

import asyncio
import contextlib
import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

from libs.common.errors import RelanceError
from services.invoice_ingest.errors import DocumentHostile, DocumentUnreadable
from services.invoice_ingest.sources.canonical import CanonicalInvoice
from services.invoice_ingest.sources.tabular import Looked, TableMapping

SECONDS = 10.0
"""Of patience for one document, on a machine that may be busy; its processor time is capped in the child."""
TABLE_SECONDS = 180.0
"""Of patience for one table."""
START_SECONDS = 15.0
_ROOT = Path(__file__).parents[3]
_DOCUMENTS = "services.invoice_ingest.sources.child"
_TABLES = "services.invoice_ingest.sources.table_child"
_GONE = (TimeoutError, asyncio.IncompleteReadError, ConnectionError, BrokenPipeError)


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
        except _GONE as error:
            await self._end()
            raise DocumentHostile(
                "Reading the document takes too long or too much memory.", field="document"
            ) from error

    async def _started(self) -> asyncio.subprocess.Process:
        if self._child is None or self._child.returncode is not None:
            self._child = await _child(_DOCUMENTS)
            async with asyncio.timeout(START_SECONDS):
                await _exchange(self._child, b"")
        return self._child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await _killed(child)

    async def close(self) -> None:
        """End the child."""
        await self._end()


class SafeTables:
    """Reads any table that `tabular.rows` reads, or refuses it; never hangs, never swells."""

    def __init__(self, seconds: float = TABLE_SECONDS) -> None:
        self.seconds = seconds
        self._turns = asyncio.Semaphore(2)

    async def rows(self, data: bytes, mapping: TableMapping) -> list[tuple[int, dict[str, Any] | RelanceError]]:
        """See `tabular.rows`. Raises Refused for the whole."""
        told = await self._ask("rows", data, mapping)
        return [(number, line.get("object") or Relayed(line["problem"])) for number, line in told["lines"]]

    async def look(self, data: bytes, mapping: TableMapping) -> Looked:
        """See `tabular.look`. Raises Refused."""
        return Looked(**await self._ask("look", data, mapping))

    async def _ask(self, what: str, data: bytes, mapping: TableMapping) -> dict[str, Any]:
        head = json.dumps({"what": what, "mapping": mapping.model_dump(mode="json")}).encode()
        async with self._turns:
            child = await _child(_TABLES)
            try:
                async with asyncio.timeout(self.seconds):
                    told = await _exchange(child, head + b"\n" + data)
            except _GONE as error:
                raise DocumentHostile("Reading the table takes too long or too much memory.", field="file") from error
            finally:
                await _killed(child)
        if "problem" in told:
            raise Relayed(told["problem"])
        return told


async def _child(module: str) -> asyncio.subprocess.Process:
    """A process that runs a module, with nothing of our environment but the paths."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env=kept | {"PYTHONPATH": str(_ROOT)},
    )


async def _killed(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.kill()
    await child.communicate()


async def _exchange(child: asyncio.subprocess.Process, data: bytes) -> dict[str, Any]:
    if child.stdin is None or child.stdout is None:
        raise ConnectionError
    child.stdin.write(struct.pack(">I", len(data)) + data)
    await child.stdin.drain()
    (size,) = struct.unpack(">I", await child.stdout.readexactly(4))
    found: dict[str, Any] = json.loads(await child.stdout.readexactly(size))
    return found
