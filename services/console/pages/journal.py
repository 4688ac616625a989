"""The audit: who did what when, with filters, and whether the chain is whole."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from services.console import audit
from services.console.audit import Wanted
from services.console.pages.asking import Words, address, read_day
from services.console.pages.excel import Row, excel_of, headed
from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, Texts, web_of
from services.console.people.lookup import Person
from services.console.room import here
from services.console.store import people

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("audit:read"))]
PAGE, FILE = 100, 20_000


def wanted(request: Request) -> Wanted:
    """What an address narrows the audit to; words that make no sense narrow nothing."""
    words = request.query_params
    return Wanted(
        actor=words.get("actor", "")[:100],
        kind=words.get("kind", "")[:60],
        since=_instant(words.get("since", "")),
        until=_instant(words.get("until", ""), days=1),
    )


def _instant(text: str, days: int = 0) -> datetime | None:
    try:
        day = read_day(text)
    except ValueError:
        return None
    return datetime.combine(day + timedelta(days=days), time(), ZoneInfo(ZONE))


@routes.get("/audit")
async def audit_list(request: Request, person: Reader, before: Words = "", verify: Words = "") -> Response:
    """The newest entries that match, or those before one."""
    room, tenant = here(request), person.tenant_id
    asked, start = wanted(request), int(before) if before.isdecimal() and len(before) < 16 else None
    async with room.database.transaction(tenant) as db:
        lines = await audit.page(db, tenant, start, PAGE + 1, asked)
        verdict = await audit.verify(db, tenant) if verify == "yes" else None
        head, kinds, actors = (
            await audit.head(db, tenant),
            await audit.kinds(db, tenant),
            await audit.actors(db, tenant),
        )
        names = await people.names(db, tenant, actors)
    t = web_of(request).texts_for(request, person)
    facts: dict[str, Any] = {
        "lines": [{**line, "told": told(t, line), "more": more(t, line)} for line in lines[:PAGE]],
        "older": address(request, before=lines[PAGE - 1]["seq"], verify=None) if len(lines) > PAGE else None,
        "newest": address(request, before=None, verify=None) if start else None,
        "verdict": verdict,
        "head": head,
        "kinds": kinds,
        "actors": {actor: names.get(actor, actor) for actor in actors},
        "names": names,
        "words": {name: request.query_params.get(name, "") for name in ("actor", "kind", "since", "until")},
        "kind_name": lambda kind: t.words.get(f"audit.kind.{kind}", kind),
        "export": address(request, before=None, verify=None).replace("/audit", "/audit.xlsx", 1),
        "check": address(request, verify="yes"),
    }
    return await shown(request, "audit.html", person, **facts)


def told(t: Texts, line: Mapping[str, Any]) -> str:
    """What was done in words; an action that we have no words for is shown as it is."""
    action = str(line["action"])
    return t.words.get(f"act.{action}", action.replace("_", " ").replace(".", " · "))


CODES = ("role", "mode", "outcome", "scope", "approvals")
"""Facts whose values are codes that pages have words for, under the same name."""


def more(t: Texts, line: Mapping[str, Any]) -> str:
    """The facts of a line, in one line, in the reader's words where there are any."""
    shown = []
    for name, fact in sorted(line["facts"].items()):
        said = t.words.get(f"fact.{name}", name.replace("_", " "))
        if isinstance(fact, dict) and {"from", "to"} <= fact.keys():
            shown.append(f"{said}: {_plain(t, name, fact['from'])} → {_plain(t, name, fact['to'])}")
        elif fact not in (None, "", []):
            shown.append(f"{said}: {_plain(t, name, fact)}")
    return " · ".join(shown)[:400]


def _plain(t: Texts, name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(t, name, each) for each in value)
    if isinstance(value, bool):
        return t("fact.yes" if value else "fact.no")
    if name.removesuffix("s") in CODES or name in CODES:
        return t.words.get(f"{name.removesuffix('s')}.{value}", t.words.get(f"{name}.{value}", str(value)))
    return orjson.dumps(value).decode() if isinstance(value, dict) else str(value)


@routes.get("/audit.xlsx")
async def audit_file(request: Request, person: Reader) -> Response:
    """The entries that match, the newest 20,000, as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    asked = wanted(request)
    async with room.database.snapshot(person.tenant_id) as db:
        names = await people.names(db, person.tenant_id, await audit.actors(db, person.tenant_id))
        columns = [
            (t(f"audit.{name}"), kind)
            for name, kind in (
                ("seq", "number"),
                ("at", "moment"),
                ("who", "name"),
                ("what", "name"),
                ("kind", "text"),
                ("subject", "name"),
                ("facts", "name"),
                ("hash", "name"),
            )
        ]
        sheet = headed(t, t("nav.audit"), [], columns, as_of=room.clock.now())

        async def rows() -> AsyncIterator[Sequence[Row]]:
            start, left = None, FILE
            while left > 0:
                lines = await audit.page(db, person.tenant_id, start, min(1_000, left), asked)
                yield [_row(t, names, line) for line in lines]
                if len(lines) < 1_000:
                    return
                start, left = lines[-1]["seq"], left - len(lines)

        return await excel_of(request).answer(sheet, rows())


def _row(t: Texts, names: Mapping[str, str], line: Mapping[str, Any]) -> Row:
    kind = t.words.get(f"audit.kind.{line['subject_kind']}", line["subject_kind"])
    who = names.get(line["actor"], line["actor"])
    return [line["seq"], line["at"], who, told(t, line), kind, line["subject_id"], more(t, line), line["hash"]]
