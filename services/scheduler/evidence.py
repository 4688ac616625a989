"""What became of a released occurrence, from the set of facts that were told about it, in whatever order.

The rule it protects: every release ends in exactly one way; a bounce undoes a delivery, a delivery outweighs a stop,
and what nobody can tell stays uncertain until a person or later evidence decides. Levels are read from here alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, cast

from services.scheduler.case import MarkState
from services.scheduler.policy import CALLS

End = Literal["proposed", "sent", "done", "failed", "stopped", "uncertain", "bounced"]
LATER = timedelta(days=7)
"""How long a step rests that failed, bounced or was rejected; a changed contact ends the rest at once."""
RESTS: frozenset[str] = frozenset({"rejected", "suppressed", "no_recipient", "no_contact"})
TOMORROW: frozenset[str] = frozenset({"contact_day", "volume", "window_over"})
BY_A_PERSON: frozenset[str] = frozenset({"task_done", "presented"})
"""What has left is not done yet: somebody does it, or tells when the letter was presented."""
OFTEN = 3
"""Releases of one day after which a step waits for the next day, whatever stopped it."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing told about one release; `on` is the local day of it."""

    release: int
    end: End
    at: datetime
    on: date
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of an occurrence that follows from its facts."""

    state: MarkState
    on: date
    reason: str
    ended_at: datetime | None
    retry_on: date | None


def facts_of(ends: Mapping[str, Mapping[str, str]]) -> list[Fact]:
    """The facts as they were kept: {"release:end": {at, on, reason}}."""
    found = []
    for key, told in ends.items():
        release, _, end = key.partition(":")
        at, on = datetime.fromisoformat(told["at"]), date.fromisoformat(told["on"])
        found.append(Fact(int(release), cast(End, end), at, on, told["reason"]))
    return sorted(found, key=_order)


def kept(facts: Sequence[Fact]) -> dict[str, dict[str, str]]:
    """The facts as they are kept."""
    return {
        f"{fact.release}:{fact.end}": {"at": fact.at.isoformat(), "on": fact.on.isoformat(), "reason": fact.reason}
        for fact in facts
    }


def _order(fact: Fact) -> tuple[int, datetime, str]:
    return fact.release, fact.at, fact.end


def joined(facts: Sequence[Fact], fact: Fact) -> list[Fact]:
    """The facts with this one; told twice it counts once, and the order of telling leaves no trace."""
    if any((known.release, known.end) == (fact.release, fact.end) for known in facts):
        return list(facts)
    return sorted([*facts, fact], key=_order)


def standing(
    facts: Sequence[Fact], release: int, kind: str, released_on: date, completes_on: str = "accepted"
) -> Standing:
    """What the facts say of this release; those of earlier releases only tell how often it was tried."""
    mine = {fact.end: fact for fact in facts if fact.release == release}
    for end in ("bounced", "done", "sent", "failed", "stopped", "uncertain", "proposed"):
        fact = mine.get(end)
        if fact is not None:
            return Standing(
                state=_state(fact, kind, completes_on),
                on=fact.on,
                reason=fact.reason,
                ended_at=None if end in ("uncertain", "proposed") else fact.at,
                retry_on=_retry(fact, facts),
            )
    return Standing("released", released_on, "", None, None)


def _state(fact: Fact, kind: str, completes_on: str) -> MarkState:
    if fact.end == "sent":
        return "opened" if kind in CALLS or completes_on in BY_A_PERSON else "completed"
    if fact.end == "stopped":
        return "rejected" if fact.reason == "rejected" else "stopped"
    if fact.end == "done":
        return "completed"
    return fact.end


def _retry(fact: Fact, facts: Sequence[Fact]) -> date | None:
    if fact.end in ("failed", "bounced") or (fact.end == "stopped" and fact.reason in RESTS):
        return fact.on + LATER
    if fact.end != "stopped":
        return None
    same_day = sum(other.end == "stopped" and other.on == fact.on for other in facts)
    return fact.on + timedelta(days=1) if fact.reason in TOMORROW or same_day >= OFTEN else None
