"""`relance <service>`: one process of one service, with its doors, its loops or both."""

import asyncio
from importlib import import_module
from typing import Annotated, Literal

import typer

from libs.common.settings import PORTS, Settings

app = typer.Typer()

Only = Annotated[
    Literal["http", "work"] | None,
    typer.Option(help="Only the doors (http) or only the loops (work); without it, both."),
]


def serve(service: str, only: Literal["http", "work"] | None) -> None:
    """Run one service until SIGTERM."""
    settings = Settings.from_env()
    wired = import_module(f"services.{service}.app").wire(settings)
    asyncio.run(import_module("libs.common.runtime").run(wired, settings, only))


def _register(service: str) -> None:
    @app.command(service, help=f"Run the service {service} on port {PORTS[service]}.")
    def run(only: Only = None) -> None:
        serve(service, only)


for _service in PORTS:
    if _service != "console":  # has commands of its own
        _register(_service)
