"""The form of a ladder, read: every step with its recipients, conditions, amounts and hours, and the hours of all.

What a person can mistype within a field goes on to the linter as it was typed, which tells it at its place; only what
no browser sends is refused here. What the form does not show of a step goes over from the version that was opened.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.datastructures import FormData

from libs.common.errors import RelanceError
from services.console.pages import forms
from services.console.pages.terms import SIGNS, Kinds, Term, text_of

KINDS = (
    "pre_due", "reminder", "letter", "final_notice", "formal_notice", "task_call", "task_visit", "internal_notice",
    "hand_over", "acknowledge", "statement",
)  # fmt: skip
CHANNELS = ("email", "letter", "call_task")
APPROVALS = ("none", "confirm", "four_eyes")
UNITS = ("calendar", "business")
CONTACTS = ("accounts_payable", "approver", "manager", "relationship")
COPIES = (*CONTACTS, "sales_owner", "collector")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SUMS = ("min_amount", "max_amount", "approval_above")
ALL = "all"
"""The row of the hours that hold for every step."""
TASKS: Mapping[str, Any] = {"channels": ["call_task"], "completes_on": "task_done"}
NEW: Mapping[str, Any] = {
    "kind": "reminder", "tone": 2, "anchor": "due_date", "unit": "calendar", "channels": ["email"],
    "audience": ["accounts_payable"], "cc": [], "approval": "confirm", "when": None, "window": None,
    "conditions": {"delivered_notices": 0, "unanswered_emails": 0},
    **{name: {} for name in SUMS},
}  # fmt: skip
"""What a step is at first."""
MOST = 40
Step = dict[str, Any]


def read(form: FormData, base: dict[str, Any], kinds: Kinds) -> dict[str, Any]:
    """The policy as it was typed, without the step that is to go. Raises FieldMissing or FieldInvalid."""
    known = {step["key"]: step for step in base["steps"]}
    gone = str(form.get("do") or "").removeprefix("remove:")
    rows = [str(row) for row in form.getlist("row")[:MOST] if str(row) != gone]
    steps = [_step(form, row, known) | _details(form, row, kinds, currencies(base)) for row in rows]
    budget = {"notices": number(form, "notices", 1, 100), "days": number(form, "days", 1, 366)}
    whole = {"gap_days": number(form, "gap_days", 1, 30), "budget": budget, "window": _hours(form, ALL)}
    return base | whole | {"steps": ordered(steps)}


def _step(form: FormData, row: str, known: Mapping[str, Step]) -> Step:
    before = known.get(str(form.get(f"from:{row}") or ""), NEW)
    step = dict(before) | {
        "key": forms.needed(form, f"key:{row}", most=60),
        "kind": forms.one_of(form, f"kind:{row}", KINDS),
        "tone": number(form, f"tone:{row}", 0, 5),
        "offset": number(form, f"offset:{row}", -60, 720),
        "unit": forms.one_of(form, f"unit:{row}", UNITS),
        "approval": forms.one_of(form, f"approval:{row}", APPROVALS),
        "template": forms.needed(form, f"template:{row}", most=60),
    }
    channel = forms.one_of(form, f"channel:{row}", CHANNELS)
    if channel != before["channels"][0]:
        step["channels"] = [channel]
    if step["kind"] in ("task_call", "task_visit") and step["kind"] != before["kind"]:
        step |= TASKS
    if step["kind"] in ("letter", "hand_over") and step["kind"] != before["kind"]:
        step |= {"channels": ["letter" if step["kind"] == "letter" else "call_task"], "completes_on": "accepted"}
    return step


def _details(form: FormData, row: str, kinds: Kinds, of: Sequence[str]) -> Step:
    """Who hears the step, when it is held back, and its own hours."""
    conditions = {
        "delivered_notices": number(form, f"delivered:{row}", 0, 9),
        "unanswered_emails": number(form, f"unanswered:{row}", 0, 9),
    }
    return {
        "audience": _ticked(form, f"audience:{row}", CONTACTS),
        "cc": _ticked(form, f"cc:{row}", COPIES),
        "conditions": conditions,
        "when": _when(form, row, kinds),
        "window": _hours(form, row) if form.get(f"own:{row}") else None,
        **{name: _sums(form, f"{name}:{row}", of) for name in SUMS},
    }


def _ticked(form: FormData, name: str, words: Sequence[str]) -> list[str]:
    ticked = {str(value) for value in form.getlist(name)}
    return [word for word in words if word in ticked]


def _when(form: FormData, row: str, kinds: Kinds) -> str | None:
    """The condition of a step: as a text where its page had one, else what its rows say."""
    if form.get(f"when:{row}"):
        return forms.text(form, f"when:{row}", most=2_000) or None
    columns = ([str(each) for each in form.getlist(f"{name}:{row}")] for name in ("term", "sign", "value"))
    typed = zip(*columns, strict=False)
    terms = [Term(field, sign, value[:200]) for field, sign, value in typed if field in kinds and sign in SIGNS]
    return text_of(terms, kinds)


def _hours(form: FormData, row: str) -> dict[str, Any]:
    days = _ticked(form, f"day:{row}", WEEKDAYS)
    return {"days": days, **{name: forms.text(form, f"{name}:{row}", most=8) for name in ("opens", "closes")}}


def _sums(form: FormData, name: str, of: Sequence[str]) -> dict[str, str]:
    """Currency → amount, of the currencies in which something was typed."""
    typed = {currency: forms.text(form, f"{name}:{currency}", most=40) for currency in of}
    return {currency: _sum(value, currency) for currency, value in typed.items() if value}


def _sum(typed: str, currency: str) -> str:
    try:
        return str(forms.amount(typed, currency).wire()["amount"])
    except RelanceError:  # the linter says what is wrong with it, where it was typed
        return typed


def currencies(policy: Mapping[str, Any]) -> list[str]:
    """The currencies that the policy names anywhere, the euro first."""
    amounts = [policy["cash"]["tolerance"], *(step.get(name) or {} for step in policy["steps"] for name in SUMS)]
    return ["EUR", *sorted({currency for each in amounts for currency in each} - {"EUR"})]


def number(form: FormData, name: str, least: int, most: int) -> int:
    """A whole number between two others. Raises FieldMissing or FieldInvalid."""
    typed = forms.needed(form, name, most=5).replace("\u2212", "-")
    try:
        found = int(typed)
    except ValueError:
        raise forms.FieldInvalid("This is no whole number.", field=name) from None
    if not least <= found <= most:
        raise forms.FieldInvalid(f"Between {least} and {most}.", field=name)
    return found


def ordered(steps: Sequence[Step]) -> list[Step]:
    """Steps that have a day after the due date in the order of their days; the others where they were."""
    dated = iter(sorted(filter(_dated, steps), key=lambda step: step["offset"]))
    return [next(dated) if _dated(step) else step for step in steps]


def _dated(step: Step) -> bool:
    """Whether it stands on the axis of days after the due date; a thank-you counts from the payment."""
    return bool(step["anchor"] == "due_date" and step["kind"] != "acknowledge")


def with_another(steps: Sequence[Step]) -> list[Step]:
    """And a step some days after the last reminder, as firm as that, under a key that nobody has."""
    reminders = [place for place, step in enumerate(steps) if _dated(step) and step["kind"] == "reminder"]
    place = reminders[-1] if reminders else -1
    like = steps[place] if reminders else {"offset": 0, "tone": NEW["tone"], "template": "friendly"}
    keys = {step["key"] for step in steps}
    key = next(f"step_{count}" for count in range(len(steps) + 1, 2 * MOST + 2) if f"step_{count}" not in keys)
    facts = {"key": key, "offset": min(720, like["offset"] + 5), "tone": like["tone"], "template": like["template"]}
    return ordered([*steps[: place + 1], {**NEW, **facts}, *steps[place + 1 :]])
