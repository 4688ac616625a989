"""What people and other services read: payments, suggestions, open items, accounts. No rule stands here."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment_matching.statements.told import KINDS

_STATE = """case when p.pending then 'pending' when p.returned_minor >= p.amount_minor then 'reversed'
                 when p.unapplied_minor = 0 then 'matched'
                 when p.unapplied_minor = p.amount_minor - p.returned_minor then 'unmatched' else 'partly' end"""
_PAYMENT = f"""p.payment_id, p.seq, p.entity_id, p.source, p.currency, p.amount_minor, p.unapplied_minor,
           p.returned_minor, p.value_on, p.received_at, p.payer_name, p.payer_iban, p.remittance, p.structured,
           p.end_to_end_id, p.instructed_minor, p.instructed_currency, p.exchange_rate, p.payer_id, p.account,
           p.version, {_STATE} as state"""
_LISTED = f"""
    select * from (select {_PAYMENT} from payment p
                    where p.tenant_id = :tenant and not p.replaced {{waiting}}
                      and (cast(:payer as uuid) is null or p.payer_id = :payer)
                      and (cast(:entity as uuid) is null or p.entity_id = :entity)
                      and (cast(:after as bigint) is null or p.seq < :after)) found
     where cast(:state as text) is null or found.state = :state
     order by found.seq desc limit :most
"""  # noqa: S608 - the pieces are our own constants
_PAYMENTS = text(_LISTED.format(waiting=""))
_WAITING = text(_LISTED.format(waiting="and p.unapplied_minor > 0"))
_SOME = text(f"""
    select {_PAYMENT} from payment p where p.tenant_id = :tenant and p.payment_id = any(cast(:ids as uuid[]))
""")  # noqa: S608 - the pieces are our own constants
_ALLOCATIONS = text("""
    select a.source_id, a.allocation_id, a.item_id, i.invoice_id, i.number, a.currency, a.amount_minor, a.paid_currency,
           a.paid_minor, a.how, a.actor, a.evidence, a.made_at, a.kind
      from allocation a join open_item i on i.tenant_id = a.tenant_id and i.item_id = a.item_id
     where a.tenant_id = :tenant and a.source_id = any(cast(:ids as uuid[])) and a.undone_at is null
     order by a.seq
""")
_NAMES = text("""
    select t.payment_id, t.channel, t.name from payment_telling t
     where t.tenant_id = :tenant and t.payment_id = any(cast(:ids as uuid[])) and t.channel <> 'bank'
""")
_SUGGESTIONS = text("""
    select s.rank, s.shape, s.items, s.currency, s.amounts, s.paid, s.credits, s.credit_amounts, s.score, s.share,
           s.evidence, s.unsure
      from suggestion s where s.tenant_id = :tenant and s.payment_id = :payment order by s.rank
""")
_FIRST = text("""
    select s.payment_id, p.currency as paid_currency, s.rank, s.shape, s.items, s.currency, s.amounts, s.paid,
           s.credits, s.credit_amounts, s.score, s.share, s.evidence, s.unsure
      from suggestion s join payment p on p.tenant_id = s.tenant_id and p.payment_id = s.payment_id
     where s.tenant_id = :tenant and s.payment_id = any(cast(:payments as uuid[])) and s.rank = 1
""")
_ITEM = """i.item_id, i.invoice_id, i.entity_id, i.debtor_id, i.payer_id, i.number, i.sequence, i.issued_on, i.due_on,
           i.currency, i.amount_minor, i.residual_minor, i.version, i.cancelled, i.settled_on"""
_ITEMS = text(f"""
    select {_ITEM} from open_item i
     where i.tenant_id = :tenant
       and case when cast(:item as uuid) is not null then i.item_id = :item
                when cast(:invoice as uuid) is not null then i.invoice_id = :invoice
                else i.residual_minor > 0 end
       and (cast(:entity as uuid) is null or i.entity_id = :entity)
       and (cast(:debtor as uuid) is null or i.debtor_id = :debtor)
       and (cast(:payer as uuid) is null or i.payer_id = :payer)
       and (cast(:due as date) is null or (i.due_on, i.item_id) > (:due, cast(:last as uuid)))
     order by i.due_on, i.item_id limit :most
""")  # noqa: S608 - the pieces are our own constants
_SOME_ITEMS = text(f"""
    select {_ITEM} from open_item i where i.tenant_id = :tenant and i.item_id = any(cast(:ids as uuid[]))
""")  # noqa: S608 - the pieces are our own constants
_ACCOUNTS = text("""
    select b.bank_account_id, b.entity_id, b.account, b.currency, b.required, b.effective_at, b.covered_to,
           b.gap_after, b.unreadable, b.version, b.table_mapping is not null as mapped
      from bank_account b where b.tenant_id = :tenant order by b.account
""")

_FIGURES = text("""
    select (select count(*) from payment p where p.unapplied_minor > 0 and not p.pending) as left_over,
           (select extract(epoch from now() - min(b.covered_to)) from bank_account b where b.required) as oldest
""")


async def figures(db: AsyncConnection) -> tuple[int, float]:
    """Over all tenants: payments with money left, and the seconds since the oldest required feed's last covered day."""
    row = (await db.execute(_FIGURES)).one()
    return int(row.left_over), float(row.oldest or 0)


async def payments(db: AsyncConnection, tenant: UUID, most: int, **chosen: Any) -> list[Any]:
    """Payments, the newest first; `state`, `payer`, `entity` choose, `after` is the last sequence shown."""
    asked = {"tenant": tenant, "most": most, "state": None, "payer": None, "entity": None, "after": None} | chosen
    # Few of many payments wait: they have an index of their own.
    wanted = _WAITING if asked["state"] in ("unmatched", "partly") else _PAYMENTS
    return list(await db.execute(wanted, asked))


async def some_payments(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> list[Any]:
    """These payments."""
    return list(await db.execute(_SOME, {"tenant": tenant, "ids": list(ids)}))


async def allocations(db: AsyncConnection, tenant: UUID, payments_: Collection[UUID]) -> dict[UUID, list[Any]]:
    """What these payments are given to: payment → allocations that stand."""
    found: dict[UUID, list[Any]] = {}
    for row in await db.execute(_ALLOCATIONS, {"tenant": tenant, "ids": list(payments_)}):
        found.setdefault(row.source_id, []).append(row)
    return found


async def external_ids(db: AsyncConnection, tenant: UUID, payments_: Collection[UUID]) -> dict[UUID, str]:
    """The names under which an ERP or a webhook told these payments."""
    rows = await db.execute(_NAMES, {"tenant": tenant, "ids": list(payments_)})
    return {row.payment_id: row.name for row in rows if row.channel not in KINDS}


async def suggestions(db: AsyncConnection, tenant: UUID, payment: UUID) -> list[Any]:
    """The suggestions of a payment, the best first."""
    return list(await db.execute(_SUGGESTIONS, {"tenant": tenant, "payment": payment}))


async def first_suggestions(db: AsyncConnection, tenant: UUID, payments_: Collection[UUID]) -> list[Any]:
    """The likeliest suggestion of each of these payments that has one."""
    return list(await db.execute(_FIRST, {"tenant": tenant, "payments": list(payments_)}))


async def open_items(db: AsyncConnection, tenant: UUID, most: int, **chosen: Any) -> list[Any]:
    """What is owed, the oldest due first; `entity`, `debtor`, `payer` choose, `due` and `last` are the last line."""
    asked = {"tenant": tenant, "most": most, "entity": None, "debtor": None, "payer": None, "due": None, "last": None}
    asked |= {"item": None, "invoice": None}
    return list(await db.execute(_ITEMS, asked | chosen))


async def some_items(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> dict[UUID, Any]:
    """These items, settled ones too."""
    return {row.item_id: row for row in await db.execute(_SOME_ITEMS, {"tenant": tenant, "ids": list(ids)})}


async def accounts(db: AsyncConnection, tenant: UUID) -> list[Any]:
    """The bank accounts, and how fresh each is."""
    return list(await db.execute(_ACCOUNTS, {"tenant": tenant}))
