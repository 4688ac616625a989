"""What the ERP's ledger has of ours: lines to book or to undo, exported in order and acknowledged one by one.

A line is an allocation. waiting → booked or refused; one that is taken back after it was booked is to be undone, one
taken back before is void and nobody hears of it. What the ERP told us itself is known to it, but not what stays of
such a line when a part is taken back.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_WAITING = text("""
    select a.seq, a.allocation_id, a.booking, a.source, a.source_id, a.item_id, a.kind, a.currency, a.amount_minor,
           a.paid_currency, a.paid_minor, a.value_on, a.made_at, a.undone_at, i.entity_id, i.invoice_id, i.number,
           i.sequence, i.debtor_id, d.external_id as debtor, c.number as credit_note
      from allocation a
      join open_item i on i.tenant_id = a.tenant_id and i.item_id = a.item_id
      left join debtor d on d.tenant_id = i.tenant_id and d.debtor_id = i.debtor_id
      left join credit_note c on c.tenant_id = a.tenant_id and c.credit_note_id = a.source_id and a.source = 'credit'
     where a.tenant_id = :tenant and a.booking in ('waiting', 'to_undo') and a.seq > :after
       and i.entity_id = :entity
     order by a.seq limit :most
""")
_ACKNOWLEDGE = text("""
    with told as (
        select * from unnest(cast(:ids as uuid[]), cast(:acts as text[]), cast(:results as text[]))
                      as g(allocation_id, act, result)),
    held as (
        select a.allocation_id, a.booking from allocation a join told t on t.allocation_id = a.allocation_id
         where a.tenant_id = :tenant order by a.allocation_id for update of a),
    become as (
        select h.allocation_id, h.booking as before,
               case when t.act = 'book' and h.booking = 'waiting' then t.result
                    when t.act = 'book' and h.booking = 'void' and t.result = 'booked' then 'to_undo'
                    when t.act = 'undo' and h.booking = 'to_undo' then
                         case t.result when 'booked' then 'undone' else 'undo_refused' end
                    else h.booking end as after
          from held h join told t on t.allocation_id = h.allocation_id),
    written as (
        update allocation a set booking = b.after from become b
         where a.tenant_id = :tenant and a.allocation_id = b.allocation_id and b.after <> b.before)
    select b.allocation_id, b.before, b.after from become b
""")


async def waiting(db: AsyncConnection, tenant: UUID, entity: UUID, most: int, after: int = 0) -> list[Any]:
    """Lines that the ERP has to book or to undo, in the order in which they were made."""
    asked = {"tenant": tenant, "entity": entity, "most": most, "after": after}
    return list(await db.execute(_WAITING, asked))


async def acknowledge(
    db: AsyncConnection, tenant: UUID, told: Sequence[tuple[UUID, str, str]]
) -> dict[UUID, tuple[str, str]]:
    """Of (line, act, result): line → its state before and after; unknown lines are left out."""
    asked = {
        "tenant": tenant,
        "ids": [line for line, _, _ in told],
        "acts": [act for _, act, _ in told],
        "results": [result for _, _, result in told],
    }
    return {row.allocation_id: (row.before, row.after) for row in await db.execute(_ACKNOWLEDGE, asked)}
