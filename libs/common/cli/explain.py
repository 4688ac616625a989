"""`relance explain INVOICE`: why an invoice was reminded or not, and what comes next, at any instant."""

from datetime import UTC, date, datetime, time
from typing import Annotated, Any
from uuid import UUID

import typer

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.output import AsJson, answer_json
from libs.common.errors import NotFound, Refused
from libs.common.settings import Settings

app = typer.Typer()
SERVICE = "scheduler"
French = Annotated[bool, typer.Option("--fr", help="Say it in French.")]
At = Annotated[str | None, typer.Option("--at", help="A day, or an instant with its offset; now if left out.")]


@app.command("explain")
def explain(
    invoice: Annotated[str, typer.Argument(help="The invoice's number or id, or an item's id.")],
    at: At = None,
    french: French = False,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Why was it sent, why not, what comes next: one paragraph an instalment."""
    client = Client.with_key(Settings.from_env(), api_key)
    found = [client.get(SERVICE, f"/v1/items/{each}/explain", at=_instant(at)) for each in items_of(client, invoice)]
    if as_json:
        answer_json(found)
        return
    for told in found:
        typer.echo("\n".join(_lines(told, "fr" if french else "en")))


def items_of(client: Client, invoice: str) -> list[str]:
    """The ids of the invoice's items. Raises NotFound."""
    try:
        named = str(UUID(invoice))
    except ValueError:
        rows = client.get(SERVICE, "/v1/items", number=invoice)["items"]
    else:
        rows = client.get(SERVICE, "/v1/items", invoice_id=named)["items"] or [{"item_id": named}]
    if not rows:
        raise NotFound(f"There is no invoice {invoice}.", remedy="Give its number as printed, or its id.")
    return [row["item_id"] for row in rows]


def _instant(at: str | None) -> str | None:
    if at is None:
        return None
    try:
        if len(at) == len("2026-01-01"):
            return datetime.combine(date.fromisoformat(at), time(12), tzinfo=UTC).isoformat()
        found = datetime.fromisoformat(at)
    except ValueError:
        raise Refused(
            f"{at!r} is no day and no instant.", remedy="Write 2026-09-03 or 2026-09-03T10:00+02:00."
        ) from None
    if found.tzinfo is None:
        raise Refused(f"{at!r} has no offset.", remedy="Write it like 2026-09-03T10:00+02:00.")
    return found.isoformat()


def _lines(told: dict[str, Any], language: str) -> list[str]:
    """One item, for a person: what it owes, what comes next and why not now, what was done."""
    owed = told["residual"]
    lines = [f"{told['number']}  {owed['amount']} {owed['currency']}  due {told['due_date']}  level {told['level']}"]
    if told["next_step"]:
        lines.append(f"  next: {told['next_step']}" + (f" on {told['next_on']}" if told["next_on"] else ""))
    lines += [f"  - {reason[language]}" for reason in told["reasons"]]
    lines += [f"  ! {caveat[language]}" for caveat in told.get("caveats", ())]
    lines += [
        f"  {mark['on']}  {mark['step']} (release {mark['release']}): {mark['state']}" for mark in told["history"]
    ]
    return lines
