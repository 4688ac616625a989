"""What becomes of what was sent: created, amended, unchanged, stale, cancelled, quarantined or a conflict.

Pure: the row that is known and the thing that came decide, nothing else. The rules it protects: an older version
never overwrites a newer one, a repeated delivery changes nothing, two systems that tell one invoice differently are
left to a person, and what was cancelled does not come back by itself.
"""

from dataclasses import dataclass
from typing import Literal

Result = Literal["created", "amended", "unchanged", "stale", "cancelled", "quarantined", "conflict"]


@dataclass(frozen=True, slots=True)
class Known:
    """The row as it stands. `content` digests all that was told of it, `core` what it means in money and dates."""

    source: str
    source_version: int | None
    content: bytes
    core: bytes
    cancelled: bool
    credit: bool


@dataclass(frozen=True, slots=True)
class Incoming:
    """What came. `credit` says that it reduces what is owed."""

    source: str
    source_version: int | None
    content: bytes
    core: bytes
    cancelled: bool
    credit: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The result, the reason of a doubt, and whether the source's version moves on although nothing else does."""

    result: Result
    reason: str | None = None
    moves_on: bool = False


def decide(known: Known | None, incoming: Incoming, *, released: bool = False) -> Decision:
    """What becomes of `incoming`. `released`: a person has looked at it and takes it as the truth."""
    if known is None:
        return Decision("cancelled" if incoming.cancelled else "created")
    if known.credit != incoming.credit and not incoming.cancelled:
        return Decision("quarantined", "sign_changed")
    if released:
        return _by_content(known, incoming)
    if known.source != incoming.source:
        return _from_a_second_source(known, incoming)
    return _by_version(known, incoming)


def _from_a_second_source(known: Known, incoming: Incoming) -> Decision:
    if known.cancelled and incoming.cancelled:
        return Decision("cancelled")
    same = known.core == incoming.core and known.cancelled == incoming.cancelled
    return Decision("unchanged") if same else Decision("quarantined", "second_source")


def _by_version(known: Known, incoming: Incoming) -> Decision:
    before, now = known.source_version, incoming.source_version
    if before is None or now is None:
        return _by_arrival(known, incoming)
    if now < before:
        return Decision("stale")
    if now > before:
        return _newer(known, incoming)
    same = known.content == incoming.content and known.cancelled == incoming.cancelled
    if not same:
        return Decision("conflict")
    return Decision("cancelled" if known.cancelled else "unchanged")


def _by_arrival(known: Known, incoming: Incoming) -> Decision:
    """Without a version nothing tells a late copy from a new wish: what is void stays void."""
    if known.cancelled:
        return Decision("cancelled")
    return _by_content(known, incoming)


def _newer(known: Known, incoming: Incoming) -> Decision:
    if known.cancelled:
        if incoming.cancelled:
            return Decision("cancelled", moves_on=True)
        return Decision("quarantined", "was_cancelled")
    return _by_content(known, incoming)


def _by_content(known: Known, incoming: Incoming) -> Decision:
    if incoming.cancelled:
        return Decision("cancelled", moves_on=known.cancelled)
    if known.cancelled or known.content != incoming.content:
        return Decision("amended")
    return Decision("unchanged", moves_on=incoming.source_version not in (None, known.source_version))
