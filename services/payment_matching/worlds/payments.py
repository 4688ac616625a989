"""The payments of a world, class by class, each with its truth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from services.payment_matching.worlds.knobs import Knobs
from services.payment_matching.worlds.people import Debtor, Item, iban, on_the_statement
from services.payment_matching.worlds.texts import Said, said

DAYS = 31


@dataclass(frozen=True)
class Paid:
    """A payment and what it really pays; `day` counts from the first."""

    kind: str
    day: int
    cents: int
    name: str
    iban: str | None
    said: Said
    items: tuple[Item, ...] = ()
    currency: str = "EUR"
    """Of `cents`: what was ordered, whatever the account is in."""
    told: bool = False
    """Whether the bank says so."""


@dataclass
class Till:
    """The state of the world while payments come in."""

    dice: Random
    knobs: Knobs
    debtors: list[Debtor]
    past: list[Paid]
    closed: list[Item]
    day: int = 0

    def payer(self, least: int, most: int = 10_000) -> Debtor | None:
        """A debtor with so many open items, weighted by how many it has; None when none is found soon."""
        for _ in range(60):
            one = self.dice.choice(self.debtors)
            if least <= len(one.open) <= most and self.dice.random() < 0.2 + len(one.open) / 40:
                return one
        return next((one for one in self.debtors if least <= len(one.open) <= most), None)


def payments(dice: Random, knobs: Knobs, debtors: list[Debtor], count: int) -> list[Paid]:
    """Payments in arrival order; each takes its items off the ledger of the world."""
    till = Till(dice, knobs, debtors, [], [])
    kinds, weights = list(knobs.classes), list(knobs.classes.values())
    while len(till.past) < count:
        till.day = len(till.past) * DAYS // count
        kind = dice.choices(kinds, weights)[0]
        made = _MAKERS[kind](till, kind)
        if made is None:
            made = _not_receivable(till, "not_receivable")
        till.past.append(made)
    return till.past


def _paid(
    till: Till, kind: str, debtor: Debtor, items: Sequence[Item], cents: int, *, habit: str | None = None
) -> Paid:
    """The debtor pays these items with this much; they owe nothing afterwards."""
    for item in items:
        item.left = 0
        owner = item.debtor.open if item in item.debtor.open else item.debtor.credits
        owner.remove(item)
        till.closed.append(item)
    text = said(till.dice, till.knobs, items, habit or debtor.habit)
    who = _name(till, debtor), _account(till, debtor)
    return Paid(kind, till.day, cents, *who, text, tuple(items), debtor.currency, debtor.told)


def _name(till: Till, debtor: Debtor) -> str:
    return on_the_statement(till.dice, till.knobs, debtor.name)


def _account(till: Till, debtor: Debtor) -> str | None:
    luck = till.dice.random()
    if luck < till.knobs.no_iban:
        return None
    return iban(till.dice, till.knobs) if luck < till.knobs.no_iban + till.knobs.new_iban else debtor.iban


def _left(items: Sequence[Item]) -> int:
    return sum(item.left for item in items)


def _one(till: Till) -> Item | None:
    debtor = till.payer(1)
    if debtor is None:
        return None
    likely = debtor.open[: max(1, len(debtor.open) // 2 + 1)]
    return till.dice.choice(likely)


def _single(till: Till, kind: str) -> Paid | None:
    item = _one(till)
    return _paid(till, kind, item.debtor, [item], item.left) if item else None


def _several(till: Till, kind: str) -> Paid | None:
    debtor = till.payer(2)
    if debtor is None:
        return None
    size = min(len(debtor.open), till.dice.choice((2, 2, 2, 3, 3, 4, 5, 8)))
    items = sorted(till.dice.sample(debtor.open[: size * 2], size), key=lambda item: item.id)
    return _paid(till, kind, debtor, items, _left(items), habit=_saying(debtor))


def _saying(debtor: Debtor) -> str:
    return debtor.habit if debtor.habit not in ("structured", "end_to_end", "silent") else "full"


def _credit_note(till: Till, kind: str) -> Paid | None:
    able = [one for one in till.dice.sample(till.debtors, min(400, len(till.debtors))) if one.credits and one.open]
    for debtor in able:
        note = debtor.credits[0]
        items = debtor.open[: till.dice.choice((1, 1, 2, 3))]
        if _left(items) > note.left:
            cents = _left(items) - note.left
            told = [*items, note] if till.dice.random() < 0.7 else items
            text = said(till.dice, till.knobs, told, _saying(debtor))
            return replace(_paid(till, kind, debtor, [*items, note], cents), said=text)
    return None


def _oldest_first(till: Till, kind: str) -> Paid | None:
    debtor = till.payer(3)
    if debtor is None:
        return None
    items = debtor.open[: till.dice.randint(2, min(8, len(debtor.open)))]
    return _paid(till, kind, debtor, items, _left(items), habit="silent")


def _all_due(till: Till, kind: str) -> Paid | None:
    debtor = till.payer(3)
    if debtor is None:
        return None
    items = [item for item in debtor.open if item.due >= -till.day]
    return _paid(till, kind, debtor, items, _left(items), habit="silent") if len(items) > 1 else None


def _skipping(till: Till, kind: str) -> Paid | None:
    """All that is due but one or two invoices, perhaps disputed, and not a word about it."""
    debtor = till.payer(4)
    if debtor is None:
        return None
    due = [item for item in debtor.open if item.due >= -till.day]
    if len(due) < 4:
        return None
    left = till.dice.sample(due, till.dice.choice((1, 1, 2)))
    items = [item for item in due if item not in left]
    return _paid(till, kind, debtor, items, _left(items), habit="silent")


def _month(till: Till, kind: str) -> Paid | None:
    debtor = till.payer(3)
    if debtor is None:
        return None
    months = sorted({item.issued // 30 for item in debtor.open})
    month = till.dice.choice(months)
    items = [item for item in debtor.open if item.issued // 30 == month]
    return _paid(till, kind, debtor, items, _left(items), habit="silent") if len(items) > 1 else None


def _contiguous(till: Till, kind: str) -> Paid | None:
    debtor = till.payer(4)
    if debtor is None:
        return None
    start = till.dice.randrange(1, len(debtor.open) - 2)
    items = debtor.open[start : start + till.dice.randint(2, 4)]
    return _paid(till, kind, debtor, items, _left(items), habit="silent")


def _partial(till: Till, kind: str) -> Paid | None:
    item = _one(till)
    if item is None or item.left < 10_000:
        return None
    cents = round(item.left * till.dice.choice(till.knobs.fractions))
    item.left -= cents
    debtor = item.debtor
    text = said(till.dice, till.knobs, [item], _saying(debtor))
    who = _name(till, debtor), _account(till, debtor)
    return Paid(kind, till.day, cents, *who, text, (item,), debtor.currency, debtor.told)


def _less(till: Till, kind: str, item: Item, cents: int) -> Paid | None:
    return _paid(till, kind, item.debtor, [item], cents) if cents > 0 else None


def _discount(till: Till, kind: str) -> Paid | None:
    """Mostly within its terms; sometimes it is taken late."""
    late = till.dice.random() < 0.25
    for _ in range(300):
        item = _one(till)
        if item and item.discount and (late or item.issued + till.day <= item.discount[1]):
            return _less(till, kind, item, round(item.left * (100 - item.discount[0]) / 100))
    return None


def _fee(till: Till, kind: str) -> Paid | None:
    item = _one(till)
    return _less(till, kind, item, item.left - till.dice.choice(till.knobs.fees)) if item else None


def _rounding(till: Till, kind: str) -> Paid | None:
    item = _one(till)
    cents = till.dice.randint(1, till.knobs.rounding) * till.dice.choice((-1, 1))
    return _less(till, kind, item, item.left + cents) if item else None


def _withholding(till: Till, kind: str) -> Paid | None:
    item = _one(till)
    kept = 1 - till.dice.choice(till.knobs.withholdings) / 100
    return _less(till, kind, item, round(item.left * kept)) if item else None


def _overpayment(till: Till, kind: str) -> Paid | None:
    item = _one(till)
    return _paid(till, kind, item.debtor, [item], item.left + till.dice.randint(100, 20_000)) if item else None


def _wrong_reference(till: Till, kind: str) -> Paid | None:
    item = _one(till)
    if item is None:
        return None
    other = till.dice.choice(till.closed) if till.closed and till.dice.random() < 0.4 else _one(till)
    if other is None or other is item:
        return None
    text = said(till.dice, till.knobs, [other], "full")
    return replace(_paid(till, kind, item.debtor, [item], item.left), said=text)


def _third_party(till: Till, kind: str) -> Paid | None:
    item = _one(till)
    if item is None:
        return None
    made = _paid(till, kind, item.debtor, [item], item.left, habit=_saying(item.debtor))
    who = till.dice.choice(("FACTOR CAPITAL", "ETUDE NOTARIALE", "CABINET COMPTABLE", "PLATEFORME PAY"))
    return replace(made, name=f"{who} {till.dice.randrange(90)}", iban=iban(till.dice, till.knobs))


def _group(till: Till, kind: str) -> Paid | None:
    heads = [one for one in till.dice.sample(till.debtors, min(600, len(till.debtors))) if one.head and one.open]
    if not heads or heads[0].head is None:
        return None
    head = heads[0].head
    items = [heads[0].open[0], *head.open[:2]]
    return _paid(till, kind, head, items, _left(items), habit=_saying(head))


def _duplicate(till: Till, kind: str) -> Paid | None:
    able = [one for one in till.past[-400:] if one.items and one.kind in ("single", "several")]
    return replace(till.dice.choice(able), kind=kind, day=till.day, items=()) if able else None


def _unpaid(till: Till, kind: str, text: str, cents: int) -> Paid | None:
    debtor = till.payer(1)
    if debtor is None:
        return None
    return Paid(kind, till.day, cents, _name(till, debtor), _account(till, debtor), Said(text[: till.knobs.cut]))


def _prepayment(till: Till, kind: str) -> Paid | None:
    named = till.dice.choice(("PROFORMA", "DEVIS", "COMMANDE", "PO")) + f" {till.dice.randrange(100_000, 999_999)}"
    return _unpaid(till, kind, named, till.dice.randrange(10_000, 900_000))


def _on_account(till: Till, kind: str) -> Paid | None:
    text = till.dice.choice(("ACOMPTE", "ON ACCOUNT", "A VALOIR", ""))
    return _unpaid(till, kind, text, till.dice.randint(1, 60) * 10_000)


def _not_receivable(till: Till, kind: str) -> Paid:
    what = till.dice.choice(("REMBOURSEMENT TVA", "SALAIRES RETOUR", "INTERETS", "SUBVENTION", "LOYER", "REMISE CB"))
    text = Said(f"{what} {till.dice.randrange(1_000, 9_999_999)}")
    who = till.dice.choice(("DGFIP", "URSSAF", "BANQUE", "ASSURANCES MUTUELLES", "PSP EUROPE"))
    return Paid(kind, till.day, till.dice.randrange(1_000, 2_000_000), who, iban(till.dice, till.knobs), text)


_MAKERS: dict[str, Callable[[Till, str], Paid | None]] = {
    "single": _single,
    "several": _several,
    "credit_note": _credit_note,
    "oldest_first": _oldest_first,
    "all_due": _all_due,
    "month": _month,
    "contiguous": _contiguous,
    "partial": _partial,
    "discount": _discount,
    "fee": _fee,
    "rounding": _rounding,
    "withholding": _withholding,
    "overpayment": _overpayment,
    "wrong_reference": _wrong_reference,
    "third_party": _third_party,
    "group": _group,
    "duplicate": _duplicate,
    "prepayment": _prepayment,
    "on_account": _on_account,
    "not_receivable": _not_receivable,
    "skipping": _skipping,
}
