"""What commands write: answers on stdout, as lines or as JSON; progress on stderr."""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

AsJson = Annotated[bool, typer.Option("--json", help="Write the answer as JSON on stdout.")]


def answer_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def answer(value: Any, *, as_json: bool, line: str) -> None:
    """The answer of a command: the whole value for programs, one line for people."""
    if as_json:
        answer_json(value)
    else:
        sys.stdout.write(line + "\n")


def answer_rows(rows: Sequence[Mapping[str, Any]], *, as_json: bool, columns: Sequence[str]) -> None:
    """A list of facts: a JSON array for programs, a table for people."""
    if as_json:
        answer_json(rows)
        return
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    Console(soft_wrap=True).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def console() -> Console:
    """The console of progress and remarks: stderr."""
    return Console(stderr=True)


def say(line: str) -> None:
    """A remark for the person at the terminal, on stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
