"""`relance policy`: policies as files, their versions from draft to active, what differs, and who follows them.

A version is named by its id, or as `standard@2`; `standard` alone is the active one.
"""

import csv
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.output import AsJson, answer, answer_json, answer_rows
from libs.common.errors import NotFound
from libs.common.settings import Settings

app = typer.Typer(name="policy", help="Policies: files, versions, assignments.", no_args_is_help=True)
SERVICE = "scheduler"
Version = Annotated[str, typer.Argument(help="NAME, NAME@NUMBER or an id.")]
Because = Annotated[str, typer.Option("--why", help="Why; it is kept with the act.")]


def _client(api_key: str | None) -> Client:
    return Client.with_key(Settings.from_env(), api_key)


def _all(client: Client, path: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page: dict[str, Any] = {"next": None}
    while not found or page["next"]:
        page = client.get(SERVICE, path, limit=200, cursor=page["next"], **params)
        found += page["items"]
        if not page["items"]:
            break
    return found


def _version(client: Client, named: str) -> dict[str, Any]:
    """Raises NotFound."""
    try:
        shown: dict[str, Any] = client.get(SERVICE, f"/v1/policies/{UUID(named)}")
    except ValueError:
        name, _, number = named.partition("@")
        mine = [each for each in _all(client, "/v1/policies") if each["name"] == name]
        fits = [each for each in mine if (str(each["number"]) == number if number else each["state"] == "active")]
        if not fits:
            raise NotFound(f"There is no policy version {named}.", remedy="`relance policy list` shows all.") from None
        shown = fits[0]
    return shown


@app.command("list")
def list_versions(as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """Every version of every policy."""
    rows = _all(_client(api_key), "/v1/policies")
    columns = ["name", "number", "state", "author", "written_at", "version_id"]
    answer_rows(rows, as_json=as_json, columns=columns)


@app.command("show")
def show(version: Version, as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """What people did with a version, and its steps."""
    client = _client(api_key)
    found = client.get(SERVICE, f"/v1/policies/{_version(client, version)['version_id']}")
    if as_json:
        answer_json(found)
        return
    answer_rows(found["history"], as_json=False, columns=["at", "by", "was", "became", "why"])
    columns = ["key", "kind", "tone", "anchor", "offset", "unit", "approval", "when"]
    answer_rows(found["policy"]["steps"], as_json=False, columns=columns)


@app.command("export")
def export(
    version: Version,
    to: Annotated[Path | None, typer.Option(help="A file; stdout if it is left out.", dir_okay=False)] = None,
    api_key: ApiKey = None,
) -> None:
    """Write a version as YAML; `relance policy import` reads it again."""
    settings = Settings.from_env()
    client = Client.with_key(settings, api_key)
    text = client.text(SERVICE, f"/v1/policies/{_version(client, version)['version_id']}/yaml")
    if to is None:
        typer.echo(text, nl=False)
    else:
        to.write_text(text, "utf-8")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A policy in YAML.")],
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Keep a file as the next draft of its name."""
    made = _client(api_key).post(SERVICE, "/v1/policies", {"yaml": file.read_text("utf-8")})
    answer(made, as_json=as_json, line=f"{made['name']}@{made['number']} is a draft ({made['version_id']}).")


def _act(act: str, version: str, why: str, as_json: bool, api_key: str | None) -> None:
    client = _client(api_key)
    made = client.post(SERVICE, f"/v1/policies/{_version(client, version)['version_id']}/{act}", {"why": why})
    answer(made, as_json=as_json, line=f"{made['name']}@{made['number']} is {made['state']}.")


@app.command("lint")
def lint(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A policy in YAML.")],
    french: Annotated[bool, typer.Option("--fr", help="Say it in French.")] = False,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """What is wrong with a file, without keeping it; exit code 1 when something of it blocks."""
    told = _client(api_key).post(SERVICE, "/v1/policies/lint", {"yaml": file.read_text("utf-8")})
    if as_json:
        answer_json(told)
    else:
        words = [{**each, **each["fr" if french else "en"]} for each in told["findings"]]
        answer_rows(words, as_json=False, columns=["severity", "rule", "step", "field", "told", "remedy"])
    if not told["clean"]:
        raise typer.Exit(1)


@app.command("check")
def check(version: Version, why: Because = "", as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """Have a draft checked."""
    _act("check", version, why, as_json, api_key)


@app.command("approve")
def approve(version: Version, why: Because, as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """Vouch for a checked version that somebody else wrote."""
    _act("approve", version, why, as_json, api_key)


@app.command("activate")
def activate(version: Version, why: Because, as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """Make an approved version the one that new cases get."""
    _act("activate", version, why, as_json, api_key)


@app.command("retire")
def retire(version: Version, why: Because, as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """Take a version out of use."""
    _act("retire", version, why, as_json, api_key)


@app.command("diff")
def diff(
    before: Annotated[str, typer.Argument(help="NAME, NAME@NUMBER or an id.")],
    after: Version,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """What the second version says otherwise than the first."""
    client = _client(api_key)
    old, new = (_version(client, each)["version_id"] for each in (before, after))
    found = client.get(SERVICE, f"/v1/policies/{new}/diff", against=old)
    answer_rows(found["changes"], as_json=as_json, columns=["what", "place", "before", "after"])


@app.command("schema")
def schema(api_key: ApiKey = None) -> None:
    """The JSON Schema of policy files."""
    answer_json(_client(api_key).get(SERVICE, "/v1/policies/schema"))


@app.command("assign")
def assign(  # noqa: PLR0917 - options, never given by place
    policy: Annotated[str, typer.Argument(help="The policy's name.")],
    why: Because,
    until: Annotated[str, typer.Option(help="The first day on which it does not hold any more.")],
    item: Annotated[UUID | None, typer.Option(help="An item's id.")] = None,
    debtor: Annotated[UUID | None, typer.Option(help="A debtor's id.")] = None,
    segment: Annotated[str | None, typer.Option(help="A segment's name; with --when.")] = None,
    when: Annotated[str, typer.Option(help="Which cases are of the segment: profile.name = 'slow'.")] = "",
    priority: Annotated[int, typer.Option(help="Of several segments the smallest counts.")] = 100,
    at_once: Annotated[bool, typer.Option("--at-once", help="Of an item: although it was reminded.")] = False,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Let an item, a debtor or a segment follow a policy."""
    told: dict[str, Any] = {"policy": policy, "reason": why, "expires_on": until, "at_once": at_once}
    told |= {"item_id": str(item)} if item else {}
    told |= {"debtor_id": str(debtor)} if debtor else {}
    told |= {"segment": {"name": segment, "when": when, "priority": priority}} if segment else {}
    made = _client(api_key).post(SERVICE, "/v1/policies/assignments", told)
    line = f"{made['scope']} follows {made['policy']} until {made['expires_on']} ({made['assignment_id']})."
    answer(made, as_json=as_json, line=line)


@app.command("assignments")
def assignments(
    ended: Annotated[bool, typer.Option("--all", help="Those that ended too.")] = False,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Which policies were assigned to what, why and until when."""
    rows = _all(_client(api_key), "/v1/policies/assignments", in_force=str(not ended).lower())
    columns = ["scope", "subject_id", "segment", "when", "policy", "expires_on", "reason", "assignment_id"]
    answer_rows(rows, as_json=as_json, columns=columns)


@app.command("unassign")
def unassign(assignment: UUID, why: Because, as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """End an assignment before its day."""
    made = _client(api_key).post(SERVICE, f"/v1/policies/assignments/{assignment}/end", {"why": why})
    answer(made, as_json=as_json, line=f"Ended at {made['ended_at']}.")


@app.command("migrate")
def migrate(  # noqa: PLR0917 - options, never given by place
    version: Version,
    why: Because,
    since: Annotated[str, typer.Option("--from", help="The version they are on: NAME@NUMBER or an id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it the number of cases is told.")] = False,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """Move the running cases of one version to another, at the level they have reached."""
    client = _client(api_key)
    path = f"/v1/policies/{_version(client, version)['version_id']}/migrations"
    told = {"why": why, "from_version": _version(client, since)["version_id"]}
    made = client.post(SERVICE, path, {**told, "dry_run": True})
    if yes:
        made = client.post(SERVICE, path, {**told, "count": made["count"]})
    answer(made, as_json=as_json, line=f"{made['count']} running cases {'were' if yes else 'would be'} moved.")


@app.command("simulate")
def simulate(  # noqa: PLR0917 - options, never given by place
    version: Version,
    first: Annotated[str, typer.Option("--from", help="The first day: 2026-09-01.")],
    last: Annotated[str, typer.Option("--to", help="The last day. Days have all passed, or all lie ahead.")],
    against: Annotated[str | None, typer.Option(help="Another version; of past days what was sent.")] = None,
    entity: Annotated[UUID | None, typer.Option(help="Cases of this entity only.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write every contact to this file (CSV).", dir_okay=False)] = None,
    totals: Annotated[bool, typer.Option("--totals", help="Of days ahead: only counts, on all processors.")] = False,
    as_json: AsJson = False,
    api_key: ApiKey = None,
) -> None:
    """What a version would have said, or would say: notices by step, calls a day, and what is otherwise."""
    client = _client(api_key)
    told: dict[str, Any] = {"first": first, "last": last, "entity_id": str(entity) if entity else None}
    if totals:
        if against or out:
            raise typer.BadParameter("Totals are of one version, without its contacts.", param_hint="--totals")
        path = f"/v1/policies/{_version(client, version)['version_id']}/simulations/totals"
        _figures(client.post(SERVICE, path, told), as_json)
        return
    told["against"] = _version(client, against)["version_id"] if against else None
    path = f"/v1/policies/{_version(client, version)['version_id']}/simulations"
    pages = _pages(client, path, told)
    contacts = [each for page in pages for each in page["contacts"]]
    if out is not None:
        _table(out, contacts)
    found = {"cases": sum(page["cases"] for page in pages), "compared_with": pages[0]["compared_with"]}
    found |= _added([page["summary"] for page in pages]) | _added([page["agreement"] or {} for page in pages])
    if as_json:
        answer_json({**found, "contacts": contacts})
        return
    _figures(found, as_json=False)


def _figures(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        answer_json(found)
        return
    answer_rows([{"figure": k, "value": v} for k, v in found.items()], as_json=False, columns=["figure", "value"])


def _pages(client: Client, path: str, told: dict[str, Any]) -> list[dict[str, Any]]:
    found = [client.post(SERVICE, path, told)]
    while found[-1]["next"]:
        found.append(client.post(SERVICE, path, {**told, "cursor": found[-1]["next"]}))
    return found


def _added(pages: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of pages in one: the most in 30 days is the highest, everything else a sum."""
    found: dict[str, Any] = {}
    for page in pages:
        for name, value in page.items():
            if isinstance(value, dict):
                found[name] = _added([found.get(name, {}), value])
            elif isinstance(value, int):
                before = found.get(name, 0)
                found[name] = max(before, value) if name == "most_in_30_days" else before + value
    return found


def _table(out: Path, contacts: list[dict[str, Any]]) -> None:
    with out.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(contacts[0]) if contacts else ["date"])
        table.writeheader()
        for each in contacts:
            asked = " + ".join(f"{amount['amount']} {amount['currency']}" for amount in each["asked"])
            table.writerow({**each, "items": " ".join(each["items"]), "asked": asked})


@app.command("profiles")
def profiles(as_json: AsJson = False, api_key: ApiKey = None) -> None:
    """How each payer pays, by its last six months."""
    rows = _all(_client(api_key), "/v1/payer-profiles")
    columns = ["payer_id", "profile", "told", "items", "delay", "late_share", "on"]
    answer_rows(rows, as_json=as_json, columns=columns)
