"""The demo's facts as the services' HTTP contracts say them."""

from typing import Any
from uuid import UUID

from libs.common.demo.company import Customer, Sale
from libs.common.demo.numbers import vat
from libs.common.money import Money


def euros(cents: int) -> dict[str, str]:
    return Money(cents, "EUR").wire()


def debtor(customer: Customer, entity_id: UUID, terms: int) -> dict[str, Any]:
    """A line of `POST /v1/debtors/batch`."""
    body: dict[str, Any] = {
        "external_id": customer.external_id,
        "entity_id": str(entity_id),
        "name": customer.name,
        "siren": customer.siren,
        "vat_number": vat(customer.siren),
        "profile": customer.profile,
        "ibans": [customer.iban],
        "terms": f"{terms} days",
        "collector": "Nadia Ferrand" if customer.external_id[-1] in "02468" else "Thomas Aubry",
        "sales_owner": "Julien Besson",
        "contacts": [
            {"name": person.name, "email": person.email, "roles": [person.role], "language": "fr"}
            for person in customer.people
        ],
    }
    if customer.head_office:
        body["payer"] = customer.head_office
    return body


def invoice(sale: Sale, entity_id: UUID, *, history: bool = False) -> dict[str, Any]:
    """A canonical invoice."""
    return {
        "entity_id": str(entity_id),
        "source": "erp",
        "external_id": sale.number,
        "version": 1,
        "number": sale.number,
        "issue_date": sale.issued.isoformat(),
        "due_date": sale.due.isoformat(),
        "currency": "EUR",
        "totals": {"net": euros(sale.net), "tax": euros(sale.tax), "gross": euros(sale.gross)},
        "debtor": {"external_id": sale.customer},
        "references": {"order_number": sale.order},
        "take_over": history,
    }
