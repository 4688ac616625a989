"""`relance entity`: the creditor companies of a tenant."""

from typing import Annotated, Any
from uuid import UUID

import typer

from libs.common.cli.output import AsJson, answer, answer_rows
from libs.common.cli.tenant import CONSOLE, Tenant, administrator

app = typer.Typer(name="entity", help="Make and change the creditor companies of a tenant.", no_args_is_help=True)

PATH = "/v1/directory/entities"


@app.command("create")
def create(
    name: str,
    *,
    sender_email: Annotated[str, typer.Option(help="The address that reminders come from.")],
    sender_name: Annotated[str | None, typer.Option(help="The name beside it; without it, the entity's.")] = None,
    siren: str | None = None,
    country: str = "FR",
    time_zone: str = "Europe/Paris",
    language: str = "fr",
    currency: str = "EUR",
    policy: str = "standard",
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Make an entity. It starts in shadow: it decides and shows, and sends nothing."""
    wanted: dict[str, Any] = {
        "name": name,
        "sender_name": sender_name or name,
        "sender_email": sender_email,
        "siren": siren,
        "country": country,
        "time_zone": time_zone,
        "language": language,
        "currency": currency,
        "policy": policy,
    }
    client, _ = administrator(tenant)
    made = client.post(CONSOLE, PATH, wanted)
    answer(made, as_json=as_json, line=f"Entity {made['entity_id']}: {made['name']}, in shadow.")


@app.command("list")
def listed(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """The entities of the tenant."""
    client, _ = administrator(tenant)
    rows = client.get(CONSOLE, PATH)
    answer_rows(
        rows, as_json=as_json, columns=["entity_id", "name", "mode", "approvals", "run_in", "time_zone", "sender_email"]
    )


@app.command("mode")
def mode(
    entity: UUID,
    to: str,
    *,
    approvals: Annotated[str | None, typer.Option(help="`confirm` every notice, or as the `policy` says.")] = None,
    run_in: Annotated[str | None, typer.Option(help="`required`, or `waived` if its reminders were proven.")] = None,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Let an entity's reminders leave (`live`, after a day in shadow) or not (`shadow`)."""
    client, _ = administrator(tenant)
    wanted = {"mode": to, "approvals": approvals, "run_in": run_in}
    told = {name: value for name, value in wanted.items() if value is not None}
    changed = client.request("PATCH", CONSOLE, f"{PATH}/{entity}", json=told)
    answer(changed, as_json=as_json, line=f"{changed['name']} is {changed['mode']}.")


@app.command("ledger")
def ledger(
    entity: UUID,
    *,
    master: Annotated[str | None, typer.Option(help="Whose ledger says what is settled: `erp` or `relance`.")] = None,
    tolerance: Annotated[int | None, typer.Option(help="Whole units by which the ledgers may differ.")] = None,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Say whose ledger settles an entity's items, and by how much both may differ before reminders wait."""
    client, _ = administrator(tenant)
    wanted = {"settlement_master": master, "ledger_tolerance": tolerance}
    told = {name: value for name, value in wanted.items() if value is not None}
    changed = client.request("PATCH", CONSOLE, f"{PATH}/{entity}", json=told)
    line = f"{changed['name']}: {changed['settlement_master']} settles, tolerance {changed['ledger_tolerance']}."
    answer(changed, as_json=as_json, line=line)
