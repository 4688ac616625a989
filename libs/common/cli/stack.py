"""`relance up` and `relance down`: the embedded stack in the background."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from libs.common.cli.output import console, say
from libs.common.devstack.control import down as stop_stack
from libs.common.devstack.control import up as start_stack
from libs.common.devstack.errors import AlreadyUp
from libs.common.devstack.supervisor import Supervisor
from libs.common.settings import PORTS, Settings

app = typer.Typer()


@app.command("up")
def up(
    infrastructure: Annotated[
        bool, typer.Option("--infrastructure", help="Without the services: to run them by hand or in a debugger.")
    ] = False,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay here until Ctrl-C.")] = False,
) -> None:
    """Start PostgreSQL, Apache Kafka, the mail catcher and the services, and keep them. Data stays between runs."""
    settings = Settings.from_env()
    if foreground:
        Supervisor(settings, () if infrastructure else PORTS).run()
        return
    try:
        with progress() as tell:
            start_stack(settings, tell, infrastructure=infrastructure)
    except AlreadyUp as already:
        say(f"{already.detail} {already.remedy_text}")
        return
    say(f"Up: {settings.public_url} · logs in {settings.state / 'logs'} · `make down` stops it.")


@app.command("down")
def down() -> None:
    """Stop the stack of this folder, all of it and nothing else."""
    with progress() as tell:
        stopped = stop_stack(Settings.from_env(), tell)
    say("All is down; the data stays." if stopped else "Nothing was running.")


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A moving line on a terminal, a plain line each elsewhere."""
    screen = console()
    if not screen.is_terminal:
        yield say
        return
    with screen.status("…") as status:
        yield status.update
