"""What payers write: how they name an invoice, and what banks and typing do to it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from services.payment_matching.worlds.knobs import Knobs
from services.payment_matching.worlds.people import Item

_SEPARATORS = (" ", ", ", "/", " + ", " ET ", ";")
_LOOKALIKE = {"0": "O", "1": "I", "5": "S", "8": "B", "2": "Z", "6": "G", "O": "0", "I": "1", "S": "5", "B": "8"}
_JUNK = ("VIREMENT", "PAIEMENT FOURNISSEUR", "SEPA CREDIT TRANSFER", "NOTPROVIDED", "SOLDE", "REGLEMENT", "")


@dataclass
class Said:
    """The three fields in which a payer can say what it pays."""

    remittance: str
    end_to_end: str | None = None
    structured: str | None = None


def said(dice: Random, knobs: Knobs, items: Sequence[Item], habit: str, *, noisy: bool = True) -> Said:
    """What a payer with this habit writes about these items."""
    label, tail = dice.choice(knobs.labels), dice.choice(knobs.tails)
    if habit == "silent" or not items:
        return Said(" ".join(part for part in (dice.choice(_JUNK), tail if dice.random() < 0.3 else "") if part))
    if habit == "structured" and len(items) == 1 and items[0].reference:
        return Said("", structured=items[0].reference)
    if habit == "end_to_end" and len(items) == 1:
        return Said(dice.choice(_JUNK), end_to_end=re.sub(r"[^A-Za-z0-9/-]", "", items[0].number)[:35])
    names = [_name(dice, item, habit) for item in items]
    text = " ".join(part for part in (label, dice.choice(_SEPARATORS).join(names), tail) if part)
    return Said(_noise(dice, knobs, text, names) if noisy else text)


def _name(dice: Random, item: Item, habit: str) -> str:
    if habit == "order" and item.order:
        return item.order
    if habit == "serial":
        return str(item.serial)
    if habit == "digits":
        return "".join(re.findall(r"[0-9]+", item.number))
    if habit == "bare":
        return re.sub(r"[^A-Za-z0-9]", dice.choice(("", " ")), item.number)
    return item.number if dice.random() < 0.85 else item.number.lower()


def _noise(dice: Random, knobs: Knobs, text: str, names: Sequence[str]) -> str:
    target = dice.choice(names)
    if dice.random() < knobs.typos:
        text = text.replace(target, _typo(dice, target), 1)
    elif dice.random() < knobs.ocr:
        text = text.replace(target, _misread(dice, target), 1)
    elif dice.random() < knobs.truncated:
        text = text.replace(target, target[: -dice.randint(1, 2)], 1)
    if dice.random() < knobs.folded:
        text = " ".join(text[start : start + 35] for start in range(0, len(text), 35))
    return text[: knobs.cut]


def _typo(dice: Random, name: str) -> str:
    place = dice.randrange(len(name))
    how = dice.randrange(4)
    if how == 0:
        return name[:place] + name[place + 1 :]
    if how == 1 and place + 1 < len(name):
        return name[:place] + name[place + 1] + name[place] + name[place + 2 :]
    if how == 2:
        return name[:place] + name[place] + name[place:]
    return name[:place] + dice.choice("0123456789") + name[place + 1 :]


def _misread(dice: Random, name: str) -> str:
    places = [place for place, letter in enumerate(name.upper()) if letter in _LOOKALIKE]
    if not places:
        return name
    place = dice.choice(places)
    return name[:place] + _LOOKALIKE[name[place].upper()] + name[place + 1 :]
