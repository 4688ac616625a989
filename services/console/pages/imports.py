"""Imports: a table of invoices in four steps (file, columns, trial, taken), and bank statements in one.

The bytes wait in our own table between the steps; what is taken, and why a line is not, is the owner's to say. A
file with the headings of an earlier one is read as that one was.
"""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from libs.common.calls import PeerRefused
from libs.common.errors import NotFound
from libs.common.ids import uuid7
from services.console.errors import AlreadyDecided
from services.console.pages import forms
from services.console.pages.commands import Told, ask, done
from services.console.pages.excel import Row, excel_of, headed
from services.console.pages.forms import FieldMissing
from services.console.pages.guard import PageRoute, Posted, allows, may, quiet
from services.console.pages.shell import shown
from services.console.pages.web import web_of
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import imports as store
from services.console.store import people

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("invoices:read"))]
Importer = Annotated[Person, Depends(may("invoices:write"))]
Banker = Annotated[Person, Depends(may("payments:write"))]
LEDGER, BANK = "invoice_ingest", "payment_matching"
MOST = 20_000_000
PAGE = 100
"""Lines that were not taken, as the page of a file shows them; its Excel file has all."""
SECONDS = 240.0
DATES = ("YYYY-MM-DD", "DD/MM/YYYY", "DD.MM.YYYY", "MM/DD/YYYY", "YYYYMMDD")
DECIMALS = ("auto", ",", ".")
CURRENCY = 3
LONG = dict.fromkeys(("/imports", "/imports/statement", "/imports/past-reminders"), 25_000_000)
"""The bodies that may be longer than others, by path."""


class FileGone(NotFound):
    """The file is not kept any more: files wait for a day."""

    code = "file_gone"
    remedy = "Send it again."


@routes.get("/imports")
async def import_list(request: Request, person: Reader) -> Response:
    """Where files are sent, and what became of the last ones."""
    room = here(request)
    async with room.database.transaction(person.tenant_id) as db:
        files = await store.latest(db, person.tenant_id)
        names = await people.names(db, person.tenant_id, [each["by"] for each in files])
    may_import, may_bank = allows(person, "invoices:write"), allows(person, "payments:write")
    facts: dict[str, Any] = {"files": files, "names": names, "may_import": may_import, "may_bank": may_bank}
    facts["may_chase"] = allows(person, "reminders:write")
    return await shown(request, "imports.html", person, **facts)


async def file_of(form: FormData) -> tuple[str, bytes]:
    """The name and the bytes of the file that was sent. Raises FieldMissing."""
    sent = form.get("file")
    if not isinstance(sent, UploadFile) or not sent.filename:
        raise FieldMissing("Choose a file.", field="file")
    data = await sent.read()
    if not data or len(data) > MOST:
        raise FieldMissing("The file is empty or larger than 20 MB.", field="file")
    return sent.filename[-200:], data


@routes.post("/imports")
async def upload(request: Request, person: Importer, form: Posted) -> Response:
    """A table is sent: look at it, and show how it would be read."""
    room = here(request)
    name, data = await file_of(form)
    sent = {"files": {"file": (name, data)}}
    looked = await ask(room, person, LEDGER, "POST", "/v1/imports/look", sent=sent, timeout=SECONDS)
    row = {
        "tenant_id": person.tenant_id,
        "draft_id": uuid7(),
        "kind": "invoices",
        "name": name,
        "size": len(data),
        "data": data,
        "looked": looked,
        "state": "read",
        "by": person.actor,
        "at": room.clock.now(),
    }
    async with room.database.transaction(person.tenant_id) as db:
        row["mapping"] = await store.mapping_of(db, person.tenant_id, looked["headings"])
        await store.add(db, row)
    return onward(request, row["draft_id"])


def onward(request: Request, draft_id: Any) -> Response:
    """On to the page of a file."""
    path = f"/imports/{draft_id}"
    if quiet(request):
        return Response(orjson.dumps({"next": path}), media_type="application/json")
    return RedirectResponse(path, 303)


@routes.get("/imports/{draft_id}")
async def one_import(request: Request, person: Reader, draft_id: UUID) -> Response:
    """One file: its columns, what a trial said, what was taken."""
    async with here(request).database.transaction(person.tenant_id) as db:
        found = await store.one(db, person.tenant_id, draft_id)
        names = await people.names(db, person.tenant_id, [found["by"]])
    looked = found["looked"] or {"headings": [], "understood": {}, "sample": [], "fields": []}
    mapping = found["mapping"] or {}
    facts: dict[str, Any] = {
        "file": found,
        "names": names,
        "looked": looked,
        "columns": mapping.get("columns") or looked["understood"],
        "mapping": mapping,
        "known": bool(mapping) and found["state"] == "read",
        "dates": DATES,
        "decimals": DECIMALS,
        "may_import": allows(person, "invoices:write"),
        "may_chase": allows(person, "reminders:write"),
        "most": PAGE,
    }
    return await shown(request, "import.html", person, **facts)


@routes.post("/imports/{draft_id}/try")
async def try_out(request: Request, person: Importer, form: Posted, draft_id: UUID) -> Response:
    """Answer as if the file were taken with these columns; nothing is."""
    room, told = here(request), _told(form)
    report = await _sent(room, person, draft_id, told, dry_run=True)
    async with room.database.transaction(person.tenant_id) as db:
        await store.change(
            db, person.tenant_id, draft_id, only_in=("read", "tried"), state="tried", report=report, **told
        )
    return onward(request, draft_id)


@routes.post("/imports/{draft_id}/take")
async def take(request: Request, person: Importer, form: Posted, draft_id: UUID) -> Response:
    """Take the file as it was tried. A second press, here or elsewhere, takes nothing twice."""
    room, tenant = here(request), person.tenant_id
    async with room.database.transaction(tenant) as db:
        found = await store.one(db, tenant, draft_id)
        if not await store.change(db, tenant, draft_id, only_in=("tried",), state="taking"):
            raise AlreadyDecided("This file was taken, or was not tried yet.")
    told = {name: found[name] for name in ("mapping", "entity_id", "take_over")}
    try:
        report = await _sent(room, person, draft_id, told, dry_run=False)
    except BaseException:
        async with room.database.transaction(tenant) as db:
            await store.change(db, tenant, draft_id, state="tried")
        raise
    async with room.database.transaction(tenant) as db:
        await store.change(db, tenant, draft_id, state="taken", report=report, data=None)
    count = sum(report["counts"].get(name, 0) for name in ("created", "amended"))
    return done(request, form, Told("done.import", {"count": count}), to=f"/imports/{draft_id}")


def _told(form: FormData) -> dict[str, Any]:
    """How the file is to be read, as its form says."""
    columns = {
        name.removeprefix("column."): str(value)
        for name, value in form.multi_items()
        if name.startswith("column.") and str(value)
    }
    entity = forms.identities(form, "entity")
    return {
        "mapping": {
            "columns": columns,
            "date_format": forms.one_of(form, "date_format", DATES),
            "decimal": forms.one_of(form, "decimal", DECIMALS),
            "currency": forms.needed(form, "currency", most=CURRENCY).upper(),
        },
        "entity_id": entity[0] if entity else None,
        "take_over": form.get("take_over") == "yes",
    }


async def _sent(room: Room, person: Person, draft_id: UUID, told: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    async with room.database.transaction(person.tenant_id) as db:
        found = await store.one(db, person.tenant_id, draft_id)
        data = await store.data(db, person.tenant_id, draft_id)
    if data is None:
        raise FileGone
    form = {"mapping": orjson.dumps(told["mapping"]).decode(), "dry_run": str(dry_run).lower(), "source": "console"}
    form |= {"take_over": str(told["take_over"]).lower()}
    form |= {"entity_id": str(told["entity_id"])} if told["entity_id"] else {}
    sent = {"files": {"file": (found["name"], data)}, "data": form}
    report: dict[str, Any] = await ask(room, person, LEDGER, "POST", "/v1/imports", sent=sent, timeout=SECONDS)
    return report


@routes.post("/imports/statement")
async def statement(request: Request, person: Banker, form: Posted) -> Response:
    """A bank's file: read, proved and taken at once, or refused with its reason."""
    room = here(request)
    name, data = await file_of(form)
    entity = forms.identities(form, "entity")
    row: dict[str, Any] = {
        "tenant_id": person.tenant_id,
        "draft_id": uuid7(),
        "kind": "statement",
        "name": name,
        "size": len(data),
        "entity_id": entity[0] if entity else None,
        "by": person.actor,
        "at": room.clock.now(),
    }
    params = {"entity_id": str(entity[0])} if entity else {}
    sent = {"content": data}
    headers = {"content-type": "application/octet-stream"}
    try:
        how: dict[str, Any] = {"params": params, "sent": sent, "headers": headers, "timeout": SECONDS}
        row |= {"state": "taken", "report": await ask(room, person, BANK, "POST", "/v1/statements", **how)}
    except PeerRefused as refused:
        await _keep(room, row | {"state": "refused", "report": refused.problem()})
        raise
    await _keep(room, row)
    payments = sum(line["payments"] for line in row["report"]["statements"])
    return done(request, form, Told("done.statement", {"count": payments}), to=f"/imports/{row['draft_id']}")


async def _keep(room: Room, row: dict[str, Any]) -> None:
    async with room.database.transaction(row["tenant_id"]) as db:
        await store.add(db, row)


@routes.get("/imports/{draft_id}/errors.xlsx")
async def errors_file(request: Request, person: Reader, draft_id: UUID) -> Response:
    """Every line that was not taken, with its number in the file and why."""
    room, t = here(request), web_of(request).texts_for(request, person)
    async with room.database.transaction(person.tenant_id) as db:
        found = await store.one(db, person.tenant_id, draft_id)
    lines = await _left_out(room, person, found["report"] or {})
    columns = [(t(f"import.error.{name}"), kind) for name, kind in _ERRORS]
    sheet = headed(t, t("import.errors"), [(t("import.file"), found["name"])], columns, as_of=found["at"])

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [[int(line["line"]), *(line[name] or None for name, _ in _ERRORS[1:])] for line in lines]

    return await excel_of(request).answer(sheet, rows())


async def _left_out(room: Room, person: Person, report: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of a file that were not taken: its report has them, or whose they are tells them. Raises NotFound."""
    if "id" not in report and "errors" in report:
        return list(report["errors"])
    if "id" not in report:
        raise NotFound("This file has no report.")
    told: str = await ask(room, person, LEDGER, "GET", f"/v1/imports/{report['id']}/errors.csv", params=_BY_SEMICOLON)
    return list(csv.DictReader(io.StringIO(told.removeprefix("\ufeff")), delimiter=";"))


_BY_SEMICOLON = {"delimiter": ";"}
_ERRORS = (("line", "number"), ("external_id", "text"), ("code", "text"), ("field", "text"), ("detail", "name"))


@routes.post("/imports/{draft_id}/drop")
async def drop(request: Request, person: Importer, form: Posted, draft_id: UUID) -> Response:
    """Forget a file that was not taken."""
    async with here(request).database.transaction(person.tenant_id) as db:
        await store.drop(db, person.tenant_id, draft_id, kind="invoices")
    return done(request, form, Told("done.import.dropped"), to="/imports")
