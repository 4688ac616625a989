"""A policy's ladder on a day axis: where each step stands, and where its name can be read. Geometry, no words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, LEFT, RIGHT, LANE, TOP = 1000, 34, 150, 34, 16
LETTER = 7.2
"""About how wide a letter of a name is."""
SIGNS: Mapping[str, str] = {
    "task_call": "phone",
    "task_visit": "customers",
    "formal_notice": "letter",
    "letter": "letter",
    "internal_notice": "note",
    "statement": "invoices",
    "hand_over": "disputes",
    "acknowledge": "check",
}


@dataclass(frozen=True, slots=True)
class Rung:
    """A step on the axis; `y` is where its name stands."""

    step: Mapping[str, Any]
    name: str
    x: float
    y: float
    icon: str


@dataclass(frozen=True, slots=True)
class Ladder:
    """Steps that have a day after the due date, and those that something else starts."""

    rungs: tuple[Rung, ...]
    beside: tuple[Mapping[str, Any], ...]
    ground: float
    due: float
    ticks: tuple[tuple[float, int], ...]

    @property
    def height(self) -> float:
        return self.ground + 34


def ladder(steps: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> Ladder:
    """`names` says what each step is called, by its key."""
    dated = sorted((step for step in steps if step["anchor"] == "due_date"), key=lambda step: step["offset"])
    beside = tuple(step for step in steps if step["anchor"] != "due_date" or step["kind"] == "acknowledge")
    dated = [step for step in dated if step not in beside]
    days = [int(step["offset"]) for step in dated]
    first = min([0, *days])
    last = max([first + 10, *days])

    def place(day: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (day - first) / (last - first), 1)

    lanes = _lanes([(place(step["offset"]), names[step["key"]]) for step in dated])
    depth = max(lanes, default=0) + 1
    ground = TOP + depth * LANE + 6.0
    rungs = tuple(
        Rung(step, names[step["key"]], place(step["offset"]), TOP + lane * LANE + 12.0, SIGNS.get(step["kind"], "mail"))
        for step, lane in zip(dated, lanes, strict=True)
    )
    ticks = tuple((place(day), day) for day in range(-(-first // 10) * 10, last + 1, 10))
    return Ladder(rungs, beside, ground, place(0), ticks)


def _lanes(labels: Sequence[tuple[float, str]]) -> list[int]:
    """The lane of each name, from the left: the lowest number whose last name ends before it."""
    ends: list[float] = []
    found = []
    for x, name in labels:
        lane = next((number for number, end in enumerate(ends) if end <= x), len(ends))
        end = x + LETTER * max(len(name), 5) + 34
        ends[lane : lane + 1] = [end]
        found.append(lane)
    return found
