"""Writing off: what of an item nobody will pay, why, and how much of it may be settled that way.

Protects: a write-off always settles its item, is bounded by its kind, and falls with the payment beside which it was
made. Amounts are minor units; `Book` writes it and says in InvoiceSettled what the ERP must book.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from libs.common.events.payments import WriteOff, WriteOffKind
from libs.common.money import Money, exponent
from services.payment_matching.errors import OverTolerance
from services.payment_matching.pages import Given

SHARES: Mapping[WriteOffKind, int] = {"discount": 10, "provider_fee": 10, "withholding": 30}
"""Percent of the item that may be a cash discount, kept by a payment provider, or be withheld for a tax office."""
SUMS: Mapping[WriteOffKind, int] = {"rounding": 5, "fee": 5_000, "other": 1_000}
"""Hundredths of a unit of the currency that may be a rounding, a bank's fee, or anything else."""


def most(kind: WriteOffKind, amount: int, currency: str) -> int:
    """The most of an item of `amount` that may be written off as `kind`, in minor units; the ERP says any."""
    if kind == "erp":
        return amount
    if kind in SHARES:
        return amount * SHARES[kind] // 100
    return SUMS[kind] * int(10 ** exponent(currency)) // 100


def discount(amount: int, percent: str | None) -> int:
    """What a cash discount of so many percent takes off, in minor units, halves up; nothing beyond what is taken."""
    try:
        share = Decimal(percent or "0")
    except InvalidOperation:
        return 0
    if not 0 < share <= SHARES["discount"]:
        return 0
    found = int((amount * share / 100).quantize(Decimal(1), ROUND_HALF_UP))
    return min(found, amount * SHARES["discount"] // 100)


def within(kind: WriteOffKind, part: int, amount: int, currency: str) -> int:
    """The part, if an item of `amount` bears it. Raises OverTolerance."""
    bound = most(kind, amount, currency)
    if not 0 < part <= bound:
        raise OverTolerance(
            f"{Money(part, currency)} of {Money(amount, currency)} is more than may be written off as {kind}:"
            f" {Money(bound, currency)}.",
            field="write_off",
        )
    return part


def told(given: Given, amount: int, currency: str) -> WriteOff:
    """A write-off as events tell it."""
    beside = None if given.source_id == given.item_id else given.source_id
    return WriteOff(kind=given.kind or "other", amount=Money(amount, currency), payment_id=beside)


def falling(standing: Iterable[Given], parts: Iterable[Given]) -> list[Given]:
    """What was written off beside these parts of payments: when the money goes, so does the reason for it."""
    gone = {(one.source_id, one.item_id) for one in parts if one.source == "payment"}
    return [one for one in standing if one.source == "write_off" and (one.source_id, one.item_id) in gone]


def facts(allocation_id: UUID, item: Any, payment: UUID | None, on: date) -> dict[str, Any]:
    """What makes a write-off of an item's page the line that it is: beside a payment, or for itself."""
    return {
        "allocation_id": allocation_id,
        "tenant_id": item.tenant_id,
        "source": "write_off",
        "source_id": payment or item.item_id,
        "item_id": item.item_id,
        "value_on": on,
    }
