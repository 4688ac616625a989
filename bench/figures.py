"""One row of the results: a figure beside its limit, measured in the same run, and its target."""

from typing import Any


def figure(
    name: str,
    value: float,
    unit: str,
    *,
    limit: float | None = None,
    target: float | None = None,
    at_most: bool = False,
) -> dict[str, Any]:
    """A row as bench/results.json keeps it; `at_most` says that the target is an upper bound."""
    met = None if target is None else value <= target if at_most else value >= target
    return {
        "name": name,
        "value": _plain(value),
        "unit": unit,
        "limit": None if limit is None else _plain(limit),
        "ratio": round(value / limit, 3) if limit else None,
        "target": target and f"{'≤' if at_most else '≥'} {target:,g}",
        "met": met,
    }


def _plain(value: float) -> float:
    """Three digits are all that a figure is good for."""
    return round(value) if value >= 100 else round(value, 1)
