"""`relance past-reminders import`: what the system before this one said, from a table.

The columns are `invoice` (its printed number), `sent_on` and `tone`; `kind`, `channel` and `outcome` may follow. Each
line stands alone: one that is refused says its line, field and remedy, and the others are taken. What was taken before
changes nothing, so the same command may be run again. Exit code 1 when a line was refused.
"""

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.output import AsJson, answer_json, say
from libs.common.cli.tables import read_table
from libs.common.errors import Refused
from libs.common.settings import Settings

app = typer.Typer(
    name="past-reminders", help="Reminders that another system sent, so that levels go on.", no_args_is_help=True
)
SERVICE, PATH = "scheduler", "/v1/past-reminders"
AT_ONCE = 1_000
NEEDED = ("invoice", "sent_on", "tone")
KNOWN = (*NEEDED, "item_id", "kind", "channel", "outcome")
NAMED = 50
"""Refused lines that are named for a person; `--json` names all."""
File = Annotated[Path, typer.Argument(help="CSV with a head line, by comma, semicolon or tab.", exists=True,
                                      dir_okay=False)]  # fmt: skip


@app.callback()
def _group() -> None:
    """Reminders that another system sent, so that levels go on."""


@app.command("import")
def import_file(
    file: File,
    entity: Annotated[UUID, typer.Option(help="The company that sent them.")],
    *,
    dry_run: Annotated[bool, typer.Option(help="Say what would become of each line; write nothing.")] = False,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Take past reminders. Their tones are the levels at which the ladder goes on."""
    lines = read(file)
    client = Client.with_key(Settings.from_env(), api_key)
    found: list[dict[str, Any]] = []
    for start in range(0, len(lines), AT_ONCE):
        some = lines[start : start + AT_ONCE]
        body = {"entity_id": str(entity), "lines": some, "dry_run": dry_run}
        answer = client.post(SERVICE, PATH, body)
        found += [each | {"line": each["line"] + len(found)} for each in answer["items"]]
    refused = [each for each in found if each["result"] == "refused"]
    if as_json:
        answer_json(found)
    else:
        for each in refused[:NAMED]:
            say(f"line {each['line'] + 1}, {each['field'] or 'line'}: {each['detail']} {each['remedy'] or ''}".rstrip())
        known = sum(each["result"] == "unchanged" for each in found)
        taken = len(found) - known - len(refused)
        typer.echo(f"{taken} {'would be taken' if dry_run else 'taken'}, {known} known, {len(refused)} refused")
    if refused:
        raise typer.Exit(1)


def read(file: Path) -> list[dict[str, str]]:
    """The lines of a table as the door takes them; empty cells are left out. Raises Refused for a wrong head line."""
    names, rows = read_table(file)
    unknown = [name for name in names if name not in KNOWN]
    missing = [name for name in NEEDED if name not in names and not (name == "invoice" and "item_id" in names)]
    if unknown or missing:
        wrong = f"has no column {missing[0]}" if missing else f"has an unknown column {unknown[0]!r}"
        raise Refused(f"The table {wrong}.", field=(missing or unknown)[0], remedy=f"Columns: {', '.join(KNOWN)}.")
    return rows
