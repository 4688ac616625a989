"""Money and credits of the payers, and how fresh the bank data are; the highest version of each wins."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import columns, given, keeping
from services.scheduler.store import told
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
    await db.execute(_paying(), columns([{name: row[name] for name in _PAYMENT} for row in rows]))
    await told.keep(db, [_payment_fact(row) for row in rows])


def _payment_fact(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("payer_id", "unapplied_minor", "currency", "seen_on")
    about = row["payer_id"] or row["payment_id"]
    body = {name: row[name] for name in names}
    return told.fact("payment", row["tenant_id"], row["payment_id"], about, row["version"], row["told_at"], body)


async def credit_issued(db: AsyncConnection, row: Mapping[str, Any], at: datetime) -> None:
    """A credit note, or a newer version of it: its items wait until matching has answered that version."""
    names = ("debtor_id", "payer_id", "currency", "invoice_ids", "issued_version")
    await _credit(db, row, names, "issued_version")
    await told.keep(db, [_credit_fact("credit_issued", row, row["issued_version"], at, names)])


async def credit_applied(db: AsyncConnection, row: Mapping[str, Any], at: datetime) -> None:
    """A credit note was applied; what of it is left is on the payer's account."""
    names = ("payer_id", "currency", "unapplied_minor", "applied_version", "answered_version")
    await _credit(db, row, names, "applied_version")
    await told.keep(db, [_credit_fact("credit_applied", row, row["applied_version"], at, names)])


def _credit_fact(
    kind: told.Kind, row: Mapping[str, Any], version: int, at: datetime, names: Sequence[str]
) -> dict[str, Any]:
    body = {name: row[name] for name in (*names, "seen_on")}
    about = row["payer_id"] or row["credit_note_id"]
    return told.fact(kind, row["tenant_id"], row["credit_note_id"], about, version, at, body)


async def _credit(db: AsyncConnection, row: Mapping[str, Any], names: Sequence[str], version: str) -> None:
    adding = insert(credit_note).values(dict(row))
    set_: dict[str, Any] = {name: adding.excluded[name] for name in names}
    set_["seen_on"] = func.least(credit_note.c.seen_on, adding.excluded.seen_on)
    newer = adding.excluded[version] > credit_note.c[version]
    await db.execute(
        adding.on_conflict_do_update(index_elements=["tenant_id", "credit_note_id"], set_=set_, where=newer)
    )


_FEED = ("tenant_id", "bank_account_id", "entity_id", "version", "covered_to", "required", "unreadable")


async def feeds(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Bank accounts and the day up to which every booking of them is known."""
    told_now = [{name: row[name] for name in _FEED} for row in rows]
    await db.execute(keeping(feed, _FEED, "version"), columns(told_now))
    await told.keep(db, [_feed_fact(row) for row in rows])


def _feed_fact(row: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: row[name] for name in ("covered_to", "required", "unreadable")}
    account = row["bank_account_id"]
    return told.fact("feed", row["tenant_id"], account, row["entity_id"], row["version"], row["told_at"], body)


@cache
def _paying() -> Insert:
    rows = given(payment, _PAYMENT)
    adding = insert(payment).from_select(list(_PAYMENT), select(*rows.c))
    newer = adding.excluded.version > payment.c.version
    set_: dict[str, Any] = {name: adding.excluded[name] for name in _PAYMENT[3:-2]}
    set_["seen_on"] = func.least(payment.c.seen_on, adding.excluded.seen_on)
    set_["reversed"] = payment.c.reversed.op("or")(adding.excluded.reversed)
    return adding.on_conflict_do_update(index_elements=["tenant_id", "payment_id"], set_=set_, where=newer)
