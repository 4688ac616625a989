"""`relance tenant`: make tenants, stop and resume all sending; for whoever holds the service secret."""

from typing import Annotated, Any
from uuid import UUID

import typer

from libs.common.auth import SCOPES
from libs.common.cli.client import Client, Credentials, keep_credentials
from libs.common.cli.output import AsJson, answer, say
from libs.common.directory.tables import INSTALLATION
from libs.common.settings import Settings

app = typer.Typer(name="tenant", help="Make tenants, stop and resume all sending.", no_args_is_help=True)

CONSOLE = "console"
Tenant = Annotated[UUID | None, typer.Option("--tenant", help="Without it, the development stack's own tenant.")]


def administrator(tenant: UUID | None) -> tuple[Client, UUID]:
    """A client that acts as an administrator of this tenant, else of the development stack's own."""
    settings = Settings.from_env()
    chosen = tenant or Credentials.read(settings).tenant_id
    return Client.administrator(settings, chosen), chosen


def warn_of(laggards: list[str]) -> None:
    """Say which services have not heard of a change yet."""
    if laggards:
        say(f"Not heard yet by {', '.join(laggards)}: it takes effect there as soon as they run.")


@app.command("create")
def create(
    name: str,
    admin_email: Annotated[str, typer.Option("--admin-email", help="The first administrator's address.")],
    admin_name: Annotated[str, typer.Option("--admin-name", help="The first administrator's name.")] = "Administrator",
    sandbox: Annotated[bool, typer.Option(help="A sandbox never sends to the world.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a tenant with its first administrator, whose password is shown once."""
    settings = Settings.from_env()
    person = {"email": admin_email, "name": admin_name}
    wanted = {"name": name, "sandbox": sandbox, "administrator": person}
    made: dict[str, Any] = Client.administrator(settings, INSTALLATION).post(CONSOLE, "/v1/directory/tenants", wanted)
    if settings.environment == "development":
        made["api_key"] = _own_key(settings, made, admin_email)
    line = f"Tenant {made['tenant_id']}: sign in as {admin_email} with the password {made['password']}"
    answer(made, as_json=as_json, line=line)


def _own_key(settings: Settings, made: dict[str, Any], login: str) -> str:
    """A key for the commands of this development stack, kept in its state folder."""
    client = Client.administrator(settings, UUID(made["tenant_id"]))
    wanted = {"label": "relance command line", "scopes": sorted(SCOPES - {"directory:admin"}), "kind": "test"}
    token: str = client.post(CONSOLE, "/v1/directory/api-keys", wanted)["token"]
    kept = {"tenant_id": made["tenant_id"], "api_key": token, "login": login, "password": made["password"]}
    keep_credentials(settings, kept)
    return token


@app.command("show")
def show(tenant: Tenant = None, as_json: AsJson = False) -> None:
    """The tenant as it stands."""
    client, _ = administrator(tenant)
    found = client.get(CONSOLE, "/v1/directory/tenant")
    state = "stopped" if found["stopped"] else "sending"
    answer(found, as_json=as_json, line=f"{found['tenant_id']}  {found['name']}  {state}")


@app.command("stop")
def stop(reason: str, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """The emergency stop: when this returns without naming laggards, nothing more leaves."""
    _switch("stop", reason, tenant, as_json)


@app.command("resume")
def resume(reason: str, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Sending goes on where it stood."""
    _switch("resume", reason, tenant, as_json)


def _switch(how: str, reason: str, tenant: UUID | None, as_json: bool) -> None:
    client, _ = administrator(tenant)
    told = client.post(CONSOLE, f"/v1/directory/tenant/{how}", {"reason": reason})
    warn_of(told["laggards"])
    answer(told, as_json=as_json, line="Stopped: nothing leaves." if told["stopped"] else "Sending again.")
