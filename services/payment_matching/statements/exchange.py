"""What the payer ordered in another currency and the bank converted, and the rate that it told, format by format. Pure.

Protects: both are the bank's own words. What cannot be read as an amount of a currency is no figure, and refuses no
statement: the booked amounts prove it. What a payer can write is never taken for them: of a SWIFT text only the codes
at its head count, before the first one that holds a payer's words. Sources: ISO 20022 AmountAndCurrencyExchange; SWIFT
MT940 :61: subfield 9 and :86: (/OCMT/, /EXCH/); CFONB 120 qualifier MMO.
"""

import re
from collections.abc import Iterable

from libs.common.money import Money
from services.payment_matching.errors import UnreadableStatement
from services.payment_matching.statements.camt_tree import Tree, down, minor, text

Told = tuple[Money | None, str | None]
"""(what was ordered, the rate as the bank wrote it)"""
RATE = r"[0-9]{1,12}(\.[0-9]{1,12})?"
"""A rate as it is kept: plain digits, so many of one currency for one of the other, in either direction."""
_RATE = re.compile(RATE, re.ASCII)
_ORDERED = re.compile(r"/OCMT/([A-Z]{3})([0-9]{1,15}(?:,[0-9]{0,4})?)(?![0-9.,])", re.ASCII)
_EXCHANGE = re.compile(r"/EXCH/([0-9]{1,12}(?:[.,][0-9]{0,12})?)(?![0-9.,])", re.ASCII)
_FIGURES = r"\s*/+(?:OCMT|EXCH|CHGS)/[A-Z]{0,3}[0-9.,]+(?=[/\n]|\Z)"
_CODES = re.compile(rf"{_FIGURES}(?:/+\Z)?", re.ASCII)
_HEAD = re.compile(
    rf"(?>(?:{_FIGURES}|/+(?:TRCD|TRTP|IBAN|BIC|RTYP|SVCL)/[^/\n]*)+)(?=/+[A-Z]{{2,4}}/|/*(?:\n|\Z))(?:/+\Z)?", re.ASCII
)
"""Codes that hold no payer's words, up to the first that does, or to the end of the line."""


def camt(detail: Tree, own: str) -> Told:
    """Of an entry or a detail: the first of InstdAmt, TxAmt, CntrValAmt and Amt that is in another currency, or another
    of them where charges on the way left less of that; the rate of any of them. Nothing of an order in the account's
    own currency: the other amounts are the banks' between themselves."""
    if down(detail, "AmtDtls", "InstdAmt").get("Amt@Ccy") == own:
        return None, None
    blocks = [down(detail, "AmtDtls", name) for name in ("InstdAmt", "TxAmt", "CntrValAmt")]
    amounts = [_abroad(text(one, "Amt"), one.get("Amt@Ccy"), own) for one in (*blocks, detail)]
    return _least(amounts), _rate(text(one, "CcyXchg", "XchgRate") for one in blocks)


def swift(*texts: str, own: str) -> Told:
    """Of the supplementary details of a :61: and its :86:, each by itself."""
    heads = [_head(one) for one in texts]
    ordered = next((found for one in heads if (found := _ORDERED.search(one))), None)
    exchange = next((found for one in heads if (found := _EXCHANGE.search(one))), None)
    amount = _abroad(ordered[2].replace(",", ".").rstrip("."), ordered[1], own) if ordered else None
    return amount, _rate([exchange[1].replace(",", ".").rstrip(".")] if exchange else [])


def without(line: str) -> str:
    """The text without these codes at its head: their figures name no invoice."""
    head = _head(line)
    return _CODES.sub("", head) + line[len(head) :]


def _head(line: str) -> str:
    found = _HEAD.match(line)
    return found[0] if found else ""


def cfonb(original: str, own: str) -> Money | None:
    """Of an MMO: currency, how many decimals, fourteen digits."""
    places, digits = original[3:4], original[4:18]
    if not (places.isascii() and places.isdigit() and digits.isascii() and digits.isdigit()):
        return None
    cut = len(digits) - int(places)
    return _abroad(f"{digits[:cut]}.{digits[cut:]}".rstrip("."), original[:3], own)


def _abroad(amount: str | None, currency: str | None, own: str) -> Money | None:
    """The amount, if it is one of another currency than the account's."""
    if not amount or not currency or currency == own:
        return None
    whole, dot, fraction = amount.partition(".")
    try:
        found = minor((whole.lstrip("0") or "0") + dot + fraction, currency, "")
    except UnreadableStatement:
        return None
    return Money(found, currency) if found > 0 else None


def _least(amounts: Iterable[Money | None]) -> Money | None:
    """The least in the currency of the first: what is less of it paid charges on the way."""
    found = [one for one in amounts if one is not None]
    return min((one for one in found if one.currency == found[0].currency), default=None)


def _rate(told: Iterable[str | None]) -> str | None:
    return next((one for one in told if one and _RATE.fullmatch(one)), None)
