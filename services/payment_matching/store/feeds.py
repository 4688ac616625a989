"""Bank accounts, statements and how far each feed reaches."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.events import event
from libs.common.events.directory import BankDetailsApproved
from libs.common.events.payments import FeedAdvanced
from libs.common.ids import named
from libs.common.sets import adding, columns
from services.payment_matching.banking import Account, EntryTold, Link, covered
from services.payment_matching.statements.told import OPEN_ENDED, WHOLE, Statement
from services.payment_matching.tables import statement as statement_table
from services.payment_matching.tables import statement_entry

_LINKS = 400
_WHOLE = sorted(WHOLE)
_OPEN_ENDED = sorted(OPEN_ENDED)
_ACCOUNTS = text("""
    select b.tenant_id, b.entity_id, b.bank_account_id, b.account from bank_account b
     where b.tenant_id = :tenant and b.account = any(cast(:accounts as text[]))
     order by b.account for update of b
""")
_PLACE = text("""
    insert into bank_account as b (tenant_id, account, bank_account_id, entity_id, currency, required, effective_at,
                                   approved_version)
    values (:tenant, :account, :bank_account_id, :entity_id, :currency, :required, :effective_at, :approved)
    on conflict (tenant_id, account) do update
       set bank_account_id = excluded.bank_account_id, entity_id = excluded.entity_id, currency = excluded.currency,
           required = excluded.required, effective_at = excluded.effective_at,
           approved_version = excluded.approved_version
     where b.approved_version < excluded.approved_version
    returning b.account
""")
_CHAIN = text("""
    select s.opening_minor, s.opening_on, s.closing_minor,
           s.closing_on - cast(s.kind = any(cast(:open_ended as text[])) as int) as closing_on
      from statement s
     where s.tenant_id = :tenant and s.account = :account and s.kind = any(cast(:whole as text[]))
       and s.closing_on is not null
       and s.opening_on is not null
       and s.closing_on >= (select coalesce(b.chain_from, '-infinity') from bank_account b
                             where b.tenant_id = s.tenant_id and b.account = s.account)
     order by s.closing_on desc limit :most
""")
_BEGIN = text("""
    update bank_account b
       set chain_from = case when cast(:anew as boolean) then s.newest else coalesce(b.chain_from, s.oldest) end
      from (select min(s.closing_on) as oldest, max(s.closing_on) as newest from statement s
             where s.tenant_id = :tenant and s.account = :account and s.kind = any(cast(:whole as text[]))
               and s.opening_on is not null and s.closing_on is not null) s
     where b.tenant_id = :tenant and b.account = :account
""")
_REACH = text("""
    update bank_account b
       set covered_to = :covered_to, gap_after = :gap_after, unreadable = :unreadable, version = b.version + 1
     where b.tenant_id = :tenant and b.account = :account
       and (b.covered_to, b.gap_after, b.unreadable) is distinct from
           (cast(:covered_to as date), cast(:gap_after as date), cast(:unreadable as boolean))
    returning b.version, b.bank_account_id, b.entity_id, b.required
""")
_SPEAK = text("""
    update bank_account b set version = b.version + 1
     where b.tenant_id = :tenant and b.account = :account
    returning b.version, b.bank_account_id, b.entity_id, b.required, b.covered_to, b.unreadable
""")
_UNREADABLE = text("""
    update bank_account b set unreadable = true, version = b.version + 1
     where b.tenant_id = :tenant and not b.unreadable and b.account = any(cast(:accounts as text[]))
    returning b.version, b.bank_account_id, b.entity_id, b.required, b.covered_to, b.unreadable
""")
_KNOWN_ENTRIES = text("""
    select e.key, e.detailed from statement_entry e
     where e.tenant_id = :tenant and e.account = :account and e.key = any(cast(:keys as text[]))
""")
_DETAILED = text("""
    update statement_entry e set detailed = true
     where e.tenant_id = :tenant and e.account = :account and e.key = any(cast(:keys as text[]))
""")
_LUMPS = text("""
    select t.name, t.payment_id from payment_telling t
     where t.tenant_id = :tenant and t.channel = 'bank' and t.name = any(cast(:names as text[]))
""")
_ALL = text("select b.account from bank_account b where b.tenant_id = :tenant")

_STATEMENT = (
    "tenant_id", "fingerprint", "file_id", "account", "kind", "reference", "opening_minor", "opening_on",
    "closing_minor", "closing_on", "currency", "entries",
)  # fmt: skip
_ENTRY = (
    "tenant_id", "account", "key", "file_id", "amount_minor", "currency", "status", "value_on", "detailed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """An account to put on record before anybody approved it: it is watched, but no reminder waits for it."""

    tenant_id: UUID
    account: str
    entity_id: UUID
    currency: str


async def accounts(db: AsyncConnection, tenant: UUID, wanted: Collection[str]) -> dict[str, Account]:
    """Those of these accounts that are on record, locked."""
    found = await db.execute(_ACCOUNTS, {"tenant": tenant, "accounts": sorted(wanted)})
    return {row.account: Account(*row) for row in found}


async def every_account(db: AsyncConnection, tenant: UUID) -> set[str]:
    """All accounts of a tenant."""
    return set((await db.scalars(_ALL, {"tenant": tenant})).all())


async def place(db: AsyncConnection, one: Place) -> None:
    """Put an account on record that a statement told of."""
    await db.execute(
        _PLACE,
        {
            "tenant": one.tenant_id,
            "account": one.account,
            "bank_account_id": named("bank_account", one.tenant_id, one.account),
            "entity_id": one.entity_id,
            "currency": one.currency,
            "required": False,
            "effective_at": None,
            "approved": 0,
        },
    )


async def approve(db: AsyncConnection, at: datetime, bodies: Sequence[BankDetailsApproved]) -> None:
    """Accounts that two people approved; says how far each feed reaches, so that nobody waits for a first word."""
    for body in sorted(bodies, key=lambda one: one.iban):
        account = body.iban.replace(" ", "").upper()
        told = {
            "tenant": body.tenant_id,
            "account": account,
            "bank_account_id": body.bank_account_id,
            "entity_id": body.entity_id,
            "currency": body.currency,
            "required": body.required,
            "effective_at": body.effective_at,
            "approved": body.version,
        }
        if await db.scalar(_PLACE, told):
            rows = await db.execute(_SPEAK, {"tenant": body.tenant_id, "account": account})
            await _tell(db, at, body.tenant_id, rows)


async def keep_statement(db: AsyncConnection, account: Account, file: UUID, told: Statement) -> None:
    """Put a statement on record; the same one again changes nothing."""
    facts = (told.kind, told.reference, told.sequence, told.opening, told.closing, told.booked, len(told.entries))
    row = {
        "tenant_id": account.tenant_id,
        "fingerprint": sha256(repr((account.account, facts)).encode()).hexdigest(),
        "file_id": file,
        "account": account.account,
        "kind": told.kind,
        "reference": told.reference[:140],
        "opening_minor": told.opening.amount if told.opening else None,
        "opening_on": told.opening.on if told.opening else None,
        "closing_minor": told.closing.amount if told.closing else None,
        "closing_on": told.closing.on if told.closing else None,
        "currency": told.currency or "EUR",
        "entries": len(told.entries),
    }
    await db.execute(adding(statement_table, _STATEMENT), columns([row]))


async def reach(db: AsyncConnection, at: datetime, account: Account, *, anew: bool = False) -> None:
    """Follow the account's chain of statements and say how far it reaches now; it is readable again.

    It starts with the first statement ever received; `anew` starts it at the newest: a person accepts what is missing.
    """
    begun = {"tenant": account.tenant_id, "account": account.account, "anew": anew, "whole": _WHOLE}
    await db.execute(_BEGIN, begun)
    chain = await _chain(db, account)
    covered_to, gap_after = covered(chain)
    told = {
        "tenant": account.tenant_id,
        "account": account.account,
        "covered_to": covered_to,
        "gap_after": gap_after,
        "unreadable": False,
    }
    for row in await db.execute(_REACH, told):
        body = _body(account.tenant_id, row, covered_to, unreadable=False)
        await outbox.record(db, event(body, at))


async def _chain(db: AsyncConnection, account: Account) -> list[Link]:
    asked = {"tenant": account.tenant_id, "account": account.account, "most": _LINKS, "whole": _WHOLE}
    asked |= {"open_ended": _OPEN_ENDED}
    found = await db.execute(_CHAIN, asked)
    return list(dict.fromkeys(Link(*row) for row in found))


async def mark_unreadable(db: AsyncConnection, at: datetime, tenant: UUID, wanted: Collection[str]) -> None:
    """A file of these accounts could not be read: their feeds are stale until one can be."""
    rows = await db.execute(_UNREADABLE, {"tenant": tenant, "accounts": sorted(wanted)})
    await _tell(db, at, tenant, rows)


async def _tell(db: AsyncConnection, at: datetime, tenant: UUID, rows: Any) -> None:
    bodies = [_body(tenant, row, row.covered_to, unreadable=row.unreadable) for row in rows]
    await outbox.record(db, *(event(body, at) for body in bodies))


def _body(tenant: UUID, row: Any, covered_to: date | None, *, unreadable: bool) -> FeedAdvanced:
    return FeedAdvanced(
        tenant_id=tenant,
        version=row.version,
        entity_id=row.entity_id,
        bank_account_id=row.bank_account_id,
        covered_to=covered_to,
        required=row.required,
        unreadable=unreadable,
    )


async def keep_entries(
    db: AsyncConnection, account: Account, file: UUID, told: Sequence[EntryTold]
) -> tuple[set[str], set[str]]:
    """Put entries on record. Answers the keys known with details before, and those known only as a lump before."""
    if not told:
        return set(), set()
    asked = {"tenant": account.tenant_id, "account": account.account, "keys": [one.key for one in told]}
    before = {row.key: row.detailed for row in await db.execute(_KNOWN_ENTRIES, asked)}
    rows = [
        {
            "tenant_id": account.tenant_id,
            "account": account.account,
            "key": one.key,
            "file_id": file,
            "amount_minor": one.amount,
            "currency": one.currency,
            "status": one.status,
            "value_on": one.value_on,
            "detailed": one.detailed,
        }
        for one in told
        if one.key not in before and one.status == "booked"
    ]
    if rows:
        await db.execute(adding(statement_entry, _ENTRY), columns(rows))
    now_detailed = [one.key for one in told if one.detailed and before.get(one.key) is False]
    if now_detailed:
        await db.execute(_DETAILED, asked | {"keys": now_detailed})
    return {key for key, detailed in before.items() if detailed}, set(now_detailed)


async def lumps(db: AsyncConnection, tenant: UUID, names: Collection[str]) -> dict[str, UUID]:
    """The payments on record under these names of the bank's."""
    found = await db.execute(_LUMPS, {"tenant": tenant, "names": sorted(names)})
    return {row.name: row.payment_id for row in found}
