"""What people type into forms: texts, days, amounts and ids, each refused with its field when it is none."""

import re
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from starlette.datastructures import FormData

from libs.common.errors import InvalidAmount, Refused
from libs.common.money import Money, exponent
from services.console.pages.asking import read_day

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")
_SPACES = re.compile("[\\s\u00a0\u202f']")


class FieldMissing(Refused):
    """Something is missing in the form."""

    code = "field_missing"
    remedy = "Fill in the field."


class FieldInvalid(Refused):
    """Something in the form cannot be read."""

    code = "field_invalid"
    remedy = "Correct the field."


def text(form: FormData, name: str, *, most: int = 300) -> str:
    """A text without control characters; empty when there is none. Raises FieldInvalid when it is too long."""
    found = _CONTROL.sub(" ", str(form.get(name) or "").replace("\r\n", "\n")).strip()
    if len(found) > most:
        raise FieldInvalid(f"At most {most} characters.", field=name)
    return found


def needed(form: FormData, name: str, *, most: int = 300) -> str:
    """A text that must be there. Raises FieldMissing."""
    found = text(form, name, most=most)
    if not found:
        raise FieldMissing(field=name)
    return found


def one_of(form: FormData, name: str, words: Sequence[str]) -> str:
    """One of these words. Raises FieldMissing when none was chosen."""
    found = str(form.get(name) or "")
    if found not in words:
        raise FieldMissing("Choose one.", field=name)
    return found


def day(form: FormData, name: str) -> date:
    """A day. Raises FieldMissing or FieldInvalid."""
    try:
        return read_day(needed(form, name))
    except ValueError:
        raise FieldInvalid("This is no day.", field=name) from None


def amount(typed: str, currency: str, name: str = "amount") -> Money:
    """What a person typed as an amount: `1 250,00`, `1,250.00`, `1250.5`. Raises FieldInvalid.

    The last comma or point is the decimal sign when no more digits follow it than the currency has, two at least;
    otherwise it parts thousands.
    """
    plain = _SPACES.sub("", typed).removesuffix("€")
    whole, sign, fraction = plain, "", ""
    cut = max(plain.rfind(","), plain.rfind("."))
    if cut >= 0 and len(plain) - cut - 1 <= max(2, exponent(currency)):
        whole, sign, fraction = plain[:cut], ".", plain[cut + 1 :]
    digits = whole.replace(",", "").replace(".", "")
    try:
        return Money.parse((digits.lstrip("0") or "0") + (sign + fraction if fraction else ""), currency)
    except InvalidAmount:
        raise FieldInvalid("This is no amount.", field=name) from None


def money(form: FormData, name: str = "amount") -> Money | None:
    """The amount of a form in its `currency`; None when nothing was typed."""
    typed = text(form, name, most=40)
    return amount(typed, str(form.get("currency") or "EUR"), name) if typed else None


def identities(form: FormData, name: str, *, most: int = 500) -> list[UUID]:
    """Ids, once each. Raises FieldInvalid."""
    try:
        return list(dict.fromkeys(UUID(str(value)) for value in form.getlist(name)))[:most]
    except ValueError:
        raise FieldInvalid("This is no list of ids.", field=name) from None
