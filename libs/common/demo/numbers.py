"""Numbers with their check digits: SIREN (Luhn), French VAT, French IBAN (RIB key and ISO 13616)."""

from random import Random


def siren(random: Random) -> str:
    """Nine digits that pass the Luhn check, from a range that INSEE does not use for firms (99…)."""
    stem = "99" + "".join(str(random.randrange(10)) for _ in range(6))
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(stem)]
    luhn = sum(value - 9 if value > 9 else value for value in doubled)
    return stem + str(-luhn % 10)


def vat(siren_number: str) -> str:
    """The intra-community number: FR, a key of two digits, the SIREN."""
    return f"FR{(12 + 3 * (int(siren_number) % 97)) % 97:02d}{siren_number}"


def iban(random: Random, bank: str = "30006") -> str:
    """A French account: bank, branch 00001, eleven digits, RIB key, and the two check digits of ISO 13616."""
    account = "".join(str(random.randrange(10)) for _ in range(11))
    branch = "00001"
    rib = 97 - (89 * int(bank) + 15 * int(branch) + 3 * int(account)) % 97
    bban = f"{bank}{branch}{account}{rib:02d}"
    check = 98 - int(bban + "152700") % 97
    return f"FR{check:02d}{bban}"
