"""Debtors: names, accounts, groups, and how each of them writes what it pays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from services.payment_matching.worlds.knobs import Knobs

_SYLLABLES = [first + second for first in "bcdfglmnprstv" for second in "aeio"]
_TRADES = (
    "Transports Conseil Services Batiment Electricite Menuiserie Peinture Logistique Distribution Industrie Systems "
    "Trading Holding Ateliers Garage Pharma Foods Textiles Metal Energie Immobilier Design"
).split()
_HABITS = ("structured", "end_to_end", "full", "bare", "digits", "serial", "order", "silent")


@dataclass
class Debtor:
    """One customer. `open` are its unpaid items, oldest due first; `credits` its unused credit notes."""

    id: str
    name: str
    code: int
    iban: str
    habit: str
    scheme_seed: int
    currency: str = "EUR"
    told: bool = False
    """Whether its payments come with what was ordered."""
    head: "Debtor | None" = None
    open: list["Item"] = field(default_factory=list)
    credits: list["Item"] = field(default_factory=list)


@dataclass
class Item:
    """One open item; `left` is what it owes still, in cents."""

    id: str
    debtor: Debtor
    number: str
    serial: int
    cents: int
    left: int
    issued: int
    """Days before the first payment day, as is `due` (negative: after it)."""
    due: int
    order: str | None = None
    reference: str | None = None
    discount: tuple[float, int] | None = None


def people(dice: Random, knobs: Knobs, count: int) -> list[Debtor]:
    """So many debtors; some share a first word, some belong to a head office that pays for them."""
    made = [_debtor(dice, knobs, n) for n in range(count)]
    place = 0
    while place < count:
        if dice.random() < knobs.groups and place + 3 < count:
            for one in made[place + 1 : place + dice.randint(2, 4)]:
                one.head = made[place]
                one.name = f"{made[place].name.split()[0]} {one.name.split(' ', 1)[1]}"
            place += 4
        else:
            place += 1
    return made


def _debtor(dice: Random, knobs: Knobs, n: int) -> Debtor:
    word = "".join(dice.choices(_SYLLABLES, k=dice.randint(2, 4))).capitalize()
    parts = [word, dice.choice(_TRADES)] if dice.random() < 0.8 else [word]
    name = " ".join([*parts, dice.choice(knobs.forms)])
    weights = [getattr(knobs, habit) for habit in _HABITS]
    habit = dice.choices(_HABITS, weights)[0]
    return Debtor(f"D{n:06d}", name, 10_000 + n * 7 % 89_989, iban(dice, knobs), habit, dice.randrange(1 << 30))


def iban(dice: Random, knobs: Knobs) -> str:
    """An account number with check digits that hold (ISO 13616)."""
    account = "".join(dice.choices("0123456789", k=22))
    rest = "".join(str(int(c, 36)) for c in account + knobs.country + "00")
    return f"{knobs.country}{98 - int(rest) % 97:02d}{account}"


def on_the_statement(dice: Random, knobs: Knobs, name: str) -> str:
    """A name as a bank prints it: capitals, sometimes shortened, reordered or without its legal form."""
    words = name.upper().split()
    if dice.random() < knobs.odd_names:
        words = _odd(dice, words)
    return " ".join(words)[: dice.choice((35, 70, 140))]


def _odd(dice: Random, words: Sequence[str]) -> list[str]:
    how = dice.randrange(5)
    if how == 0:
        return list(words[:-1]) or list(words)
    if how == 1:
        return [words[-1], *words[:-1]]
    if how == 2:
        return [word[: dice.randint(4, 6)] for word in words]
    if how == 3:
        return [dice.choice(("M.", "STE", "ETS")), *words]
    return [*words[:1], *words[2:]] if len(words) > 2 else list(words)
