"""The figures of an evaluation, from decisions and truth. Pure.

Exact-set precision: an automatic match counts as right only if its items are exactly the true ones. Its lower bound is
Clopper and Pearson's (Biometrika 26, 1934), one-sided at 95 %: the precision at which so few errors would still come
about in one run of twenty. Calibration is the expected calibration error over ten bins of equal width (Naeini, Cooper
and Hauskrecht, AAAI 2015), of the probability given to the best hypothesis.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from services.payment_matching.evaluation.running import Decided

CONFIDENCE = 0.95
BINS = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """One payment: what was decided, what was true, and its amount in minor units."""

    decided: Decided
    truth: frozenset[str]
    kind: str
    minor: int

    @property
    def payable(self) -> bool:
        return bool(self.truth)

    @property
    def wrong(self) -> bool:
        return self.decided.auto and frozenset(self.decided.items) != self.truth

    def among(self, first: int) -> bool:
        """Whether the truth is what was done, or among the first suggestions."""
        if self.decided.auto:
            return not self.wrong
        return any(frozenset(shown) == self.truth for shown in self.decided.suggestions[:first])


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """Every figure that does not depend on the machine; shares are of 1, None where there is nothing to divide."""
    payable = [one for one in judged if one.payable]
    autos = [one for one in judged if one.decided.auto]
    wrong = [one for one in autos if one.wrong]
    idle = [one for one in judged if not one.payable]
    rest = [one for one in payable if not one.decided.auto]
    return {
        "payments": len(judged),
        "payable": len(payable),
        "auto": {
            "count": len(autos),
            "of_payable": _share(sum(one.decided.auto for one in payable), len(payable)),
            "of_payable_by_value": _share(_value(o for o in payable if o.decided.auto), _value(payable)),
            "of_all": _share(len(autos), len(judged)),
        },
        "precision": {
            "wrong": len(wrong),
            "exact_set": _share(len(autos) - len(wrong), len(autos)),
            "lower_95": 1 - upper_error(len(wrong), len(autos)) if autos else None,
            "false_value": _share(_value(wrong), _value(autos)),
        },
        "suggestions": {
            "top_1": _share(sum(one.among(1) for one in payable), len(payable)),
            "top_3": _share(sum(one.among(3) for one in payable), len(payable)),
            "top_1_of_rest": _share(sum(one.among(1) for one in rest), len(rest)),
            "top_3_of_rest": _share(sum(one.among(3) for one in rest), len(rest)),
        },
        "null_safety": {
            "receipts": len(idle),
            "auto": sum(one.decided.auto for one in idle),
            "auto_share": _share(sum(one.decided.auto for one in idle), len(idle)),
        },
        "calibration_error": calibration_error(judged),
        "counted": {
            "payable": len(payable),
            "payable_auto": sum(one.decided.auto for one in payable),
            "among_1": sum(one.among(1) for one in payable),
            "among_3": sum(one.among(3) for one in payable),
            "payable_minor": _value(payable),
            "payable_auto_minor": _value(one for one in payable if one.decided.auto),
            "auto_minor": _value(autos),
            "wrong_minor": _value(wrong),
        },
        "classes": [_class(kind, [one for one in judged if one.kind == kind]) for kind in _kinds(judged)],
        "held": held(judged),
    }


def _class(kind: str, judged: Sequence[Judged]) -> dict[str, Any]:
    autos = [one for one in judged if one.decided.auto]
    return {
        "kind": kind,
        "payments": len(judged),
        "auto": len(autos),
        "auto_share": _share(len(autos), len(judged)),
        "wrong": sum(one.wrong for one in autos),
        "top_1": _share(sum(one.among(1) for one in judged if one.payable), sum(one.payable for one in judged)),
        "top_3": _share(sum(one.among(3) for one in judged if one.payable), sum(one.payable for one in judged)),
    }


def held(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """What kept the machine from acting, the reason that keeps most first. `payments` pay an invoice and have it;
    of those that have this reason and no other, `alone` would be done without it, `alone_wrong` done wrongly: their
    best hypothesis is not the truth, or they pay no invoice at all. `nothing_fits`: no hypothesis at all."""
    rest = [(one, one.decided.unsure or ("nothing_fits",)) for one in judged if not one.decided.auto]
    reasons = Counter(code for one, codes in rest if one.payable for code in codes)
    reasons.update({code: 0 for _, codes in rest for code in codes})
    found = []
    for code, count in sorted(reasons.items(), key=lambda it: (-it[1], it[0])):
        alone = [one for one, codes in rest if codes == (code,) and one.decided.suggestions]
        wrong = sum(not (one.payable and one.among(1)) for one in alone)
        found.append({"reason": code, "payments": count, "alone": len(alone), "alone_wrong": wrong})
    return found


def _kinds(judged: Sequence[Judged]) -> list[str]:
    return sorted({one.kind for one in judged})


def _value(judged: Iterable[Judged]) -> int:
    return sum(one.minor for one in judged)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def upper_error(wrong: int, tried: int) -> float:
    """The error rate above which `wrong` errors or fewer in `tried` would come about less than one time in twenty."""
    if wrong >= tried:
        return 1.0
    low, high = wrong / tried, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(wrong, tried, middle) > 1 - CONFIDENCE:
            low = middle
        else:
            high = middle
    return high


def _at_most(wrong: int, tried: int, rate: float) -> float:
    """P(X ≤ wrong) of a binomial variable, summed in logarithms."""
    if rate >= 1.0:
        return 0.0
    log, no_log = math.log(rate) if rate else -math.inf, math.log1p(-rate)
    ways = math.lgamma(tried + 1)
    terms = (
        ways - math.lgamma(k + 1) - math.lgamma(tried - k + 1) + (k * log if k else 0.0) + (tried - k) * no_log
        for k in range(wrong + 1)
    )
    return math.fsum(math.exp(term) for term in terms)


def calibration_error(judged: Sequence[Judged]) -> float | None:
    """How far the probability of the best hypothesis lies from how often it is right, on average."""
    shown = [one for one in judged if one.decided.auto or one.decided.suggestions]
    bins: list[list[Judged]] = [[] for _ in range(BINS)]
    for one in shown:
        bins[min(BINS - 1, int(one.decided.share * BINS))].append(one)
    if not shown:
        return None
    gaps = (
        abs(sum(one.decided.share for one in some) - sum(one.payable and one.among(1) for one in some)) for some in bins
    )
    return sum(gaps) / len(shown)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
