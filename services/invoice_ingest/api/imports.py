"""Imports: a table of invoices with its mapping, tried or taken, and the report of what was not."""

import csv
import io
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from pydantic import BaseModel, ValidationError

from libs.common.errors import NotFound, RelanceError
from libs.common.http import unfit
from libs.common.ids import uuid7
from services.invoice_ingest.api import answers
from services.invoice_ingest.api.invoices import Here, Reads, Writes, merged, offered
from services.invoice_ingest.api.lists import read_line
from services.invoice_ingest.room import AT_ONCE, Room
from services.invoice_ingest.sources import tabular
from services.invoice_ingest.sources.canonical import CanonicalInvoice
from services.invoice_ingest.sources.tabular import TableMapping
from services.invoice_ingest.store import imports as store
from services.invoice_ingest.taking import Outcome

routes = APIRouter(prefix="/v1/imports", tags=["imports"])
MAX_BYTES = 20_000_000
SHOWN = 100
NOT_TAKEN = ("refused", "quarantined", "conflict")


class Report(BaseModel):
    """What an import did. `errors` shows the first 100 lines that were not taken; `/errors.csv` has them all."""

    id: UUID
    dry_run: bool
    lines: int
    counts: dict[str, int]
    errors: list[answers.Line]


@routes.post("", status_code=201)
async def import_table(
    *,
    file: Annotated[UploadFile, File(description="CSV or Excel (.xlsx) with a line of headings.")],
    caller: Writes,
    room: Here,
    mapping: Annotated[str, Form(description="JSON: columns, delimiter, decimal, date_format, currency.")] = "{}",
    entity_id: Annotated[UUID | None, Form()] = None,
    source: Annotated[str, Form(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")] = "import",
    dry_run: Annotated[bool, Form()] = False,
    take_over: Annotated[bool, Form(description="Old history: wait in take-over.")] = False,
) -> Report:
    """Take a table of up to 50,000 invoices; `dry_run` answers as if."""
    started = room.clock.now()
    entity = await room.entity(caller.tenant_id, entity_id)
    told = await room.tables.rows(await file.read(), _mapping(mapping))
    outcomes: list[Outcome] = []
    for start in range(0, len(told), AT_ONCE):
        lines = []
        for _, line in told[start : start + AT_ONCE]:
            read = line if isinstance(line, RelanceError) else read_line(line, CanonicalInvoice)
            if isinstance(read, CanonicalInvoice):
                read = read.model_copy(update={"entity_id": entity.entity_id, "source": source})
            lines.append(read)
        outcomes += await merged(room, await offered(room, caller, lines, take_over), dry_run)
    run = {
        "tenant_id": caller.tenant_id,
        "import_id": uuid7(),
        "entity_id": entity.entity_id,
        "name": (file.filename or "")[:200] or None,
        "by": caller.subject,
        "dry_run": dry_run,
        "lines": len(outcomes),
        "results": orjson.dumps(answers.counted([each.result for each in outcomes])).decode(),
        "started_at": started,
    }
    errors = [_error(run, number, each) for (number, _), each in zip(told, outcomes, strict=True) if _missed(each)]
    await _keep(room, run, errors)
    return _report(run, errors)


def _missed(outcome: Outcome) -> bool:
    return outcome.result in NOT_TAKEN


def _mapping(told: str) -> TableMapping:
    try:
        return TableMapping.model_validate_json(told)
    except ValidationError as error:
        raise unfit(error.errors(include_url=False, include_input=False, include_context=False)) from None


def _error(run: dict[str, Any], number: int, outcome: Outcome) -> dict[str, Any]:
    told = answers.facts(outcome)
    names = ("external_id", "result", "code", "field", "detail", "remedy")
    place = {"tenant_id": run["tenant_id"], "import_id": run["import_id"], "line": number}
    return place | {name: told[name] for name in names}


async def _keep(room: Room, run: dict[str, Any], errors: list[dict[str, Any]]) -> None:
    async with room.database.transaction(run["tenant_id"]) as db:
        await store.add(db, run, errors)


def _report(run: dict[str, Any], errors: list[dict[str, Any]]) -> Report:
    names = ("line", "external_id", "result", "code", "field", "detail", "remedy")
    empty = {"id": None, "version": None, "quarantine_id": None}
    return Report(
        id=run["import_id"],
        dry_run=run["dry_run"],
        lines=run["lines"],
        counts=orjson.loads(run["results"]),
        errors=[answers.Line(**empty, **{name: each[name] for name in names}) for each in errors[:SHOWN]],
    )


class LookOut(BaseModel):
    """A table before it is taken: its headings, the fields they are understood as, its first lines, all fields."""

    headings: list[str]
    understood: dict[str, str]
    sample: list[list[str]]
    fields: list[str]


@routes.post("/look")
async def look_at_table(
    file: Annotated[UploadFile, File(description="CSV or Excel (.xlsx) with a line of headings.")],
    caller: Writes,
    room: Here,
    mapping: Annotated[str, Form(description="JSON: columns, delimiter, decimal, date_format, currency.")] = "{}",
) -> LookOut:
    """Read the headings and the first lines of a table. Nothing is kept."""
    found = await room.tables.look(await file.read(), _mapping(mapping))
    return LookOut(
        headings=found.headings, understood=found.understood, sample=found.sample, fields=list(tabular.FIELDS)
    )


@routes.get("/{import_id}")
async def read_import(import_id: UUID, caller: Reads, room: Here) -> Report:
    """The report of an import."""
    run, errors = await _found(room, caller.tenant_id, import_id)
    return _report(run, errors)


async def _found(room: Room, tenant: UUID, import_id: UUID) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    async with room.database.transaction(tenant) as db:
        run = await store.one(db, tenant, import_id)
        errors = await store.errors(db, tenant, import_id)
    if run is None:
        raise NotFound(f"There is no import {import_id}.")
    return run._asdict(), [each._asdict() for each in errors]


@routes.get("/{import_id}/errors.csv", response_class=Response)
async def read_errors(
    import_id: UUID, caller: Reads, room: Here, delimiter: Annotated[str, Query(pattern="^[;,]$")] = ";"
) -> Response:
    """The lines that were not taken, as a table."""
    _, errors = await _found(room, caller.tenant_id, import_id)
    made = io.StringIO()
    names = ("line", "external_id", "result", "code", "field", "detail", "remedy")
    table = csv.writer(made, delimiter=delimiter)
    table.writerow(names)
    table.writerows([[_harmless(each[name]) for name in names] for each in errors])
    return Response(made.getvalue().encode("utf-8-sig"), media_type="text/csv; charset=utf-8")


def _harmless(value: Any) -> str:
    """A cell that no spreadsheet runs as a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
