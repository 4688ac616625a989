"""Scoring and the gate: how likely each hypothesis is, and whether the machine may act on it alone.

Scores are sums of log-odds ln(m/u) of what agrees and what does not (Fellegi and Sunter, JASA 1969), with the real
frequency of a key or an amount as u (term-frequency adjustment). Raw posteriors are over-confident, so the gate also
asks for structure (notes/matching.md §4.6): two independent kinds of evidence among reference, payer and amount, no
rival, and nothing left unread that could name something else.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from services.payment_matching.evidence import STRENGTHS, Evidence, Known, Quoted, Receipt
from services.payment_matching.hypotheses import Hypothesis, Shape

MARGIN = 3.0
"""Log-odds by which the best must lead every other set (20 to 1)."""
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
    "over": -4.0,
    "subset": -4.0,
    "extended": -4.0,
    "amount_only": -3.0,
}
_REFERENCE = {"checked": 16.0, "full": 12.0, "digits": 9.0, "order": 7.0, "group": 4.0}
_PAYER = {"named": 10.0, "iban": 9.0, "name": 5.0}
_OTHER_PAYER = -6.0
_NOT_QUOTED = -4.0
_LEFT_OUT = -5.0
_UNREAD = -1.5
_NULL = 4.0

Kind = Literal["reference", "payer", "amount"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One piece of evidence, as a code with its facts; `words` turns it into French or English."""

    code: str
    facts: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Weighed:
    """A hypothesis with its score, its share of the odds, and what speaks for and against it."""

    hypothesis: Hypothesis
    score: float
    share: float
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


def decide(receipt: Receipt, evidence: Evidence, hypotheses: Sequence[Hypothesis]) -> Decision:
    """Weigh, rank, and let the best through the gate if nothing speaks against it."""
    scores = [_score(one, receipt, evidence) for one in hypotheses]
    ranked = sorted(zip(scores, range(len(scores)), hypotheses, strict=True), key=lambda it: (-it[0], it[1]))
    mass = math.exp(min(_NULL, 700)) + sum(math.exp(min(score, 700)) for score in scores)
    weighed = []
    for place, (score, _, one) in enumerate(ranked[:SHOWN]):
        lead = score - _next_score(ranked, place, evidence)
        unsure = tuple(_guards(one, receipt, evidence, lead)) if place == 0 else ("not_the_best",)
        share = math.exp(min(score, 700)) / mass
        kinds = frozenset(_kinds(one, evidence))
        weighed.append(Weighed(one, score, share, kinds, tuple(_reasons(one, receipt, evidence)), unsure))
    auto = weighed[0] if weighed and not weighed[0].unsure else None
    return Decision(auto, tuple(weighed), whose(evidence))


def whose(evidence: Evidence) -> UUID | None:
    """The one payer that the source, the account or, failing these, the name points to."""
    for by in ("named", "iban", "name"):
        payers = {known.payer_id for known in evidence.payers if known.by == by}
        if payers:
            return payers.pop() if len(payers) == 1 else None
    return None


def _next_score(ranked: Sequence[tuple[float, int, Hypothesis]], place: int, evidence: Evidence) -> float:
    mine = face(ranked[place][2], evidence)
    return next((score for score, _, other in ranked[place + 1 :] if face(other, evidence) != mine), -math.inf)


def face(one: Hypothesis, evidence: Evidence) -> tuple[tuple[UUID, int], ...]:
    """What a set looks like from outside: equal instalments of one invoice are no rivals, the oldest is meant."""
    return tuple(sorted((evidence.items[line.item_id].invoice_id, line.amount) for line in one.lines))


# The score


def _score(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> float:
    score = _PRIOR[one.shape] + _by_reference(one, evidence) + _by_payer(one, evidence)
    if one.shape not in ("partial", "over"):
        rarity = evidence.same_amount if len(one.lines) == 1 else 0
        score += 8.0 - math.log1p(rarity) - 4.0 * (one.solutions - 1)
    if not _all_quoted(one, evidence):
        score += _UNREAD * min(4, len(evidence.unread))
    return score


def _by_reference(one: Hypothesis, evidence: Evidence) -> float:
    quotes = {item: quote for item in one.items if (quote := evidence.quoted.get(item))}
    score = sum(_REFERENCE[quote.strength] - math.log(max(1, quote.count)) for quote in _once(quotes))
    if quotes:
        score += _NOT_QUOTED * (len(one.items) - len(quotes))
    return score + _LEFT_OUT * len(_left_out(one, evidence))


def _once(quotes: Mapping[UUID, Quoted]) -> list[Quoted]:
    """Each key once: the instalments of one invoice are all named by its number."""
    return list({quote.key: quote for quote in quotes.values()}.values())


def _left_out(one: Hypothesis, evidence: Evidence) -> set[UUID]:
    """Invoices surely named by the text that this hypothesis does not touch."""
    touched = {evidence.items[item].invoice_id for item in (*one.items, *(line.item_id for line in one.credits))}
    keys = {evidence.quoted[item].key for item in one.items if item in evidence.quoted}
    return {
        evidence.items[item].invoice_id
        for item, quote in evidence.quoted.items()
        if STRENGTHS[quote.strength] >= STRENGTHS["digits"]
        and quote.key not in keys
        and evidence.items[item].invoice_id not in touched
    }


def _by_payer(one: Hypothesis, evidence: Evidence) -> float:
    if one.payer_id is None or not evidence.payers:
        return 0.0
    agreeing = [known for known in evidence.payers if known.payer_id == one.payer_id]
    if not agreeing:
        return _OTHER_PAYER
    return max(_PAYER[known.by] * (1.0 if known.confirmed else 0.6) for known in agreeing)


# The gate


def _kinds(one: Hypothesis, evidence: Evidence) -> list[Kind]:
    found: list[Kind] = []
    if _all_quoted(one, evidence):
        found.append("reference")
    if _payer(one, evidence) is not None:
        found.append("payer")
    if one.shape not in ("partial", "over"):
        found.append("amount")
    return found


def _all_quoted(one: Hypothesis, evidence: Evidence) -> bool:
    return bool(one.items) and all(item in evidence.quoted for item in one.items)


def _payer(one: Hypothesis, evidence: Evidence) -> Known | None:
    """The surest evidence that this hypothesis's payer paid: said by the source, a confirmed account, or the name."""
    agreeing = [known for known in evidence.payers if known.payer_id == one.payer_id and known.confirmed]
    order = ("named", "iban", "name")
    return min(agreeing, key=lambda known: order.index(known.by)) if agreeing else None


def _guards(one: Hypothesis, receipt: Receipt, evidence: Evidence, lead: float) -> list[str]:
    found = []
    if len(_kinds(one, evidence)) < 2:
        found.append("one_kind_of_evidence")
    if lead < MARGIN:
        found.append("rival")
    if one.solutions > 1:
        found.append("several_solutions")
    if evidence.closed:
        found.append("closed_item_quoted")
    if _left_out(one, evidence):
        found.append("more_is_quoted")
    if evidence.quoted.keys() & one.items and not _all_quoted(one, evidence):
        found.append("not_all_quoted")
    if {evidence.items[item].entity_id for item in one.items} != {receipt.entity_id}:
        found.append("other_entity")
    if one.shape in ("extended", "amount_only", "subset", "neighbours") and not _all_quoted(one, evidence):
        found.append("unstructured")
    return (
        found
        + (_reference_guards(one, evidence) if _all_quoted(one, evidence) else _identity_guards(one, evidence))
        + (_difference_guards(one, receipt, evidence) if one.shape in ("partial", "over") else [])
    )


def _reference_guards(one: Hypothesis, evidence: Evidence) -> list[str]:
    """A name must be sure where the payer is not, and may not contradict a payer who is."""
    quotes = [evidence.quoted[item] for item in one.items]
    weakest = min(STRENGTHS[quote.strength] for quote in quotes)
    payer = _payer(one, evidence)
    found = []
    if payer is None and (weakest < STRENGTHS["digits"] or any(_shared(quote, evidence) for quote in quotes)):
        found.append("weak_reference")
    if payer is None and any(known.confirmed and known.by in ("named", "iban") for known in evidence.payers):
        found.append("other_payer")
    if payer is None and evidence.payers and weakest < STRENGTHS["full"]:
        found.append("other_payer")
    return found


def _shared(quote: Quoted, evidence: Evidence) -> bool:
    """Whether the same key names items of another invoice too."""
    mine = evidence.items[quote.item_id].invoice_id
    return any(
        other.key == quote.key and evidence.items[other.item_id].invoice_id != mine
        for other in evidence.quoted.values()
    )


def _identity_guards(one: Hypothesis, evidence: Evidence) -> list[str]:
    """Payer and amount alone: coincidences are common, so nothing may be unread and the payer must be certain."""
    payer = _payer(one, evidence)
    found = []
    if evidence.unread:
        found.append("unread_numbers")
    if payer is None or (payer.by == "name" and (len(one.lines) > 1 or evidence.same_amount > 1)):
        found.append("unsure_payer")
    if payer is not None and len({known.payer_id for known in evidence.payers if known.by == payer.by}) > 1:
        found.append("several_payers")
    return found


def _difference_guards(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> list[str]:
    """A difference is taken only from a payer we are sure of, one invoice named in full, nothing cut off or unread."""
    payer = _payer(one, evidence)
    found = []
    if payer is None or payer.by == "name":
        found.append("difference_unsure_payer")
    if not _all_quoted(one, evidence) or len({evidence.items[item].invoice_id for item in one.items}) > 1:
        found.append("difference_not_one_invoice")
    if any(item.residual == receipt.amount and item.payer_id == one.payer_id for item in evidence.items.values()):
        found.append("difference_rival_exact")
    if evidence.unread or receipt.read.long:
        found.append("unread_numbers")
    return found


# The reasons


def _reasons(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> list[Reason]:
    found = [
        Reason(f"quoted_{quote.strength}", {"number": evidence.items[item].number})
        for item in sorted(one.items)
        if (quote := evidence.quoted.get(item))
    ]
    agreeing = [known for known in evidence.payers if known.payer_id == one.payer_id]
    found += [Reason(f"payer_{known.by}", {"times": known.times}) for known in agreeing]
    if evidence.payers and one.payer_id is not None and not agreeing:
        found.append(Reason("payer_other", {}))
    found.append(_amount_reason(one, receipt, evidence))
    if evidence.closed:
        found.append(Reason("closed_quoted", {"number": evidence.closed[0]}))
    if evidence.unread and not _all_quoted(one, evidence):
        found.append(Reason("unread", {"text": ", ".join(evidence.unread[:3])}))
    return found


def _amount_reason(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> Reason:
    if one.shape == "over":
        return Reason("amount_over", {"minor": one.rest, "currency": receipt.currency})
    if one.shape == "partial":
        owed = sum(evidence.items[item].residual for item in one.items)
        return Reason("amount_partial", {"minor": owed - receipt.amount, "currency": receipt.currency})
    if one.credits:
        return Reason("amount_netted", {"count": len(one.lines), "credits": len(one.credits)})
    if len(one.lines) > 1:
        code = f"sum_{one.shape}" if one.shape in ("all_due", "oldest_first", "month") else "sum_equal"
        return Reason(code, {"count": len(one.lines)})
    return Reason("amount_equal", {"others": max(0, evidence.same_amount - 1)})
