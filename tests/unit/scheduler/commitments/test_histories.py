"""Random lives of a debt with promises, a plan, disputes, money that comes and goes back: each ends once, rightly."""

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.scheduler.calendar import promise_until
from services.scheduler.charges.interest import Debt
from services.scheduler.charges.ledger import Told, debt_of
from services.scheduler.commitments import disputes, promises
from services.scheduler.commitments.disputes import Dispute
from services.scheduler.commitments.plans import Clause, Part, Standing, standing
from services.scheduler.commitments.promises import Promise, paid_in_span

START = date(2026, 1, 5)
AMOUNT = 1000_00


@dataclass
class Made:
    promise: Promise
    state: promises.State = "open"
    ended_on: date | None = None
    paid: int = 0


@dataclass
class Agreed:
    parts: tuple[Part, ...]
    clause: Clause
    on: date
    last: Standing
    ends: list[str] = field(default_factory=list)


@dataclass
class Disputed:
    dispute: Dispute
    ends: list[str] = field(default_factory=list)


class Life(RuleBasedStateMachine):
    """One invoice of 1,000 euros and a reviewer who looks after every event."""

    def __init__(self) -> None:
        super().__init__()
        self.today = START
        self.told: list[Told] = []
        self.amount = AMOUNT
        self.residual = AMOUNT
        self.credits = 0
        self.money: list[tuple[UUID, date, int]] = []
        self.made: list[Made] = []
        self.plan: Agreed | None = None
        self.disputes: list[Disputed] = []

    def debt(self) -> Debt:
        return debt_of("EUR", START, self.amount, self.residual, self.told)

    def tell(self, cause: str, payment: UUID | None, given: int, on: date | None) -> None:
        self.told.append(Told(len(self.told) + 1, self.residual, cause, payment, given, on))  # type: ignore[arg-type]

    def review(self) -> None:
        debt = self.debt()
        for made in self.made:
            if made.state == "open":
                made.paid = paid_in_span(debt.payments, made.promise.made_on, made.promise.until)
                made.state = promises.outcome(made.promise, made.paid, self.today, owed=self.residual)
                made.ended_on = self.today if made.state != "open" else None
        if self.plan is not None and self.plan.last.state == "running":
            plan = self.plan
            plan.last = standing(plan.parts, plan.clause, debt.payments, plan.on, self.residual, self.today)
            if plan.last.state != "running":
                plan.ends.append(plan.last.state)
        for each in self.disputes:
            ended = disputes.outcome(each.dispute, debt.principal, self.residual)
            if ended is not None:
                each.dispute = replace(each.dispute, state=ended.state, closed=True)
                each.ends.append(ended.by)

    @rule(days=st.integers(1, 20))
    def days_go_by(self, days: int) -> None:
        for _ in range(days):
            self.today += timedelta(days=1)
            self.review()

    @precondition(lambda self: self.residual > 0)
    @rule(share=st.integers(1, 100), ago=st.integers(0, 3))
    def money_comes(self, share: int, ago: int) -> None:
        minor = max(1, self.residual * share // 100)
        payment, on = UUID(int=len(self.told) + 1), self.today - timedelta(days=ago)
        self.residual -= minor
        self.money.append((payment, on, minor))
        self.tell("given", payment, minor, on)
        self.review()

    @precondition(lambda self: self.money)
    @rule(which=st.integers(0, 9))
    def money_goes_back(self, which: int) -> None:
        payment, _, minor = self.money.pop(which % len(self.money))
        self.residual += minor
        self.tell("taken_back", payment, 0, None)
        self.review()

    @precondition(lambda self: self.residual > 1)
    @rule(share=st.integers(1, 100))
    def a_credit_note_comes(self, share: int) -> None:
        minor = max(1, self.residual * share // 100)
        self.residual -= minor
        self.credits += minor
        self.tell("other", None, 0, None)
        self.review()

    @precondition(lambda self: self.residual > 0)
    @rule(share=st.integers(1, 100), days=st.integers(0, 30))
    def somebody_promises(self, share: int, days: int) -> None:
        until = promise_until(self.today + timedelta(days=days))
        self.made.append(Made(Promise(max(1, self.residual * share // 100), self.today, until)))

    @precondition(lambda self: self.plan is None and self.residual > 10)
    @rule(count=st.integers(1, 4), gap=st.integers(5, 30), tolerated=st.integers(0, 2), grace=st.integers(0, 5))
    def a_plan_is_agreed(self, count: int, gap: int, tolerated: int, grace: int) -> None:
        each = self.residual // count
        parts = tuple(Part(self.today + timedelta(days=gap * (n + 1)), each) for n in range(count))
        clause = Clause(grace, tolerated)
        self.plan = Agreed(
            parts, clause, self.today, standing(parts, clause, (), self.today, self.residual, self.today)
        )

    @precondition(lambda self: self.residual > 0 and len(self.disputes) < 3)
    @rule(share=st.integers(1, 100))
    def somebody_disputes(self, share: int) -> None:
        minor = max(1, self.residual * share // 100)
        self.disputes.append(Disputed(Dispute("opened", minor, self.debt().principal)))

    @precondition(lambda self: any(each.dispute.state == "opened" for each in self.disputes))
    @rule(state=st.sampled_from(["investigating", "upheld", "rejected", "withdrawn"]))
    def somebody_decides(self, state: disputes.State) -> None:
        each = next(each for each in self.disputes if each.dispute.state == "opened")
        closed = state in ("rejected", "withdrawn")
        each.dispute = replace(each.dispute, state=state, closed=closed)
        each.ends += ["person"] if closed else []
        self.review()

    @invariant()
    def the_ledger_adds_up(self) -> None:
        debt = self.debt()
        assert debt.principal == AMOUNT - self.credits
        assert sum(each.minor for each in debt.payments) == sum(minor for _, _, minor in self.money)

    @invariant()
    def a_promise_was_kept_by_the_money_of_its_span_or_ended_after_it(self) -> None:
        for made in self.made:
            if made.state == "kept":
                assert made.paid >= made.promise.minor
            if made.state in ("broken", "partly_kept"):
                assert made.ended_on is not None and made.ended_on > made.promise.until
                assert (made.paid > 0) == (made.state == "partly_kept") and made.paid < made.promise.minor
            if made.state == "open":
                assert self.today <= made.promise.until

    @invariant()
    def a_plan_ends_once_and_falls_only_by_a_miss_beyond_its_clause(self) -> None:
        if self.plan is None:
            return
        plan = self.plan
        assert len(plan.ends) == (plan.last.state != "running")
        if plan.last.state == "defaulted":
            misses = [each for each in plan.last.parts if each.state in ("missed", "paid_late")]
            assert plan.last.missed_on in {each.on for each in misses}
            assert len(misses) > plan.clause.tolerated or misses[-1].state == "missed"
        if plan.last.state == "running":
            assert plan.last.look_after is not None and self.today <= plan.last.look_after

    @invariant()
    def a_dispute_ends_once_and_one_that_was_upheld_waits_for_its_credit(self) -> None:
        for each in self.disputes:
            assert len(each.ends) == each.dispute.closed
            waits = disputes.expected(each.dispute, self.debt().principal)
            assert 0 <= waits <= each.dispute.minor
            if each.dispute.state == "upheld" and not each.dispute.closed:
                assert waits > 0 and self.residual > 0
            if "credit_note" in each.ends:
                assert each.dispute.state == "upheld"


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=30)
