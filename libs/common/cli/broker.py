"""`relance broker`: after the broker lost records that it had acknowledged."""

import asyncio
from dataclasses import asdict

import typer

from libs.common.cli.output import AsJson, answer
from libs.common.recovery import recover
from libs.common.settings import Settings

app = typer.Typer(name="broker", help="The broker that the services speak through.")


@app.callback()
def broker() -> None:
    """The broker that the services speak through."""


@app.command("recover")
def recover_broker(as_json: AsJson = False) -> None:
    """Publish again what the broker lost and set the consumer groups back to before the loss. Safe to repeat."""
    done = asyncio.run(recover(Settings.from_env()))
    events = ", ".join(f"{count} of {topic}" for topic, count in sorted(done.events.items())) or "no event"
    moved = sum(done.groups.values())
    answer(asdict(done), as_json=as_json, line=f"To be published again: {events}. Partitions set back: {moved}.")
