"""UBL 2.1 Invoice and CreditNote (Peppol BIS 3, XRechnung, EN 16931) into the canonical contract.

Source: OASIS UBL 2.1 and the CEN/TS 16931-3-2 binding; the business terms are named beside the paths.
"""

from typing import Any

from services.invoice_ingest.sources import reading
from services.invoice_ingest.sources.canonical import CanonicalInvoice
from services.invoice_ingest.sources.reading import amount, day
from services.invoice_ingest.sources.xml import Node

ROOTS = {
    "{urn:oasis:names:specification:ubl:schema:xsd:Invoice-2}Invoice": "380",
    "{urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2}CreditNote": "381",
}

_NO_ORDER = ("NA", "Dummywert")
"""What Peppol and XRechnung write where UBL wants an order number and only a sales order's is known."""


def read(root: Node) -> CanonicalInvoice:
    """One UBL document. Raises DocumentUnreadable or ContractBroken with the field."""
    currency = root.text("DocumentCurrencyCode") or ""
    issued = day(root.text("IssueDate"), "issue_date")
    note = " ".join(node.words() for node in root.all("PaymentTerms/Note"))
    seller = _party(root.one("AccountingSupplierParty/Party"))
    codes = [code.words() for code in root.all("PaymentMeans/PaymentMeansCode") if code.words()]
    return reading.canonical(
        {
            "kind": reading.kind(root.text("InvoiceTypeCode", "CreditNoteTypeCode") or _implied(root)),  # BT-3
            "number": root.text("ID"),  # BT-1
            "issue_date": issued,  # BT-2
            "currency": currency,  # BT-5
            "totals": _totals(root, currency),
            "terms_note": note,  # BT-20
            "discount": reading.skonto(note, issued),
            "payment_means": reading.means(codes),  # BT-81
            "payment_reference": root.text("PaymentMeans/PaymentID"),  # BT-83
            "debtor": _debtor(root.one("AccountingCustomerParty/Party")),
            "seller": seller,
            "references": _references(root),
            "not_chased": _factored(root, seller),
        }
        | _due(root, currency)
    )


def _implied(root: Node) -> str | None:
    return "381" if root.element.tag.endswith("}CreditNote") else None


def _totals(root: Node, currency: str) -> dict[str, Any]:
    total = root.one("LegalMonetaryTotal") or root
    taxes = [node for node in root.all("TaxTotal/TaxAmount") if node.attribute("currencyID") in (None, currency)]
    prepaid = amount(total.one("PrepaidAmount"), currency, "totals.prepaid")
    rounding = amount(total.one("PayableRoundingAmount"), currency, "totals.rounding")
    gross = amount(total.one("TaxInclusiveAmount"), currency, "totals.gross")
    return {
        "net": amount(total.one("TaxExclusiveAmount"), currency, "totals.net"),  # BT-109
        "tax": amount(taxes[0] if taxes else None, currency, "totals.tax") or None,  # BT-110
        "gross": reading.needed(gross, "totals.gross"),  # BT-112
        "prepaid": prepaid or None,  # BT-113
        "rounding": rounding or None,  # BT-114
        "payable": amount(total.one("PayableAmount"), currency, "totals.payable"),  # BT-115
    }


def _due(root: Node, currency: str) -> dict[str, Any]:
    """BT-9: in an Invoice at its head, in a CreditNote with the means of payment; instalments in the terms."""
    parts = [_instalment(term, currency) for term in root.all("PaymentTerms") if term.one("PaymentDueDate") is not None]
    if len(parts) > 1 and all(part["amount"] is not None for part in parts):
        return {"instalments": parts}
    dates = {found.words() for found in root.all("PaymentTerms/PaymentDueDate")}
    stated = root.text("DueDate", "PaymentMeans/PaymentDueDate") or (dates.pop() if len(dates) == 1 else None)
    return {"due_date": day(stated, "due_date")}


def _instalment(term: Node, currency: str) -> dict[str, Any]:
    return {
        "due_date": day(term.text("PaymentDueDate"), "instalments"),
        "amount": amount(term.one("Amount"), currency, "instalments"),
    }


def _party(party: Node | None) -> dict[str, Any]:
    if party is None:
        return {}
    country = party.text("PostalAddress/Country/IdentificationCode")
    legal = party.one("PartyLegalEntity/CompanyID")
    taxes = party.all("PartyTaxScheme")
    vat = next((tax.text("CompanyID") for tax in taxes if tax.text("TaxScheme/ID") in ("VAT", None)), None)
    return {
        "name": party.text("PartyLegalEntity/RegistrationName", "PartyName/Name"),  # BT-27, BT-44
        "siren": reading.siren(legal.words(), country, legal.attribute("schemeID")) if legal else None,  # BT-30, BT-47
        "vat_number": reading.vat(vat),  # BT-31, BT-48
    }


def _debtor(party: Node | None) -> dict[str, Any]:
    if party is None:
        return {}
    country = party.text("PostalAddress/Country/IdentificationCode")
    own = party.text("PartyIdentification/ID")  # BT-46
    return _party(party) | {"external_id": own, "country": country}


def _references(root: Node) -> dict[str, Any]:
    order = root.text("OrderReference/ID")
    preceding = [
        {"number": found.text("ID"), "issue_date": day(found.text("IssueDate"), "references.preceding")}
        for found in root.all("BillingReference/InvoiceDocumentReference")
    ]
    return {
        "order_number": None if order in _NO_ORDER else order,  # BT-13
        "buyer_reference": root.text("BuyerReference"),  # BT-10
        "contract": root.text("ContractDocumentReference/ID"),  # BT-12
        "project": root.text("ProjectReference/ID"),  # BT-11
        "delivery_notes": [found.words() for found in root.all("DespatchDocumentReference/ID")],  # BT-16
        "preceding": [found for found in preceding if found["number"]],  # BG-3
    }


def _factored(root: Node, seller: dict[str, Any]) -> list[str]:
    """BG-10: somebody else is to be paid, so somebody else may be chasing."""
    payee = root.text("PayeeParty/PartyName/Name")
    return ["factored"] if payee and payee != seller.get("name") else []
