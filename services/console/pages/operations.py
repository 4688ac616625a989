"""Operations: the state of the stack and of the work in figures, what waits for a decision, and the emergency stop.

Each service tells what it set aside and what stands still; the notifier tells the sends whose end nobody knows. What
a person decides goes to its owner; the emergency stop is the console's own and is back when it is true everywhere.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.errors import Forbidden, RelanceError
from libs.common.settings import PORTS
from services.console.api.tenants import switch_sending
from services.console.pages import forms
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.shell import day_start, shown
from services.console.pages.web import ZONE, web_of
from services.console.pages.wording import reason, worded
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import work

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("payments:read"))]
Chaser = Annotated[Person, Depends(may("reminders:write"))]
Approver = Annotated[Person, Depends(may("notices:approve"))]
Administrator = Annotated[Person, Depends(may("directory:admin"))]
ENDS = ("sent", "not_sent")


@routes.get("/operations")
async def operations(request: Request, person: Reader) -> Response:
    """The services, and what they did for this tenant."""
    room = here(request)
    now = room.clock.now()
    services, troubles = await asyncio.gather(room.stack.look(), _troubles(room, person))
    async with room.settled(person.tenant_id, today(room.clock, ZONE), sales=True) as db:
        figures = await work.figures(db, person.tenant_id, day_start(now))
        lines = await work.latest(db, person.tenant_id)
    t = web_of(request).texts_for(request, person)
    facts: dict[str, Any] = {
        "services": services,
        "work": figures,
        "lines": [worded(t, line) for line in lines],
        "reason": partial(reason, t),
        "now": now,
        "may_stop": allows(person, "reminders:write"),
        "may_resume": allows(person, "directory:admin"),
        "may_resolve": allows(person, "notices:approve"),
        "ends": ENDS,
        **troubles,
    }
    return await shown(request, "operations.html", person, **facts)


async def _troubles(room: Room, person: Person) -> Mapping[str, Any]:
    """What waits for a decision: dead letters, stopped consumers, uncertain sends, a day's volume that stopped."""
    told = await asyncio.gather(*(_told(room, person, service) for service in PORTS))
    uncertain, volume = await asyncio.gather(
        _asked(room, person, "/v1/deliveries", {"state": "uncertain"}), _asked(room, person, "/v1/volume", {})
    )
    letters = [each | {"service": one["service"]} for one in told for each in one["letters"]]
    stopped = [each | {"service": one["service"]} for one in told for each in one["stopped"]]
    return {
        "letters": sorted(letters, key=lambda each: str(each["set_aside_at"])),
        "stopped": stopped,
        "uncertain": uncertain.get("deliveries", []),
        "volume": volume if volume.get("stopped_at") else None,
    }


async def _told(room: Room, person: Person, service: str) -> dict[str, Any]:
    with suppress(RelanceError):  # a service that is away is told as away in the list of services
        found: dict[str, Any] = await ask(room, person, service, "GET", "/internal/v1/operations", timeout=2.0)
        return found
    return {"service": service, "letters": [], "stopped": []}


async def _asked(room: Room, person: Person, path: str, params: dict[str, str]) -> dict[str, Any]:
    with suppress(RelanceError):
        found: dict[str, Any] = await ask(room, person, "notifier", "GET", path, params=params, timeout=2.0)
        return found
    return {}


@routes.post("/operations/letters/{service}/{letter_id}/{act}")
async def decide(
    request: Request, person: Administrator, form: Posted, service: str, *, letter_id: UUID, act: str
) -> Response:
    """Try a dead letter again, or forget it with a reason."""
    if service not in PORTS or act not in ("replay", "drop"):
        raise forms.FieldInvalid("There is no such service or act.")
    body = {"reason": forms.needed(form, "reason")} if act == "drop" else None
    path = f"/internal/v1/operations/letters/{letter_id}/{act}"
    await ask(here(request), person, service, "POST", path, json=body, headers=once(key_of(form)))
    return done(request, form, Told(f"done.letter.{act}"))


@routes.post("/operations/consumers/{service}/resume")
async def go_on(request: Request, person: Administrator, form: Posted, service: str) -> Response:
    """Let what its dead letters stopped go on."""
    if service not in PORTS:
        raise forms.FieldInvalid("There is no such service.")
    path = "/internal/v1/operations/resume"
    await ask(here(request), person, service, "POST", path, headers=once(key_of(form)))
    return done(request, form, Told("done.resumed"))


@routes.post("/operations/deliveries/{delivery_id}/resolve")
async def resolve(request: Request, person: Approver, form: Posted, delivery_id: UUID) -> Response:
    """End the doubt about a send: somebody looked, and says where."""
    told = {"outcome": forms.one_of(form, "outcome", ENDS), "why": forms.needed(form, "why")}
    path = f"/v1/deliveries/{delivery_id}/resolve"
    await ask(here(request), person, "notifier", "POST", path, json=told, headers=once(key_of(form)))
    return done(request, form, Told(f"done.resolved.{told['outcome']}"))


@routes.post("/operations/volume")
async def more(request: Request, person: Approver, form: Posted) -> Response:
    """So many more may leave today."""
    count = forms.needed(form, "more")
    if not count.isdecimal() or not 1 <= int(count) <= 100_000:
        raise forms.FieldInvalid("A number from 1 to 100,000.", field="more")
    body, key = {"more": int(count)}, once(key_of(form))
    await ask(here(request), person, "notifier", "POST", "/v1/volume/resume", json=body, headers=key)
    return done(request, form, Told("done.volume", {"count": count}))


@routes.post("/operations/stop")
async def stop(request: Request, person: Chaser, form: Posted) -> Response:
    """The emergency stop: nothing of this organisation leaves any more. Who may put a hold may do this."""
    return await _switched(request, person, form, stopped=True)


@routes.post("/operations/start")
async def start(request: Request, person: Administrator, form: Posted) -> Response:
    """Sending goes on where it stood."""
    return await _switched(request, person, form, stopped=False)


async def _switched(request: Request, person: Person, form: Any, *, stopped: bool) -> Response:
    if stopped and person.limited:
        raise Forbidden
    why = forms.needed(form, "reason")
    answer = await switch_sending(here(request), person.tenant_id, person.actor, why, stopped=stopped)
    told = orjson.loads(bytes(answer.body))
    text = "done.stopped" if stopped else "done.started"
    if told["laggards"]:
        return done(request, form, Told(f"{text}.laggards", {"services": ", ".join(told["laggards"])}))
    return done(request, form, Told(text))
