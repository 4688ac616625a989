"""`relance migrate` and `relance topics`: bring the database and the broker to what this release needs."""

import asyncio
from importlib import import_module
from typing import Annotated

import typer

from libs.common.cli.output import say
from libs.common.settings import PORTS, Settings

app = typer.Typer()


@app.command("migrate")
def migrate(
    service: Annotated[list[str] | None, typer.Argument(help="Only these services; without any, all.")] = None,
) -> None:
    """Make roles and schemas (with RELANCE_ADMIN_URL) and run every migration that is new. Safe to repeat."""
    unknown = [name for name in service or () if name not in PORTS]
    if unknown:
        raise typer.BadParameter(f"there is no service {', '.join(unknown)}; there are {', '.join(PORTS)}")
    asyncio.run(import_module("libs.common.migrate").migrate(Settings.from_env(), service))
    say("The database is at the version of this release.")


@app.command("topics")
def topics() -> None:
    """Make the Kafka topics that are missing, with their partitions and retention. Safe to repeat."""
    asyncio.run(import_module("libs.common.kafka").ensure_topics(Settings.from_env()))
    say("Every topic is there.")
