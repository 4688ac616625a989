"""`relance match`: measure the matcher on files whose truth is known, and make such files.

The matcher is measured in a database of its own: on the server of the stack that runs, else on an embedded one.
"""

import asyncio
import signal
from collections.abc import Coroutine
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from libs.common.cli.output import AsJson, answer_json, answer_rows, say
from libs.common.cli.stack import progress
from libs.common.errors import RelanceError
from libs.common.settings import Settings

app = typer.Typer(name="match", help="Measure the matcher, and make worlds to measure it on.", no_args_is_help=True)

_ENGINE = "services.payment_matching.evaluation"
_WORLDS = "services.payment_matching.worlds"
_File = {"exists": True, "dir_okay": False, "readable": True}
_CLASS = ["kind", "payments", "auto", "auto_share", "wrong", "top_1", "top_3"]


@app.command("evaluate")
def evaluate(  # noqa: PLR0917 - options, never given by place
    ledger: Annotated[Path, typer.Option(help="items.jsonl: what is open.", **_File)],
    payments: Annotated[Path, typer.Option(help="payments.jsonl, in arrival order.", **_File)],
    truth: Annotated[Path, typer.Option(help="truth.jsonl: what each payment paid.", **_File)],
    identities: Annotated[Path | None, typer.Option(help="identities.jsonl: known accounts.", **_File)] = None,
    learn: Annotated[bool, typer.Option("--learn", help="A clerk posts each truth after it was decided.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write every decision to this file.", dir_okay=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Run the service's pipeline over the payments in a scratch database, and say how well it did."""
    files = import_module(f"{_ENGINE}.files").load(ledger, payments, truth, identities)
    if files.untold:
        say(f"{files.untold} payments have no line of truth: they are taken to pay no item.")
    report = import_module(f"{_ENGINE}.report")
    with progress() as tell:
        found, kept = asyncio.run(_stoppable(report.evaluate(Settings.from_env(), files, tell, learn=learn)))
    if out is not None:
        report.write_decisions(out, files, kept)
    if as_json:
        answer_json(found)
        return
    rows = [{"figure": what, "value": value} for what, value in report.table(found)]
    answer_rows(rows, as_json=False, columns=["figure", "value"])
    answer_rows([_class(row) for row in found["classes"]], as_json=False, columns=_CLASS)


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
