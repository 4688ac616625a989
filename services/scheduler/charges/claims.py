"""What was made of an item's charges: quoted, invoiced, collected or waived; a day of delay is in one claim at most.

The rule it protects: interest is never charged twice and never silently lost. The claims of an item follow each other
day by day; each is the interest up to its last day less what the claims before it took, so that their sum is always
the sheet's, rounded once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.scheduler.charges.interest import DAY, Sheet

Kind = Literal["interest", "lump_sum"]
State = Literal["quoted", "invoiced", "collected", "waived"]
NEXT: dict[State, tuple[State, ...]] = {
    "quoted": ("invoiced", "waived"),
    "invoiced": ("collected", "waived"),
    "collected": (),
    "waived": (),
}
"""What may become of a claim."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim of a kind, about the days from `first` to `last`. Minor units of the item's currency."""

    kind: Kind
    state: State
    first: date
    last: date
    minor: int
    ends: bool = False
    """A waiver after which nothing accrues any more."""

    @property
    def decided(self) -> bool:
        return self.state != "quoted"


def may_become(state: State, wanted: State) -> bool:
    """Whether a claim may go from one state to another."""
    return wanted in NEXT[state]


def interest_claims(claims: Sequence[Claim]) -> list[Claim]:
    """The decided claims of interest, in the order of their days."""
    return sorted((each for each in claims if each.kind == "interest" and each.decided), key=lambda each: each.last)


def stops_on(claims: Sequence[Claim]) -> date | None:
    """The last day that bears interest after a waiver; None while it goes on."""
    return min((each.last for each in claims if each.kind == "interest" and each.ends), default=None)


def next_interest(
    claims: Sequence[Claim], sheet_to: Callable[[date], Sheet], due_date: date, until: date
) -> Claim | None:
    """What may be claimed now: the days after the last claim, and their interest; None when there is nothing.

    `sheet_to` gives the item's sheet up to a day, by the facts of now.
    """
    if stops_on(claims) is not None:
        return None
    before = interest_claims(claims)
    first = (before[-1].last if before else due_date) + DAY
    sheet = sheet_to(until)
    last = min(sheet.counted_to, _last_borne(sheet))
    minor = sheet.interest - sum(each.minor for each in before)
    return Claim("interest", "quoted", first, last, minor) if last >= first and minor > 0 else None


def _last_borne(sheet: Sheet) -> date:
    return max((row.last for row in sheet.rows), default=date.min)


def to_credit(claims: Sequence[Claim], sheet_to: Callable[[date], Sheet]) -> int:
    """Minor units that were invoiced and are not owed by the facts of now: a payment or credit note came to light."""
    before = interest_claims(claims)
    if not before:
        return 0
    over = sum(each.minor for each in before) - sheet_to(before[-1].last).interest
    charged = sum(each.minor for each in before if each.state != "waived")
    return max(0, min(over, charged))


def next_lump_sum(claims: Sequence[Claim], minor: int, due_date: date, until: date) -> Claim | None:
    """The lump sum of an invoice, unless it was claimed or waived before; `claims` are those of all its items."""
    if minor <= 0 or until <= due_date or any(each.kind == "lump_sum" and each.decided for each in claims):
        return None
    return Claim("lump_sum", "quoted", due_date + DAY, due_date + DAY, minor)
