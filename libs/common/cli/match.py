"""`relance match`: measure the matcher on files whose truth is known, make such files, calibrate it for a tenant, and
decide what takes two people.

It is measured in a database of its own: on the server of the stack that runs, else on an embedded one.
"""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from libs.common.cli.client import ApiKey, Client
from libs.common.cli.output import AsJson, answer, answer_json, answer_rows, say
from libs.common.cli.stack import progress
from libs.common.cli.tenant import Tenant, administrator
from libs.common.errors import RelanceError
from libs.common.settings import Settings

app = typer.Typer(
    name="match", help="Measure the matcher, make worlds to measure it on, calibrate it.", no_args_is_help=True
)
two_people = typer.Typer(name="two-people", help="Amounts beyond which two people decide.", no_args_is_help=True)
proposals = typer.Typer(name="proposals", help="What waits for a second person.", no_args_is_help=True)
app.add_typer(two_people)
app.add_typer(proposals)

_ENGINE = "services.payment_matching.evaluation"
_WORLDS = "services.payment_matching.worlds"
_File = {"exists": True, "dir_okay": False, "readable": True}
_CLASS = ["kind", "payments", "auto", "auto_share", "wrong", "top_1", "top_3"]
MATCHING = "payment_matching"
PATH = "/v1/matching/calibrations"
_CALIBRATION = ["state", "outcomes", "error", "least_odds", "why", "made_by", "made_at", "calibration_id"]
_HELD = ["reason", "payments", "alone", "alone_wrong"]
LIMITS = "/v1/matching/two-people"
PROPOSALS = "/v1/matching/proposals"
_LIMIT = ["entity_id", "amount", "currency", "set_by", "set_at"]


@app.command("evaluate")
def evaluate(  # noqa: PLR0917 - options, never given by place
    ledger: Annotated[Path, typer.Option(help="items.jsonl: what is open.", **_File)],
    payments: Annotated[Path, typer.Option(help="payments.jsonl, in arrival order.", **_File)],
    truth: Annotated[Path, typer.Option(help="truth.jsonl: what each payment paid.", **_File)],
    identities: Annotated[Path | None, typer.Option(help="identities.jsonl: known accounts.", **_File)] = None,
    learn: Annotated[bool, typer.Option("--learn", help="A clerk posts each truth after it was decided.")] = False,
    processes: Annotated[int, typer.Option(help="Matchers that share the payments.", min=1, max=16)] = 1,
    out: Annotated[Path | None, typer.Option(help="Write every decision to this file.", dir_okay=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Run the service's pipeline over the payments in a scratch database, and say how well it did."""
    files = import_module(f"{_ENGINE}.files").load(ledger, payments, truth, identities)
    if files.untold:
        say(f"{files.untold} payments have no line of truth: they are taken to pay no item.")
    report = import_module(f"{_ENGINE}.report")
    with progress() as tell:
        work = report.evaluate(Settings.from_env(), files, tell, learn=learn, processes=processes)
        found, kept = asyncio.run(_stoppable(work))
    if out is not None:
        report.write_decisions(out, files, kept)
    if as_json:
        answer_json(found)
        return
    rows = [{"figure": what, "value": value} for what, value in report.table(found)]
    answer_rows(rows, as_json=False, columns=["figure", "value"])
    answer_rows([_class(row) for row in found["classes"]], as_json=False, columns=_CLASS)
    answer_rows(found["held"], as_json=False, columns=_HELD)


async def _stoppable(work: Coroutine[Any, Any, Any]) -> Any:
    """The work, ended in good order by SIGTERM: its database and its server go with it. Raises Stopped."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        raise Stopped from None


class Stopped(RelanceError):
    """The evaluation was stopped; nothing of it is left."""

    code = "stopped"


def _class(row: dict[str, Any]) -> dict[str, Any]:
    shares = {name: f"{100 * row[name]:.1f} %" for name in ("auto_share", "top_1", "top_3") if row[name] is not None}
    return dict.fromkeys(("top_1", "top_3")) | row | shares


@app.command("generate")
def generate(  # noqa: PLR0917 - options, never given by place
    folder: Annotated[Path, typer.Argument(help="Where the four files go.", file_okay=False)],
    seed: Annotated[int, typer.Option(help="The same seed and knobs make the same world.")] = 1,
    open_items: Annotated[int, typer.Option("--open", help="Open items.", min=10, max=5_000_000)] = 20_000,
    payments: Annotated[int, typer.Option(help="Payments.", min=1, max=5_000_000)] = 5_000,
    world: Annotated[str, typer.Option(help="A set of knobs: `relance match worlds` lists them.")] = "home",
    knob: Annotated[list[str] | None, typer.Option(help="NAME=VALUE, over the set's own; may be repeated.")] = None,
) -> None:
    """Make a world: items.jsonl, payments.jsonl, truth.jsonl and identities.jsonl."""
    knobs = import_module(f"{_WORLDS}.knobs").chosen(world, knob or [])
    told = import_module(f"{_WORLDS}.writing").write(folder, knobs, seed, open_items, payments)
    say(f"{told['items']:,} items, {told['payments']:,} payments and their truth are in {folder}.")


@app.command("worlds")
def worlds(as_json: AsJson = False) -> None:
    """The sets of knobs, and what each knob is in them."""
    rows = import_module(f"{_WORLDS}.knobs").described()
    answer_rows(rows, as_json=as_json, columns=list(rows[0]))


# What the machine learned of a tenant


def _client(api_key: str | None) -> Client:
    return Client.with_key(Settings.from_env(), api_key)


def _told(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        answer_json(found)
        return
    least = found["least_odds"]
    say(f"{found['outcomes']} outcomes; error of the product's own curve: {_share(found['own_error'])}.")
    say("No threshold holds the machine back." if least is None else f"Below log-odds of {least} a person decides.")
    rows = [row | {"error": _share(row["error"])} for row in found["calibrations"]]
    answer_rows(rows, as_json=False, columns=_CALIBRATION)


def _share(error: float | None) -> str:
    return "-" if error is None else f"{100 * error:.1f} %"


@app.command("calibrations")
def calibrations(*, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """What acts, what is watched in shadow, and what acted before, each with its error on what is known now."""
    _told(_client(api_key).get(MATCHING, PATH), as_json=as_json)


@app.command("calibrate")
def calibrate(
    why: Annotated[str, typer.Argument(help="For the record.")],
    *,
    least_odds: Annotated[float | None, typer.Option(help="Log-odds below which a person decides.")] = None,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Make a calibration of what came of the machine's proposals. It is watched in shadow and acts on nothing."""
    body = {"why": why} | ({} if least_odds is None else {"least_odds": least_odds})
    _told(_client(api_key).post(MATCHING, PATH, body), as_json=as_json)


@app.command("activate")
def activate(calibration: UUID, *, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Let a calibration that is in shadow act; for whoever holds the service secret, others ask a manager."""
    client, _ = administrator(tenant)
    _told(client.post(MATCHING, f"{PATH}/{calibration}/activate"), as_json=as_json)


@app.command("rollback")
def rollback(*, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """What acted before acts again, with its threshold: also after errors have raised it. As `activate`."""
    client, _ = administrator(tenant)
    _told(client.post(MATCHING, f"{PATH}/rollback"), as_json=as_json)


# What takes two people


def _limits(found: dict[str, Any], *, as_json: bool) -> None:
    rows = found["limits"]
    answer_rows(rows if as_json else [row | row["above"] for row in rows], as_json=as_json, columns=_LIMIT)


@two_people.command("show")
def show_limits(*, api_key: ApiKey = None, as_json: AsJson = False) -> None:
    """Every amount beyond which a match or a write-off by hand takes a second person; without one, one is enough."""
    _limits(_client(api_key).get(MATCHING, LIMITS), as_json=as_json)


@two_people.command("set")
def set_limit(
    amount: Annotated[str, typer.Argument(help="Beyond this: 5000.00. 0 lets everything wait for a second person.")],
    currency: Annotated[str, typer.Argument(help="EUR, …")],
    *,
    entity: Annotated[UUID | None, typer.Option(help="The company, where there are several.")] = None,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Set or change the amount; for whoever holds the service secret, others ask an administrator."""
    client, _ = administrator(tenant)
    body = {"above": {"amount": amount, "currency": currency.upper()}} | ({"entity_id": str(entity)} if entity else {})
    _limits(client.put(MATCHING, LIMITS, body), as_json=as_json)


def _proposals(client: Client, state: str) -> Iterator[dict[str, Any]]:
    after = None
    while True:
        page = client.get(MATCHING, PROPOSALS, limit=200, cursor=after, state=None if state == "all" else state)
        yield from page["proposals"]
        after = page["next"]
        if after is None:
            return


@proposals.command("list")
def list_proposals(
    *,
    state: Annotated[str, typer.Option(help="waiting, approved, refused, replaced, or all.")] = "waiting",
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """What one person proposed and waits for another, the newest first."""
    rows = list(_proposals(_client(api_key), state))
    if as_json:
        answer_json(rows)
        return
    for row in rows:
        # A line of its own length: an id that a narrow terminal cuts off is of no use.
        what = f"{row['kind']} of {row['amount']['amount']} {row['amount']['currency']}"
        told = f"{row['proposal_id']}  {row['state']}  {what}  proposed by {row['proposed_by']} {row['proposed_at']}"
        answer(row, as_json=False, line=told + (f"  {row['why']}" if row["why"] else ""))


@proposals.command("approve")
def approve(proposal: UUID, *, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Do what was proposed; for whoever holds the service secret. A key is no person and cannot."""
    client, _ = administrator(tenant)
    made = client.post(MATCHING, f"{PROPOSALS}/{proposal}/approve")
    answer(made, as_json=as_json, line=f"Proposal {proposal} is {made['state']}.")


@proposals.command("refuse")
def refuse(
    proposal: UUID,
    why: Annotated[str, typer.Argument(help="For the record.")],
    *,
    api_key: ApiKey = None,
    as_json: AsJson = False,
) -> None:
    """Nothing comes of it."""
    made = _client(api_key).post(MATCHING, f"{PROPOSALS}/{proposal}/refuse", {"why": why})
    answer(made, as_json=as_json, line=f"Proposal {proposal} is {made['state']}.")
