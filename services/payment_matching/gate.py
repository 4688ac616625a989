"""The gate: whether the machine may act alone on the likeliest hypothesis.

Protects: precision before recall. Odds alone are over-confident, so the gate asks for structure (notes/matching.md
§4.6): two independent kinds of evidence among reference, payer and amount, no rival, no second solution, and nothing
left unread that could name something else. A difference is taken only from a payer known by its account.
"""

from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import Literal
from uuid import UUID

from libs.common.money import exponent
from services.payment_matching.evidence import STRENGTHS, Booked, Evidence, Known, Quoted, Receipt
from services.payment_matching.hypotheses import Hypothesis

MARGIN = 3.0
"""Log-odds by which the best must lead every other set (20 to 1)."""
TELLING = 5
"""Characters of a part of a number, or of an order, that names an invoice without its payer."""
ORDER = 7
"""Characters of an order that nobody else has, and that names as well as a number."""
ROUND = 1_000
"""Money given on account is a round amount, and sums of round prices meet it by chance."""

KEPT_BY_BANKS = Fraction(3, 100)
"""Of a converted amount: margins and fees of the banks on its way, and the rounding of the rate that they tell."""

Kind = Literal["reference", "payer", "amount"]
SHORT = ("partial", "over", "payout", "unconverted")
"""Shapes whose amount is no evidence."""
_UNSTRUCTURED = ("extended", "amount_only", "subset", "neighbours")
_STRUCTURED = ("all_due", "oldest_first", "month")
_BY = ("named", "iban", "name")


def guards(one: Hypothesis, receipt: Receipt, evidence: Evidence, lead: float) -> list[str]:
    """Codes of what speaks against acting alone; `lead` is the log-odds over the next best set."""
    found = []
    if len(kinds_of(one, evidence)) < 2:
        found.append("one_kind_of_evidence")
    if lead < MARGIN:
        found.append("rival")
    if one.solutions > 1 and not _by_rule(one, receipt, evidence):
        found.append("several_solutions")
    if evidence.closed:
        found.append("closed_item_quoted")
    if left_out(one, evidence):
        found.append("more_is_quoted")
    if evidence.quoted.keys() & one.items and not all_quoted(one, evidence) and not _cut_off(one, receipt, evidence):
        found.append("not_all_quoted")
    if {evidence.items[item].entity_id for item in one.items} != {receipt.entity_id}:
        found.append("other_entity")
    found += _currency_guards(one, receipt, evidence)
    if all_quoted(one, evidence):
        found += _reference_guards(one, evidence)
    else:
        found += _shape_guards(one, receipt, evidence) + _identity_guards(one, evidence)
    if one.shape in ("partial", "over"):
        found += _difference_guards(one, receipt, evidence)
    elif one.shape == "payout":
        found += _payout_guards(one, receipt, evidence)
    elif one.written_off:
        found += _write_off_guards(one, receipt, evidence)
    return found


def _currency_guards(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> list[str]:
    """Between two currencies only what the bank told is taken, and only to the cent for all that the items owe, where
    what it booked is worth that by its own rate; without a rate, of a payer known by its account."""
    if receipt.booked is None:
        return []
    if one.shape == "unconverted":
        return ["amount_not_told"]
    known = any(each.by != "name" and each.confirmed for each in evidence.payers)
    if not (known if receipt.booked.rate is None else _worth(receipt, receipt.booked, receipt.booked.rate)):
        return ["difference_in_currency"]
    whole = all(line.amount == evidence.items[line.item_id].residual for line in one.lines)
    return [] if whole and sum(line.amount for line in one.lines) == receipt.amount else ["difference_in_currency"]


def _worth(receipt: Receipt, booked: Booked, rate: str) -> bool:
    """Whether what was booked is what was ordered, by a rate told in either direction, less what a bank may keep."""
    ordered = Fraction(receipt.amount, 10 ** exponent(receipt.currency))
    got = Fraction(booked.amount, 10 ** exponent(booked.currency))
    by = Fraction(rate)
    return by > 0 and any(abs(worth - got) <= worth * KEPT_BY_BANKS for worth in (ordered * by, ordered / by))


def _by_rule(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> bool:
    """Whether a rule explains the sum, of a payer whose account is known: all that is due, or the oldest items.

    Where there are many items some other sum nearly always gives the amount too: that is chance, unless prices are
    round, or the oldest items have an equal among the later ones; then another set may well be meant.
    """
    payer = payer_of(one, evidence)
    if payer is None or payer.by == "name" or one.shape not in ("all_due", "oldest_first"):
        return False
    paid = {evidence.items[item].residual for item in one.items}
    later = (item for item in evidence.owed_by.get(payer.payer_id, ()) if item.item_id not in one.items)
    replaced = one.shape == "oldest_first" and any(item.residual in paid for item in later)
    return receipt.amount % ROUND != 0 and not replaced


def kinds_of(one: Hypothesis, evidence: Evidence) -> list[Kind]:
    """The independent kinds of evidence that agree."""
    found: list[Kind] = []
    if all_quoted(one, evidence):
        found.append("reference")
    if payer_of(one, evidence) is not None or paid_out(one, evidence):
        found.append("payer")
    if one.shape not in SHORT:
        found.append("amount")
    return found


def all_quoted(one: Hypothesis, evidence: Evidence) -> bool:
    """Whether the text names every item that is paid."""
    return bool(one.items) and all(item in evidence.quoted for item in one.items)


def paid_out(one: Hypothesis, evidence: Evidence) -> bool:
    """Whether a provider whose account is known pays this out, less a fee within its bounds."""
    return one.shape == "payout" and evidence.provider is not None


def payers_of(one: Hypothesis, evidence: Evidence) -> set[UUID]:
    """Who owes what is paid: one payer, or a head office and its shops."""
    return {evidence.items[item].payer_id for item in one.items}


def payer_of(one: Hypothesis, evidence: Evidence) -> Known | None:
    """The surest evidence that whoever owes this paid: said by the source, a confirmed account, or the name.

    Where several owe it, all of them must be known by the same evidence.
    """
    payers = payers_of(one, evidence)
    for by in _BY:
        agreeing = [known for known in evidence.payers if known.by == by and known.confirmed]
        if payers and payers <= {known.payer_id for known in agreeing}:
            return min((known for known in agreeing if known.payer_id in payers), key=lambda known: known.times)
    return None


def left_out(one: Hypothesis, evidence: Evidence) -> set[UUID]:
    """Invoices surely named by the text that this hypothesis does not touch."""
    return _untouched(one, evidence, evidence.sure)


def _untouched(one: Hypothesis, evidence: Evidence, quotes: Sequence[Quoted]) -> set[UUID]:
    touched = {evidence.items[item].invoice_id for item in (*one.items, *(line.item_id for line in one.credits))}
    keys = {evidence.quoted[item].key for item in one.items if item in evidence.quoted}
    found = {evidence.items[quote.item_id].invoice_id for quote in quotes if quote.key not in keys}
    return found - touched


def _rank(quote: Quoted) -> int:
    return STRENGTHS[quote.strength]


def _reference_guards(one: Hypothesis, evidence: Evidence) -> list[str]:
    """A name must be sure where the payer is not, and may not contradict a payer who is."""
    quotes = [evidence.quoted[item] for item in one.items]
    weakest = min(map(_rank, quotes))
    if payer_of(one, evidence) is not None:
        return []
    found = []
    weak = weakest < STRENGTHS["digits"] and not all(_tells(quote, evidence) for quote in quotes)
    if weak or any(_shared(quote, evidence) for quote in quotes):
        found.append("weak_reference")
    if _another_pays(one, evidence, weakest):
        found.append("other_payer")
    return found


def _tells(quote: Quoted, evidence: Evidence) -> bool:
    """Whether so much of a name tells the item: nobody else's has it, and few owe as much."""
    rare = quote.count == 1 and evidence.same_amount <= 2 and not evidence.unread
    order = quote.strength == "order" and quote.count == 1 and len(quote.key) >= ORDER
    return (
        _rank(quote) >= STRENGTHS["digits"]
        or order
        or (_rank(quote) >= STRENGTHS["group"] and rare and len(quote.key) >= TELLING)
    )


def _tells_at_home(quote: Quoted, payer: Known | None, evidence: Evidence) -> bool:
    """Whether it names the item by its digits at least; to whoever pays from its own account, a serial or an order that
    no other of its items has is as much."""
    if _rank(quote) >= STRENGTHS["digits"]:
        return True
    own = payer is not None and payer.by != "name"
    whose = evidence.items[quote.item_id].payer_id
    theirs = {item for item in evidence.quoted if evidence.items[item].payer_id == whose}
    return (
        own
        and _rank(quote) >= STRENGTHS["group"]
        and len(quote.key) >= TELLING
        and not _shared(quote, evidence, theirs)
    )


def _another_pays(one: Hypothesis, evidence: Evidence, weakest: int) -> bool:
    """Whether somebody else is known to have paid. A head office named in full with one of its shops is not."""
    known = [known for known in evidence.payers if known.confirmed and known.by in ("named", "iban")]
    payers = payers_of(one, evidence)
    whole = weakest >= STRENGTHS["full"]
    if known:
        return not (whole and len(payers) > 1 and payers & {one.payer_id for one in known})
    return bool(evidence.payers) and (not whole or _owes_the_same(one, evidence))


def _owes_the_same(one: Hypothesis, evidence: Evidence) -> bool:
    """Whether somebody whose name it is owes just this much: then the number may be the one that is wrong."""
    paid = sum(line.amount for line in one.lines) - sum(line.amount for line in one.credits)
    named = {known.payer_id for known in evidence.payers} - payers_of(one, evidence)
    return any(item.payer_id in named and item.residual == paid for item in evidence.items.values())


def _shared(quote: Quoted, evidence: Evidence, among: Collection[UUID] | None = None) -> bool:
    """Whether the same key names items of another invoice too, or only `among` these."""
    mine = evidence.items[quote.item_id].invoice_id
    return any(
        other.key == quote.key and evidence.items[other.item_id].invoice_id != mine
        for other in evidence.quoted.values()
        if among is None or other.item_id in among
    )


def _shape_guards(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> list[str]:
    """A sum of neighbours is taken only if the account is known, no other sum gives it and it is not round."""
    if one.shape not in _UNSTRUCTURED:
        return []
    if _cut_off(one, receipt, evidence):
        return []
    payer = payer_of(one, evidence)
    sure = payer is not None and payer.by != "name" and receipt.amount % ROUND != 0
    return [] if one.shape == "neighbours" and sure else ["unstructured"]


def _cut_off(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> bool:
    """A long list whose end the bank cut off: all but one item are named surely, and only one makes it exact."""
    if one.shape != "extended" or not receipt.read.long or len(one.items) < 3:
        return False
    named = [evidence.quoted[item] for item in one.items if item in evidence.quoted]
    payer = payer_of(one, evidence)
    missing = [line.amount for line in one.lines if line.item_id not in evidence.quoted]
    return (
        len(missing) == 1
        and all(_rank(quote) >= STRENGTHS["digits"] for quote in named)
        and payer is not None
        and payer.by != "name"
        and sum(i.residual == missing[0] and i.payer_id == one.payer_id for i in evidence.items.values()) == 1
    )


def _identity_guards(one: Hypothesis, evidence: Evidence) -> list[str]:
    """Payer and amount alone: coincidences are common, so nothing may be unread and the payer must be certain."""
    payer = payer_of(one, evidence)
    found = []
    if evidence.unread:
        found.append("unread_numbers")
    if _untouched(one, evidence, [quote for quote in evidence.quoted.values() if len(quote.key) >= TELLING]):
        found.append("more_is_quoted")
    if payer is None or (payer.by == "name" and not _name_is_enough(one, evidence)):
        found.append("unsure_payer")
    alike = {known.payer_id for known in evidence.payers if payer is not None and known.by == payer.by}
    if (len(alike) > 1 and not _named_alone(one, evidence)) or _named_another(one, evidence):
        found.append("several_payers")
    return found


def _named_alone(one: Hypothesis, evidence: Evidence) -> bool:
    """Whether the name is that of who owes this and of nobody else: of those that an account pays for, it is meant."""
    return {known.payer_id for known in evidence.payers if known.by == "name"} == payers_of(one, evidence)


def _named_another(one: Hypothesis, evidence: Evidence) -> bool:
    """Whether the payer's name is somebody else's: an account that pays for several says no more than that."""
    names = {known.payer_id for known in evidence.payers if known.by == "name"}
    return bool(names) and not names & payers_of(one, evidence)


def _sure_name(one: Hypothesis, evidence: Evidence) -> bool:
    """The name of one payer alone, no account that is another's, and numbers named in full beside it."""
    return len({known.payer_id for known in evidence.payers}) == 1 and all(
        _rank(evidence.quoted[item]) >= STRENGTHS["full"] for item in one.items if item in evidence.quoted
    )


def _name_is_enough(one: Hypothesis, evidence: Evidence) -> bool:
    """One item that nobody else owes as much as, or a whole list of what is due; a part of a plan is neither."""
    if one.shape == "plan":
        return False
    return evidence.same_amount <= 1 if len(one.lines) == 1 else one.shape in _STRUCTURED


def _write_off_guards(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> list[str]:
    """What the amount leaves out is explained to the cent; still every item is named, and nothing is exact instead."""
    payer = payer_of(one, evidence)
    found = []
    if not all_quoted(one, evidence):
        found.append("difference_not_one_invoice")
    elif not all(_tells_at_home(evidence.quoted[item], payer, evidence) for item in one.items):
        found.append("difference_weak_reference")
    if any(item.residual == receipt.amount and item.payer_id == one.payer_id for item in evidence.items.values()):
        found.append("difference_rival_exact")
    if payer is None and (evidence.unread or receipt.read.long):
        found.append("unread_numbers")
    return found


def _payout_guards(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> list[str]:
    """A fee hides what is misread, so every item is named in full, nothing is unread and nothing is exact instead."""
    quotes = [evidence.quoted[item] for item in one.items if item in evidence.quoted]
    found = []
    if len(quotes) < len(one.items) or any(_rank(quote) < STRENGTHS["full"] for quote in quotes):
        found.append("difference_weak_reference")
    if any(evidence.items[quote.item_id].residual == receipt.amount for quote in quotes):
        found.append("difference_rival_exact")
    if evidence.unread or receipt.read.long:
        found.append("unread_numbers")
    return found


def _difference_guards(one: Hypothesis, receipt: Receipt, evidence: Evidence) -> list[str]:
    """A difference is taken only from a payer we are sure of, one invoice named in full, nothing cut off or unread."""
    payer = payer_of(one, evidence)
    found = []
    if payer is None or (payer.by == "name" and not _sure_name(one, evidence)):
        found.append("difference_unsure_payer")
    if not all_quoted(one, evidence) or len({evidence.items[item].invoice_id for item in one.items}) > 1:
        found.append("difference_not_one_invoice")
    elif not all(_tells_at_home(evidence.quoted[item], payer, evidence) for item in one.items):
        found.append("difference_weak_reference")
    if any(item.residual == receipt.amount and item.payer_id == one.payer_id for item in evidence.items.values()):
        found.append("difference_rival_exact")
    if one.rest > sum(line.amount for line in one.lines):
        found.append("difference_large")
    if _untouched(one, evidence, [q for q in evidence.quoted.values() if q.count == 1 or len(q.key) >= TELLING]):
        found.append("more_is_quoted")
    if evidence.unread or receipt.read.long:
        found.append("unread_numbers")
    return list(dict.fromkeys(found))
