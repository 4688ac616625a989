"""Structured payment references and their check digits.

Protects: a reference counts as checked only when its own arithmetic proves it, so that a slip of one digit is not
taken for another invoice. Sources: ISO 11649 (RF), Belgian OGM-VCS, Swiss QR-bill (QRR), Finnish viitenumero and
Estonian viitenumber (7-3-1), Norwegian KID and Swedish OCR (Luhn, mod 11), Dutch betalingskenmerk, Slovenian SI and
Croatian HR model 01 (ISO 7064 mod 11-10).
"""

import re
from collections.abc import Callable

from libs.common.creditor_reference import holds

_MODEL = re.compile(r"(SI|HR)([0-9]{2})([0-9-]{1,22})", re.ASCII)
_SPACES = re.compile(r"[\s+/*.-]+")


def normal(reference: str) -> str:
    """The reference without spaces and dressing (`+++090/9337/55493+++` → `090933755493`), in capitals."""
    return _SPACES.sub("", reference).upper()


def scheme(reference: str) -> str | None:
    """The first scheme whose form and check digit the reference meets: rf, ogm, qrr, model, nl, luhn, 731, mod11."""
    plain = normal(reference)
    return next((name for name, holds in _SCHEMES.items() if holds(plain)), None)


def is_strong(reference: str) -> bool:
    """Whether its form is so particular that passing by chance is out of the question (one digit passes 1 in 10).

    `reference` is bare already, as `normal` gives it.
    """
    if reference.startswith("RF"):
        return holds(normal(reference))
    return len(reference) in (12, 27) and (_is_ogm(reference) or _is_qrr(reference))


def _digits(plain: str, least: int, most: int) -> bool:
    return least <= len(plain) <= most and plain.isascii() and plain.isdigit()


def _is_ogm(plain: str) -> bool:
    return _digits(plain, 12, 12) and (int(plain[:10]) % 97 or 97) == int(plain[10:])


def _is_qrr(plain: str) -> bool:
    if not _digits(plain, 27, 27):
        return False
    carry = 0
    for digit in plain[:-1]:
        carry = (0, 9, 4, 6, 8, 2, 7, 1, 3, 5)[(carry + int(digit)) % 10]
    return (10 - carry) % 10 == int(plain[-1])


def _is_731(plain: str) -> bool:
    if not _digits(plain, 4, 20):
        return False
    weights = (7, 3, 1)
    total = sum(int(digit) * weights[place % 3] for place, digit in enumerate(reversed(plain[:-1])))
    return (10 - total % 10) % 10 == int(plain[-1])


def _is_luhn(plain: str) -> bool:
    if not _digits(plain, 4, 25):
        return False
    total = 0
    for place, digit in enumerate(reversed(plain)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 * (doubled > 9)
    return total % 10 == 0


def _is_mod11(plain: str) -> bool:
    if not _digits(plain, 4, 25):
        return False
    total = sum(int(digit) * (2 + place % 6) for place, digit in enumerate(reversed(plain[:-1])))
    check = (11 - total % 11) % 11
    return check < 10 and check == int(plain[-1])


def _is_nl(plain: str) -> bool:
    if not _digits(plain, 16, 16):
        return False
    weights = (2, 4, 8, 5, 10, 9, 7, 3, 6, 1)
    total = sum(int(digit) * weights[place % 10] for place, digit in enumerate(reversed(plain[1:])))
    check = 11 - total % 11
    return {10: 1, 11: 0}.get(check, check) == int(plain[0])


def _is_model(plain: str) -> bool:
    found = _MODEL.fullmatch(plain)
    if found is None:
        return False
    if found[2] != ("12" if found[1] == "SI" else "01"):
        return False
    digits = found[3].replace("-", "")
    total = sum(int(digit) * (2 + place) for place, digit in enumerate(reversed(digits[:-1])))
    check = 11 - total % 11
    return len(digits) > 1 and (0 if check > 9 else check) == int(digits[-1])


_SCHEMES: dict[str, Callable[[str], bool]] = {
    "rf": holds,
    "ogm": _is_ogm,
    "qrr": _is_qrr,
    "model": _is_model,
    "nl": _is_nl,
    "luhn": _is_luhn,
    "731": _is_731,
    "mod11": _is_mod11,
}
