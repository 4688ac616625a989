"""Past reminders as a file: read and tried when it is sent, with why a line is not taken, then taken.

The rule it protects: nothing of a file is taken before somebody has seen what would become of each line. Headings and
words may be French or English; columns that mean nothing here are named and left out.
"""

import asyncio
import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import Refused
from libs.common.ids import uuid7
from services.console.errors import AlreadyDecided
from services.console.pages import forms
from services.console.pages.asking import read_day
from services.console.pages.commands import Told, ask, done
from services.console.pages.forms import FieldMissing
from services.console.pages.guard import PageRoute, Posted, may
from services.console.pages.imports import FileGone, file_of, onward
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import imports as store

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Chaser = Annotated[Person, Depends(may("reminders:write"))]
OWNER, PATH = "scheduler", "/v1/past-reminders"
AT = "/imports/past-reminders"
KIND = "past_reminders"
MOST, AT_ONCE = 20_000, 1_000
"""Lines of a file, and of one call."""
NAMES = {
    "invoice": ("invoice", "invoice number", "number", "facture", "n° facture", "numéro de facture", "numéro"),
    "item_id": ("item_id",),
    "sent_on": ("sent_on", "sent on", "date", "envoyée le", "date d'envoi", "date de relance"),
    "tone": ("tone", "level", "ton", "niveau"),
    "kind": ("kind", "type", "nature"),
    "channel": ("channel", "canal"),
    "outcome": ("outcome", "result", "résultat"),
}
"""Field of the owner → what a column may be called, in small letters."""
WORDS = {
    "kind": {
        "relance": "reminder", "dernière relance": "final_notice", "mise en demeure": "formal_notice",
        "appel": "task_call", "final notice": "final_notice", "formal notice": "formal_notice", "call": "task_call",
    },
    "channel": {
        "e-mail": "email", "mail": "email", "courriel": "email", "courrier": "letter", "lettre": "letter",
        "appel": "call_task", "téléphone": "call_task", "call": "call_task",
    },
    "outcome": {"remis": "delivered", "remise": "delivered", "rejeté": "bounced", "rejetée": "bounced"},
}  # fmt: skip
"""What people write → what the owner calls it; its own words stand as they are."""


class ColumnMissing(Refused):
    """A table of past reminders has the columns invoice, sent_on and tone."""

    code = "column_missing"
    remedy = "Name the columns in the first line, and save the table as CSV."


@dataclass(frozen=True)
class Sheet:
    """The lines of a file as the owner takes them, and the columns that were left out."""

    lines: Sequence[Mapping[str, str]]
    ignored: Sequence[str]


def read(data: bytes) -> Sheet:
    """A CSV by comma, semicolon or tab, as UTF-8 or as Windows writes it. Raises ColumnMissing or FieldMissing."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=text.partition("\n")[0].count)))
    named = [_field(heading) for heading in rows[0]] if rows else []
    if not {"sent_on", "tone"} <= set(named) or not {"invoice", "item_id"} & set(named):
        raise ColumnMissing(field="file")
    filled = [row for row in rows[1:] if any(cell.strip() for cell in row)]
    if not 0 < len(filled) <= MOST:
        raise FieldMissing(f"The file has between 1 and {MOST} lines.", field="file")
    ignored = [heading for heading, name in zip(rows[0], named, strict=True) if name is None and heading.strip()]
    return Sheet([_line(named, row) for row in filled], ignored)


def _field(heading: str) -> str | None:
    told = " ".join(heading.replace("’", "'").lower().split())
    return next((name for name, known in NAMES.items() if told in known), None)


def _line(named: Sequence[str | None], row: Sequence[str]) -> dict[str, str]:
    cells = zip(named, row, strict=False)
    return {name: _meant(name, cell.strip()) for name, cell in cells if name and cell.strip()}


def _meant(name: str, cell: str) -> str:
    if name == "sent_on":
        try:
            return read_day(cell).isoformat()
        except ValueError:  # the owner refuses it with its line
            return cell
    return WORDS.get(name, {}).get(cell.lower(), cell)


async def _told(room: Room, person: Person, entity: UUID, sheet: Sheet, *, dry_run: bool) -> dict[str, Any]:
    """What becomes of each line, as the pages of imports show it: `counts`, `errors`, how many `lines`."""
    counts: Counter[str] = Counter()
    errors: list[dict[str, Any]] = []
    for start in range(0, len(sheet.lines), AT_ONCE):
        some = sheet.lines[start : start + AT_ONCE]
        body = {"entity_id": str(entity), "lines": list(some), "dry_run": dry_run}
        answer = await ask(room, person, OWNER, "POST", PATH, json=body)
        counts.update(each["result"] for each in answer["items"])
        errors += [_error(start, each, some) for each in answer["items"] if each["result"] == "refused"]
    return {"counts": counts, "errors": errors, "lines": len(sheet.lines), "ignored": list(sheet.ignored)}


def _error(start: int, found: Mapping[str, Any], some: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    line = some[found["line"] - 1]
    why = {name: found[name] for name in ("code", "field", "detail", "remedy")}
    return why | {"line": start + found["line"] + 1, "external_id": line.get("invoice") or line.get("item_id")}


@routes.post(AT)
async def upload(request: Request, person: Chaser, form: Posted) -> Response:
    """A file is sent: what would become of each of its lines."""
    room = here(request)
    name, data = await file_of(form)
    entity = forms.identities(form, "entity")
    if not entity:
        raise FieldMissing("Choose the company that sent them.", field="entity")
    sheet = await asyncio.to_thread(read, data)
    report = await _told(room, person, entity[0], sheet, dry_run=True)
    row = {
        "tenant_id": person.tenant_id, "draft_id": uuid7(), "kind": KIND, "name": name, "size": len(data),
        "data": data, "entity_id": entity[0], "state": "tried", "report": report, "by": person.actor,
        "at": room.clock.now(),
    }  # fmt: skip
    async with room.database.transaction(person.tenant_id) as db:
        await store.add(db, row)
    return onward(request, row["draft_id"])


@routes.post(AT + "/{draft_id}/take")
async def take(request: Request, person: Chaser, form: Posted, draft_id: UUID) -> Response:
    """Take the lines that are good. The same file again changes nothing."""
    room, tenant = here(request), person.tenant_id
    async with room.database.transaction(tenant) as db:
        found, data = await store.one(db, tenant, draft_id), await store.data(db, tenant, draft_id)
        if found["kind"] != KIND or found["state"] != "tried":
            raise AlreadyDecided("This file was taken.")
    if data is None:
        raise FileGone
    sheet = await asyncio.to_thread(read, data)
    report = await _told(room, person, found["entity_id"], sheet, dry_run=False)
    async with room.database.transaction(tenant) as db:
        await store.change(db, tenant, draft_id, state="taken", report=report, data=None)
    count = report["counts"]["created"] + report["counts"]["bounced"]
    return done(request, form, Told("done.past_reminders", {"count": count}), to=f"/imports/{draft_id}")


@routes.post(AT + "/{draft_id}/drop")
async def drop(request: Request, person: Chaser, form: Posted, draft_id: UUID) -> Response:
    """Forget a file that was not taken."""
    async with here(request).database.transaction(person.tenant_id) as db:
        await store.drop(db, person.tenant_id, draft_id, kind=KIND)
    return done(request, form, Told("done.import.dropped"), to="/imports")
