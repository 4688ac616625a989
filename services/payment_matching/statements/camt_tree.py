"""One element of a statement as plain dicts and strings, and the few questions asked of them.

A leaf is its text; an amount's currency is kept beside it as `Amt@Ccy`; what repeats becomes a list.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from libs.common.errors import UnknownCurrency
from libs.common.money import LIMIT, exponent
from services.payment_matching.errors import UnreadableStatement

Tree = dict[str, Any]
MAX_DEPTH = 20


def tree(element: Any, cut: int, depth: int = 0) -> Tree:
    """The children of an element; `cut` is the length of its namespace. Raises UnreadableStatement when too deep."""
    if depth > MAX_DEPTH:
        raise UnreadableStatement("The file is nested more deeply than any statement.")
    found: Tree = {}
    for child in element:
        name = child.tag[cut:]
        value = tree(child, cut, depth + 1) if len(child) else (child.text or "").strip()
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
        if name in _AMOUNTS and not isinstance(value, dict):
            found[name + "@Ccy"] = child.get("Ccy")
    return found


_AMOUNTS = {"Amt", "TtlChrgsAndTaxAmt"}


def nodes(of: Tree, name: str) -> list[Tree]:
    """Every element of this name that has children, in their order."""
    found = of.get(name)
    if isinstance(found, dict):
        return [found]
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def down(of: Tree, *path: str) -> Tree:
    """The first element along a path; empty when any step is missing."""
    for name in path:
        found = of.get(name)
        if isinstance(found, list):
            found = found[0]
        if not isinstance(found, dict):
            return {}
        of = found
    return of


def text(of: Tree, *path: str) -> str | None:
    """The first text at the end of a path, or None when it is missing or empty."""
    found = down(of, *path[:-1]).get(path[-1])
    if isinstance(found, list):
        found = found[0]
    return found if isinstance(found, str) and found else None


def texts(of: Tree, name: str) -> Iterator[str]:
    """Every text of this name, in their order."""
    found = of.get(name)
    yield from (one for one in (found if isinstance(found, list) else [found]) if isinstance(one, str) and one)


def minor(amount: str | None, currency: str | None, where: str) -> int:
    """Minor units of an ISO 20022 decimal (trailing zeros beyond the currency's decimals allowed).

    Raises UnreadableStatement.
    """
    try:
        places = exponent(currency or "")
    except UnknownCurrency:
        raise UnreadableStatement(f"{where}: {currency!r} is not a currency.", field=where) from None
    whole, _, fraction = (amount or "").partition(".")
    fraction = fraction.rstrip("0")
    digits = whole + fraction.ljust(places, "0")
    if not (whole and digits.isascii() and digits.isdigit() and len(fraction) <= places and len(digits) < 18):
        raise UnreadableStatement(f"{where}: {(amount or '')[:30]!r} is not an amount of {currency}.", field=where)
    value = int(digits)
    if value >= LIMIT:
        raise UnreadableStatement(f"{where}: {amount} is beyond what is taken.", field=where)
    return value


def signed(value: int, indicator: str | None, where: str) -> int:
    """The value with the sign of CRDT or DBIT. Raises UnreadableStatement for anything else."""
    if indicator == "CRDT":
        return value
    if indicator == "DBIT":
        return -value
    raise UnreadableStatement(f"{where}: {indicator!r} is neither CRDT nor DBIT.", field=where)


def day(of: Tree, name: str, where: str) -> date | None:
    """The date of a `Dt` or `DtTm` choice, as the bank wrote it; None when absent. Raises UnreadableStatement."""
    choice = of.get(name)
    told = text(of, name, "Dt") or text(of, name, "DtTm") if isinstance(choice, dict) else text(of, name)
    if told is None:
        return None
    try:
        return date.fromisoformat(told[:10])
    except ValueError:
        raise UnreadableStatement(f"{where}: {told[:30]!r} is not a date.", field=where) from None
