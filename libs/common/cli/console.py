"""`relance console`: the service itself, and making its read model anew from the topics."""

import asyncio
import time
from importlib import import_module

import typer

from libs.common.cli.output import AsJson, answer, say
from libs.common.cli.services import Only, serve
from libs.common.settings import PORTS, Settings

app = typer.Typer(
    name="console",
    help=f"Run the service console on port {PORTS['console']}, or make its read model anew.",
    invoke_without_command=True,
)


@app.callback()
def console(context: typer.Context, only: Only = None) -> None:
    """Run the service console; with `rebuild`, make its read model anew."""
    if context.invoked_subcommand is None:
        serve("console", only)


@app.command("rebuild")
def rebuild(as_json: AsJson = False) -> None:
    """Read every topic into new tables that take the place of the old ones; the pages answer meanwhile."""
    began = time.monotonic()
    say("reading the topics from their start into new tables")
    done = asyncio.run(import_module("services.console.rebuild").rebuild(Settings.from_env(), say))
    differing = done.after.differing(done.before)
    facts = {
        "events": done.events,
        "rows": done.after.rows,
        "seconds": round(time.monotonic() - began, 1),
        "checksum_before": done.before.digest,
        "checksum": done.after.digest,
        "differing": differing,
    }
    verdict = f"as before ({done.after.digest})" if not differing else "not as before: " + ", ".join(differing)
    line = f"{done.events:,} events, {done.after.rows:,} rows in {facts['seconds']} s; the checksum is {verdict}."
    answer(facts, as_json=as_json, line=line)
