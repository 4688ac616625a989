"""The two ledgers side by side: what is open here, what the ERP said, what differs, and what waits to be booked."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns
from services.payment_matching.agreeing import Difference, Ours
from services.payment_matching.evidence import squeezed
from services.payment_matching.tables_ledger import ledger_balance, ledger_difference, ledger_snapshot

_LOCK = text("select pg_advisory_xact_lock(hashtextextended(cast(:entity as text), 810402))")
_OPEN = text("""
    select i.item_id, i.debtor_id, i.number, i.sequence, i.currency, i.residual_minor, i.issued_on from open_item i
     where i.tenant_id = :tenant and i.entity_id = :entity and i.residual_minor > 0 and i.issued_on <= :as_of
""")
_NAMED = text("""
    select k.key, i.item_id, i.debtor_id, i.sequence, i.currency, i.residual_minor
      from unnest(cast(:keys as text[])) as g(key)
      join item_key k on k.tenant_id = :tenant and k.key = g.key and k.kind = 'number' and not k.credit
      join open_item i on i.tenant_id = k.tenant_id and i.item_id = k.item_id
     where i.entity_id = :entity and not i.cancelled
     order by i.sequence, i.item_id
""")
_UNBOOKED = text("""
    select a.item_id, sum(a.amount_minor) as amount from allocation a
     where a.tenant_id = :tenant and a.item_id = any(cast(:items as uuid[])) and a.undone_at is null
       and a.booking = 'waiting'
     group by a.item_id
""")
_BY_ERP = text("""
    select a.item_id, a.allocation_id, a.amount_minor from allocation a
     where a.tenant_id = :tenant and a.item_id = any(cast(:items as uuid[])) and a.undone_at is null and a.kind = 'erp'
""")
_BALANCES = text("""
    select coalesce(d.external_id, '') as customer, (array_agg(b.debtor_id))[1] as debtor_id, b.currency,
           sum(b.minor) as minor
      from (select i.debtor_id, i.currency, sum(i.residual_minor) as minor from open_item i
             where i.tenant_id = :tenant and i.entity_id = :entity and i.residual_minor > 0 and i.issued_on <= :as_of
             group by i.debtor_id, i.currency
             union all
            select c.debtor_id, c.currency, -sum(c.unapplied_minor) from credit_note c
             where c.tenant_id = :tenant and c.entity_id = :entity and c.unapplied_minor > 0 and c.issued_on <= :as_of
             group by c.debtor_id, c.currency
             union all
            select coalesce(p.debtor_id, p.payer_id), p.currency, -sum(p.unapplied_minor) from payment p
             where p.tenant_id = :tenant and p.entity_id = :entity and p.unapplied_minor > 0 and not p.replaced
               and p.value_on <= :as_of
             group by coalesce(p.debtor_id, p.payer_id), p.currency) b
      left join debtor d on d.tenant_id = :tenant and d.debtor_id = b.debtor_id
     group by coalesce(d.external_id, ''), b.currency
""")
_CUSTOMERS = text("""
    select d.external_id, d.debtor_id from debtor d
     where d.tenant_id = :tenant and d.entity_id = :entity and d.external_id = any(cast(:names as text[]))
""")
_NAMES = text("""
    select d.debtor_id, d.external_id from debtor d
     where d.tenant_id = :tenant and d.debtor_id = any(cast(:debtors as uuid[]))
""")
_LATEST = text("""
    select s.* from ledger_snapshot s
     where s.tenant_id = :tenant and s.entity_id = :entity and s.state in ('taken', 'accepted')
     order by s.seq desc limit 1
""")
_SAME = text("""
    select s.* from ledger_snapshot s
     where s.tenant_id = :tenant and s.entity_id = :entity and s.as_of = :as_of and s.digest = :digest
     order by s.seq desc limit 1
""")
_ONE = text("select s.* from ledger_snapshot s where s.tenant_id = :tenant and s.snapshot_id = :snapshot")
_LISTED = text("""
    select s.* from ledger_snapshot s
     where s.tenant_id = :tenant and (cast(:entity as uuid) is null or s.entity_id = :entity)
       and (cast(:after as bigint) is null or s.seq < :after)
     order by s.seq desc limit :most
""")
_SUPERSEDE = text("""
    update ledger_snapshot s set state = 'rejected', decided_by = 'a later snapshot'
     where s.tenant_id = :tenant and s.entity_id = :entity and s.state = 'waiting'
""")
_DECIDE = text("""
    update ledger_snapshot s set state = :state, decided_by = :by, settled = :settled
     where s.tenant_id = :tenant and s.snapshot_id = :snapshot
""")
_SETTLED = text("""
    update ledger_difference d set settled = true
     where d.tenant_id = :tenant and d.snapshot_id = :snapshot and d.item_id = any(cast(:items as uuid[]))
""")
_DIFFERENCES = text("""
    select d.* from ledger_difference d
     where d.tenant_id = :tenant and d.snapshot_id = :snapshot and d.place > :after
       and (cast(:kind as text) is null or d.kind = :kind)
     order by d.place limit :most
""")
_OFF = text("""
    select b.* from ledger_balance b
     where b.tenant_id = :tenant and b.snapshot_id = :snapshot and (:every or b.ours_minor <> b.theirs_minor)
       and (b.customer, b.currency) > (:customer, :currency)
     order by b.customer, b.currency limit :most
""")
_TOTALS = text("""
    select b.currency, sum(b.ours_minor) as ours, sum(b.theirs_minor) as theirs,
           count(*) filter (where b.ours_minor <> b.theirs_minor) as off, count(*) as customers
      from ledger_balance b where b.tenant_id = :tenant and b.snapshot_id = :snapshot
     group by b.currency order by b.currency
""")
_COUNTS = text("""
    select d.kind, d.settled, count(*) as count, sum(abs(d.ours_minor - d.theirs_minor)) as minor
      from ledger_difference d where d.tenant_id = :tenant and d.snapshot_id = :snapshot
     group by d.kind, d.settled
""")
_STAND = text("""
    insert into ledger_standing as s (tenant_id, entity_id, snapshot_id, as_of, held, version)
    values (:tenant, :entity, :snapshot, :as_of, :held, 1)
    on conflict (tenant_id, entity_id) do update
       set snapshot_id = excluded.snapshot_id, as_of = excluded.as_of, held = excluded.held, version = s.version + 1
    returning s.version, old.held as held_before
""")
_STANDING = text("select s.* from ledger_standing s where s.tenant_id = :tenant")

_DIFFERENCE = (
    "tenant_id", "snapshot_id", "place", "kind", "number", "sequence", "item_id", "debtor_id", "currency",
    "ours_minor", "theirs_minor", "settled",
)  # fmt: skip
_BALANCE = ("tenant_id", "snapshot_id", "customer", "debtor_id", "currency", "ours_minor", "theirs_minor")


async def lock(db: AsyncConnection, entity: UUID) -> None:
    """One snapshot of an entity at a time."""
    await db.execute(_LOCK, {"entity": str(entity)})


async def open_here(db: AsyncConnection, tenant: UUID, entity: UUID, as_of: date) -> list[Ours]:
    """Every item of the entity that owes something, as far as it was issued by then."""
    rows = await db.execute(_OPEN, {"tenant": tenant, "entity": entity, "as_of": as_of})
    return [
        Ours(r.item_id, r.debtor_id, squeezed(r.number)[:64], r.number, r.sequence, r.currency, r.residual_minor,
             r.issued_on)
        for r in rows
    ]  # fmt: skip


async def named(db: AsyncConnection, tenant: UUID, entity: UUID, keys: Collection[str]) -> dict[str, list[Any]]:
    """Items by the letters and digits of their number, settled ones too."""
    found: dict[str, list[Any]] = {}
    if keys:
        for row in await db.execute(_NAMED, {"tenant": tenant, "entity": entity, "keys": sorted(keys)}):
            found.setdefault(row.key, []).append(row)
    return found


async def unbooked(db: AsyncConnection, tenant: UUID, items: Collection[UUID]) -> dict[UUID, int]:
    """Item → what stands on it that the ERP has not booked."""
    if not items:
        return {}
    rows = await db.execute(_UNBOOKED, {"tenant": tenant, "items": list(items)})
    return {row.item_id: int(row.amount) for row in rows}


async def by_erp(db: AsyncConnection, tenant: UUID, items: Collection[UUID]) -> dict[UUID, tuple[UUID, int]]:
    """Item → the line by which an earlier snapshot settled it, and how much that was."""
    if not items:
        return {}
    rows = await db.execute(_BY_ERP, {"tenant": tenant, "items": list(items)})
    return {row.item_id: (row.allocation_id, row.amount_minor) for row in rows}


async def balances(db: AsyncConnection, tenant: UUID, entity: UUID, as_of: date) -> list[Any]:
    """Each customer's balance here: what it owes less its credit notes and its money on account."""
    return list(await db.execute(_BALANCES, {"tenant": tenant, "entity": entity, "as_of": as_of}))


async def customers(db: AsyncConnection, tenant: UUID, entity: UUID, names: Collection[str]) -> dict[str, UUID]:
    """Customers' numbers → their accounts."""
    rows = await db.execute(_CUSTOMERS, {"tenant": tenant, "entity": entity, "names": sorted(names)})
    return {row.external_id: row.debtor_id for row in rows}


async def names(db: AsyncConnection, tenant: UUID, debtors: Collection[UUID]) -> dict[UUID, str | None]:
    """Accounts → the customers' numbers."""
    rows = await db.execute(_NAMES, {"tenant": tenant, "debtors": list(debtors)})
    return {row.debtor_id: row.external_id for row in rows}


async def latest(db: AsyncConnection, tenant: UUID, entity: UUID) -> Any:
    """The last snapshot that counted, or None."""
    return (await db.execute(_LATEST, {"tenant": tenant, "entity": entity})).one_or_none()


async def same(db: AsyncConnection, tenant: UUID, entity: UUID, as_of: date, digest: bytes) -> Any:
    """The same list taken before, or None."""
    told = {"tenant": tenant, "entity": entity, "as_of": as_of, "digest": digest}
    return (await db.execute(_SAME, told)).one_or_none()


async def one(db: AsyncConnection, tenant: UUID, snapshot: UUID) -> Any:
    """A snapshot, or None."""
    return (await db.execute(_ONE, {"tenant": tenant, "snapshot": snapshot})).one_or_none()


async def snapshots(
    db: AsyncConnection, tenant: UUID, most: int, entity: UUID | None = None, after: int | None = None
) -> list[Any]:
    """Snapshots, the newest first."""
    asked = {"tenant": tenant, "most": most, "entity": entity, "after": after}
    return list(await db.execute(_LISTED, asked))


async def keep(db: AsyncConnection, row: Mapping[str, Any], differences: Sequence[Difference]) -> None:
    """Put a snapshot on record with what differs; one that waited for a person is superseded."""
    tenant, snapshot = row["tenant_id"], row["snapshot_id"]
    await db.execute(_SUPERSEDE, {"tenant": tenant, "entity": row["entity_id"]})
    await db.execute(insert(ledger_snapshot).values(dict(row)))
    rows = [
        {
            "tenant_id": tenant,
            "snapshot_id": snapshot,
            "place": place,
            "kind": one.kind,
            "number": one.number,
            "sequence": one.sequence,
            "item_id": one.item_id,
            "debtor_id": one.debtor_id,
            "currency": one.currency,
            "ours_minor": one.ours,
            "theirs_minor": one.theirs,
            "settled": one.settled,
        }
        for place, one in enumerate(differences, 1)
    ]
    if rows:
        await db.execute(adding(ledger_difference, _DIFFERENCE), columns(rows))


async def keep_balances(db: AsyncConnection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Put the balances of a snapshot on record."""
    if told := [{name: row[name] for name in _BALANCE} for row in rows]:
        await db.execute(adding(ledger_balance, _BALANCE), columns(told))


async def decide(db: AsyncConnection, row: Any, state: str, by: str, settled: Collection[UUID] = ()) -> None:
    """A person accepted or rejected a snapshot; these items were settled by it."""
    told = {"tenant": row.tenant_id, "snapshot": row.snapshot_id}
    await db.execute(_DECIDE, told | {"state": state, "by": by, "settled": len(settled)})
    if settled:
        await db.execute(_SETTLED, told | {"items": list(settled)})


async def differences(
    db: AsyncConnection, tenant: UUID, snapshot: UUID, most: int, *, kind: str | None = None, after: int = 0
) -> list[Any]:
    """What differs, in the order of the comparison."""
    asked = {"tenant": tenant, "snapshot": snapshot, "most": most, "kind": kind, "after": after}
    return list(await db.execute(_DIFFERENCES, asked))


async def counts(db: AsyncConnection, tenant: UUID, snapshot: UUID) -> list[Any]:
    """How many differences of each kind, and how much they come to."""
    return list(await db.execute(_COUNTS, {"tenant": tenant, "snapshot": snapshot}))


async def totals(db: AsyncConnection, tenant: UUID, snapshot: UUID) -> list[Any]:
    """Both ledgers' balances by currency, and how many customers differ."""
    return list(await db.execute(_TOTALS, {"tenant": tenant, "snapshot": snapshot}))


async def customers_balances(
    db: AsyncConnection, tenant: UUID, snapshot: UUID, most: int, *, every: bool, after: tuple[str, str] = ("", "")
) -> list[Any]:
    """Customers with their balances in both ledgers: those that differ, or every one."""
    asked = {"tenant": tenant, "snapshot": snapshot, "most": most, "every": every}
    return list(await db.execute(_OFF, asked | {"customer": after[0], "currency": after[1]}))


async def stand(db: AsyncConnection, row: Mapping[str, Any], held: bool) -> tuple[int, bool | None]:
    """This is the entity's last word; answers the standing's version and whether reminders waited before."""
    told = {"tenant": row["tenant_id"], "entity": row["entity_id"], "snapshot": row["snapshot_id"]}
    found = (await db.execute(_STAND, told | {"as_of": row["as_of"], "held": held})).one()
    return int(found.version), found.held_before


async def standing(db: AsyncConnection, tenant: UUID) -> dict[UUID, Any]:
    """Entity → its last snapshot and whether its reminders wait."""
    return {row.entity_id: row for row in await db.execute(_STANDING, {"tenant": tenant})}
