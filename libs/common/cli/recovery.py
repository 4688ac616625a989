"""`relance recovery`: recovery files proposed, prepared, handed over and downloaded.

Whoever prepares a file does not hand it over: the two commands take the keys of two people.
"""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.credit import pages
from libs.common.cli.explain import items_of
from libs.common.cli.output import AsJson, answer, answer_rows
from libs.common.settings import Settings

app = typer.Typer(name="recovery", help="Recovery files.", no_args_is_help=True)
SERVICE, ROOT = "scheduler", "/v1/recovery-files"
File = Annotated[UUID, typer.Argument(help="The file's id.")]
Because = Annotated[str, typer.Option("--why", help="Why; it is kept with the act.")]


def _client(api_key: str | None) -> Client:
    return Client.with_key(Settings.from_env(), api_key)


@app.command("proposals")
def proposals(as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """Whose items are ripe to be handed over, the most urgent first."""
    rows = _client(api_key).get(SERVICE, f"{ROOT}/proposals")["items"]
    answer_rows(rows, as_json=as_json, columns=["payer_id", "currency", "by", "why", "item_ids"])


@app.command("list")
def list_files(
    state: Annotated[str | None, typer.Option(help="prepared, handed_over, judicial, collected …")] = None,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Files in the order in which they were prepared."""
    rows = list(pages(_client(api_key), ROOT, state=state))
    answer_rows(rows, as_json=as_json, columns=["file_id", "payer_id", "state", "author", "handed_to", "sha256"])


@app.command("prepare")
def prepare(
    invoices: Annotated[list[str], typer.Argument(help="Numbers or ids of one payer's invoices.")],
    why: Because,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Prepare a file of these invoices."""
    client = _client(api_key)
    items = [item for invoice in invoices for item in items_of(client, invoice)]
    made = client.post(SERVICE, ROOT, {"item_ids": items, "reason": why})
    answer(made, as_json=as_json, line=f"{made['file_id']} is {made['state']}: somebody else hands it over.")


@app.command("hand-over")
def hand_over(  # noqa: PLR0917 - options, never given by place
    file: File,
    to: Annotated[str, typer.Option(help="Who gets it.")],
    kind: Annotated[str, typer.Option(help="agency, bailiff, lawyer, insurer or court.")],
    why: Because,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Seal a file that somebody else prepared and hand it over."""
    made = _client(api_key).post(SERVICE, f"{ROOT}/{file}/hand-over", {"to": to, "kind": kind, "why": why})
    answer(made, as_json=as_json, line=f"{file} is {made['state']}; its zip has the SHA-256 {made['sha256']}.")


@app.command("download")
def download(
    file: File,
    to: Annotated[Path, typer.Option("--to", help="Where the zip is written.", dir_okay=False)],
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Write the sealed zip; before the hand-over the one that would be sealed now."""
    content = _client(api_key).content(SERVICE, f"{ROOT}/{file}/file.zip")
    to.write_bytes(content)
    answer({"file": str(to), "size": len(content)}, as_json=as_json, line=f"{len(content)} bytes in {to}")
