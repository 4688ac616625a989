"""What the XML readers share: code lists, amounts, dates, and the end in the canonical contract.

Sources: UNTDID 1001 (document types), UNTDID 4461 (payment means), EN 16931-1 semantic model.
"""

import re
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError

from libs.common.events.invoices import PaymentMeans
from libs.common.money import Money
from services.invoice_ingest.errors import DocumentUnreadable
from services.invoice_ingest.sources.canonical import CanonicalInvoice, Kind
from services.invoice_ingest.sources.wire import broken
from services.invoice_ingest.sources.xml import Node

_CREDIT = {"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "502", "503", "532"}
_KINDS: dict[str, Kind] = {"384": "corrective", "386": "prepayment", "389": "self_billed", "383": "debit_note"}
_CODES: tuple[tuple[PaymentMeans, str], ...] = (
    ("direct_debit", "3 5 49 59"),
    ("card", "48 54 55"),
    ("cheque", "20 21 22 23 25 26 91 92"),
    ("bill_of_exchange", "24 27 28 29 40 44 60 61 62 63 64 65 66 70"),
    ("transfer", "1 30 31 42 45 57 58 ZZZ"),
)
_MEANS: dict[str, PaymentMeans] = {code: means for means, codes in _CODES for code in codes.split()}
_SKONTO = re.compile(r"#SKONTO#TAGE=(\d{1,3})#PROZENT=(\d{1,2}(?:\.\d{1,4})?)#")
_FIGURE = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{0,18})?", re.ASCII)


def kind(code: str | None) -> Kind:
    """The kind that a document type code of UNTDID 1001 stands for."""
    if not code or not re.fullmatch(r"[0-9]{1,3}", code, re.ASCII):
        raise DocumentUnreadable("It has no document type code.", field="kind")
    return "credit_note" if code in _CREDIT else _KINDS.get(code, "invoice")


def means(codes: list[str]) -> PaymentMeans:
    """The means of payment; several codes that disagree are `other`."""
    found = {_MEANS.get(code, "other") for code in codes}
    return found.pop() if len(found) == 1 else "other" if found else "transfer"


def amount(node: Node | None, currency: str, field: str) -> Money | None:
    """An amount in the document's currency; absent or empty is None. Trailing zeros beyond the currency's decimals
    are let go, other digits are not."""
    text = node.words() if node is not None else ""
    if node is None or not text:
        return None
    if not _FIGURE.fullmatch(text):
        raise DocumentUnreadable(f"{text[:40]!r} is not an amount.", field=field)
    own = node.attribute("currencyID")
    try:
        plain = format(Decimal(text).normalize() + 0, "f")
    except InvalidOperation as error:
        raise DocumentUnreadable(f"{text[:40]!r} is not an amount.", field=field) from error
    return Money.parse(plain, own or currency)


def needed(value: Money | None, field: str) -> Money:
    """The amount, or the refusal that names what is missing."""
    if value is None:
        raise DocumentUnreadable("The document has no total.", field=field)
    return value


def day(text: str | None, field: str) -> date | None:
    """A date as `2026-11-30` or, as CII has it, `20261130`; a zone or a time behind it is let go."""
    if not text:
        return None
    found = re.fullmatch(r"(\d{4})-?(\d{2})-?(\d{2})(?:[TZ+-].*)?", text, re.ASCII)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else _no_date(text, field)
    except ValueError:
        return _no_date(text, field)


def _no_date(text: str, field: str) -> date:
    raise DocumentUnreadable(f"{text[:40]!r} is not a date.", field=field)


def skonto(note: str | None, issued: date | None) -> dict[str, Any] | None:
    """The discount in XRechnung's machine-readable syntax, `#SKONTO#TAGE=7#PROZENT=2.00#`; the first line counts."""
    found = _SKONTO.search(note or "")
    if found is None or issued is None:
        return None
    return {"percent": found[2], "until": issued + timedelta(days=int(found[1]))}


def vat(text: str | None) -> str | None:
    """A VAT number without its spaces, or nothing when it is none (tests and drafts have `[…]` there)."""
    plain = re.sub(r"[\s.-]", "", text or "").upper()
    return plain if re.fullmatch(r"[A-Z]{2}[A-Z0-9+*]{2,13}", plain) else None


def siren(text: str | None, country: str | None, scheme: str | None = None) -> str | None:
    """The SIREN in a French legal identifier (SIREN or SIRET); other countries' registers give none."""
    plain = re.sub(r"\s", "", text or "")
    french = scheme in ("0002", "0009") or country == "FR"
    return plain[:9] if french and re.fullmatch(r"[0-9]{9}(?:[0-9]{5})?", plain) else None


def canonical(told: dict[str, Any]) -> CanonicalInvoice:
    """The contract, with what is absent left out. Raises ContractBroken with the field."""
    try:
        return CanonicalInvoice.model_validate(_present(told))
    except ValidationError as error:
        raise broken(error) from error


def _present(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _present(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner not in (None, "", [], {})}
    if isinstance(value, list):
        return [_present(inner) for inner in value]
    return value
