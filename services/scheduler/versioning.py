"""The life of a policy version: draft, checked, approved by a second person, active, retired; one step at a time.

The rule it protects: nobody approves what they wrote, nothing becomes active that was not checked and approved, and
an act in the wrong state is refused with what has to be done first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services.scheduler.errors import FourEyes, WrongState

State = Literal["draft", "checked", "approved", "active", "retired"]
ActName = Literal["check", "approve", "activate", "retire"]


@dataclass(frozen=True, slots=True)
class Act:
    """What leads from which states to which."""

    after: frozenset[State]
    to: State
    remedy: str


ACTS: Mapping[ActName, Act] = {
    "check": Act(frozenset({"draft"}), "checked", "Only a draft is checked; write a new version to change something."),
    "approve": Act(
        frozenset({"checked"}), "approved", "Check it first; then somebody other than its author approves it."
    ),
    "activate": Act(
        frozenset({"approved"}), "active", "Have it checked, and approved by somebody else than its author."
    ),
    "retire": Act(frozenset({"draft", "checked", "approved", "active"}), "retired", "It is retired already."),
}


def next_state(act: ActName, state: State, author: str, by: str) -> State:
    """Where an act of a person leads. Raises WrongState with the remedy, or FourEyes."""
    known = ACTS[act]
    if state not in known.after:
        raise WrongState(
            f"This version is {state}; {act} needs {' or '.join(sorted(known.after))}.", remedy=known.remedy
        )
    if act == "approve" and author == by:
        raise FourEyes
    return known.to
