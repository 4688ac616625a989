"""The ladder of a policy as a form: steps are added, moved by their day and taken away, checked, and kept as a draft.

A version never changes: what is saved is the next draft of its name, which somebody else activates. What the form does
not show of a step, its conditions say, goes over from the version that was opened. Nothing is kept between two looks:
the form holds all of it.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import RelanceError
from services.console.pages import forms
from services.console.pages.commands import Told, ask, done, key_of, once
from services.console.pages.guard import PageRoute, Posted, may
from services.console.pages.policies import OWNER, drawn, pruned, step_name, versions
from services.console.pages.shell import shown
from services.console.pages.web import Texts, web_of
from services.console.people.lookup import Person
from services.console.room import Room, here

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Writer = Annotated[Person, Depends(may("reminders:write"))]
KINDS = (
    "pre_due", "reminder", "final_notice", "formal_notice", "task_call", "internal_notice", "acknowledge", "statement",
)  # fmt: skip
CHANNELS = ("email", "letter", "call_task")
APPROVALS = ("none", "confirm", "four_eyes")
UNITS = ("calendar", "business")
TASKS: Mapping[str, Any] = {"channels": ["call_task"], "completes_on": "task_done"}
NEW: Mapping[str, Any] = {
    "kind": "reminder", "tone": 2, "anchor": "due_date", "unit": "calendar", "channels": ["email"],
    "audience": ["accounts_payable"], "approval": "confirm",
}  # fmt: skip
"""What a step is at first."""
MOST = 40
Step = dict[str, Any]


@routes.get("/policies/{version_id}/edit")
async def edit(request: Request, person: Writer, version_id: UUID) -> Response:
    """The ladder of a version, ready to be changed."""
    version = await ask(here(request), person, OWNER, "GET", f"/v1/policies/{version_id}")
    return await _page(request, person, version, version["policy"])


@routes.post("/policies/{version_id}/edit")
async def redraw(request: Request, person: Writer, form: Posted, version_id: UUID) -> Response:
    """Another look at the ladder as it was typed: with a step more or less, with what the linter finds, or saved."""
    room = here(request)
    version = await ask(room, person, OWNER, "GET", f"/v1/policies/{version_id}")
    policy, act = _read(form, version["policy"]), str(form.get("do") or "")
    if act == "add" and len(policy["steps"]) < MOST:
        policy["steps"] = _with_another(policy["steps"])
    if act == "save":
        return await _saved(request, person, form, version, policy)
    found = await _checked(room, person, policy) if act == "check" else None
    return await _page(request, person, version, policy, found=found)


async def _saved(
    request: Request, person: Person, form: FormData, version: dict[str, Any], policy: dict[str, Any]
) -> Response:
    """On to the new draft; or the form again, with what keeps it from being one."""
    room = here(request)
    try:
        body = {"policy": pruned(policy)}
        made = await ask(room, person, OWNER, "POST", "/v1/policies", json=body, headers=once(key_of(form)))
    except RelanceError as refused:
        found = await _checked(room, person, policy)
        return await _page(request, person, version, policy, found=found, refusal=refused.problem())
    told = Told("done.policy.draft", {"name": made["name"], "number": made["number"]})
    return done(request, form, told, to=f"/policies/{made['version_id']}")


async def _checked(room: Room, person: Person, policy: dict[str, Any]) -> dict[str, Any]:
    """What the linter finds, mistakes of the form among them."""
    body = {"policy": pruned(policy)}
    found: dict[str, Any] = await ask(room, person, OWNER, "POST", "/v1/policies/lint", json=body)
    return found


def _read(form: FormData, base: dict[str, Any]) -> dict[str, Any]:
    """The policy as it was typed, without the step that is to go. Raises FieldInvalid."""
    known = {step["key"]: step for step in base["steps"]}
    gone = str(form.get("do") or "").removeprefix("remove:")
    steps = [_step(form, str(row), known) for row in form.getlist("row")[:MOST] if str(row) != gone]
    budget = {"notices": _number(form, "notices", 1, 100), "days": _number(form, "days", 1, 366)}
    return base | {"gap_days": _number(form, "gap_days", 1, 30), "budget": budget, "steps": _sorted(steps)}


def _step(form: FormData, row: str, known: Mapping[str, Step]) -> Step:
    before = known.get(str(form.get(f"from:{row}") or ""), NEW)
    step = dict(before) | {
        "key": forms.needed(form, f"key:{row}", most=60),
        "kind": forms.one_of(form, f"kind:{row}", KINDS),
        "tone": _number(form, f"tone:{row}", 0, 5),
        "offset": _number(form, f"offset:{row}", -60, 720),
        "unit": forms.one_of(form, f"unit:{row}", UNITS),
        "approval": forms.one_of(form, f"approval:{row}", APPROVALS),
        "template": forms.needed(form, f"template:{row}", most=60),
    }
    channel = forms.one_of(form, f"channel:{row}", CHANNELS)
    if channel != before["channels"][0]:
        step["channels"] = [channel]
    if step["kind"] == "task_call" and step["kind"] != before["kind"]:
        step |= TASKS
    return step


def _number(form: FormData, name: str, least: int, most: int) -> int:
    typed = forms.needed(form, name, most=5).replace("\u2212", "-")
    try:
        found = int(typed)
    except ValueError:
        raise forms.FieldInvalid("This is no whole number.", field=name) from None
    if not least <= found <= most:
        raise forms.FieldInvalid(f"Between {least} and {most}.", field=name)
    return found


def _sorted(steps: Sequence[Step]) -> list[Step]:
    """Steps that have a day after the due date in the order of their days; the others where they were."""
    dated = iter(sorted(filter(_dated, steps), key=lambda step: step["offset"]))
    return [next(dated) if _dated(step) else step for step in steps]


def _dated(step: Step) -> bool:
    """Whether it stands on the axis of days after the due date; a thank-you counts from the payment."""
    return bool(step["anchor"] == "due_date" and step["kind"] != "acknowledge")


def _with_another(steps: Sequence[Step]) -> list[Step]:
    """And a step some days after the last reminder, as firm as that, under a key that nobody has."""
    reminders = [place for place, step in enumerate(steps) if _dated(step) and step["kind"] == "reminder"]
    place = reminders[-1] if reminders else -1
    like = steps[place] if reminders else {"offset": 0, "tone": NEW["tone"], "template": "friendly"}
    keys = {step["key"] for step in steps}
    key = next(f"step_{number}" for number in range(len(steps) + 1, 2 * MOST + 2) if f"step_{number}" not in keys)
    facts = {"key": key, "offset": min(720, like["offset"] + 5), "tone": like["tone"], "template": like["template"]}
    return _sorted([*steps[: place + 1], {**NEW, **facts}, *steps[place + 1 :]])


async def _page(
    request: Request,
    person: Person,
    version: dict[str, Any],
    policy: dict[str, Any],
    *,
    found: dict[str, Any] | None = None,
    refusal: Mapping[str, Any] | None = None,
) -> Response:
    room, t = here(request), web_of(request).texts_for(request, person)
    texts = {step["template"] for each in await versions(room, person) for step in each["policy"]["steps"]}
    facts: dict[str, Any] = {
        "version": version,
        "policy": policy,
        "ladder": drawn(t, policy),
        "origins": {step["key"] for step in version["policy"]["steps"]},
        "step_name": lambda step: step_name(t, step),
        "texts": sorted(texts | {step["template"] for step in policy["steps"]}),
        "kinds": KINDS,
        "channels": CHANNELS,
        "approvals": APPROVALS,
        "units": UNITS,
        "found": _told(t, found) if found else None,
        "refusal": refusal,
        "full": len(policy["steps"]) >= MOST,
    }
    return await shown(request, "drafting.html", person, 422 if refusal else 200, **facts)


def _told(t: Texts, found: dict[str, Any]) -> dict[str, Any]:
    """Findings in the reader's language, errors first."""
    lines = sorted(found["findings"], key=lambda each: (each["severity"], each["rule"]))
    return {"clean": found["clean"], "lines": [{**each, "said": each[t.language]} for each in lines]}
