"""`relance statements`: bank files brought by hand, and how fresh each account is.

Every file stands alone: one that is refused says why and the others are taken. A file that was taken before changes
nothing, so the same command may be run again after an interruption. Exit code 1 when a file was refused.
"""

from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.progress import Progress

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.output import AsJson, answer_json, answer_rows, console, say
from libs.common.errors import Forbidden, RelanceError, Unauthenticated, Unavailable
from libs.common.settings import Settings

app = typer.Typer(
    name="statements", help="Import bank statements and see how fresh each account is.", no_args_is_help=True
)

MATCHING = "payment_matching"
XML = {"content-type": "application/xml"}
_COLUMNS = ["file", "result", "format", "entries", "payments", "known", "returns", "detail"]


@app.command("import")
def import_files(
    files: Annotated[
        list[Path], typer.Argument(help="camt.052, camt.053 or camt.054 files.", exists=True, dir_okay=False)
    ],
    entity: Annotated[UUID | None, typer.Option(help="Whose an account is that nobody knows yet.")] = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Take bank files, in the order given. What each brought is on stdout, the progress on stderr."""
    client = Client.with_key(Settings.from_env(), api_key)
    rows = []
    with Progress(console=console(), transient=True) as progress:
        for file in progress.track(files, description="Statements"):
            rows.append(_import(client, file, entity))
            if rows[-1]["result"] == "refused":
                say(f"{file}: {rows[-1]['detail']}")
    if as_json:
        answer_json(rows)
    else:
        answer_rows(rows, as_json=False, columns=_COLUMNS)
    if any(row["result"] == "refused" for row in rows):
        raise typer.Exit(1)


def _import(client: Client, file: Path, entity: UUID | None) -> dict[str, Any]:
    """One file; a refusal is an answer, trouble that would meet every file is not. Raises Unavailable and the like."""
    params = {"entity_id": str(entity)} if entity else {}
    try:
        told = client.post(MATCHING, "/v1/statements", content=file.read_bytes(), headers=XML, params=params)
    except (Unavailable, Unauthenticated, Forbidden):
        raise
    except RelanceError as refused:
        return {"file": str(file), "result": "refused", "detail": refused.detail, "remedy": refused.remedy_text}
    statements = told["statements"]
    sums = {name: sum(one[name] for one in statements) for name in ("entries", "payments", "known", "returns")}
    known = {"file": str(file), "result": told["result"], "id": told["id"], "format": told["format"]}
    return known | sums | {"statements": statements}


@app.command("list")
def listed(api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """The files received last, and what became of them."""
    rows = Client.with_key(Settings.from_env(), api_key).get(MATCHING, "/v1/statements")["files"]
    answer_rows(rows, as_json=as_json, columns=["file_id", "received_at", "state", "size", "actor"])


@app.command("accounts")
def accounts(api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """Our bank accounts, and up to which day every booking is on record."""
    rows = Client.with_key(Settings.from_env(), api_key).get(MATCHING, "/v1/bank-accounts")
    columns = ["account", "required", "covered_to", "gap_after", "unreadable", "fresh"]
    answer_rows(rows, as_json=as_json, columns=columns)
