"""A bank file taken in, whole or not at all: accounts, statements, receipts, returns, and how far each feed reaches.

Protects: money is taken once, whichever messages tell it; a lump gives way to its details; only a proved whole
statement moves a feed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.payment_matching import returning
from services.payment_matching.banking import Account, booked, lump_name
from services.payment_matching.book import Book
from services.payment_matching.errors import UnknownAccount
from services.payment_matching.statements.told import WHOLE, Balance, File, Statement
from services.payment_matching.store import books, feeds, payments


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that somebody brought; `entity_id` is whose accounts it may make known, if they said so."""

    tenant_id: UUID
    file_id: UUID
    entity_id: UUID | None
    actor: str


async def take_file(db: AsyncConnection, at: datetime, upload: Upload, file: File) -> dict[str, Any]:
    """Take a proved file; answers what was in it, as it is kept beside the file. Raises UnknownAccount."""
    accounts = await _accounts(db, upload.tenant_id, upload.entity_id, file.statements)
    lines = [
        await _take_statement(db, at, accounts[told.account], upload.file_id, told)
        for told in sorted(file.statements, key=_in_order)
    ]
    for account in {told.account for told in file.statements if told.kind in WHOLE}:
        await feeds.reach(db, at, accounts[account])
    return {"format": file.kind, "version": file.version, "message_id": file.message_id[:140], "statements": lines}


def _in_order(told: Statement) -> tuple[str, str]:
    return told.account, str(told.closing.on) if told.closing else ""


async def _accounts(
    db: AsyncConnection, tenant: UUID, entity: UUID | None, statements: Sequence[Statement]
) -> dict[str, Account]:
    wanted = {told.account: told.currency or "EUR" for told in statements}
    known = await feeds.accounts(db, tenant, wanted)
    for account in sorted(wanted.keys() - known.keys()):
        if entity is None:
            raise UnknownAccount(f"Nobody here has the account {account}.", field="account")
        await feeds.place(db, feeds.Place(tenant, account, entity, wanted[account]))
    return known if len(known) == len(wanted) else await feeds.accounts(db, tenant, wanted)


async def _take_statement(
    db: AsyncConnection, at: datetime, account: Account, file_id: UUID, told: Statement
) -> dict[str, Any]:
    await feeds.keep_statement(db, account, file_id, told)
    brought = booked(told, account)
    detailed_before, split = await feeds.keep_entries(db, account, file_id, brought.entries)
    told_in_detail = {one.key for one in brought.entries if not one.detailed and one.key in detailed_before}
    passed = told_in_detail | (await _split(db, at, account, split) if split else set())
    receipts = [payment for key, payment in brought.receipts if key not in passed]
    taken = await payments.receive(db, at, receipts) if receipts else []
    returned = await returning.take_returns(db, at, brought.returns)
    if taken:
        await returning.settle(db, at, account.tenant_id)
    return {
        "account": account.account,
        "reference": told.reference[:140],
        "opening": _balance(told.opening),
        "closing": _balance(told.closing),
        "entries": len(told.entries),
        "payments": sum(one.result == "created" for one in taken),
        "known": sum(one.result == "unchanged" for one in taken) + len(brought.receipts) - len(receipts),
        "returns": returned,
        "pending": sum(entry.status == "pending" for entry in told.entries),
    }


async def _split(db: AsyncConnection, at: datetime, account: Account, keys: set[str]) -> set[str]:
    """The details of these lumps are told now: the lumps leave the books. Answers the keys of those that may not.

    A lump that somebody has given away stays, and its details are not taken besides it.
    """
    book = Book(at)
    names = {lump_name(account, key): key for key in keys}
    lumps = await feeds.lumps(db, account.tenant_id, names)
    gone = await payments.replace(db, book, account.tenant_id, set(lumps.values()))
    await books.write(db, book)
    return {names[name] for name, payment in lumps.items() if payment not in gone}


def _balance(balance: Balance | None) -> dict[str, Any] | None:
    if balance is None:
        return None
    return {"amount": Money(balance.amount, balance.currency).wire(), "on": balance.on.isoformat()}
