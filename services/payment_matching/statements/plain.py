"""What the flat formats share: their bytes as text, amounts with a comma or a point, and account numbers as IBANs.

Protects: the same account has the same name in every format, so that its money is known again; a character that no
text may hold never reaches the books.
"""

import re
from datetime import date
from decimal import Decimal

from services.payment_matching.errors import UnknownFormat, UnreadableStatement
from services.payment_matching.statements.camt_tree import minor

HEAD = 4_096
_CONTROL = {number: None for number in range(32) if chr(number) not in "\t\n\r"} | {127: None}
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}(?![A-Z0-9])", re.ASCII)
_DIGITS = {ord(letter): str(int(letter, 36)) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_LETTERS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "12345678912345678923456789")
"""The letters of French account numbers as the key counts them (clé RIB)."""


def text(body: bytes) -> str:
    """The bytes as text: UTF-8, else Windows-1252; without control characters. Raises UnknownFormat."""
    if b"\x00" in body:
        raise UnknownFormat("This is not a text file.")
    try:
        told = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        told = body.decode("cp1252", "replace")
    return told.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL)


def start(body: bytes) -> str:
    """The first few thousand characters, as far as they tell which format it is."""
    return body[:HEAD].decode("latin-1").replace("\r", "\n").translate(_CONTROL)


def spaced(told: str | None) -> str:
    """The text with every run of white space as one space."""
    return " ".join((told or "").split())


def known(told: str | None) -> str | None:
    """The text without dressing, or None when it is empty or says that there is nothing."""
    plain = spaced(told)
    return None if plain.upper() in ("", "NONREF", "NOTPROVIDED", "NOT PROVIDED") else plain


def amount(told: str, currency: str | None, where: str) -> int:
    """Unsigned minor units of `12,5`, `12.50` or `12,`; without grouping. Raises UnreadableStatement."""
    return minor(told.replace(",", "."), currency, where)


def scaled(told: Decimal, currency: str | None, where: str) -> int:
    """Signed minor units of a decimal. Raises UnreadableStatement."""
    value = minor(format(abs(told), "f"), currency, where)
    return -value if told < 0 else value


def day(told: str, where: str, *, year_first: bool = False) -> date:
    """The date of six digits, DDMMYY or YYMMDD; the century is ours. Raises UnreadableStatement."""
    parts = [told[start : start + 2] for start in (0, 2, 4)]
    if not year_first:
        parts.reverse()
    try:
        if len(told) != 6 or not told.isascii() or not told.isdigit():
            raise ValueError
        return date(2000 + int(parts[0]), int(parts[1]), int(parts[2]))
    except ValueError:
        raise UnreadableStatement(f"{where}: {told[:30]!r} is not a date.", field=where) from None


def calendar(told: date) -> date:
    """The plain date of a date that a library made."""
    return date(told.year, told.month, told.day)


# Accounts


def is_iban(told: str) -> bool:
    """Whether the check digits hold (ISO 13616, mod 97-10)."""
    if not _IBAN.fullmatch(told):
        return False
    return int((told[4:] + told[:4]).translate(_DIGITS)) % 97 == 1


def iban_in(told: str | None) -> str | None:
    """The first IBAN in a text, whose check digits hold."""
    found = _IBAN.findall((told or "").upper())
    return next((one for one in found if is_iban(one)), None)


def _iban(country: str, rest: str) -> str:
    left = int(f"{rest}{country}00".translate(_DIGITS)) % 97
    return f"{country}{98 - left:02d}{rest}"


def french_iban(bank: str, branch: str, number: str) -> str | None:
    """The IBAN of a French account with its RIB key; None if these make none."""
    if not re.fullmatch(r"[0-9]{5}[0-9]{5}[A-Z0-9]{11}", bank + branch + number, re.ASCII):
        return None
    key = 97 - (89 * int(bank) + 15 * int(branch) + 3 * int(number.translate(_LETTERS))) % 97
    return _iban("FR", f"{bank}{branch}{number}{key:02d}")


def german_iban(bank: str, number: str) -> str:
    """The IBAN of a German account by the rule that holds for nearly all banks (Deutsche Bundesbank, rule 000000)."""
    return _iban("DE", f"{bank:0>8}{number:0>10}")


def belgian_iban(number: str) -> str:
    """The IBAN of a Belgian account of twelve digits."""
    return _iban("BE", number)


def spellings(account: str) -> tuple[str, ...]:
    """How formats write this account: the IBAN, or the national number that it is made of."""
    parts = {"FR": slice(14, 25), "DE": slice(12, None), "BE": slice(4, None)}
    part = account[parts[account[:2]]] if account[:2] in parts else ""
    national = part.lstrip("0") if account.startswith("DE") else part
    return (account, national) if len(national) >= 5 else (account,)
