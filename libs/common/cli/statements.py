"""`relance statements`: bank files brought by hand, and how fresh each account is.

Every file stands alone: one that is refused says why and the others are taken. A file that was taken before changes
nothing, so the same command may be run again after an interruption. Exit code 1 when a file was refused.
The bytes say which format a file is; its name does not matter.
"""

import json
import time
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.progress import Progress

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.output import AsJson, answer_json, answer_rows, console, say
from libs.common.cli.watching import Watch
from libs.common.errors import Forbidden, Refused, RelanceError, Unauthenticated, Unavailable
from libs.common.settings import Settings

app = typer.Typer(
    name="statements", help="Import bank statements and see how fresh each account is.", no_args_is_help=True
)

MATCHING = "payment_matching"
RAW = {"content-type": "application/octet-stream"}
FORMATS = "camt.052/053/054, MT940, MT942, CFONB 120, CODA, OFX, BAI2, and CSV or XLSX by the account's mapping."
Entity = Annotated[UUID | None, typer.Option(help="Whose an account is that nobody knows yet.")]
BankAccount = Annotated[UUID | None, typer.Option("--account", help="The bank account whose mapping reads a table.")]
_COLUMNS = ["file", "result", "format", "entries", "payments", "known", "returns", "detail"]


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(help=FORMATS, exists=True, dir_okay=False)],
    entity: Entity = None,
    account: BankAccount = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Take bank files, in the order given. What each brought is on stdout, the progress on stderr."""
    client = Client.with_key(Settings.from_env(), api_key)
    rows = []
    with Progress(console=console(), transient=True) as progress:
        for file in progress.track(files, description="Statements"):
            rows.append(_import(client, file, entity, account))
            if rows[-1]["result"] == "refused":
                say(f"{file}: {rows[-1]['detail']}")
    if as_json:
        answer_json(rows)
    else:
        answer_rows(rows, as_json=False, columns=_COLUMNS)
    if any(row["result"] == "refused" for row in rows):
        raise typer.Exit(1)


@app.command("watch")
def watch(
    folder: Annotated[Path, typer.Argument(help="Where the bank's files arrive.", exists=True, file_okay=False)],
    *,
    entity: Entity = None,
    account: BankAccount = None,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 10.0,
    once: Annotated[bool, typer.Option(help="Take what is there now, and end.")] = False,
    api_key: ApiKey = None,
) -> None:
    """Take the files of a directory as they come; each goes to done/, or to refused/ beside a .txt that says why.

    A file is moved after it was answered, and taken before changes nothing: stop and start it at any time.
    """
    settings = Settings.from_env()
    client = Client.with_key(settings, api_key)
    watched = Watch(folder, lambda file: _import(client, file, entity, account))
    while True:
        try:
            for row in watched.look(settings.clock().now(), resting=once):
                say(_line(row))
        except Unavailable as error:
            if once:
                raise
            say(f"{error.detail} The files wait.")
        if once:
            return
        time.sleep(every)


def _line(row: dict[str, Any]) -> str:
    if row["result"] == "refused":
        return f"{row['file']}: {row['detail']}"
    return f"{row['file']}: {row['format']}, {row['entries']} entries, {row['payments']} payments, {row['result']}"


@app.command("mapping")
def mapping(
    account: Annotated[
        UUID, typer.Argument(help="The bank account, as `relance statements accounts --json` names it.")
    ],
    file: Annotated[Path | None, typer.Argument(help="JSON to save; left out, the saved one is shown.")] = None,
    api_key: ApiKey = None,
) -> None:
    """Show or save how the tables (CSV, XLSX) of an account are read: docs/statements.md has every field."""
    client = Client.with_key(Settings.from_env(), api_key)
    path = f"/v1/bank-accounts/{account}/table-mapping"
    if file is None:
        answer_json(client.get(MATCHING, path))
        return
    try:
        told = json.loads(file.read_bytes())
    except ValueError as error:
        raise Refused(f"{file} is no JSON: {error}.", field="mapping") from None
    answer_json(client.put(MATCHING, path, told))


def _import(client: Client, file: Path, entity: UUID | None, account: UUID | None) -> dict[str, Any]:
    """One file; a refusal is an answer, trouble that would meet every file is not. Raises Unavailable and the like."""
    named = {"entity_id": entity, "bank_account_id": account}
    params = {name: str(value) for name, value in named.items() if value}
    try:
        told = client.post(MATCHING, "/v1/statements", content=file.read_bytes(), headers=RAW, params=params)
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
