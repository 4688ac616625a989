"""How explanations are shown: codes for programs, sentences for people in both languages."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from services.scheduler.api.shared import AmountOut, amount_of
from services.scheduler.case import Mark, Reason
from services.scheduler.explain import Explanation, sentence


class ReasonOut(BaseModel):
    """Why something is or is not said."""

    code: str
    fr: str
    en: str


class MarkOut(BaseModel):
    """What became of one step in one cycle."""

    step: str
    cycle: int
    tone: int
    state: str
    on: date
    release: int
    reminder_id: UUID | None


class ItemOut(BaseModel):
    """An item with its level, what it hears next and why not now."""

    item_id: UUID
    invoice_id: UUID
    debtor_id: UUID
    number: str
    due_date: date
    amount: AmountOut
    residual: AmountOut
    paused: AmountOut
    cycle: int
    level: int
    next_step: str | None
    next_on: date | None
    now: bool
    reasons: list[ReasonOut]
    history: list[MarkOut]


class ExplanationOut(ItemOut):
    """One item at one instant. `caveats` say what of a past instant is not known, or differs from what was done."""

    case_id: UUID
    entity_id: UUID
    payer_id: UUID
    policy: str | None
    policy_number: int | None
    policy_from: Literal["item", "debtor", "segment", "entity"] = "entity"
    """What brought it to this policy: an assignment, or its entity's own."""
    assignment_id: UUID | None = None
    at: datetime
    caveats: list[ReasonOut] = []


def reason(told: Reason) -> ReasonOut:
    """A reason in code and words."""
    return ReasonOut(code=told.code, fr=sentence(told, "fr"), en=sentence(told, "en"))


def _mark(told: Mark) -> MarkOut:
    names = ("cycle", "tone", "state", "on", "release", "reminder_id")
    return MarkOut(step=told.step_key, **{name: getattr(told, name) for name in names})


def facts(told: Explanation) -> dict[str, Any]:
    """The fields of ItemOut."""
    item = told.item
    return {
        "item_id": item.item_id,
        "invoice_id": item.invoice_id,
        "debtor_id": item.debtor_id,
        "number": item.number,
        "due_date": item.due_date,
        "amount": amount_of(item.amount, item.currency),
        "residual": amount_of(item.residual, item.currency),
        "paused": amount_of(item.paused(), item.currency),
        "cycle": item.cycle,
        "level": told.level,
        "next_step": told.next_step,
        "next_on": told.next_on,
        "now": told.now,
        "reasons": [reason(each) for each in told.reasons],
        "history": [_mark(each) for each in told.history],
    }
