"""`relance charges`: what late items bear, the proof behind it, and the table of rates."""

import csv
import sys
from typing import Annotated, Any
from uuid import UUID

import typer

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.explain import SERVICE, items_of
from libs.common.cli.output import AsJson, answer, answer_json, answer_rows
from libs.common.settings import Settings

app = typer.Typer(name="charges", help="Late-payment interest, lump sums and rates.", no_args_is_help=True)
Invoice = Annotated[str, typer.Argument(help="The invoice's number or id, or an item's id.")]
Until = Annotated[str | None, typer.Option("--until", help="The last day that counts; today if left out.")]
RATES = "/v1/charges/rates"


@app.command("show")
def show(invoice: Invoice, until: Until = None, as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """What an invoice bears, what may be claimed now, and why not."""
    client = Client.with_key(Settings.from_env(), api_key)
    found = [client.get(SERVICE, f"/v1/items/{each}/charges", until=until) for each in items_of(client, invoice)]
    rows = [_row(each) for each in found]
    if as_json:
        answer_json(found)
    else:
        answer_rows(rows, as_json=False, columns=list(rows[0]))


def _row(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "regime": told["regime"] or told["not_claimable"],
        "until": told["counted_to"],
        "interest": told["interest"]["amount"],
        "to_claim": told["interest_to_claim"]["amount"],
        "lump_sum": told["lump_sum"]["amount"],
        "lump_to_claim": told["lump_sum_to_claim"]["amount"],
        "currency": told["interest"]["currency"],
        "provisional": told["provisional"],
        "why_not": told["not_claimable"],
    }


@app.command("proof")
def proof(
    invoice: Invoice,
    *,
    until: Until = None,
    french: Annotated[bool, typer.Option("--fr", help="Remarks in French.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The rows as CSV on stdout.")] = False,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """The rows behind the interest: balance, rate, days, and where each rate comes from."""
    client = Client.with_key(Settings.from_env(), api_key)
    found = [client.get(SERVICE, f"/v1/items/{each}/charges/proof", until=until) for each in items_of(client, invoice)]
    if as_json:
        answer_json(found)
        return
    rows = [
        row | {"number": each["number"], "balance": row["balance"]["amount"]} for each in found for row in each["rows"]
    ]
    columns = ("number", "first", "last", "days", "balance", "percent", "interest", "formula")
    if as_csv:
        writer = csv.DictWriter(sys.stdout, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        return
    answer_rows(rows, as_json=False, columns=columns)
    for each in found:
        typer.echo("\n".join(each["remarks"].get("fr" if french else "en", ())))


@app.command("rates")
def rates(
    index: Annotated[str | None, typer.Option(help="ecb_mro, fr_legal, de_base, at_base, boe or bam.")] = None,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """The table of rates: ours, then your own, with who vouches for each."""
    found = Client.with_key(Settings.from_env(), api_key).get(SERVICE, RATES, index=index)["items"]
    answer_rows(found, as_json=as_json, columns=["index", "valid_from", "percent", "state", "approved_by", "rate_id"])


@app.command("enter-rate")
def enter_rate(
    index: Annotated[str, typer.Argument(help="ecb_mro, fr_legal, de_base, at_base, boe or bam.")],
    valid_from: Annotated[str, typer.Argument(help="The day from which it holds.")],
    percent: Annotated[str, typer.Argument(help="Percent a year, such as 2.40.")],
    *,
    source: Annotated[str, typer.Option(help="Where it is published.")],
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Enter a published rate; it holds once somebody else has approved it."""
    body = {"index": index, "valid_from": valid_from, "percent": percent, "source": source}
    made = Client.with_key(Settings.from_env(), api_key).post(SERVICE, RATES, body)
    answer(made, as_json=as_json, line=f"{made['rate_id']} waits for another person's approval.")


@app.command("approve-rate")
def approve_rate(rate: UUID, as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """Vouch for a rate that somebody else entered."""
    told = Client.with_key(Settings.from_env(), api_key).post(SERVICE, f"{RATES}/{rate}/approve")
    answer(told, as_json=as_json, line=f"{told['index']} {told['percent']} % holds from {told['valid_from']}.")
