"""Reading long lists line by line, so that a bad line is refused alone and no list holds the process up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from libs.common.errors import Refused, RelanceError, TooLarge
from libs.common.http import parsed, read_json, unfit

MOST = 10_000
STEP = 20
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
Told = TypeVar("Told", bound=BaseModel)


async def raw_lines(request: Request) -> Sequence[Any]:
    """The lines of a JSON array, or of newline-delimited JSON as bytes. Raises Refused or TooLarge."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media in NDJSON:
        found: Sequence[Any] = [line for line in (await request.body()).splitlines() if line.strip()]
    else:
        found = parsed(request)
        if not isinstance(found, list):
            raise Refused("Expected a JSON array, or one JSON object a line.", field="body", remedy="Send a list.")
    if len(found) > MOST:
        raise TooLarge(f"A list has at most {MOST} lines; this one has {len(found)}.", most=MOST)
    return found


async def read_lines(lines: Sequence[Any], model: type[Told], at_once: int) -> AsyncIterator[list[Told | RelanceError]]:
    """The lines as models or as their refusals, some at once. The next ones are read while these are worked on."""
    reading = asyncio.create_task(_read(lines[:at_once], model))
    try:
        for start in range(at_once, len(lines) + at_once, at_once):
            ready = await reading
            reading = asyncio.create_task(_read(lines[start : start + at_once], model))
            yield ready
    finally:
        reading.cancel()


async def _read(lines: Sequence[Any], model: type[Told]) -> list[Told | RelanceError]:
    """Some lines, a few at a time: others may work in between."""
    found: list[Told | RelanceError] = []
    for start in range(0, len(lines), STEP):
        found += [read_line(line, model) for line in lines[start : start + STEP]]
        await asyncio.sleep(0)
    return found


def read_line(line: Any, model: type[Told]) -> Told | RelanceError:
    """One line as a model, or its refusal."""
    try:
        return model.model_validate(read_json(line) if isinstance(line, bytes) else line)
    except ValidationError as error:
        return unfit(error.errors(include_url=False, include_input=False, include_context=False))
    except RelanceError as refused:
        return refused
