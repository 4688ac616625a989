"""`relance status`: how each part of the stack fares."""

from dataclasses import asdict

import typer

from libs.common.cli.output import AsJson, answer_rows, say
from libs.common.devstack.control import fares
from libs.common.errors import Unavailable
from libs.common.settings import Settings

app = typer.Typer()


@app.command("status")
def status(as_json: AsJson = False) -> None:
    """Every part with its process, readiness and restarts. Exit code 3 unless everything serves."""
    settings = Settings.from_env()
    found = fares(settings)
    answer_rows(
        [asdict(fare) for fare in found], as_json=as_json, columns=("part", "up", "ready", "restarts", "address")
    )
    if not found or not all(fare.up and fare.ready is not False for fare in found):
        raise Unavailable(
            "The stack is not all up.", remedy=f"Start it with `make up`; logs are in {settings.state / 'logs'}."
        )
    say("Everything serves.")
