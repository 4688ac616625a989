"""`relance dead-letters`: the events that could not be handled, and what a person decides about them.

It speaks to the services' schemas themselves, as their loops do, so it works when no service runs.
"""

import asyncio
import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import dead_letters
from libs.common.cli.output import AsJson, answer, answer_json, answer_rows
from libs.common.db import Database
from libs.common.errors import NotFound
from libs.common.settings import SCHEMAS, Settings

app = typer.Typer(name="dead-letters", help="Events that could not be handled: list, show, replay, drop.")

Service = Annotated[str | None, typer.Option("--service", help="Only this service; without it, all of them.")]
Letter = Annotated[UUID, typer.Argument(help="The letter_id that `relance dead-letters list` shows.")]
T = TypeVar("T")


@asynccontextmanager
async def schema_of(settings: Settings, service: str) -> AsyncIterator[AsyncConnection]:
    """One transaction in a service's schema, as its loops."""
    database = Database(settings, service, "loop", pool=1)
    try:
        async with database.transaction() as db:
            yield db
    finally:
        await database.close()


def chosen(service: str | None) -> list[str]:
    """The services a command is about. Raises BadParameter for one that there is not."""
    if service is not None and service not in SCHEMAS:
        raise typer.BadParameter(f"there is no service {service}; there are {', '.join(SCHEMAS)}")
    return [service] if service else list(SCHEMAS)


@app.command("list")
def list_letters(
    service: Service = None,
    ended: Annotated[bool, typer.Option("--ended", help="Also those that were replayed or dropped.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many of each service.")] = 100,
    as_json: AsJson = False,
) -> None:
    """The dead letters, oldest first; `behind` counts the events that wait for each."""
    states: list[dead_letters.State] = ["open", "replay", "drop", *(("replayed", "dropped") if ended else ())]

    async def read() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for name in chosen(service):
            async with schema_of(Settings.from_env(), name) as db:
                found = await dead_letters.letters(db, states=states, limit=limit)
                rows += [{"service": name} | asdict(letter) for letter in found]
        return rows

    shown = ("service", "letter_id", "type", "key", "state", "attempts", "behind", "set_aside_at", "error")
    answer_rows(asyncio.run(read()), as_json=as_json, columns=shown)


@app.command("show")
def show(letter_id: Letter, as_json: AsJson = False) -> None:
    """One letter with its headers and its body. The body may hold personal data."""

    async def read(db: AsyncConnection) -> dict[str, Any]:
        letter, headers, body = await dead_letters.letter(db, letter_id)
        return asdict(letter) | {"headers": dict(headers), "body": (body or b"").decode(errors="backslashreplace")}

    service, facts = asyncio.run(_where(read))
    facts = {"service": service} | facts
    if as_json:
        answer_json(facts)
        return
    for name, value in facts.items():
        answer(value, as_json=False, line=f"{name}: {value}")


@app.command("replay")
def replay(letter_id: Letter, as_json: AsJson = False) -> None:
    """Try the letter again, then what waits behind it; the running service does it within a second or two."""
    service, _ = asyncio.run(_where(lambda db: dead_letters.replay(db, letter_id, getpass.getuser())))
    facts = {"letter_id": letter_id, "service": service, "state": "replay"}
    answer(facts, as_json=as_json, line=f"{service} tries {letter_id} again.")


@app.command("drop")
def drop(
    letter_id: Letter,
    reason: Annotated[str, typer.Option("--reason", help="Why nothing is lost without it; it is kept.")],
    as_json: AsJson = False,
) -> None:
    """Forget the letter for good and go on with what waits behind it."""
    service, _ = asyncio.run(_where(lambda db: dead_letters.drop(db, letter_id, getpass.getuser(), reason)))
    facts = {"letter_id": letter_id, "service": service, "state": "drop"}
    answer(facts, as_json=as_json, line=f"{service} drops {letter_id}.")


async def _where(ask: Callable[[AsyncConnection], Awaitable[T]]) -> tuple[str, T]:
    """Ask each service's schema until one has the letter. Raises NotFound when none has."""
    missing: NotFound | None = None
    for service in SCHEMAS:
        try:
            async with schema_of(Settings.from_env(), service) as db:
                return service, await ask(db)
        except NotFound as error:
            missing = error
    raise missing or NotFound()
