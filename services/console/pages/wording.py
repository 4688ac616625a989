"""How a line of the timeline reads: its words, its sign, and whether it is good news."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from libs.common.money import Money
from services.console.pages import formats
from services.console.pages.web import Texts

SIGNS: Mapping[str, tuple[str, str]] = {
    "InvoiceIssued": ("invoices", ""),
    "InvoiceAmended": ("invoices", ""),
    "InvoiceCancelled": ("invoices", "care"),
    "CreditNoteIssued": ("invoices", "good"),
    "CreditApplied": ("invoices", "good"),
    "PaymentReceived": ("coins", "good"),
    "PaymentMatched": ("coins", "good"),
    "PaymentUnmatched": ("coins", "care"),
    "PaymentReversed": ("coins", "bad"),
    "InvoiceReopened": ("invoices", "care"),
    "ReminderDue": ("clock", ""),
    "ReminderWithdrawn": ("blocked", ""),
    "ReminderProposed": ("mail", ""),
    "ReminderSent": ("mail", "good"),
    "ReminderFailed": ("warning", "bad"),
    "ReminderStopped": ("blocked", ""),
    "ReminderUncertain": ("warning", "bad"),
    "ReminderBounced": ("warning", "bad"),
    "ReplyReceived": ("reply", "care"),
    "ComplaintReceived": ("blocked", "bad"),
    "HoldPlaced": ("holds", "care"),
    "HoldLifted": ("play", ""),
    "PromiseMade": ("promises", "care"),
    "PromiseKept": ("promises", "good"),
    "PromiseBroken": ("promises", "bad"),
    "PromiseCancelled": ("promises", ""),
    "PlanAgreed": ("promises", "care"),
    "PlanDefaulted": ("promises", "bad"),
    "DisputeOpened": ("disputes", "bad"),
    "DisputeResolved": ("disputes", "good"),
    "CaseEscalated": ("letter", "bad"),
    "CaseClosed": ("check", "good"),
    "TaskOpened": ("phone", ""),
    "TaskDone": ("phone", "good"),
}


def worded(t: Texts, line: Mapping[str, Any]) -> dict[str, Any]:
    """A line as the templates show it: `title`, `icon`, `mood`, `why`, `amount` and what it was."""
    icon, mood = SIGNS.get(line["type"], ("note", ""))
    key = f"event.{line['type']}"
    facts = line["facts"]
    if line["type"] == "PaymentMatched" and facts.get("allocations") == 0:
        key += ".account"
    words = t.words.get(key, t("event.other"))
    amount = Money(line["amount"], line["currency"]) if line["currency"] and line["amount"] is not None else None
    return {
        **line,
        "title": words.format_map({"number": facts.get("number", "")}),
        "icon": icon,
        "mood": mood,
        "why": _why(t, line["type"], facts["reason"]) if "reason" in facts else _what(t, line["type"], facts),
        "amount": amount,
    }


_BY_PEOPLE = ("TaskOpened", "TaskDone")
_SILENCES = ("HoldPlaced", "HoldLifted")


def _what(t: Texts, kind: str, facts: Mapping[str, Any]) -> str:
    """What a line is about, in a few words: which step and channel, which task and its outcome, until when."""
    keys = []
    if kind.startswith("Reminder"):
        step = (f"step.key.{facts.get('step_key')}", f"step.{facts.get('step_key')}")
        toned = (f"step.{facts.get('kind')}.{facts.get('tone')}", f"step.{facts.get('kind')}")
        keys = [next((key for key in (*step, *toned) if t.has(key)), ""), f"channel.{facts.get('channel')}"]
    elif kind in _BY_PEOPLE:
        keys = [f"task.{facts.get('kind')}", f"outcome.{facts.get('outcome')}"]
    elif kind in _SILENCES:
        keys = [f"hold.{facts.get('kind')}"]
    elif kind == "PaymentMatched":
        keys = [f"how.{facts.get('how')}"]
    told = [t(key) for key in keys if t.has(key)]
    if kind == "PromiseMade" and "promised_for" in facts:
        told = [t("event.promised_for").format(day=formats.day(date.fromisoformat(facts["promised_for"]), t.language))]
    return " · ".join(told)


def _why(t: Texts, kind: str, code: str) -> str:
    """What a line gives as its reason: that of a dispute is one of the disputes' own."""
    own = f"dispute.{code}"
    return t(own) if kind == "DisputeOpened" and t.has(own) else reason(t, code)


def noted(t: Texts, note: Mapping[str, Any]) -> dict[str, Any]:
    """A note as a line of the timeline."""
    plain: dict[str, Any] = {"type": "Note", "icon": "note", "mood": "", "amount": None, "name": None, "facts": {}}
    return {**plain, "at": note["at"], "title": t("note.by").format(name=note["author"]), "why": note["text"]}


def merged(t: Texts, lines: Iterable[Mapping[str, Any]], notes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What happened and what was noted, the newest first."""
    told = [worded(t, line) for line in lines] + [noted(t, each) for each in notes]
    return sorted(told, key=lambda line: line["at"], reverse=True)


def reason(t: Texts, code: str) -> str:
    """A stable reason code in words; a code that we have no words for is shown as it is."""
    return t.words.get(f"reason.{code}", code.replace("_", " "))
