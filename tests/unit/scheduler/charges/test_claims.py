"""Never twice, never lost: whatever people do with claims, their sum is the interest of the days they cover."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.scheduler.charges import proof
from services.scheduler.charges.claims import (
    NEXT,
    Claim,
    interest_claims,
    may_become,
    next_interest,
    next_lump_sum,
    stops_on,
    to_credit,
)
from services.scheduler.charges.interest import DAY, Debt, Payment, Sheet, interest
from services.scheduler.charges.regimes import REGIMES
from tests.unit.scheduler.charges.sample import BOOK, by_law, day, debt

DUE = date(2024, 5, 20)


def test_of_a_debt_that_stays_unpaid_the_second_claim_begins_the_day_after_the_first() -> None:
    owed = debt(10_000, "2024-09-30")

    def to(until: date) -> Sheet:
        return interest(owed, REGIMES["fr_private"].rule, BOOK, until)

    first = next_interest([], to, owed.due_date, day("2024-12-31"))
    assert first == Claim("interest", "quoted", day("2024-10-01"), day("2024-12-31"), 359_18)
    claims = [replace(first, state="invoiced")]
    second = next_interest(claims, to, owed.due_date, day("2025-03-31"))
    assert second is not None
    assert (second.first, second.last, second.minor) == (day("2025-01-01"), day("2025-03-31"), 324_24)
    assert first.minor + second.minor == 683_42
    assert next_interest(claims, to, owed.due_date, day("2024-12-31")) is None


def test_interest_is_not_lost_when_the_principal_is_paid() -> None:
    owed = debt(10_000, "2024-09-30", ("2024-12-31", 10_000))
    later = next_interest(
        [], lambda until: interest(owed, REGIMES["fr_private"].rule, BOOK, until), owed.due_date, day("2026-01-01")
    )
    assert later is not None and (later.last, later.minor) == (day("2024-12-31"), 359_18)


def test_a_credit_note_after_the_invoice_says_how_much_to_give_back() -> None:
    claimed = [Claim("interest", "invoiced", day("2024-10-01"), day("2024-12-31"), 359_18)]
    now = debt(5_000, "2024-09-30")
    assert to_credit(claimed, lambda until: interest(now, REGIMES["fr_private"].rule, BOOK, until)) == 179_59
    assert to_credit([], lambda until: by_law("fr_private", now, str(until))) == 0


def test_a_lump_sum_is_claimed_once_an_invoice_and_not_before_it_is_late() -> None:
    due = day("2025-01-31")
    assert next_lump_sum([], 4000, due, due) is None
    first = next_lump_sum([], 4000, due, due + DAY)
    assert first == Claim("lump_sum", "quoted", due + DAY, due + DAY, 4000)
    for state in ("invoiced", "collected", "waived"):
        assert next_lump_sum([replace(first, state=state)], 4000, due, day("2026-01-31")) is None


@pytest.mark.parametrize("state", NEXT)
def test_what_is_collected_or_waived_is_over(state: str) -> None:
    assert may_become(state, "quoted") is False  # type: ignore[arg-type]
    assert may_become("quoted", "invoiced") and may_become("invoiced", "collected")
    assert not may_become("waived", "invoiced") and not may_become("quoted", "collected")


def test_a_proof_says_every_row_its_rate_and_the_one_rounding() -> None:
    sheet = by_law("fr_private", debt(10_000, "2024-09-30", ("2025-03-31", 10_000)), "2025-12-31")
    rows = proof.lines(sheet)
    assert [row.formula for row in rows] == ["10000.00 × 14.25 % × 92 / 365", "10000.00 × 13.15 % × 90 / 365"]
    assert [row.interest for row in rows] == ["359.178082", "324.246575"]
    assert rows[0].sources[0].startswith("ecb_mro 4.25 % (2024-07-01): https://")
    assert proof.remarks(sheet, REGIMES["fr_private"], "en")[:2] == [
        "Basis: articles L. 441-10 and D. 441-5 of the French Commercial Code.",
        "Sum of the rows 683.424658, rounded once: 683.42 EUR.",
    ]
    compound = proof.lines(by_law("nl", debt(10_000, "2023-01-31"), "2024-06-30"))
    assert compound[-1].formula == "(10000.00 + 1142.602740) × 12.50 % × 151 / 365"


class Claiming(RuleBasedStateMachine):
    """Days go by, money comes, and people quote, invoice, collect and waive as they like."""

    def __init__(self) -> None:
        super().__init__()
        self.today = DUE
        self.owed = Debt("EUR", DUE, 1_234_567)
        self.claims: list[Claim] = []
        self.quote: Claim | None = None

    def sheet(self, until: date) -> Sheet:
        return interest(replace(self.owed, stops_on=stops_on(self.claims)), REGIMES["nl"].rule, BOOK, until)

    @rule(days=st.integers(1, 120))
    def days_go_by(self, days: int) -> None:
        if self.today < date(2026, 6, 1):
            self.today += timedelta(days=days)

    @rule(minor=st.integers(1, 500_000))
    def money_comes(self, minor: int) -> None:
        self.owed = replace(self.owed, payments=(*self.owed.payments, Payment(self.today, minor)))

    @rule()
    def somebody_asks(self) -> None:
        self.quote = next_interest(self.claims, self.sheet, DUE, self.today)

    @precondition(lambda self: self.quote is not None)
    @rule(state=st.sampled_from(["invoiced", "collected", "waived"]), ends=st.booleans())
    def somebody_decides(self, state: str, ends: bool) -> None:
        again = next_interest(self.claims, self.sheet, DUE, self.today)
        if again is not None:
            self.claims.append(replace(again, state=state, ends=ends and state == "waived"))  # type: ignore[arg-type]
        self.quote = None

    @invariant()
    def every_day_is_in_one_claim_at_most(self) -> None:
        claims = interest_claims(self.claims)
        days = [each.first.toordinal() + n for each in claims for n in range((each.last - each.first).days + 1)]
        assert len(days) == len(set(days))
        assert not claims or min(days) == (DUE + DAY).toordinal()
        assert len(days) == (max(days) - min(days) + 1 if days else 0)

    @invariant()
    def the_claims_add_up_to_the_interest_of_their_days(self) -> None:
        claims = interest_claims(self.claims)
        if claims:
            assert sum(each.minor for each in claims) == self.sheet(claims[-1].last).interest
            assert to_credit(self.claims, self.sheet) == 0

    @invariant()
    def what_is_not_claimed_can_still_be_asked_for_unless_it_was_waived(self) -> None:
        if stops_on(self.claims) is None:
            spoken = sum(each.minor for each in interest_claims(self.claims))
            left = next_interest(self.claims, self.sheet, DUE, self.today)
            assert self.sheet(self.today).interest == spoken + (left.minor if left else 0)


TestClaiming = Claiming.TestCase
TestClaiming.settings = settings(max_examples=60, stateful_step_count=25)
