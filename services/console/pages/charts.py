"""Charts are SVG drawn here: they need no script and no style, and they print."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise


def shares(parts: Sequence[int], width: int) -> list[tuple[int, int, int]]:
    """Bars of a stacked line `width` wide: (index, x, width), every part that is not zero at least 2 wide."""
    whole = sum(part for part in parts if part > 0)
    if whole <= 0:
        return []
    bars, x = [], 0
    present = [(index, part) for index, part in enumerate(parts) if part > 0]
    for place, (index, part) in enumerate(present):
        left = width - x - 2 * (len(present) - place - 1)
        wide = left if place == len(present) - 1 else min(left, max(2, round(part * width / whole)))
        bars.append((index, x, wide))
        x += wide
    return bars


WIDTH, HEIGHT = 640, 248
LEFT, RIGHT, TOP, BOTTOM = 44, 96, 10, 26
APART = 15
"""Least distance between two names at the end of their lines."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The grid lines of a chart, from the ground up."""

    steps: tuple[float, ...]

    def y(self, value: float) -> float:
        """Where a value lies."""
        ground, top = self.steps[0], self.steps[-1]
        return round(HEIGHT - BOTTOM - (value - ground) / (top - ground) * (HEIGHT - TOP - BOTTOM), 1)


@dataclass(frozen=True, slots=True)
class Point:
    """A value in its place; `sure` is false where it was put together afterwards."""

    x: float
    y: float
    value: float
    place: int
    sure: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its points, the pieces it is drawn in (path, sure), and where its name stands."""

    name: str
    points: tuple[Point, ...]
    pieces: tuple[tuple[str, bool], ...]
    label_y: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a pile: `parts` are (index, y, height)."""

    x: float
    width: float
    place: int
    parts: tuple[tuple[int, float, float], ...]
    sure: bool


def scale(values: Iterable[float | None], *, grounded: bool = True) -> Scale:
    """Four or five grid lines at round numbers, from zero; `grounded=False` leaves out what lies far below all values,
    for lines that have no area."""
    known = [value for value in values if value is not None]
    most, least = max(known, default=0.0), min(known, default=0.0)
    if most < 1e-6:
        return Scale((0.0, 1.0))
    below = least if not grounded and least > most / 2 else 0.0
    rough = max(most - below, most / 10) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor(below / step), math.ceil(most / step)
    return Scale(tuple(index * step for index in range(first, max(last, first + 1) + 1)))


def xs(count: int) -> Sequence[float]:
    """The places of `count` points from left to right."""
    inner = WIDTH - LEFT - RIGHT
    return [round(LEFT + (inner * index / (count - 1) if count > 1 else inner / 2), 1) for index in range(count)]


def lines(named: Mapping[str, Sequence[float | None]], sure: Sequence[bool]) -> tuple[Scale, list[Line]]:
    """Lines over the same places; a value that is not known leaves a gap."""
    grid = scale((value for values in named.values() for value in values), grounded=False)
    places = xs(len(sure))
    made = [
        Line(name, points := _points(values, places, sure, grid), _pieces(points), points[-1].y if points else 0.0)
        for name, values in named.items()
    ]
    return grid, _spread(made)


def _points(
    values: Sequence[float | None], places: Sequence[float], sure: Sequence[bool], grid: Scale
) -> tuple[Point, ...]:
    told = enumerate(zip(values, places, sure, strict=True))
    return tuple(Point(x, grid.y(value), value, n, known) for n, (value, x, known) in told if value is not None)


def _pieces(points: Sequence[Point]) -> tuple[tuple[str, bool], ...]:
    """The line in pieces of one kind each, from point to neighbouring point."""
    found: list[tuple[list[Point], bool]] = []
    for before, after in pairwise(points):
        if after.place != before.place + 1:
            continue
        sure = before.sure and after.sure
        if found and found[-1][1] == sure and found[-1][0][-1] is before:
            found[-1][0].append(after)
        else:
            found.append(([before, after], sure))
    return tuple(("M" + "L".join(f"{p.x} {p.y}" for p in piece), sure) for piece, sure in found)


def _spread(made: Sequence[Line]) -> list[Line]:
    """The same lines, their names far enough apart to be read and none below the ground."""
    order = sorted(range(len(made)), key=lambda index: made[index].label_y)
    heights = [made[index].label_y for index in order]
    for place in range(1, len(heights)):
        heights[place] = max(heights[place], heights[place - 1] + APART)
    limit = float(HEIGHT - BOTTOM)
    for place in reversed(range(len(heights))):
        heights[place] = limit = min(heights[place], limit)
        limit -= APART
    at = dict(zip(order, heights, strict=True))
    return [replace(line, label_y=at[index]) for index, line in enumerate(made)]


def piles(values: Sequence[Sequence[float] | None], sure: Sequence[bool]) -> tuple[Scale, list[Bar]]:
    """Bars of parts one on the other, the first at the ground."""
    grid = scale(sum(parts) for parts in values if parts is not None)
    slot = (WIDTH - LEFT - 8) / max(1, len(values))
    wide = round(min(34, slot * 0.62), 1)
    bars = []
    for place, (parts, known) in enumerate(zip(values, sure, strict=True)):
        if parts is None:
            continue
        x = round(LEFT + slot * (place + 0.5) - wide / 2, 1)
        bars.append(Bar(x, wide, place, tuple(_piled(parts, grid)), known))
    return grid, bars


def _piled(parts: Sequence[float], grid: Scale) -> Iterator[tuple[int, float, float]]:
    below = 0.0
    for index, part in enumerate(parts):
        if part > 0:
            y = grid.y(below + part)
            yield index, y, round(grid.y(below) - y, 1)
            below += part
