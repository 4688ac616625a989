"""Policies: each ladder on its day axis, its versions, who uses it; drafts are activated by another person.

Versions are the scheduler's and asked for when a page is drawn. Which policy an entity uses is the directory's.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

import yaml
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.calls import PeerRefused
from libs.common.clock import today
from services.console.directory import entities
from services.console.pages import forms
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.ladder import Ladder, ladder
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, Texts, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import people

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("reminders:read"))]
Writer = Annotated[Person, Depends(may("reminders:write"))]
Administrator = Annotated[Person, Depends(may("directory:admin"))]
OWNER = "scheduler"
MOST = 100_000
BACK = timedelta(days=60)
"""How far a ladder is played over the past before it is used."""
SAID = 10
"""Mistakes that a refused text is told with."""
WAITING = ("draft", "checked", "approved")
OURS = {"product": "Relance"}
"""Who wrote the ladders that came with the product."""
ACTS = ("check", "approve", "activate")
"""What is still to be done with a version in each of these states, and after it."""


async def versions(room: Room, person: Person) -> list[dict[str, Any]]:
    """Every version of every policy, by name, the newest first."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        params = {"limit": 200} | ({"cursor": cursor} if cursor else {})
        told = await ask(room, person, OWNER, "GET", "/v1/policies", params=params)
        found += told["items"]
        cursor = told["next"]
        if cursor is None:
            return sorted(found, key=lambda each: (each["name"], -each["number"]))


def active_of(known: Sequence[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """The active version of a policy, if it has one."""
    return next((each for each in known if each["name"] == name and each["state"] == "active"), None)


def drawn(t: Texts, policy: dict[str, Any]) -> Ladder:
    """The ladder with its steps named in the reader's language."""
    return ladder(policy["steps"], {step["key"]: step_name(t, step) for step in policy["steps"]})


def step_name(t: Texts, step: dict[str, Any]) -> str:
    """What people call a step: by its kind, and by its tone where the kind has several."""
    kind = step["kind"]
    known = (f"step.key.{step['key']}", f"step.{kind}.{step['tone']}", f"step.{kind}")
    return next((t(key) for key in known if t.has(key)), str(step["key"]))


@routes.get("/policies")
async def policy_list(request: Request, person: Reader) -> Response:
    """The policies in use, and the drafts that wait for a second person."""
    room, t = here(request), web_of(request).texts_for(request, person)
    found = await versions(room, person)
    async with room.database.transaction(person.tenant_id) as db:
        names = OURS | dict(await people.names(db, person.tenant_id, [each["author"] for each in found]))
    active = [each for each in found if each["state"] == "active"]
    facts: dict[str, Any] = {
        "policies": [{**each, "ladder": drawn(t, each["policy"])} for each in active],
        "drafts": [each for each in found if each["state"] in WAITING],
        "names": names,
        "may_choose": allows(person, "directory:admin"),
        "may_compare": allows(person, "payments:read"),
        "may_activate": allows(person, "notices:approve"),
        "slugs": [each["name"] for each in active],
    }
    return await shown(request, "policies.html", person, **facts)


@routes.get("/policies/{version_id}")
async def one_policy(request: Request, person: Reader, version_id: UUID) -> Response:
    """One version: its ladder, every step with its conditions, and the other versions of its name."""
    room, t = here(request), web_of(request).texts_for(request, person)
    found = await ask(room, person, OWNER, "GET", f"/v1/policies/{version_id}")
    others = [each for each in await versions(room, person) if each["name"] == found["name"]]
    async with room.database.transaction(person.tenant_id) as db:
        actors = [each[name] for each in others for name in ("author", "activated_by") if each[name]]
        names = OURS | dict(await people.names(db, person.tenant_id, actors))
    active = active_of(others, found["name"])
    facts: dict[str, Any] = {
        "version": found,
        "policy": found["policy"],
        "ladder": drawn(t, found["policy"]),
        "others": others,
        "names": names,
        "step_name": lambda step: step_name(t, step),
        "may_write": allows(person, "reminders:write"),
        "may_activate": allows(person, "notices:approve"),
        "may_simulate": allows(person, "payments:read"),
        "mine": found["author"] == person.actor,
        "active": active,
        "rehearsal": _rehearsal(found, active, today(room.clock, ZONE)),
        "yaml": _yaml(found["policy"]),
    }
    return await shown(request, "policy.html", person, **facts)


def _rehearsal(version: dict[str, Any], active: dict[str, Any] | None, day: date) -> str:
    """The words of the address that plays what waits to be activated beside what is active; none for anything else."""
    if active is None or version["state"] not in WAITING:
        return ""
    words = {"first": day - BACK, "last": day - timedelta(days=1), "against": active["version_id"]}
    return f"?{urlencode(words)}"


def _yaml(policy: dict[str, Any]) -> str:
    told: str = yaml.safe_dump(pruned(policy), allow_unicode=True, sort_keys=False, width=100)
    return told


def pruned(policy: dict[str, Any]) -> dict[str, Any]:
    """Without what stands for nothing."""
    steps = [{name: value for name, value in step.items() if value not in (None, {}, [])} for step in policy["steps"]]
    return {**policy, "steps": steps}


@routes.post("/policies")
async def write_draft(request: Request, person: Writer, form: Posted) -> Response:
    """Keep a text as the next draft of its name; every mistake is told with its place."""
    body = {"yaml": forms.needed(form, "yaml", most=MOST)}
    room, t = here(request), web_of(request).texts_for(request, person)
    try:
        made = await ask(room, person, OWNER, "POST", "/v1/policies", json=body, headers=once(key_of(form)))
    except PeerRefused as refused:
        if refused.answer.get("code") == "policy_invalid":
            found = await ask(room, person, OWNER, "POST", "/v1/policies/lint", json=body)
            refused.answer["sentences"] = [_sentence(each, t.language) for each in found["findings"][:SAID]]
        raise
    told = Told("done.policy.draft", {"name": made["name"], "number": made["number"]})
    return done(request, form, told, to=f"/policies/{made['version_id']}")


def _sentence(finding: dict[str, Any], language: str) -> str:
    """A finding of the linter as one line: its place, what is wrong, what to do."""
    said = finding[language]
    place = finding["step"] or finding["field"]
    return " ".join(filter(None, (f"{place} :" if place else "", said["told"], said["remedy"])))


@routes.post("/policies/{version_id}/activate")
async def activate(
    request: Request, person: Annotated[Person, Depends(may("notices:approve"))], form: Posted, version_id: UUID
) -> Response:
    """Check, approve and activate a version, as far as that is still to be done; the scheduler refuses its author."""
    room, path = here(request), f"/v1/policies/{version_id}"
    made = await ask(room, person, OWNER, "GET", path)
    why = web_of(request).texts_for(request, person)("policies.why")
    for act in _left(made["state"]):
        headers = once(key_of(form), act)
        made = await ask(room, person, OWNER, "POST", f"{path}/{act}", json={"why": why}, headers=headers)
    return done(request, form, Told("done.policy.active", {"name": made["name"], "number": made["number"]}))


def _left(state: str) -> tuple[str, ...]:
    """The acts that lead from a state to active; where none does, the last one, which the scheduler refuses."""
    return ACTS[WAITING.index(state) :] if state in WAITING else ACTS[-1:]


@routes.post("/policies/of/{entity_id}")
async def choose(request: Request, person: Administrator, form: Posted, entity_id: UUID) -> Response:
    """Let an entity follow another policy; cases under way stay on theirs until they are clear."""
    room = here(request)
    known = [each["name"] for each in await versions(room, person) if each["state"] == "active"]
    slug = forms.one_of(form, "policy", known)
    async with room.changing(person.tenant_id, person.actor) as change:
        changed = await entities.alter(change, entity_id, {"policy": slug})
    return done(request, form, Told("done.policy.chosen", {"entity": changed.name, "policy": slug}))
