"""`relance apikey`: the API keys of machine clients."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from libs.common.cli.output import AsJson, answer, answer_rows
from libs.common.cli.tenant import CONSOLE, Tenant, administrator, warn_of

app = typer.Typer(name="apikey", help="Issue and revoke API keys.", no_args_is_help=True)

PATH = "/v1/directory/api-keys"


@app.command("issue")
def issue(
    label: Annotated[str, typer.Argument(help="What the key is for.")],
    *,
    scope: Annotated[list[str], typer.Option(help="What it may do, such as invoices:write; several times.")],
    expires: Annotated[datetime | None, typer.Option(help="UTC instant after which it opens nothing.")] = None,
    test: Annotated[bool, typer.Option(help="A key that is marked as one for tests.")] = False,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Issue a key. Its token is on stdout, once: keep it now."""
    ends = expires.replace(tzinfo=UTC).isoformat() if expires else None
    wanted = {"label": label, "scopes": scope, "expires_at": ends, "kind": "test" if test else "live"}
    client, _ = administrator(tenant)
    made = client.post(CONSOLE, PATH, wanted)
    warn_of(made["laggards"])
    answer(made, as_json=as_json, line=made["token"])


@app.command("list")
def listed(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """The keys of the tenant, newest first."""
    client, _ = administrator(tenant)
    rows = client.get(CONSOLE, PATH)
    answer_rows(rows, as_json=as_json, columns=["key_id", "label", "prefix", "expires_at", "revoked"])


@app.command("revoke")
def revoke(key: UUID, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Revoke a key: when this returns without naming laggards, no service lets it in."""
    client, _ = administrator(tenant)
    told = client.delete(CONSOLE, f"{PATH}/{key}")
    warn_of(told["laggards"])
    answer(told, as_json=as_json, line=f"{told['key_id']} is revoked.")
