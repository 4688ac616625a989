"""`relance ledger`: the ERP's ledger and ours. Its open items are sent, what differs is listed and decided, and what it
has to book is exported and acknowledged line by line. Exit code 1 when a list waits for a person.
"""

import json
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.output import AsJson, answer, answer_json, answer_rows, say
from libs.common.settings import Settings

app = typer.Typer(name="ledger", help="Keep the ERP's ledger and ours the same.", no_args_is_help=True)

MATCHING = "payment_matching"
PATH = "/v1/open-items/snapshots"
MEDIA = {".csv": "text/csv", ".json": "application/json"}
Entity = Annotated[UUID | None, typer.Option(help="Whose, if there are several entities.")]
_SNAPSHOT = ["as_of", "state", "lines", "open_here", "agreed", "settled", "held", "snapshot_id"]
_DIFFERENCE = ["kind", "number", "instalment", "ours", "theirs", "settled"]
_LINE = ["act", "kind", "amount", "paid", "number", "debtor", "payment", "value_date", "line_id"]


def _client(api_key: str | None) -> Client:
    return Client.with_key(Settings.from_env(), api_key)


@app.command("send")
def send(
    file: Annotated[Path, typer.Argument(help="The ERP's open items: .json, .ndjson or .csv.", exists=True)],
    *,
    entity: Entity = None,
    as_of: Annotated[str | None, typer.Option(help="Of a CSV: the day of the list, YYYY-MM-DD.")] = None,
    count: Annotated[int | None, typer.Option(help="Of a CSV: how many lines the ERP says there are.")] = None,
    total: Annotated[str | None, typer.Option("--sum", help="Of a CSV: `1250.00 EUR`, as the ERP says.")] = None,
    control_account: Annotated[str | None, typer.Option(help="Of a CSV: the control account's balance.")] = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Send all open items of an entity at a day. The same list again changes nothing."""
    head = {"entity_id": entity, "as_of": as_of, "count": count, "sum": total, "control_account": control_account}
    media = MEDIA.get(file.suffix.lower(), "application/x-ndjson")
    params = {name: str(value) for name, value in head.items() if value is not None}
    found = _client(api_key).post(
        MATCHING, PATH, content=file.read_bytes(), headers={"content-type": media}, params=params
    )
    told = found["snapshot"]
    line = f"{found['result']}: {told['agreed']} agree, {told['settled']} settled, {_differing(told)} differ."
    answer(found, as_json=as_json, line=line)
    if told["state"] == "waiting":
        say(f"It waits for a person: {', '.join(told['why'])}. `relance ledger accept {told['snapshot_id']}`")
        raise typer.Exit(1)


def _differing(told: dict[str, Any]) -> int:
    return sum(one["count"] for one in told["differences"] if not one["settled"])


@app.command("list")
def listed(*, entity: Entity = None, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """The lists that were sent, the newest first."""
    rows = _client(api_key).get(MATCHING, PATH, entity_id=entity)["snapshots"]
    answer_rows(rows, as_json=as_json, columns=_SNAPSHOT)


@app.command("differences")
def differences(snapshot: UUID, *, kind: str | None = None, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """What differs, item by item."""
    rows = _every(_client(api_key), f"{PATH}/{snapshot}/differences", "differences", kind=kind)
    _rows(rows, _DIFFERENCE, as_json)


@app.command("accept")
def accept(snapshot: UUID, *, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """A list that waits is right: carry it out."""
    found = _client(api_key).post(MATCHING, f"{PATH}/{snapshot}/accept")
    answer(found, as_json=as_json, line=f"accepted: {found['settled']} settled.")


@app.command("reject")
def reject(snapshot: UUID, *, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """A list that waits is wrong: forget it."""
    found = _client(api_key).post(MATCHING, f"{PATH}/{snapshot}/reject")
    answer(found, as_json=as_json, line="rejected")


@app.command("export")
def export(*, entity: Entity = None, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """What the ERP has to book or to undo and has not acknowledged."""
    rows = _every(_client(api_key), "/v1/settlements", "settlements", entity_id=entity)
    _rows(rows, _LINE, as_json)


@app.command("acknowledge")
def acknowledge(
    file: Annotated[Path, typer.Argument(help="JSON or NDJSON: line_id, act, result (booked or refused), reason.")],
    *,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Say of each line what the ERP did with it. A line acknowledged twice changes nothing."""
    told = file.read_text().strip()
    lines = json.loads(told) if told.startswith("[") else [json.loads(line) for line in told.splitlines() if line]
    client, answers = _client(api_key), []
    for start in range(0, len(lines), 10_000):
        body = {"lines": lines[start : start + 10_000]}
        answers += client.post(MATCHING, "/v1/settlements/acknowledgements", body)["results"]
    answer_rows(answers, as_json=as_json, columns=["line", "line_id", "result", "state"])
    if any(one["result"] == "unknown" for one in answers):
        raise typer.Exit(1)


def _every(client: Client, path: str, name: str, **asked: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = client.get(MATCHING, path, limit=200, cursor=cursor, **asked)
        rows += page[name]
        cursor = page["next"]
        if cursor is None:
            return rows


def _rows(rows: list[dict[str, Any]], names: list[str], as_json: bool) -> None:
    if as_json:
        answer_json(rows)
        return
    shown = [{name: _shown(row[name]) for name in names} for row in rows]
    answer_rows(shown, as_json=False, columns=names)


def _shown(value: Any) -> Any:
    return f"{value['amount']} {value['currency']}" if isinstance(value, dict) else value
