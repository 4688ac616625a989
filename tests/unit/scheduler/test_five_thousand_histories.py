"""Five thousand random lives of a case: payments, holds, bounces, outages, other policies, and always two sweepers.

Hypothesis draws the seed and the history is made of it in bulk: a life costs milliseconds, and one that fails is told
whole (`note`) and played again by its seed.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID

from hypothesis import given, note, settings
from hypothesis import strategies as st

from services.scheduler.case import DONE, IN_FLIGHT
from services.scheduler.planner import Decision, decide
from services.scheduler.policy import GAPPED
from tests.unit.scheduler.test_histories import NUMBERS, _change
from tests.unit.scheduler.test_migrations import NAMES, holds_everywhere, policy
from tests.unit.scheduler.world import PARIS, World, at, item

LIVES = 5_000
START = date(2026, 1, 5)
OUTAGES = (1, 7, 30)
HAPPENS = (
    "paid", "part", "reopened", "held", "lifted", "bounce", "fine", "moved", "uncertain", "nothing", "outage", "policy",
)  # fmt: skip
Event = tuple[int, str, str]
"""Days after the one before, what happens, to which invoice; of an outage the days that it lasts, of a policy which."""


@dataclass
class TwoSweepers(World):
    """A world in which another sweep looks at each case at the instant at which the first one has decided."""

    def look(self, now: datetime) -> datetime | None:
        first = decide(self.case(), self.policy, self.calendar, now)
        self._fit(first, now)
        for notice in first.notices:
            self._leaves(notice, now)
        second = decide(self.case(), self.policy, self.calendar, now) if first.notices else first
        assert not first.notices or not _released(first) & _released(second), "the second sweeper said it again"
        assert sum(notice.step.kind in GAPPED for notice in first.notices) <= 1, "one message at a time"
        assert second.next_at is None or second.next_at > now, "a look that lies behind"
        self.looks.append((now, second.next_at))
        return second.next_at

    def _mark(self, item_id: UUID, step_key: str, release: int, today: date) -> None:
        before = self.items[item_id].mark(step_key)
        assert before is None or before.state not in DONE | IN_FLIGHT, "said twice in one cycle"
        super()._mark(item_id, step_key, release, today)

    def _fit(self, decision: Decision, now: datetime) -> None:
        for notice in decision.notices:
            assert self.calendar.closing(now, self.policy.window_of(notice.step)) is not None, "said out of hours"
            for row in notice.rows:
                known = self.items[row.item.item_id]
                over = notice.step.kind == "acknowledge"
                assert over or (known.open and known.paused() < known.residual), "said of what is paid or on hold"


def _released(decision: Decision) -> set[tuple[object, str]]:
    return {(row.item.item_id, row.step.key) for n in decision.notices for row in n.rows if row.completes}


def life(seed: int) -> tuple[list[int], list[Event]]:
    """When three invoices are due, and what happens to them."""
    chance = Random(seed)
    events: list[Event] = []
    for _ in range(chance.randint(0, 9)):
        what, number = chance.choice(HAPPENS), chance.choice(NUMBERS)
        days = chance.choice(OUTAGES) if what == "outage" else chance.randint(1, 12)
        events.append((days, what, chance.choice(NAMES) if what == "policy" else number))
    return [chance.randint(0, 20) for _ in NUMBERS], events


def lived(dues: list[int], events: list[Event]) -> TwoSweepers:
    world = TwoSweepers.of(*(item(n, START + timedelta(days=due)) for n, due in zip(NUMBERS, dues, strict=True)))
    assert isinstance(world, TwoSweepers)
    world.policy = policy("standard")
    now = at(START)
    for days, what, which in events:
        end = now + timedelta(days=days)
        if what != "outage":
            world.play(now, end)
        if what == "policy":
            world.policy = policy(which)
        elif what == "uncertain":
            world.outcome = "uncertain"
        else:
            _change(world, what, which, PARIS.today(end))
        now = end
    world.play(now, now + timedelta(days=35))
    return world


@settings(max_examples=LIVES, database=None)
@given(st.integers(0, 2**64 - 1))
def test_over_five_thousand_lives_nothing_is_said_twice_too_soon_or_of_what_is_not_owed(seed: int) -> None:
    dues, events = life(seed)
    note(f"due after {dues} days; {events}")
    holds_everywhere(lived(dues, events))


def test_the_lives_know_every_event_and_every_outage() -> None:
    seen = {(what, days if what == "outage" else 0) for seed in range(400) for days, what, _ in life(seed)[1]}
    assert seen == {(what, 0) for what in HAPPENS if what != "outage"} | {("outage", days) for days in OUTAGES}
