"""A dispute: opened → investigating → upheld | rejected | withdrawn, over an amount; and what ends it by itself.

The rule it protects: an amount that we said we would credit is not chased again because the credit note is slow; and a
dispute does not outlive its subject: a credit note that covers it upholds it, money for all of the item ends it.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

State = Literal["opened", "investigating", "upheld", "rejected", "withdrawn"]
By = Literal["person", "payment", "credit_note"]
OPEN: tuple[State, ...] = ("opened", "investigating")


@dataclass(frozen=True, slots=True)
class Dispute:
    """`principal` is what the invoice asked for, less credit notes, when it was opened. Minor units."""

    state: State
    minor: int
    principal: int
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """What a dispute became, and by what. It is over: its pause is lifted."""

    state: State
    by: By


def credited(dispute: Dispute, principal: int) -> int:
    """What of the disputed amount was credited since: credit notes, or an invoice amended to less."""
    return max(0, min(dispute.minor, dispute.principal - principal))


def expected(dispute: Dispute, principal: int) -> int:
    """The credit note that an upheld dispute still waits for; 0 for the others."""
    if dispute.state != "upheld" or dispute.closed:
        return 0
    return dispute.minor - credited(dispute, principal)


def outcome(dispute: Dispute, principal: int, residual: int) -> Ended | None:
    """What ends a dispute by itself, by what the invoice asks for and still owes now; None while nothing does."""
    if dispute.closed or dispute.state in ("rejected", "withdrawn"):
        return None
    if credited(dispute, principal) >= dispute.minor:
        return Ended("upheld", "credit_note")
    if residual == 0:
        return Ended("upheld" if dispute.state == "upheld" else "withdrawn", "payment")
    return None


def overdue(state: State, respond_by: date, credit_due_on: date | None, today: date, *, closed: bool) -> bool:
    """Whether somebody is late: with the answer, or with the credit note of an upheld dispute."""
    if closed:
        return False
    if state in OPEN:
        return today > respond_by
    return state == "upheld" and credit_due_on is not None and today > credit_due_on
