"""Scoring: how likely each hypothesis is; the gate then says whether the machine may act on it alone.

Scores are sums of log-odds ln(m/u) of what agrees and what does not (Fellegi and Sunter, JASA 1969), with the real
frequency of a key or an amount as u (term-frequency adjustment). Raw posteriors are over-confident, so they rank and
the gate decides.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.payment_matching.evidence import Evidence, Quoted, Receipt
from services.payment_matching.gate import SHORT, Kind, all_quoted, guards, kinds_of, left_out, paid_out, payers_of
from services.payment_matching.hypotheses import Hypothesis, Shape

SHOWN = 5

_PRIOR: Mapping[Shape, float] = {
    "quoted": 0.0,
    "single": 0.0,
    "netted": -1.0,
    "all_due": -1.0,
    "oldest_first": -1.5,
    "month": -2.0,
    "neighbours": -3.0,
    "partial": -3.0,
    "discounted": -1.0,
    "rounded": -1.5,
    "payout": -2.5,
    "plan": 0.0,
    "over": -4.0,
    "subset": -4.0,
    "extended": -4.0,
    "amount_only": -3.0,
    "unconverted": -3.0,
}
_REFERENCE = {"checked": 16.0, "full": 12.0, "digits": 9.0, "order": 7.0, "group": 4.0, "near": 3.0}
_PAYER = {"named": 10.0, "iban": 9.0, "name": 5.0}
_OTHER_PAYER = -6.0
_NOT_QUOTED = -4.0
_LEFT_OUT = -5.0
_UNREAD = -1.5
_NULL = 4.0
_TOP = 700.0
"""The most that a float's exponential bears."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One piece of evidence, as a code with its facts; `words` turns it into French or English."""

    code: str
    facts: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Reading:
    """A payment in one currency: the account's, or the one it was ordered or its invoice is in."""

    receipt: Receipt
    evidence: Evidence
    hypotheses: Sequence[Hypothesis]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A hypothesis with its score, its share of the odds, and what speaks for and against it."""

    hypothesis: Hypothesis
    currency: str
    """Of what its items get."""
    score: float
    share: float
    """The probability that it is the truth."""
    odds: float
    """Log-odds against everything else, before any calibration."""
    kinds: frozenset[Kind]
    reasons: tuple[Reason, ...]
    unsure: tuple[str, ...]
    """Codes of the guards that keep the machine from acting alone; empty when it may."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a receipt: act on `auto`, or show `suggestions`, the best first."""

    auto: Weighed | None
    suggestions: tuple[Weighed, ...]
    payer_id: UUID | None
    """Whose money it is, if that is known whatever it pays."""


Scored = tuple[float, Hypothesis, Reading]


def decide(reading: Reading, *others: Reading) -> Decision:
    """Weigh, rank, and let the best through the gate if nothing speaks against it.

    A payment that can be read in several currencies is ranked over all of them: each is the others' rival.
    """
    found = [(_score(one, each.evidence), one, each) for each in (reading, *others) for one in each.hypotheses]
    ranked = sorted(found, key=lambda scored: -scored[0])
    masses = [math.exp(min(score, _TOP)) for score, _, _ in ranked]
    mass = math.exp(_NULL) + sum(masses)
    weighed = []
    for place, (score, one, each) in enumerate(ranked[:SHOWN]):
        lead = score - _next_score(ranked, place)
        facts = one, each.receipt, each.evidence
        elsewhere = any(other.evidence.sure for other in (reading, *others) if other is not each)
        found_wrong = [*guards(*facts, lead), *(["more_is_quoted"] if elsewhere else [])]
        unsure = tuple(dict.fromkeys(found_wrong)) if place == 0 else ("not_the_best",)
        rest = math.exp(_NULL) + sum(masses[:place]) + sum(masses[place + 1 :])
        odds = min(score, _TOP) - math.log(rest)
        kinds = frozenset(kinds_of(one, each.evidence))
        share, reasons = masses[place] / mass, tuple(_reasons(*facts))
        weighed.append(Weighed(one, each.receipt.currency, score, share, odds, kinds, reasons, unsure))
    auto = weighed[0] if weighed and not weighed[0].unsure else None
    return Decision(auto, tuple(weighed), whose(reading.evidence))


def whose(evidence: Evidence) -> UUID | None:
    """The one payer that the source, the account or, failing these, the name points to."""
    for by in ("named", "iban", "name"):
        payers = {known.payer_id for known in evidence.payers if known.by == by}
        if payers:
            return payers.pop() if len(payers) == 1 else None
    return None


def _next_score(ranked: Sequence[Scored], place: int) -> float:
    _, one, mine = ranked[place]
    looks = face(one, mine.evidence)
    return next((score for score, other, its in ranked[place + 1 :] if face(other, its.evidence) != looks), -math.inf)


def face(one: Hypothesis, evidence: Evidence) -> tuple[tuple[UUID, int], ...]:
    """What a set looks like from outside: equal instalments of one invoice are no rivals, the oldest is meant."""
    return tuple(sorted((evidence.items[line.item_id].invoice_id, line.amount) for line in one.lines))


# The score


def _score(one: Hypothesis, evidence: Evidence) -> float:
    score = _PRIOR[one.shape] + _by_reference(one, evidence) + _by_payer(one, evidence)
    if one.shape not in SHORT:
        rarity = evidence.same_amount if len(one.lines) == 1 else 0
        score += 8.0 - math.log1p(rarity) - 4.0 * (one.solutions - 1)
    if not all_quoted(one, evidence):
        score += _UNREAD * min(4, len(evidence.unread))
    return score


def _by_reference(one: Hypothesis, evidence: Evidence) -> float:
    quotes = {item: quote for item in one.items if (quote := evidence.quoted.get(item))}
    score = sum(_REFERENCE[quote.strength] - math.log(max(1, quote.count)) for quote in _once(quotes))
    if quotes:
        score += _NOT_QUOTED * (len(one.items) - len(quotes))
    return score + _LEFT_OUT * len(left_out(one, evidence))


def _once(quotes: Mapping[UUID, Quoted]) -> list[Quoted]:
    """Each key once: the instalments of one invoice are all named by its number."""
    return list({quote.key: quote for quote in quotes.values()}.values())


def _by_payer(one: Hypothesis, evidence: Evidence) -> float:
    """Of a set of several payers, a head office and its shops, every one must be known by what agrees."""
    if paid_out(one, evidence):
        return _PAYER["iban"]
    payers = payers_of(one, evidence)
    if not payers or not evidence.payers:
        return 0.0
    agreeing = [known for known in evidence.payers if known.payer_id in payers]
    if {known.payer_id for known in agreeing} != payers:
        return 0.0 if agreeing else _OTHER_PAYER
    return max(_PAYER[known.by] * (1.0 if known.confirmed else 0.6) for known in agreeing)


# The reasons


def _reasons(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> list[Reason]:
    found = [
        Reason(f"quoted_{quote.strength}", {"number": evidence.items[item].number})
        for item in sorted(one.items)
        if (quote := evidence.quoted.get(item))
    ]
    if evidence.provider is not None:
        found.append(Reason("payer_provider", {"name": evidence.provider.name}))
    agreeing = [known for known in evidence.payers if known.payer_id == one.payer_id]
    found += [Reason(f"payer_{known.by}", {"times": known.times}) for known in agreeing]
    if evidence.payers and one.payer_id is not None and not agreeing:
        found.append(Reason("payer_other", {}))
    found += _currency_reasons(receipt)
    if one.shape != "unconverted":
        found.append(_amount_reason(one, receipt, evidence))
    if evidence.closed:
        found.append(Reason("closed_quoted", {"number": evidence.closed[0]}))
    if evidence.unread and not all_quoted(one, evidence):
        found.append(Reason("unread", {"text": ", ".join(evidence.unread[:3])}))
    return found


def _currency_reasons(receipt: Receipt) -> list[Reason]:
    """The bank's figures of a payment that is read in another currency than its account's."""
    booked = receipt.booked
    if booked is None:
        return []
    if not receipt.amount:
        return [Reason("amount_not_told", {"in": receipt.currency})]
    facts: dict[str, str | int] = {"minor": receipt.amount, "currency": receipt.currency}
    facts |= {"booked_minor": booked.amount, "booked_currency": booked.currency}
    return [Reason("instructed_at", facts | {"rate": booked.rate}) if booked.rate else Reason("instructed", facts)]


def _amount_reason(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> Reason:
    if one.shape == "over":
        return Reason("amount_over", {"minor": one.rest, "currency": receipt.currency})
    if one.shape in ("partial", "plan"):
        owed = sum(evidence.items[item].residual for item in one.items)
        minor = receipt.amount if one.shape == "plan" else owed - receipt.amount
        return Reason(f"amount_{one.shape}", {"minor": minor, "currency": receipt.currency})
    if one.written_off:
        missing = sum(line.amount for line in one.written_off)
        return Reason(f"amount_{one.shape}", {"minor": missing, "currency": receipt.currency})
    if one.credits:
        return Reason("amount_netted", {"count": len(one.lines), "credits": len(one.credits)})
    if len(one.lines) > 1:
        code = f"sum_{one.shape}" if one.shape in ("all_due", "oldest_first", "month") else "sum_equal"
        return Reason(code, {"count": len(one.lines)})
    return Reason("amount_equal", {"others": max(0, evidence.same_amount - 1)})
