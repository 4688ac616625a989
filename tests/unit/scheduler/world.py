"""A small world for the rules: items of one payer, a clock that moves from look to look, and a record of what left."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from libs.common.ids import named
from services.scheduler.calendar import Calendar
from services.scheduler.case import Case, Item, Mark, Party, Pause
from services.scheduler.grouping import Notice
from services.scheduler.planner import Decision, decide
from services.scheduler.policy import GAPPED, Policy, parse

STANDARD = parse((Path(__file__).parents[3] / "services/scheduler/policies/standard.yaml").read_text("utf-8"))
PARIS = Calendar("FR", "Europe/Paris")
TENANT = named("test tenant")


def item(number: str, due: date, euros: int = 500, **facts: object) -> Item:
    """An invoice of one instalment, issued thirty days before it is due."""
    made = Item(
        item_id=named("item", number),
        invoice_id=named("invoice", number),
        debtor_id=named("debtor"),
        number=number,
        issue_date=due - timedelta(days=30),
        due_date=due,
        currency="EUR",
        amount=euros * 100,
        residual=euros * 100,
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def mark(
    step: str, on: date, *, tone: int | None = None, cycle: int = 1, state: str = "completed", **facts: object
) -> Mark:
    """What became of a step of the standard ladder."""
    rung = STANDARD.step(step)
    assert rung is not None
    made = Mark(
        step_key=step,
        cycle=cycle,
        tone=rung.tone if tone is None else tone,
        kind=rung.kind,
        state=state,
        release=1,
        on=on,  # type: ignore[arg-type]
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def pause(kind: str = "manual", amount: int | None = None, review_on: date = date(2027, 1, 4)) -> Pause:
    return Pause(named("hold", kind), kind, "item", review_on, amount)  # type: ignore[arg-type]


def case(*items: Item, **facts: object) -> Case:
    """A live case whose entity leaves approvals to the policy."""
    payer = named("debtor")
    made = Case(TENANT, named("case"), named("entity"), payer, Party(named("party")), items)
    return replace(made, **facts)  # type: ignore[arg-type]


def at(day: date, hour: int = 10) -> datetime:
    """That local hour in Paris."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=PARIS.clock).astimezone(UTC)


def decided(day: date, *items: Item, policy: Policy = STANDARD, **facts: object) -> Decision:
    return decide(case(*items, **facts), policy, PARIS, at(day))


@dataclass
class Left:
    """One message that was released, and what became of it."""

    at: datetime
    on: date
    step: str
    kind: str
    tone: int
    numbers: tuple[str, ...]
    """Items whose step ended with it."""
    listed: tuple[str, ...]
    outcome: str


@dataclass
class World:
    """Plays `decide` from look to look, and answers every release with `outcome`."""

    items: dict[UUID, Item]
    policy: Policy = STANDARD
    calendar: Calendar = PARIS
    left: list[Left] = field(default_factory=list)
    looks: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    last: date | None = None
    days: tuple[date, ...] = ()
    outcome: str = "completed"

    @classmethod
    def of(cls, *items: Item, **facts: object) -> "World":
        return cls({each.item_id: each for each in items}, facts=facts)

    def case(self) -> Case:
        party = Party(named("party"), self.last, self.days)
        return case(*self.items.values(), party=party, **self.facts)

    def change(self, number: str, **facts: object) -> None:
        key = named("item", number)
        self.items[key] = replace(self.items[key], **facts)  # type: ignore[arg-type]

    def look(self, now: datetime) -> datetime | None:
        """Decide once, let everything leave that is due, and say when to look again."""
        decision = decide(self.case(), self.policy, self.calendar, now)
        self.looks.append((now, decision.next_at))
        for notice in () if decision.shown_only else decision.notices:
            self._leaves(notice, now)
        return decide(self.case(), self.policy, self.calendar, now).next_at if decision.notices else decision.next_at

    def play(self, start: datetime, end: datetime) -> list[Left]:
        now: datetime | None = start
        while now is not None and now <= end:
            now = self.look(now)
        return self.left

    def _leaves(self, notice: Notice, now: datetime) -> None:
        today = self.calendar.today(now)
        for row in notice.rows:
            if row.completes:
                self._mark(row.item.item_id, row.step.key, row.release, today)
        self.left.append(
            Left(
                now,
                today,
                notice.step.key,
                notice.step.kind,
                notice.step.tone,
                tuple(row.item.number for row in notice.rows if row.completes),
                tuple(row.item.number for row in notice.rows if not row.completes),
                self.outcome,
            )
        )
        if notice.step.kind in GAPPED and self.outcome in ("completed", "uncertain"):
            self.last = today
            self.days = (*self.days, today)

    def _mark(self, item_id: UUID, step_key: str, release: int, today: date) -> None:
        step, held = self.policy.step(step_key), self.items[item_id]
        assert step is not None
        fresh = Mark(
            step_key, held.cycle, step.tone, step.kind, self.outcome, release, today,  # type: ignore[arg-type]
            channel=step.channels[0], retry_on=None if self.outcome == "completed" else today + timedelta(days=7),
        )  # fmt: skip
        others = tuple(m for m in held.marks if (m.step_key, m.cycle) != (step_key, held.cycle))
        self.items[item_id] = replace(held, marks=(*others, fresh))
