"""Reading a file beside the doors: a small one in a thread, a big or packed one in a child process with limits.

Protects: a file that is made to hurt ends its own reader and nothing else.
"""

import asyncio
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.statements import camt, formats
from services.payment_matching.statements.layout import Known
from services.payment_matching.statements.told import File

SMALL = 400_000
SECONDS = 90.0
_ROOT = Path(__file__).parents[3]


async def read(body: bytes, layouts: Sequence[Known] = ()) -> File:
    """The proved file. Raises UnknownFormat or UnreadableStatement, also when reading takes too much memory or time."""
    if (len(body) <= SMALL and not formats.needs_limits(body)) or len(body) > camt.MAX_BYTES:
        return await asyncio.to_thread(formats.read, body, layouts)
    told = orjson.dumps([known.model_dump(mode="json") for known in layouts])
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.payment_matching.statements.child",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=_ROOT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await child.communicate(told + b"\n" + body)
    except TimeoutError:
        child.kill()
        await child.wait()
        raise UnreadableStatement("Reading the file takes too long.") from None
    if child.returncode != 0:
        raise UnreadableStatement("Reading the file takes too much memory or time.")
    answer = await asyncio.to_thread(pickle.loads, said)
    if isinstance(answer, File):
        return answer
    kind, detail, field, remedy = answer
    raise kind(detail, field=field, remedy=remedy)
