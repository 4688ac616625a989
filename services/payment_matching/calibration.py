"""Calibration: how often the best hypothesis is right, by its odds and by how many guards speak against it. Pure.

Odds of hypotheses are over-confident, so a tenant's own outcomes correct them (isotonic regression by pooling adjacent
violators: Ayer et al., Annals of Mathematical Statistics 26, 1955), with a prior measured on made-up worlds that weighs
as much as `WEIGHT` outcomes in each cell. Protects: a threshold only ever keeps the machine from acting, it lets it do
nothing that the gate refuses; errors among what it did lately raise it, and only a person lowers it again.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.payment_matching.scoring import Decision, Weighed

EDGES = (-2.0, 0.0, 2.0, 4.0, 6.0, 8.0)
"""Between the seven classes of log-odds against everything else."""
GUARDED = 3
"""So many guards or more are one class."""
WEIGHT = 30
WINDOW = 1_000
"""The machine's latest matches among which errors are counted."""
ERRORS = 2
HIGHEST = 20.0
"""The log-odds beyond which no error raises the threshold: a number in full, a known payer and the amount are 25."""
_STEP = 0.01

Cell = tuple[int, int]
"""(guards, class of odds)"""
Curve = tuple[tuple[float, ...], ...]
PRIOR: Curve = (
    (0.9998, 0.9998, 0.9998, 0.9998, 0.9998, 0.9998, 0.9998),
    (0.966, 0.966, 0.966, 0.966, 0.968, 0.985, 0.985),
    (0.325, 0.325, 0.325, 0.668, 0.867, 0.867, 0.867),
    (0.067, 0.141, 0.141, 0.255, 0.255, 0.255, 0.255),
)
"""By guards, then by odds. Measured on worlds of `relance match generate` (seeds 51,001, 51,003 and 51,004)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Outcomes of one cell: how many best hypotheses, and how many of them were right."""

    count: int
    right: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What acts for a tenant: its curve, and the log-odds below which the machine leaves a payment to a person."""

    curve: Curve = PRIOR
    least_odds: float | None = None


def cell(odds: float, guards: int) -> Cell:
    """Where an outcome is counted."""
    return min(guards, GUARDED), bisect_right(EDGES, odds)


def fitted(outcomes: Mapping[Cell, Seen], prior: Curve = PRIOR) -> Curve:
    """The tenant's curve: its outcomes and the prior's, never falling with the odds."""
    return tuple(_pooled([_mean(outcomes.get((n, k)), at) for k, at in enumerate(row)]) for n, row in enumerate(prior))


def _mean(seen: Seen | None, prior: float) -> tuple[float, float]:
    count, right = (seen.count, seen.right) if seen else (0, 0)
    return (right + WEIGHT * prior) / (count + WEIGHT), count + WEIGHT


def _pooled(means: Iterable[tuple[float, float]]) -> tuple[float, ...]:
    pools: list[tuple[float, float, int]] = []
    for mean, weight in means:
        pools.append((mean, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (one, w_one, n_one), (other, w_other, n_other) = pools[-2:]
            both = w_one + w_other
            pools[-2:] = [((one * w_one + other * w_other) / both, both, n_one + n_other)]
    return tuple(mean for mean, _, size in pools for _ in range(size))


def error(curve: Curve, outcomes: Mapping[Cell, Seen]) -> float | None:
    """The expected calibration error of a curve on outcomes, over ten bins of equal width; None without outcomes."""
    bins: dict[int, float] = {}
    for (guards, odds), seen in outcomes.items():
        told = curve[guards][odds]
        place = min(9, int(told * 10))
        bins[place] = bins.get(place, 0.0) + told * seen.count - seen.right
    count = sum(seen.count for seen in outcomes.values())
    return sum(map(abs, bins.values())) / count if count else None


def calibrated(decision: Decision, rules: Rules) -> Decision:
    """The decision with probabilities that keep their word; left to a person where its odds are below the threshold."""
    if not decision.suggestions:
        return decision
    best = decision.suggestions[0]
    if decision.auto and rules.least_odds is not None and best.odds < rules.least_odds:
        best = replace(best, unsure=("below_threshold",))
    guards, odds = cell(best.odds, len(set(best.unsure)))
    told = rules.curve[guards][odds]
    left = (1 - told) / (1 - best.share) if best.share < 1 else 0.0
    others = [replace(one, share=min(1.0, one.share * left)) for one in decision.suggestions[1:]]
    shown = (replace(best, share=told), *others)
    return Decision(None if best.unsure else shown[0], shown, decision.payer_id)


def outcome(best: Weighed) -> dict[str, float | int]:
    """What of the best hypothesis is kept until its outcome is known."""
    return {"odds": round(best.odds, 3), "guards": len(set(best.unsure))}


def raised(least: float | None, errors: Sequence[float]) -> float | None:
    """The threshold after these errors (log-odds of wrong matches among the latest); None where it stays."""
    counted = [odds for odds in errors if odds < HIGHEST and (least is None or odds >= least)]
    return round(max(counted) + _STEP, 3) if len(counted) >= ERRORS else None
