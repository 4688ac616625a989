"""The floor of the outbox: however transactions interleave, no row that commits late is ever below it."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.outbox.floor import Floor

STEPS = st.lists(st.tuples(st.sampled_from("begin draw commit abort pass other fail".split()), st.integers(0, 7)))


@dataclass
class Postgres:
    """Transactions, their snapshots and an outbox, as far as the relay sees them."""

    next_xid: int = 100
    next_seq: int = 1
    running: dict[int, list[int]] = field(default_factory=dict)
    outbox: set[int] = field(default_factory=set)

    def begin(self) -> None:
        self.running[self.next_xid] = []
        self.next_xid += 1

    def draw(self, which: int) -> None:
        if self.running:
            self.running[self._chosen(which)].append(self.next_seq)
            self.next_seq += 1

    def end(self, which: int, *, commits: bool) -> None:
        if self.running:
            drawn = self.running.pop(self._chosen(which))
            self.outbox |= set(drawn) if commits else set()

    def _chosen(self, which: int) -> int:
        return sorted(self.running)[which % len(self.running)]

    @property
    def bounds(self) -> tuple[int, int]:
        """xmin and xmax of a snapshot taken now."""
        return min(self.running, default=self.next_xid), self.next_xid


def relay(postgres: Postgres, floor: Floor, limit: int, *, fails: bool) -> None:
    """One pass: the gate's snapshot, the read, the acks of all rows or, if it fails, of every second."""
    floor.look(*postgres.bounds)
    rows = sorted(seq for seq in postgres.outbox if seq > floor.value)[:limit]
    postgres.outbox -= set(rows[::2] if fails else rows)
    floor.read(rows[-1] if rows else None, more=len(rows) == limit, clean=not fails or not rows)


@settings(max_examples=400)
@given(STEPS, st.integers(1, 4))
def test_no_row_is_ever_left_below_the_floor_or_committed_below_it(steps: list[tuple[str, int]], limit: int) -> None:
    postgres, floor = Postgres(), Floor()
    for step, which in steps:
        if step == "begin":
            postgres.begin()
        elif step == "draw":
            postgres.draw(which)
        elif step in ("commit", "abort"):
            postgres.end(which, commits=step == "commit")
        elif step == "other":
            postgres.outbox -= set(sorted(postgres.outbox)[:limit])
        else:
            relay(postgres, floor, limit, fails=step == "fail")
        assert all(seq > floor.value for seq in postgres.outbox)


@given(st.integers(1, 50), st.integers(1, 20))
def test_the_floor_follows_once_nothing_old_is_under_way(count: int, limit: int) -> None:
    postgres, floor = Postgres(), Floor()
    for _ in range(count):
        postgres.begin()
        postgres.draw(0)
        postgres.end(0, commits=True)
    for _ in range(count // limit + 4):
        relay(postgres, floor, limit, fails=False)
    assert floor.value == count
