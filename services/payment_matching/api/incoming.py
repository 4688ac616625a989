"""What tells us of money: payments and their reversals as clients and signed messages send them, and the answers."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from libs.common import ids
from libs.common.errors import Refused
from libs.common.events import Amount
from libs.common.http import Line, Prose, Reference, Wire
from services.payment_matching.receiving import BANK, NewPayment, Telling, ToldAllocation
from services.payment_matching.statements.exchange import RATE

Iban = Annotated[str, StringConstraints(min_length=5, max_length=40, pattern=r"^[A-Za-z0-9 ]+$")]
Rate = Annotated[str, StringConstraints(pattern=f"^{RATE}$")]
Day = Annotated[date, Field(ge=date(1990, 1, 1), le=date(2100, 1, 1))]


def bare(iban: str | None) -> str | None:
    """An account number without spaces, in capitals."""
    return iban.replace(" ", "").upper() if iban else None


class ErpAllocation(Wire):
    """The ERP's own allocation: an item, or an invoice by id or number; the whole of what it owes without an amount.

    In another currency than the payment's it has both amounts: the item's, and what of the payment is `paid` for it.
    """

    item_id: UUID | None = None
    invoice_id: UUID | None = None
    number: Reference | None = None
    amount: Amount | None = None
    paid: Amount | None = None

    def told(self, currency: str) -> ToldAllocation:
        """As the ledger keeps it. Raises Refused."""
        if sum(name is not None for name in (self.item_id, self.invoice_id, self.number)) != 1:
            raise Refused("Name exactly one of item_id, invoice_id, number.", field="allocations")
        amount, paid = self.amount, self.paid
        if any(one is not None and one.minor <= 0 for one in (amount, paid)):
            raise Refused("An allocation is a positive amount.", field="allocations")
        if paid is not None and (paid.currency != currency or amount is None or amount.currency == currency):
            raise Refused(
                f"`paid` is what a part of another currency takes of the payment, in {currency}.",
                field="allocations",
                remedy="Send `amount` in the invoice's currency and `paid` in the payment's, or `amount` alone.",
            )
        if amount is not None and amount.currency != currency and paid is None:
            raise Refused(
                f"The payment is in {currency}, and nothing says what of it {amount} is.",
                field="allocations",
                remedy=f"Send `paid` too, in {currency}; an amount without it is in {currency} itself.",
            )
        facts = (amount.minor if amount else None, amount.currency if amount and paid else None)
        return ToldAllocation(self.item_id, self.invoice_id, self.number, *facts, paid.minor if paid else None)


class PaymentIn(Wire):
    """Money that came in. `external_id` names it for ever in its source; the same one again is the same money."""

    type: Literal["payment.received"] = "payment.received"
    external_id: Reference
    entity_id: UUID | None = None
    value_date: Day
    amount: Amount
    debtor: Reference | None = None
    """The customer's number in the entity's ledger, if the source knows who paid."""
    payer_name: Line | None = None
    payer_iban: Iban | None = None
    remittance: Prose | None = None
    structured_reference: Reference | None = None
    end_to_end_id: Reference | None = None
    account: Iban | None = None
    """Our account that it came in on."""
    bank_reference: Reference | None = None
    instructed: Amount | None = None
    """What the payer ordered, where the bank converted it; in another currency than the amount."""
    exchange_rate: Rate | None = None
    """The bank's rate, as it wrote it; shown to people, and nothing is computed with it."""
    allocations: Annotated[list[ErpAllocation], Field(max_length=500)] = []

    def new(self, tenant: UUID, entity: UUID, channel: str) -> NewPayment:
        """As the ledger takes it. Raises Refused."""
        if self.amount.minor <= 0:
            raise Refused(
                "A payment is more than nothing.", field="amount", remedy="Tell what was taken back with …/reverse."
            )
        ordered = self.instructed
        if ordered is not None and (ordered.minor <= 0 or ordered.currency == self.amount.currency):
            raise Refused(
                "The instructed amount is more than nothing, in another currency than the amount.",
                field="instructed",
                remedy=f"Leave it out where the payer ordered {self.amount.currency}.",
            )
        account = bare(self.account)
        names = [Telling(channel, self.external_id)]
        if account and self.bank_reference:
            what = (account, self.bank_reference, self.amount.minor, self.amount.currency, self.value_date, 1)
            names.append(Telling(BANK, "|".join(map(str, what))))
        references = [one for one in (self.bank_reference, self.external_id) if one]
        return NewPayment(
            tenant_id=tenant,
            entity_id=entity,
            source="webhook" if channel.startswith("webhook") else "api",
            tellings=tuple(names),
            currency=self.amount.currency,
            amount=self.amount.minor,
            value_on=self.value_date,
            account=account,
            payer_name=self.payer_name,
            payer_iban=bare(self.payer_iban),
            remittance=self.remittance or "",
            structured=(self.structured_reference,) if self.structured_reference else (),
            end_to_end_id=self.end_to_end_id,
            instructed=self.instructed,
            exchange_rate=self.exchange_rate,
            references=tuple(references),
            debtor_id=ids.debtor_id(tenant, entity, self.debtor) if self.debtor else None,
            told=tuple(one.told(self.amount.currency) for one in self.allocations),
        )


class Reversal(Wire):
    """The bank took it back: `code` is the ISO 20022 return reason; without an amount, all of it."""

    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{4}$")]
    on: Day | None = None
    amount: Amount | None = None


class ReversalTold(Reversal):
    """A signed message that a payment, named by its external_id, was taken back."""

    type: Literal["payment.reversed"]
    external_id: Reference


class Answer(BaseModel):
    """What became of one payment."""

    result: Literal["created", "unchanged"]
    id: UUID
    external_id: str


class BatchLine(BaseModel):
    """What became of one line of a batch; each line stands alone."""

    line: int
    external_id: str | None = None
    result: Literal["created", "unchanged", "refused", "conflict"]
    id: UUID | None = None
    code: str | None = None
    field: str | None = None
    detail: str | None = None
    remedy: str | None = None


class Batch(BaseModel):
    """A line per line, in order, and how many there are of each result."""

    results: list[BatchLine]
    counts: dict[str, int]
