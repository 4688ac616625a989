"""The open items of a world: numbers by its schemes, amounts that collide, terms, orders and references."""

from datetime import date, timedelta
from itertools import accumulate
from random import Random

from services.payment_matching.worlds.knobs import Knobs
from services.payment_matching.worlds.people import Debtor, Item, people

FIRST_DAY = date(2026, 10, 1)


def ledger(dice: Random, knobs: Knobs, count: int) -> tuple[list[Debtor], list[Item]]:
    """Debtors and `count` items and credit notes, numbered in the order of their issue."""
    debtors = people(dice, knobs, max(2, round(count / knobs.items_per_debtor)))
    weights = list(accumulate(1 / (n + 8) ** 0.7 for n in range(len(debtors))))
    prices = [_amount(dice) for _ in range(knobs.prices)]
    serials = {scheme: dice.randrange(1_000, 40_000) for scheme in knobs.schemes}
    issued = sorted((dice.randint(1, 150) for _ in range(count)), reverse=True)
    order = list(debtors)
    dice.shuffle(order)
    items: list[Item] = []
    for place, days in enumerate(issued):
        debtor = dice.choices(order, cum_weights=weights)[0]
        scheme = knobs.schemes[debtor.scheme_seed % len(knobs.schemes)]
        serials[scheme] += dice.choice((1, 1, 1, 2, 3))
        cents = dice.choice(prices) if dice.random() < knobs.catalogue else _amount(dice)
        number = _number(scheme, debtor, serials[scheme], days)
        items.append(_item(dice, knobs, Item(f"I{place:07d}", debtor, number, serials[scheme], cents, 0, days, 0)))
    return debtors, items


def _item(dice: Random, knobs: Knobs, item: Item) -> Item:
    """Give the item its terms, names and kind, and its debtor the item."""
    credit = dice.random() < knobs.credit_notes
    if credit:
        item.number, item.cents = f"AV{item.number}", max(100, item.cents // 8)
    item.left = item.cents
    item.due = item.issued - dice.choice((15, 30, 30, 45, 60))
    if dice.random() < knobs.orders:
        item.order = f"{dice.choice(('PO', 'CDE', '45'))}{dice.randrange(10_000, 9_999_999)}"
    if dice.random() < knobs.references:
        item.reference = reference(knobs.reference_kind, int(item.id[1:]) + 1_000)
    if dice.random() < knobs.discounted:
        item.discount = dice.choice(knobs.discounts), dice.choice((8, 10, 14))
    debtor = item.debtor
    (debtor.credits if credit else debtor.open).append(item)
    debtor.open.sort(key=lambda one: (-one.due, one.id))
    return item


def _number(scheme: str, debtor: Debtor, serial: int, days: int) -> str:
    on = FIRST_DAY - timedelta(days=days)
    return scheme.format(
        year=on.year,
        yy=on.year % 100,
        month=on.month,
        serial=serial,
        branch=1 + debtor.scheme_seed % 9,
        customer=debtor.code,
        letter="ABCDE"[debtor.scheme_seed % 5],
    )


def _amount(dice: Random) -> int:
    """Cents: mostly hundreds to some thousands, a few large."""
    return max(500, round(dice.lognormvariate(11.0, 1.1)))


def reference(kind: str, number: int) -> str:
    """A structured reference with its check digits: rf (ISO 11649), ogm (Belgium), 731 (Finland, Estonia)."""
    if kind == "ogm":
        base = f"{number * 37:010d}"
        return f"+++{base[:3]}/{base[3:7]}/{base[7:]}{int(base) % 97 or 97:02d}+++"
    if kind == "731":
        base = str(number * 11)
        total = sum(int(digit) * (7, 3, 1)[place % 3] for place, digit in enumerate(reversed(base)))
        return f"{base}{-total % 10}"
    base = f"{number:09d}"
    return f"RF{98 - int(base + '271500') % 97:02d}{base}"
