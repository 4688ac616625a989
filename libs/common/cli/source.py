"""`relance source`: who may post signed webhooks."""

from typing import Annotated
from uuid import UUID

import typer

from libs.common.cli.output import AsJson, answer, answer_rows
from libs.common.cli.tenant import CONSOLE, Tenant, administrator, warn_of

app = typer.Typer(name="source", help="Add webhook sources and change their secrets.", no_args_is_help=True)

PATH = "/v1/directory/sources"


@app.command("add")
def add(
    slug: Annotated[str, typer.Argument(help="A short name: a-z, 0-9 and hyphens.")],
    entity: Annotated[UUID, typer.Option(help="Whose documents it posts.")],
    purpose: Annotated[str, typer.Option(help="invoices or payments.")] = "invoices",
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Add a source. Its address and its signing secret are on stdout, once: keep them now."""
    wanted = {"slug": slug, "entity_id": str(entity), "purpose": purpose}
    client, _ = administrator(tenant)
    made = client.post(CONSOLE, PATH, wanted)
    warn_of(made["laggards"])
    answer(made, as_json=as_json, line=f"{made['path']}  {made['secret']}")


@app.command("list")
def listed(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """The sources of the tenant."""
    client, _ = administrator(tenant)
    rows = client.get(CONSOLE, PATH)
    answer_rows(rows, as_json=as_json, columns=["source_id", "slug", "purpose", "active", "secrets", "rotated_at"])


@app.command("rotate")
def rotate(source: UUID, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Make a new secret; the one before signs too until `retire` or the next rotation."""
    client, _ = administrator(tenant)
    made = client.post(CONSOLE, f"{PATH}/{source}/rotate")
    warn_of(made["laggards"])
    answer(made, as_json=as_json, line=made["secret"])


@app.command("retire")
def retire(source: UUID, tenant: Tenant = None) -> None:
    """From now on only the newest secret signs."""
    client, _ = administrator(tenant)
    client.post(CONSOLE, f"{PATH}/{source}/retire")
