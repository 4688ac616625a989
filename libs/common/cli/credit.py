"""`relance credit`: limits from a table, what waits for a second person, and insurers' deadlines.

`limits import` takes a CSV with `customer` (its number in your ledger) or `payer_id`, `amount`, `currency`,
`valid_from` and `reason`; `valid_until` may follow. Each line stands alone, and what waits or holds already changes
nothing, so the same command may be run again. Exit code 1 when a line was refused, or when `deadlines` with
`--fail-within` finds one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.output import AsJson, answer, answer_json, answer_rows, say
from libs.common.cli.tables import read_table
from libs.common.errors import NotFound, Refused, RelanceError, Unauthenticated, Unavailable
from libs.common.settings import Settings

app = typer.Typer(name="credit", help="Credit limits, requests and insurers' deadlines.", no_args_is_help=True)
limits = typer.Typer(name="limits", help="What payers may owe.", no_args_is_help=True)
requests = typer.Typer(name="requests", help="What waits for a second person.", no_args_is_help=True)
app.add_typer(limits)
app.add_typer(requests)
SERVICE, ROOT = "scheduler", "/v1/credit"
NEEDED, MORE = ("amount", "currency", "valid_from", "reason"), ("customer", "payer_id", "valid_until")
COLUMNS = f"Columns: {', '.join(NEEDED)}, and customer or payer_id; valid_until may follow."
WAITING = {
    "limit": ("limits", "limit_id", "entered", "entered_by", "withdraw"),
    "block": ("blocks", "block_id", "requested", "requested_by", "reject"),
    "write_off": ("write-offs", "proposal_id", "proposed", "proposed_by", "reject"),
}
"""Kind → its path, the name of its id, the state in which it waits, who asked, and what says no."""
Entity = Annotated[UUID | None, typer.Option(help="The company, where customers' numbers are of several.")]


def _client(api_key: str | None) -> Client:
    return Client.with_key(Settings.from_env(), api_key)


def pages(client: Client, path: str, **params: Any) -> Iterator[dict[str, Any]]:
    """Every line of a list, page by page."""
    after = None
    while True:
        page = client.get(SERVICE, path, limit=200, cursor=after, **params)
        yield from page["items"]
        after = page["next"]
        if after is None:
            return


@limits.command("list")
def list_limits(
    payer: Annotated[UUID | None, typer.Option(help="A payer's id.")] = None,
    state: Annotated[str | None, typer.Option(help="entered, approved, replaced or withdrawn.")] = None,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Every limit, with who entered and approved it."""
    rows = list(pages(_client(api_key), f"{ROOT}/limits", payer_id=payer and str(payer), state=state))
    columns = ["payer_id", "amount", "currency", "valid_from", "valid_until", "state", "entered_by", "approved_by"]
    answer_rows(rows if as_json else [row | row["amount"] for row in rows], as_json=as_json, columns=columns)


@limits.command("import")
def import_limits(
    file: Annotated[Path, typer.Argument(help="CSV with a head line.", exists=True, dir_okay=False)],
    entity: Entity = None,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Enter limits from a table; each waits until somebody else approves it."""
    client = _client(api_key)
    found = [_taken(client, place, line, entity) for place, line in enumerate(read(file), start=2)]
    refused = [each for each in found if each["result"] == "refused"]
    if as_json:
        answer_json(found)
    else:
        for each in refused:
            say(f"line {each['line']}, {each['field'] or 'line'}: {each['detail']} {each['remedy']}".rstrip())
        counted = [sum(each["result"] == result for each in found) for result in ("entered", "unchanged", "refused")]
        typer.echo("{} entered, {} known, {} refused".format(*counted))
    if refused:
        raise typer.Exit(1)


def read(file: Path) -> list[dict[str, str]]:
    """The lines of a table of limits. Raises Refused for a wrong head line."""
    head, rows = read_table(file)
    names = set(head)
    wrong = sorted((set(NEEDED) - names) or (names - {*NEEDED, *MORE}))
    if wrong or not names & {"customer", "payer_id"}:
        field = wrong[0] if wrong else "customer"
        raise Refused(f"The head line is wrong: {field}.", field=field, remedy=COLUMNS)
    return rows


def _taken(client: Client, place: int, line: dict[str, str], entity: UUID | None) -> dict[str, Any]:
    try:
        payer = line.get("payer_id") or _payer(client, line.get("customer", ""), entity)
        told: dict[str, Any] = {
            "payer_id": payer,
            "amount": {name: line.get(name, "") for name in ("amount", "currency")},
        }
        told |= {name: line.get(name) for name in ("valid_from", "valid_until", "reason")}
        known = _known(client, told)
        made = known or client.post(SERVICE, f"{ROOT}/limits", told)
    except (Unavailable, Unauthenticated):
        raise
    except RelanceError as refused:
        shown = {"field": refused.field, "detail": refused.detail, "remedy": refused.remedy_text}
        return {"line": place, "result": "refused", "limit_id": None, **shown}
    return {"line": place, "result": "unchanged" if known else "entered", "limit_id": made["limit_id"]}


def _payer(client: Client, customer: str, entity: UUID | None) -> str:
    if not customer:
        raise Refused("The line names no customer.", field="customer", remedy="Give its number, or a payer_id.")
    params = {"external_id": customer, "entity_id": entity and str(entity)}
    found = client.get("invoice_ingest", "/v1/debtors", **params)["items"]
    if len(found) != 1:
        what = "several companies have" if found else "no company has"
        raise NotFound(f"{what.capitalize()} a customer {customer}.", field="customer", remedy="Name one: --entity.")
    return str(found[0]["payer_id"])


def _known(client: Client, told: dict[str, Any]) -> dict[str, Any] | None:
    """The limit that says the same, if it waits or holds."""
    same = ("valid_from", "valid_until")
    for state in ("entered", "approved"):
        for each in pages(client, f"{ROOT}/limits", payer_id=told["payer_id"], state=state):
            if _value(each) == _value(told) and all(each[name] == told[name] for name in same):
                return each
    return None


def _value(told: dict[str, Any]) -> tuple[str, str]:
    amount = str(told["amount"]["amount"])
    return amount.rstrip("0").rstrip(".") if "." in amount else amount, told["amount"]["currency"]


@requests.command("list")
def list_requests(as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """Limits, blocks and write-offs that wait for a second person."""
    client = _client(api_key)
    found = []
    for kind, (path, key, state, by, _) in WAITING.items():
        for each in pages(client, f"{ROOT}/{path}", state=state):
            facts = {"kind": kind, "id": each[key], "payer_id": each["payer_id"], "what": each.get("act", kind)}
            found.append(facts | {"amount": each.get("amount"), "reason": each["reason"], "by": each[by]})
    for row in found if not as_json else ():
        row["amount"] = " ".join(row["amount"].values()) if row["amount"] else ""
    answer_rows(found, as_json=as_json, columns=["kind", "id", "payer_id", "what", "amount", "reason", "by"])


@requests.command("decide")
def decide(
    request: Annotated[UUID, typer.Argument(help="The id that `requests list` shows.")],
    decision: Annotated[str, typer.Argument(help="approve or reject.")],
    why: Annotated[str, typer.Option("--why", help="Why; it is kept with the decision.")],
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Grant what somebody else asked for, or not."""
    if decision not in {"approve", "reject"}:
        raise typer.BadParameter("approve or reject.", param_hint="DECISION")
    client = _client(api_key)
    for kind, (path, key, state, _, no) in WAITING.items():
        if any(each[key] == str(request) for each in pages(client, f"{ROOT}/{path}", state=state)):
            act = "approve" if decision == "approve" else no
            body = None if (kind, act) == ("limit", "approve") else {"why": why}
            made = client.post(SERVICE, f"{ROOT}/{path}/{request}/{act}", body)
            answer(made, as_json=as_json, line=f"{kind} {request} is {made['state']}.")
            return
    raise NotFound(f"Nothing with the id {request} waits.", remedy="`relance credit requests list` shows all.")


@app.command("deadlines")
def deadlines(
    until: Annotated[str | None, typer.Option(help="Only those to be declared by this day.")] = None,
    fail_within: Annotated[int | None, typer.Option(help="Exit code 1 when one is so many days away.", min=0)] = None,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Unpaid insured items that are not declared yet, the first to be declared first."""
    rows = list(pages(_client(api_key), f"{ROOT}/deadlines", until=until))
    columns = ["number", "payer_id", "amount", "currency", "insurer", "declare_by", "act_by", "days_left"]
    answer_rows(rows if as_json else [row | row["owed"] for row in rows], as_json=as_json, columns=columns)
    if fail_within is not None and any(row["days_left"] <= fail_within for row in rows):
        raise typer.Exit(1)
