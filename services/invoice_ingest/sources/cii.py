"""UN/CEFACT Cross Industry Invoice (D16B, D22B) and its ancestor in ZUGFeRD 1 into the canonical contract.

Source: UN/CEFACT CII and the CEN/TS 16931-3-3 binding; the business terms are named beside the paths.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.invoice_ingest.errors import DocumentUnreadable
from services.invoice_ingest.sources import reading
from services.invoice_ingest.sources.canonical import CanonicalInvoice
from services.invoice_ingest.sources.reading import amount, day
from services.invoice_ingest.sources.xml import Node


@dataclass(frozen=True)
class Shape:
    """Where one generation of the format keeps its parts."""

    document: str
    agreement: str
    delivery: str
    settlement: str
    sums: str


_TODAY = Shape(
    "ExchangedDocument",
    "SupplyChainTradeTransaction/ApplicableHeaderTradeAgreement",
    "SupplyChainTradeTransaction/ApplicableHeaderTradeDelivery",
    "SupplyChainTradeTransaction/ApplicableHeaderTradeSettlement",
    "SpecifiedTradeSettlementHeaderMonetarySummation",
)
_ZUGFERD_1 = Shape(
    "HeaderExchangedDocument",
    "SpecifiedSupplyChainTradeTransaction/ApplicableSupplyChainTradeAgreement",
    "SpecifiedSupplyChainTradeTransaction/ApplicableSupplyChainTradeDelivery",
    "SpecifiedSupplyChainTradeTransaction/ApplicableSupplyChainTradeSettlement",
    "SpecifiedTradeSettlementMonetarySummation",
)
ROOTS = {
    "{urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100}CrossIndustryInvoice": _TODAY,
    "{urn:ferd:CrossIndustryDocument:invoice:1p0}CrossIndustryDocument": _ZUGFERD_1,
}


def read(root: Node) -> CanonicalInvoice:
    """One CII document. Raises DocumentUnreadable or ContractBroken with the field."""
    shape = ROOTS[str(root.element.tag)]
    head = _part(root, shape.document)
    agreed, settled = _part(root, shape.agreement), _part(root, shape.settlement)
    delivered = root.one(shape.delivery)
    currency = settled.text("InvoiceCurrencyCode") or ""
    issued = day(head.text("IssueDateTime/DateTimeString"), "issue_date")
    terms = settled.all("SpecifiedTradePaymentTerms")
    note = " ".join(words for term in terms for node in term.all("Description") if (words := node.words()))
    seller = _party(agreed.one("SellerTradeParty"))
    codes = [code.words() for code in settled.all("SpecifiedTradeSettlementPaymentMeans/TypeCode") if code.words()]
    return reading.canonical(
        {
            "kind": reading.kind(head.text("TypeCode")),  # BT-3
            "number": head.text("ID"),  # BT-1
            "issue_date": issued,  # BT-2
            "currency": currency,  # BT-5
            "totals": _totals(_part(settled, shape.sums), currency),
            "terms_note": note,  # BT-20
            "discount": reading.skonto(note, issued) or _discount(terms),
            "payment_means": reading.means(codes),  # BT-81
            "payment_reference": settled.text("PaymentReference"),  # BT-83
            "debtor": _debtor(agreed.one("BuyerTradeParty")),
            "seller": seller,
            "references": _references(agreed, settled, delivered),
            "not_chased": _factored(settled, seller),
        }
        | _due(terms, currency)
    )


def _part(node: Node, path: str) -> Node:
    found = node.one(path)
    if found is None:
        raise DocumentUnreadable(f"The document has no {path.rpartition('/')[2]}.", field="document")
    return found


def _totals(sums: Node, currency: str) -> dict[str, Any]:
    taxes = [node for node in sums.all("TaxTotalAmount") if node.attribute("currencyID") in (None, currency)]
    gross = amount(sums.one("GrandTotalAmount"), currency, "totals.gross")
    return {
        "net": amount(sums.one("TaxBasisTotalAmount"), currency, "totals.net"),  # BT-109
        "tax": amount(taxes[0] if taxes else None, currency, "totals.tax") or None,  # BT-110
        "gross": reading.needed(gross, "totals.gross"),  # BT-112
        "prepaid": amount(sums.one("TotalPrepaidAmount"), currency, "totals.prepaid") or None,  # BT-113
        "rounding": amount(sums.one("RoundingAmount"), currency, "totals.rounding") or None,  # BT-114
        "payable": amount(sums.one("DuePayableAmount"), currency, "totals.payable"),  # BT-115
    }


def _due(terms: list[Node], currency: str) -> dict[str, Any]:
    """BT-9. Terms that state a discount are an offer, not a due date; several dates need an amount each."""
    dated = [(found, term) for term in terms if (found := term.text("DueDateDateTime/DateTimeString"))]
    full = [(found, term) for found, term in dated if term.one("ApplicableTradePaymentDiscountTerms") is None]
    parts = [_instalment(found, term, currency) for found, term in full]
    if len(parts) > 1 and all(part["amount"] is not None for part in parts):
        return {"instalments": parts}
    dates = {found for found, _ in full or dated}
    return {"due_date": day(dates.pop(), "due_date")} if len(dates) == 1 else {}


def _instalment(found: str, term: Node, currency: str) -> dict[str, Any]:
    part = amount(term.one("PartialPaymentAmount"), currency, "instalments")
    return {"due_date": day(found, "instalments"), "amount": part}


def _discount(terms: list[Node]) -> dict[str, Any] | None:
    for term in terms:
        offer = term.one("ApplicableTradePaymentDiscountTerms")
        percent = offer.text("CalculationPercent") if offer is not None else None
        until = _until(term, offer) if offer is not None else None
        if percent and until:
            return {"percent": percent, "until": until}
    return None


def _until(term: Node, offer: Node) -> Any:
    start = day(offer.text("BasisDateTime/DateTimeString"), "discount")
    length = offer.one("BasisPeriodMeasure")
    if start and length is not None and length.attribute("unitCode") == "DAY" and length.words().isdecimal():
        return start + timedelta(days=min(int(length.words()[:4]), 720))
    return day(term.text("DueDateDateTime/DateTimeString"), "discount")


def _party(party: Node | None) -> dict[str, Any]:
    if party is None:
        return {}
    country = party.text("PostalTradeAddress/CountryID")
    legal = party.one("SpecifiedLegalOrganization/ID")
    taxes = party.all("SpecifiedTaxRegistration/ID")
    vat = next((tax.words() for tax in taxes if tax.attribute("schemeID") in ("VA", None)), None)
    return {
        "name": party.text("Name"),  # BT-27, BT-44
        "siren": reading.siren(legal.words(), country, legal.attribute("schemeID")) if legal else None,  # BT-30, BT-47
        "vat_number": reading.vat(vat),  # BT-31, BT-48
    }


def _debtor(party: Node | None) -> dict[str, Any]:
    if party is None:
        return {}
    own = party.text("ID", "GlobalID")  # BT-46
    return _party(party) | {"external_id": own, "country": party.text("PostalTradeAddress/CountryID")}


def _references(agreed: Node, settled: Node, delivered: Node | None) -> dict[str, Any]:
    preceding = [
        {
            "number": found.text("IssuerAssignedID", "ID"),
            "issue_date": day(found.text("FormattedIssueDateTime/DateTimeString"), "references.preceding"),
        }
        for found in settled.all("InvoiceReferencedDocument")
    ]
    notes = delivered.all("DespatchAdviceReferencedDocument/IssuerAssignedID") if delivered is not None else []
    return {
        "order_number": agreed.text("BuyerOrderReferencedDocument/IssuerAssignedID", "BuyerOrderReferencedDocument/ID"),
        "buyer_reference": agreed.text("BuyerReference"),  # BT-10
        "contract": agreed.text("ContractReferencedDocument/IssuerAssignedID"),  # BT-12
        "project": agreed.text("SpecifiedProcuringProject/ID"),  # BT-11
        "delivery_notes": [found.words() for found in notes],  # BT-16
        "preceding": [found for found in preceding if found["number"]],  # BG-3
    }


def _factored(settled: Node, seller: dict[str, Any]) -> list[str]:
    """BG-10: somebody else is to be paid, so somebody else may be chasing."""
    payee = settled.text("PayeeTradeParty/Name")
    return ["factored"] if payee and payee != seller.get("name") else []
