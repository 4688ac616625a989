"""How a notice ends from how its deliveries stand, and which approvals it needs. Pure.

Every release ends in exactly one of sent, failed, stopped, uncertain; uncertain may become sent or stopped later.
"""

from collections.abc import Collection
from typing import Literal

from libs.common.events.reminders import Approval, StepKind

State = Literal["due", "proposed", "ready", "sent", "failed", "stopped", "uncertain", "superseded"]
End = Literal["sent", "failed", "stopped", "uncertain"]
OPEN: tuple[State, ...] = ("due", "proposed", "ready")
UNDER_WAY = ("proposed", "ready", "on_wire")
OUTWARD: tuple[StepKind, ...] = ("pre_due", "reminder", "letter", "final_notice", "formal_notice", "statement")
"""What counts as a reminder to a contact: at most one in 24 hours."""
BY_HAND: dict[StepKind, Literal["call", "visit", "hand_over"]] = {
    "task_call": "call", "task_visit": "visit", "hand_over": "hand_over",
}  # fmt: skip
"""Steps that are a task of a person, whatever their channels say."""
_RANK: dict[Approval, int] = {"none": 0, "confirm": 1, "four_eyes": 2}


def ending(deliveries: Collection[str]) -> End | None:
    """The notice's end, or None while a delivery is under way.

    Nothing is said before the last recipient's: the release that a send ends is the one that its permits ask about.
    """
    if any(state in UNDER_WAY for state in deliveries):
        return None
    if "sent" in deliveries:
        return "sent"
    if "uncertain" in deliveries:
        return "uncertain"
    return "failed" if "failed" in deliveries else "stopped"


def may_follow(before: State, end: End) -> bool:
    """Whether an end may be said of a notice that stands so."""
    if before in OPEN:
        return True
    return before == "uncertain" and end in ("sent", "stopped")


def needed(kind: StepKind, asked: Approval, entity_approvals: str) -> Approval:
    """The approval that a notice needs: the policy's, and never less than its kind and a new entity ask for."""
    if kind == "internal_notice" or kind in BY_HAND:
        return "none"
    least: Approval = "confirm" if kind in ("final_notice", "letter") or entity_approvals == "confirm" else "none"
    if kind == "formal_notice":
        least = "four_eyes"
    return max(asked, least, key=lambda each: _RANK[each])
