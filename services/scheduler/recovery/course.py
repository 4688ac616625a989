"""Where a recovery file may go: prepared → handed_over → judicial → collected or returned; or dropped.

The rule it protects: an end is an end, and nothing is called collected while something of it is owed.
"""

from typing import Literal

State = Literal["prepared", "handed_over", "judicial", "collected", "returned", "dropped"]
NEXT: dict[str, frozenset[str]] = {
    "prepared": frozenset({"handed_over", "dropped"}),
    "handed_over": frozenset({"judicial", "collected", "returned"}),
    "judicial": frozenset({"collected", "returned"}),
}
OUTSIDE: frozenset[str] = frozenset({"handed_over", "judicial"})
"""Somebody else has it: nothing leaves from here."""


def may_become(state: str, wanted: str) -> bool:
    """Whether a file in one state may come to another."""
    return wanted in NEXT.get(state, frozenset())
