"""How outcomes leave: a status for one, a line each for many."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal
from uuid import UUID

import orjson
from fastapi import Response
from pydantic import BaseModel

from services.invoice_ingest.taking import Outcome

Result = Literal["created", "amended", "unchanged", "stale", "cancelled", "quarantined"]
LineResult = Literal[Result, "refused", "conflict"]
_STATUS = {"created": 201, "quarantined": 202}


class Answer(BaseModel):
    """What became of one object. `quarantine_id`, `code`, `field` and `remedy` say what a person has to settle."""

    result: Result
    id: UUID | None = None
    external_id: str | None = None
    version: int | None = None
    quarantine_id: UUID | None = None
    code: str | None = None
    field: str | None = None
    detail: str | None = None
    remedy: str | None = None


class Line(BaseModel):
    """What became of one line of a list; each line stands alone."""

    line: int
    external_id: str | None
    result: LineResult
    id: UUID | None
    version: int | None
    quarantine_id: UUID | None
    code: str | None
    field: str | None
    detail: str | None
    remedy: str | None


class Lines(BaseModel):
    """A line per line, in order, and how many there are of each result."""

    results: list[Line]
    counts: dict[str, int]
    dry_run: bool


ONE: dict[int | str, dict[str, Any]] = {
    200: {"model": Answer, "description": "Known already: amended, unchanged, stale or cancelled."},
    201: {"model": Answer, "description": "Created."},
    202: {"model": Answer, "description": "Quarantined: it waits for a person."},
}


def facts(outcome: Outcome) -> dict[str, Any]:
    """The answer's fields that an outcome has."""
    problem = outcome.problem.problem() if outcome.problem is not None else {}
    reason = getattr(outcome.problem, "reason", None)
    return {
        "external_id": outcome.external_id,
        "result": outcome.result,
        "id": outcome.invoice_id,
        "version": outcome.version,
        "quarantine_id": outcome.quarantine_id,
        "code": reason or problem.get("code"),
        "field": problem.get("field"),
        "detail": problem.get("detail"),
        "remedy": problem.get("remedy"),
    }


def one(outcome: Outcome) -> Response:
    """The answer to a single object. Raises its refusal or conflict."""
    if outcome.problem is not None and outcome.result in ("refused", "conflict"):
        raise outcome.problem
    told = {name: value for name, value in facts(outcome).items() if value is not None}
    return Response(dumped(told), _STATUS.get(outcome.result, 200), media_type="application/json")


def many(outcomes: Iterable[Outcome], *, dry_run: bool) -> Response:
    """The answer to a list."""
    lines = [{"line": number} | facts(outcome) for number, outcome in enumerate(outcomes, 1)]
    told = {"results": lines, "counts": counted([line["result"] for line in lines]), "dry_run": dry_run}
    return Response(dumped(told), media_type="application/json")


def counted(results: Sequence[str]) -> dict[str, int]:
    """How many there are of each."""
    return {result: results.count(result) for result in dict.fromkeys(results)}


def dumped(told: Any) -> bytes:
    """JSON bytes; ids that the driver made are ids too."""
    return orjson.dumps(told, default=str)
