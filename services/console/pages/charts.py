"""Charts are SVG drawn here: they need no script and no style, and they print."""

from collections.abc import Sequence


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
