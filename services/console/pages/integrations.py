"""Integrations: API keys and webhook sources, whose secrets are shown once, and what became of every webhook."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, time
from typing import Annotated, Any, Literal, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from libs.common import directory
from libs.common.auth import CACHE_SECONDS, SCOPES
from libs.common.errors import RelanceError
from services.console.directory import keys, sources
from services.console.directory.spreading import Entry
from services.console.pages import forms
from services.console.pages.asking import Words
from services.console.pages.commands import Told, done
from services.console.pages.excel import Row, excel_of, headed
from services.console.pages.guard import PageRoute, Posted, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import people

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Administrator = Annotated[Person, Depends(may("directory:admin"))]
HEAR = {"invoices": "invoice_ingest", "payments": "payment_matching"}
PURPOSES = tuple(HEAR)
KINDS = ("live", "test")


@routes.get("/integrations")
async def integrations(request: Request, person: Administrator, source: Words = "", refused: Words = "") -> Response:
    """Keys, sources, and the newest webhooks."""
    room = here(request)
    async with room.database.transaction(person.tenant_id) as db:
        facts: dict[str, Any] = {
            "keys": await keys.listed(db, person.tenant_id),
            "sources": await sources.listed(db, person.tenant_id),
        }
        actors = [each["issued_by"] for each in facts["keys"]] + [each["added_by"] for each in facts["sources"]]
        facts["names"] = await people.names(db, person.tenant_id, actors)
    chosen = next((each for each in facts["sources"] if str(each["source_id"]) == source), None)
    lines, silent = await received(room, person, chosen, refused == "yes")
    facts |= {"lines": lines, "silent": silent, "chosen": chosen, "only_refused": refused == "yes"}
    facts |= {"scopes": sorted(SCOPES), "now": room.clock.now(), "urls": room.settings.urls, "hear": HEAR}
    return await shown(request, "integrations.html", person, **facts)


async def received(
    room: Room, person: Person, chosen: dict[str, Any] | None, refused: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """The newest webhooks of the services that take them, and the services that do not answer."""
    params = {"refused": str(refused).lower()} | ({"source": str(chosen["source_id"])} if chosen else {})
    path = "/internal/v1/webhooks/received"

    async def told(service: str) -> list[dict[str, Any]] | None:
        try:
            answer = await room.peers.get(service, path, tenant=person.tenant_id, params=params)
        except RelanceError:
            return None
        lines: list[dict[str, Any]] = answer["received"]
        return lines

    services = [HEAR[chosen["purpose"]]] if chosen else list(HEAR.values())
    answers = await asyncio.gather(*(told(service) for service in services))
    lines = [line for answer in answers for line in answer or ()]
    silent = [service for service, answer in zip(services, answers, strict=True) if answer is None]
    for line in lines:
        line["last_at"] = datetime.fromisoformat(line["last_at"])
    return sorted(lines, key=lambda line: line["last_at"], reverse=True)[:200], silent


@routes.get("/integrations/webhooks.xlsx")
async def webhooks_file(request: Request, person: Administrator, source: Words = "", refused: Words = "") -> Response:
    """The newest webhooks as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    async with room.database.transaction(person.tenant_id) as db:
        known = {str(each["source_id"]): each for each in await sources.listed(db, person.tenant_id)}
    lines, silent = await received(room, person, known.get(source), refused == "yes")
    missing = [(t("webhook.missing"), t(f"service.{service}")) for service in silent]
    names = ("at", "source", "id", "result", "why", "field", "count")
    kinds = ("moment", "text", "text", "text", "name", "text", "number")
    columns = [(t(f"webhook.{name}"), kind) for name, kind in zip(names, kinds, strict=True)]
    sheet = headed(t, t("integrations.log"), missing, columns, as_of=room.clock.now())

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [
            [
                line["last_at"],
                known.get(line["source_id"], {}).get("slug", line["source_id"]),
                line["webhook_id"],
                t(f"webhook.{line['result']}"),
                line["code"] and t.words.get(f"webhook.why.{line['code']}", line["title"]),
                line["field"],
                line["count"],
            ]
            for line in lines
        ]

    return await excel_of(request).answer(sheet, rows())


async def _once(request: Request, person: Person, kind: str, name: str, secret: str, **facts: Any) -> Response:
    """A page that shows a secret, this once."""
    return await shown(request, "secret.html", person, kind=kind, name=name, secret=secret, **facts)


@routes.post("/integrations/keys")
async def issue(request: Request, person: Administrator, form: Posted) -> Response:
    """A new key; its token is on this page and nowhere else."""
    room = here(request)
    label = forms.needed(form, "label", most=120)
    scopes = [str(scope) for scope in form.getlist("scope")]
    kind = cast(Literal["live", "test"], forms.one_of(form, "kind", KINDS))
    async with room.changing(person.tenant_id, person.actor) as change:
        key_id, key = await keys.issue(change, label, scopes, _end(form), kind)
    laggards = await room.spreading.laggards(Entry(person.tenant_id, "api_key", key_id, change.version))
    return await _once(request, person, "key", label, key.token, laggards=laggards, path="")


def _end(form: FormData) -> datetime | None:
    """The end of the day that a form names, if it names one."""
    if not forms.text(form, "expires_on"):
        return None
    last = forms.day(form, "expires_on")
    return datetime.combine(last, time(23, 59, 59), ZoneInfo(ZONE)).astimezone(UTC)


@routes.post("/integrations/keys/{key_id}/revoke")
async def revoke(request: Request, person: Administrator, form: Posted, key_id: UUID) -> Response:
    """The key opens nothing any more; says which service has not heard it yet, if any."""
    room = here(request)
    async with room.changing(person.tenant_id, person.actor) as change:
        await keys.revoke(change, key_id)
    laggards = await room.spreading.laggards(Entry(person.tenant_id, "api_key", key_id, change.version))
    if laggards:
        return done(request, form, Told("done.key.lagging", {"services": ", ".join(laggards)}))
    await asyncio.sleep(CACHE_SECONDS if room.spreading.services else 0)
    return done(request, form, Told("done.key.revoked"))


@routes.post("/integrations/sources")
async def add(request: Request, person: Administrator, form: Posted) -> Response:
    """A new source; its signing secret is on this page and nowhere else."""
    room = here(request)
    entity = forms.identities(form, "entity")
    if not entity:
        async with room.database.transaction(person.tenant_id) as db:
            known = await directory.entities(db, person.tenant_id)
        entity = [known[0].entity_id] if len(known) == 1 else []
    if not entity:
        raise forms.FieldMissing("Choose a company.", field="entity")
    slug = forms.needed(form, "slug", most=40)
    purpose = cast(Literal["invoices", "payments"], forms.one_of(form, "purpose", PURPOSES))
    wanted = sources.NewSource(entity[0], slug, purpose, forms.text(form, "label", most=120) or slug)
    async with room.changing(person.tenant_id, person.actor) as change:
        source_id, secret = await sources.add(change, room.settings.seal_keys, wanted)
    laggards = await room.spreading.laggards(Entry(person.tenant_id, "source", source_id, change.version))
    path = f"{room.settings.urls[HEAR[purpose]]}/v1/webhooks/{purpose}/{source_id}"
    return await _once(request, person, "source", slug, secret, laggards=laggards, path=path)


@routes.post("/integrations/sources/{source_id}/rotate")
async def rotate(request: Request, person: Administrator, form: Posted, source_id: UUID) -> Response:
    """A new secret beside the one before, until that is retired."""
    room = here(request)
    async with room.database.transaction(person.tenant_id) as db:
        known = {each["source_id"]: each for each in await sources.listed(db, person.tenant_id)}
    async with room.changing(person.tenant_id, person.actor) as change:
        secret = await sources.rotate(change, room.settings.seal_keys, source_id)
    laggards = await room.spreading.laggards(Entry(person.tenant_id, "source", source_id, change.version))
    name = known[source_id]["slug"]
    return await _once(request, person, "rotated", name, secret, laggards=laggards, path="")


@routes.post("/integrations/sources/{source_id}/retire")
async def retire(request: Request, person: Administrator, form: Posted, source_id: UUID) -> Response:
    """Only the newest secret signs from now on."""
    async with here(request).changing(person.tenant_id, person.actor) as change:
        await sources.retire(change, source_id)
    return done(request, form, Told("done.source.retired"))


@routes.post("/integrations/sources/{source_id}/{act}")
async def switch(
    request: Request, person: Administrator, form: Posted, source_id: UUID, act: Literal["open", "close"]
) -> Response:
    """Close or open a source."""
    async with here(request).changing(person.tenant_id, person.actor) as change:
        await sources.switch(change, source_id, active=act == "open")
    return done(request, form, Told(f"done.source.{act}"))
