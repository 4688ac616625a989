"""The child process that reads other people's documents, with little memory, little time and no secrets.

Frames on stdin and stdout: four bytes of length, then the document, then the answer as JSON, until stdin ends.
"""

import json
import resource
import signal
import struct
import sys
from typing import Any, BinaryIO

from libs.common.errors import RelanceError
from services.invoice_ingest.sources.reader import read

MEMORY = 200_000_000
"""Bytes of data that it may have in hand, its own included."""
SECONDS = 1.0
"""Of processor time for one document; after them the kernel ends the process."""


def answer(data: bytes) -> dict[str, Any]:
    """The canonical invoice, or the problem that refuses it."""
    try:
        return {"invoice": read(data).model_dump(mode="json", exclude_none=True)}
    except RelanceError as refused:
        return {"problem": refused.problem()}
    except MemoryError:
        return {"problem": {"code": "document_hostile", "detail": "The document needs too much memory."}}


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer frame after frame."""
    while header := requests.read(4):
        (size,) = struct.unpack(">I", header)
        data = requests.read(size)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        told = json.dumps(answer(data)).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(struct.pack(">I", len(told)) + told)
        answers.flush()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)
