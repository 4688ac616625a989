"""`make bench`: every figure on an embedded stack of its own, each beside a limit measured in the same run.

Writes bench/results.json (rows of name, value, unit, limit, ratio, target, met) and prints it as a table.
`python -m bench bus sweep` runs only these.
"""

import asyncio
import json
import os
import platform
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.stack import stack

ROOMS = ("whole", "bus", "intake", "sweep", "quiet", "credit", "simulate", "mails", "matching", "console")
"""The five services first: what the other rooms leave in their tables would be work for them."""
RESULTS = Path(__file__).parent / "results.json"


async def measure(rooms: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows of these rooms, one room after another on the same servers; kept room by room."""
    found: list[dict[str, Any]] = []
    async with stack() as settings:
        for room in rooms:
            print(f"measuring {room} …", file=sys.stderr)
            rows = await import_module(f"bench.{room}").rows(settings)
            keep(rows, whole=False)
            found += rows
    return found


def keep(rows: list[dict[str, Any]], whole: bool) -> None:
    """Write the results; a partial run replaces only the rows it measured."""
    old = json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() and not whole else []
    names = {row["name"] for row in rows}
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    document = {"machine": machine, "rows": [row for row in old if row["name"] not in names] + rows}
    RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def show(rows: list[dict[str, Any]]) -> None:
    table = Table("figure", "value", "unit", "limit", "ratio", "target", "met")
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in ("name", "value", "unit", "limit", "ratio", "target", "met")))
    Console().print(table)


def _cell(told: Any) -> str:
    if isinstance(told, bool) or told is None:
        return {True: "yes", False: "no", None: ""}[told]
    return f"{told:,}" if isinstance(told, int | float) else str(told)


def main(arguments: list[str]) -> None:
    rooms = tuple(arguments) or ROOMS
    if unknown := [room for room in rooms if room not in ROOMS]:
        sys.exit(f"There is no room {', '.join(unknown)}: there are {', '.join(ROOMS)}.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the servers are stopped then too
    rows = asyncio.run(measure(rooms))
    keep(rows, whole=rooms == ROOMS)
    show(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
