"""The ladder of a policy as a form: steps are added, moved by their day, changed and taken away, then kept as a draft.

A version never changes: what is saved is the next draft of its name, which somebody else activates. Before that the
form is checked and played as it was typed, beside the active version. Nothing is kept between two looks: the form
holds all of it, and what it does not show of a step goes over from the version that was opened.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from libs.common.errors import RelanceError, Unavailable
from services.console.pages import steps
from services.console.pages.commands import Told, ask, done, key_of, once, said_or_refused
from services.console.pages.guard import PageRoute, Posted, allows, may
from services.console.pages.policies import BACK, OWNER, active_of, drawn, pruned, step_name, versions
from services.console.pages.rehearsing import PARTIES, by_step, played_by
from services.console.pages.shell import shown
from services.console.pages.terms import SIGNS, terms_of, unread
from services.console.pages.web import ZONE, Texts, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Writer = Annotated[Person, Depends(may("reminders:write"))]
NEWS = 12
"""Contacts of the typed ladder alone that stand below its figures."""
_STEP = re.compile(r"steps\[(\d+)\](?:\.(\w+))?")


@dataclass
class Drawn:
    """What the form is drawn with beside what was typed."""

    fields: list[dict[str, Any]]
    """Every field that a condition may name, with its kind and what it is."""
    found: dict[str, Any] | None = None
    refusal: Mapping[str, Any] = field(default_factory=dict)
    played: dict[str, Any] | None = None
    beside: dict[str, Any] | None = None
    """The version that the typed ladder is played beside; None for what was really sent."""

    @property
    def kinds(self) -> dict[str, str]:
        return {each["name"]: each["kind"] for each in self.fields}


async def _opened(room: Room, person: Person, version_id: UUID) -> tuple[dict[str, Any], Drawn]:
    version = await ask(room, person, OWNER, "GET", f"/v1/policies/{version_id}")
    told = await ask(room, person, OWNER, "GET", "/v1/policies/fields")
    return version, Drawn(told["items"])


@routes.get("/policies/{version_id}/edit")
async def edit(request: Request, person: Writer, version_id: UUID) -> Response:
    """The ladder of a version, ready to be changed."""
    version, form = await _opened(here(request), person, version_id)
    return await _page(request, person, version, version["policy"], form)


@routes.post("/policies/{version_id}/edit")
async def redraw(request: Request, person: Writer, form: Posted, version_id: UUID) -> Response:
    """Another look at the ladder as it was typed: with a step more or less, checked, played over the past, or saved."""
    room = here(request)
    version, drawn_with = await _opened(room, person, version_id)
    policy, act = steps.read(form, version["policy"], drawn_with.kinds), str(form.get("do") or "")
    if act == "add" and len(policy["steps"]) < steps.MOST:
        policy["steps"] = steps.with_another(policy["steps"])
    if act == "save":
        return await _saved(request, person, form, version, policy, drawn_with)
    if act == "check":
        drawn_with.found = await _checked(room, person, policy)
    if act == "play" and allows(person, "payments:read"):
        await _play(room, person, version, policy, drawn_with)
    return await _page(request, person, version, policy, drawn_with)


async def _saved(  # noqa: PLR0917 - who typed what into which form
    request: Request, person: Person, form: FormData, version: dict[str, Any], policy: dict[str, Any], drawn_with: Drawn
) -> Response:
    """On to the new draft; or the form again, with what keeps it from being one."""
    room = here(request)
    try:
        body = {"policy": pruned(policy)}
        made = await ask(room, person, OWNER, "POST", "/v1/policies", json=body, headers=once(key_of(form)))
    except RelanceError as refused:
        drawn_with.found = await _checked(room, person, policy)
        drawn_with.refusal = refused.problem()
        return await _page(request, person, version, policy, drawn_with)
    told = Told("done.policy.draft", {"name": made["name"], "number": made["number"]})
    return done(request, form, told, to=f"/policies/{made['version_id']}")


async def _checked(room: Room, person: Person, policy: dict[str, Any]) -> dict[str, Any]:
    """What the linter finds, mistakes of the form among them."""
    body = {"policy": pruned(policy)}
    found: dict[str, Any] = await ask(room, person, OWNER, "POST", "/v1/policies/lint", json=body)
    return found


async def _play(room: Room, person: Person, version: dict[str, Any], policy: dict[str, Any], drawn_with: Drawn) -> None:
    """What the ladder as it was typed would have said over the last days, beside the active version of its name."""
    day = today(room.clock, ZONE)
    drawn_with.beside = active_of(await versions(room, person), version["name"])
    body = {
        "first": (day - BACK).isoformat(),
        "last": (day - timedelta(days=1)).isoformat(),
        "limit": PARTIES,
        "policy": pruned(policy),
    }
    body |= {"against": drawn_with.beside["version_id"]} if drawn_with.beside else {}
    try:
        asked = played_by(room, person, UUID(version["version_id"]), body, only="here", most=NEWS)
        drawn_with.played, drawn_with.refusal = await said_or_refused(asked)
    except Unavailable as away:
        drawn_with.refusal = away.problem()
    if drawn_with.refusal.get("code") == "policy_invalid":
        drawn_with.found = await _checked(room, person, policy)


async def _page(
    request: Request, person: Person, version: dict[str, Any], policy: dict[str, Any], drawn_with: Drawn
) -> Response:
    room, t = here(request), web_of(request).texts_for(request, person)
    texts = {step["template"] for each in await versions(room, person) for step in each["policy"]["steps"]}
    named = {step["key"]: step_name(t, step) for step in policy["steps"]}
    refusal = drawn_with.refusal
    found = _reworded(t, drawn_with.found, policy, drawn_with) if drawn_with.found else None
    facts: dict[str, Any] = {
        "version": version,
        "policy": policy,
        "ladder": drawn(t, policy),
        "origins": {step["key"] for step in version["policy"]["steps"]},
        "step_name": lambda step: step_name(t, {"key": step.get("step"), **step}),
        "texts": sorted(texts | {step["template"] for step in policy["steps"]}),
        "words": steps,
        "currencies": steps.currencies(policy),
        "signs": SIGNS,
        "terms": {step["key"]: terms_of(step["when"], drawn_with.kinds) for step in policy["steps"]},
        "fields": drawn_with.fields,
        "kinds": drawn_with.kinds,
        "found": _told(t, found) if found else None,
        "flaws": _flaws(t, found) if found else {},
        "refusal": refusal,
        "played": drawn_with.played,
        "beside": drawn_with.beside,
        "by_step": by_step(t, drawn_with.played, named) if drawn_with.played else [],
        "back": BACK.days,
        "may_play": allows(person, "payments:read"),
        "full": len(policy["steps"]) >= steps.MOST,
    }
    return await shown(request, "drafting.html", person, int(refusal.get("status") or 200), **facts)


def _reworded(t: Texts, found: dict[str, Any], policy: dict[str, Any], drawn_with: Drawn) -> dict[str, Any]:
    """The findings, those of a condition's syntax in the words of the rows in which it was typed."""
    told = []
    for each in found["findings"]:
        place = _STEP.match(each["field"] or "")
        row = int(place[1]) if place and place[2] == "when" and each["severity"] == "error" else len(policy["steps"])
        wrong = [line for step in policy["steps"][row : row + 1] for line in _unread(t, step["when"], drawn_with)]
        said = {"told": " ".join(wrong), "remedy": t("draft.unread.remedy")}
        told.append(each | {t.language: said} if wrong else each)
    return found | {"findings": told}


def _unread(t: Texts, when: str | None, drawn_with: Drawn) -> list[str]:
    """What is wrong with the rows of a condition, row by row."""
    known = {each["name"]: each for each in drawn_with.fields}
    rows = [(each, known[each.field]) for each in terms_of(when, drawn_with.kinds) or []]
    return [
        t(
            f"draft.unread.{fact['kind']}",
            value=term.value,
            field=fact[t.language],
            values=", ".join(fact["values"]),
        )
        for term, fact in rows
        if unread(term, fact["kind"], fact["values"])
    ]


def _told(t: Texts, found: dict[str, Any]) -> dict[str, Any]:
    """Findings in the reader's language, errors first, each with the row it is about."""
    lines = sorted(found["findings"], key=lambda each: (each["severity"], each["rule"]))
    places = [_STEP.match(each["field"] or "") for each in lines]
    told = [
        {**each, "said": each[t.language], "row": int(place[1]) + 1 if place else None}
        for each, place in zip(lines, places, strict=True)
    ]
    return {"clean": found["clean"], "lines": told}


def _flaws(t: Texts, found: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Findings by the field at which they are told: `3.offset`, `3.` for a step as a whole, `window` for all steps."""
    by_field: dict[str, list[dict[str, str]]] = defaultdict(list)
    for each in found["findings"]:
        place = _STEP.match(each["field"] or "")
        at = f"{int(place[1]) + 1}.{place[2] or ''}" if place else re.split(r"[.\[]", each["field"] or "")[0]
        by_field[at].append({"severity": each["severity"], "told": each[t.language]["told"]})
    return dict(by_field)
