"""Money and credits of the payers, and how fresh the bank data are; the highest version of each wins."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import columns, given
from services.scheduler.tables import credit_note, feed, payment

_PAYMENT = (
    "tenant_id",
    "payment_id",
    "entity_id",
    "payer_id",
    "version",
    "amount_minor",
    "unapplied_minor",
    "currency",
    "value_date",
    "seen_on",
    "reversed",
)


async def payments(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Payments as told; `seen_on` stays the first day on which one was heard of, and what was reversed stays so."""
    await db.execute(_paying(), columns(rows))


async def credit_issued(db: AsyncConnection, row: Mapping[str, Any]) -> None:
    """A credit note, or a newer version of it: its items wait until matching has answered that version."""
    told = ("debtor_id", "payer_id", "currency", "invoice_ids", "issued_version")
    await _credit(db, row, told, "issued_version")


async def credit_applied(db: AsyncConnection, row: Mapping[str, Any]) -> None:
    """A credit note was applied; what of it is left is on the payer's account."""
    told = ("payer_id", "currency", "unapplied_minor", "applied_version", "answered_version")
    await _credit(db, row, told, "applied_version")


async def _credit(db: AsyncConnection, row: Mapping[str, Any], told: Sequence[str], version: str) -> None:
    adding = insert(credit_note).values(dict(row))
    set_: dict[str, Any] = {name: adding.excluded[name] for name in told}
    set_["seen_on"] = func.least(credit_note.c.seen_on, adding.excluded.seen_on)
    newer = adding.excluded[version] > credit_note.c[version]
    await db.execute(
        adding.on_conflict_do_update(index_elements=["tenant_id", "credit_note_id"], set_=set_, where=newer)
    )


async def feeds(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Bank accounts and the day up to which every booking of them is known."""
    adding = insert(feed).values([dict(row) for row in rows])
    told = {name: adding.excluded[name] for name in ("entity_id", "version", "covered_to", "required", "unreadable")}
    newer = adding.excluded.version > feed.c.version
    await db.execute(
        adding.on_conflict_do_update(index_elements=["tenant_id", "bank_account_id"], set_=told, where=newer)
    )


@cache
def _paying() -> Insert:
    rows = given(payment, _PAYMENT)
    adding = insert(payment).from_select(list(_PAYMENT), select(*rows.c))
    newer = adding.excluded.version > payment.c.version
    told: dict[str, Any] = {name: adding.excluded[name] for name in _PAYMENT[3:-2]}
    told["seen_on"] = func.least(payment.c.seen_on, adding.excluded.seen_on)
    told["reversed"] = payment.c.reversed.op("or")(adding.excluded.reversed)
    return adding.on_conflict_do_update(index_elements=["tenant_id", "payment_id"], set_=told, where=newer)
