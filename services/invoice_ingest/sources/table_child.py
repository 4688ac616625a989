"""The child process that reads other people's tables: one table, then its end.

One frame in: four bytes of length, a line of JSON (`what` and the mapping), the file. One frame out: JSON.
"""

import json
import resource
import struct
import sys
from typing import Any

from libs.common.errors import RelanceError
from services.invoice_ingest.sources import tabular
from services.invoice_ingest.sources.tabular import TableMapping

MEMORY = 900_000_000
"""Bytes of data that it may have in hand, its own included."""
SECONDS = 90
"""Of processor time for one table; after them the kernel ends the process."""


def answer(request: bytes) -> dict[str, Any]:
    """The lines of a table, or how it looks, or the problem that refuses the whole."""
    head, _, data = request.partition(b"\n")
    told = json.loads(head)
    mapping = TableMapping.model_validate(told["mapping"])
    try:
        if told["what"] == "look":
            found = tabular.look(data, mapping)
            return {"headings": found.headings, "understood": found.understood, "sample": found.sample}
        return {"lines": [[number, _line(line)] for number, line in tabular.rows(data, mapping)]}
    except RelanceError as refused:
        return {"problem": refused.problem()}
    except MemoryError:
        return {"problem": {"code": "document_hostile", "detail": "The table needs too much memory.", "field": "file"}}


def _line(line: dict[str, Any] | RelanceError) -> dict[str, Any]:
    return {"problem": line.problem()} if isinstance(line, RelanceError) else {"object": line}


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    (size,) = struct.unpack(">I", sys.stdin.buffer.read(4))
    made = json.dumps(answer(sys.stdin.buffer.read(size))).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(made)) + made)
