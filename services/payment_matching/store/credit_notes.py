"""Credit notes on record: what each is worth, what it names, and what it has given."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment_matching.store.items import Row, add_keys, key_columns

Key = tuple[UUID, UUID]
Named = list[tuple[UUID, int | None]]
"""Invoices, each with the most that it is credited in minor units, or None for whatever it owes."""

_TOLD = (
    "tenant_id", "credit_note_id", "entity_id", "debtor_id", "payer_id", "number", "issued_on", "currency", "amount",
    "named", "told_version",
)  # fmt: skip
_GIVEN_ROWS = """
    unnest(cast(:tenant_id as uuid[]), cast(:credit_note_id as uuid[]), cast(:entity_id as uuid[]),
           cast(:debtor_id as uuid[]), cast(:payer_id as uuid[]), cast(:number as text[]), cast(:issued_on as date[]),
           cast(:currency as text[]), cast(:amount as bigint[]), cast(:named as text[]),
           cast(:told_version as bigint[]))
        as g(tenant_id, credit_note_id, entity_id, debtor_id, payer_id, number, issued_on, currency, amount, named,
             told_version)
"""
_ADD = text(f"""
    insert into credit_note (tenant_id, credit_note_id, entity_id, debtor_id, payer_id, number, issued_on, currency,
                             amount_minor, unapplied_minor, named, told_version)
    select g.tenant_id, g.credit_note_id, g.entity_id, g.debtor_id, g.payer_id, g.number, g.issued_on, g.currency,
           g.amount, g.amount, cast(g.named as jsonb), g.told_version
      from {_GIVEN_ROWS}
    on conflict do nothing
    returning credit_note_id
""")  # noqa: S608 - the pieces are our own constants
_AMEND = text(f"""
    update credit_note c
       set debtor_id = g.debtor_id, payer_id = g.payer_id, number = g.number, issued_on = g.issued_on,
           named = cast(g.named as jsonb), told_version = g.told_version
      from {_GIVEN_ROWS}
     where c.tenant_id = g.tenant_id and c.credit_note_id = g.credit_note_id and c.told_version < g.told_version
    returning c.credit_note_id
""")  # noqa: S608 - the pieces are our own constants
_LEFT_OF_DEBTORS = text("""
    select c.tenant_id, c.credit_note_id, c.debtor_id, c.currency, c.named
      from credit_note c
      join unnest(cast(:tenants as uuid[]), cast(:debtors as uuid[])) as g(tenant_id, debtor_id)
        on c.tenant_id = g.tenant_id and c.debtor_id = g.debtor_id
     where c.unapplied_minor > 0
     order by c.issued_on, c.credit_note_id
""")

_GIVEN = text("""
    select a.source_id, i.invoice_id, sum(a.amount_minor) as given
      from allocation a
      join unnest(cast(:tenants as uuid[]), cast(:notes as uuid[])) as g(tenant_id, note)
        on a.tenant_id = g.tenant_id and a.source_id = g.note
      join open_item i on i.tenant_id = a.tenant_id and i.item_id = a.item_id
     where a.undone_at is null
     group by a.source_id, i.invoice_id
""")


@dataclass(frozen=True, slots=True)
class Left:
    """A credit note with something left."""

    tenant_id: UUID
    credit_note_id: UUID
    debtor_id: UUID
    currency: str
    named: Named


async def add(db: AsyncConnection, rows: Sequence[Row]) -> set[UUID]:
    """Put credit notes on record, with their keys; those on record stay as they are. Answers the new ones."""
    fresh = set((await db.scalars(_ADD, {name: [row[name] for row in rows] for name in _TOLD})).all())
    await add_keys(db, [row for row in rows if row["credit_note_id"] in fresh], "credit_note_id", credit=True)
    return fresh


async def amend(db: AsyncConnection, rows: Sequence[Row]) -> set[UUID]:
    """Write what newer versions say, but for the amounts, which the book moves. Answers those that were newer."""
    if not rows:
        return set()
    return set((await db.scalars(_AMEND, {name: [row[name] for row in rows] for name in _TOLD})).all())


async def left(db: AsyncConnection, debtors: Collection[Key]) -> list[Left]:
    """The credit notes of these debtors that have something left, oldest first."""
    found = await db.execute(_LEFT_OF_DEBTORS, key_columns(debtors, "debtors"))
    return [Left(r.tenant_id, r.credit_note_id, r.debtor_id, r.currency, _pairs(r.named)) for r in found]


async def given(db: AsyncConnection, notes: Collection[Key]) -> dict[tuple[UUID, UUID], int]:
    """What each of these credit notes has given to each invoice: (credit note, invoice) → minor units."""
    found = await db.execute(_GIVEN, key_columns(notes, "notes"))
    return {(row.source_id, row.invoice_id): int(row.given) for row in found}


def named_json(pairs: Named) -> str:
    """What a credit note names, as it is kept."""
    return orjson.dumps([[str(invoice), amount] for invoice, amount in pairs]).decode()


def named(kept: str) -> Named:
    """What a credit note names, from what `named_json` made."""
    return _pairs(orjson.loads(kept))


def _pairs(kept: Any) -> Named:
    return [(UUID(invoice), most) for invoice, most in kept]
