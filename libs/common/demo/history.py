"""The months before the play: told in bulk, as a new customer's ERP would on its first day."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from libs.common.demo import wire
from libs.common.demo.company import Group, Sale
from libs.common.demo.fates import paid_in_history
from libs.common.demo.office import Office
from libs.common.demo.stage import Stage

CHUNK = 2_000


async def tell_debtors(office: Office, stage: Stage, group: Group) -> int:
    """Every customer's file, head offices first: a shop names its payer."""
    customers = sorted(group.customers.values(), key=lambda one: (one.head_office is not None, one.external_id))
    lines = [wire.debtor(one, stage.entities[one.entity], one.terms) for one in customers]
    for chunk in _chunks(lines):
        _good(await office.post("invoice_ingest", "/v1/debtors/batch", chunk))
    return len(lines)


async def tell_invoices(office: Office, stage: Stage, sales: Sequence[Sale], start: date) -> int:
    """The invoices issued before `start`. Those more than 30 days late on that day wait in take-over."""
    lines = [wire.invoice(sale, stage.entities[sale.entity], history=(start - sale.due).days > 30) for sale in sales]
    for chunk in _chunks(lines):
        _good(await office.post("invoice_ingest", "/v1/invoices/batch", chunk))
    return len(lines)


async def tell_payments(office: Office, stage: Stage, group: Group, sales: Sequence[Sale], start: date) -> int:
    """What was paid before `start`, with the ERP's own allocations."""
    paid = [(sale, on) for sale in sales if (on := paid_in_history(group.customers[sale.customer], sale))]
    lines = [_payment(stage, group, sale, on) for sale, on in paid if on < start]
    for chunk in _chunks(lines):
        _good(await office.post("payment_matching", "/v1/payments/batch", chunk))
    return len(lines)


def _payment(stage: Stage, group: Group, sale: Sale, on: date) -> dict[str, Any]:
    customer = group.customers[sale.customer]
    return {
        "entity_id": str(stage.entities[sale.entity]),
        "external_id": f"REG-{sale.number}",
        "amount": wire.euros(sale.gross),
        "value_date": on.isoformat(),
        "payer_name": customer.name,
        "payer_iban": customer.iban,
        "remittance": sale.number,
        "allocations": [{"number": sale.number, "amount": wire.euros(sale.gross)}],
    }


def _chunks(lines: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(lines), CHUNK):
        yield lines[start : start + CHUNK]


def _good(answer: dict[str, Any]) -> None:
    """Raise with the first line that was not taken: the demo's own data are meant to be right."""
    wrong = [line for line in answer["results"] if line["result"] in ("refused", "quarantined", "conflict")]
    if wrong:
        raise ValueError(f"{len(wrong)} lines of the demo were not taken; the first: {wrong[0]}")
