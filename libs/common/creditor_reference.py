"""Creditor references of our own (ISO 11649): printed on reminders, recognised when they come back in a payment.

Protects: the reference is the invoice's number with two check digits before it, so it needs no table: who reads it
knows the number, and one slip of the finger is noticed.
"""

import re

_RF = re.compile(r"RF[0-9]{2}[A-Z0-9]{1,21}", re.ASCII)
_OTHER = re.compile(r"[^A-Z0-9]", re.ASCII)


def issued(number: str) -> str | None:
    """The reference of an invoice number: RF, two check digits, the number's letters and digits in capitals.

    None when that leaves nothing, or more than the 21 characters that the standard allows.
    """
    plain = _OTHER.sub("", number.upper())
    return f"RF{98 - _mod97(plain + 'RF00'):02d}{plain}" if 1 <= len(plain) <= 21 else None


def holds(reference: str) -> bool:
    """Whether a bare reference, in capitals and without spaces, has this form and its check digits are right."""
    return bool(_RF.fullmatch(reference)) and _mod97(reference[4:] + reference[:4]) == 1


def number(reference: str) -> str:
    """What a reference that holds says of the number: its letters and digits."""
    return reference[4:]


def printed(reference: str) -> str:
    """In groups of four, as the standard prints it."""
    return " ".join(reference[start : start + 4] for start in range(0, len(reference), 4))


def _mod97(text: str) -> int:
    return int("".join(str(int(character, 36)) for character in text)) % 97
