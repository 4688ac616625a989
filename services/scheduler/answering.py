"""What insurers answer to a declaration, as people record it.

The rule it protects: only what was declared has an outcome, an indemnity is never more than the invoice, and nothing
that an insurer pays changes what the customer owes.
"""

from datetime import date
from uuid import UUID

from libs.common.errors import Refused
from libs.common.ids import uuid7
from libs.common.money import Money
from services.scheduler.commands import Asker, Row, found
from services.scheduler.errors import AmountTooLarge, WrongState
from services.scheduler.store import credit
from services.scheduler.store import declarations as store
from services.scheduler.tables import insurer_answer, insurer_declaration

INDEMNIFIED = "indemnified"


async def answered(  # noqa: PLR0917 - an answer in the order of its facts
    asker: Asker, item_id: UUID, outcome: str, on: date, amount: Money | None, reference: str, note: str
) -> Row:
    """Record what the insurer said of a declared item. Raises NotFound, Refused, AmountTooLarge or WrongState."""
    await found(asker, insurer_declaration, item_id)
    [declared] = await store.of_items(asker.db, asker.tenant, [item_id])
    today = (await asker.calendar(declared["entity_id"])).today(asker.now)
    if not declared["declared_on"] <= on <= today:
        raise Refused(
            f"{on} is not a day between the declaration and today.",
            field="answered_on",
            remedy="Send the day of the insurer's answer.",
        )
    _amount_fits(outcome, amount)
    said = await store.answers(asker.db, asker.tenant, [item_id])
    paid = sum(row["amount_minor"] for row in said if row["outcome"] == INDEMNIFIED)
    if paid and outcome != INDEMNIFIED:
        raise WrongState("The insurer has paid for this item.", field="outcome")
    before = paid if outcome == INDEMNIFIED else 0
    whole = Money(declared["amount_minor"], declared["currency"])
    if amount is not None and (amount.currency != whole.currency or before + amount.minor > whole.minor):
        raise AmountTooLarge(
            f"The invoice is about {whole}, of which {Money(before, whole.currency)} is paid by the insurer.",
            field="amount",
        )
    row = {
        "tenant_id": asker.tenant, "answer_id": uuid7(), "item_id": item_id, "outcome": outcome,
        "amount_minor": amount.minor if amount else None, "currency": amount.currency if amount else None,
        "answered_on": on, "reference": reference, "note": note, "author": asker.subject, "recorded_at": asker.now,
    }  # fmt: skip
    await credit.add(asker.db, insurer_answer, row)
    [declared] = await store.of_items(asker.db, asker.tenant, [item_id])
    return declared


def _amount_fits(outcome: str, amount: Money | None) -> None:
    """An indemnity has an amount, a refusal none; what was accepted may say how much of it."""
    if outcome == INDEMNIFIED and (amount is None or not amount.minor):
        raise Refused("An indemnity has an amount.", field="amount", remedy="Send what the insurer pays.")
    if outcome == "refused" and amount is not None:
        raise Refused("A refusal has no amount.", field="amount", remedy="Leave it out.")
