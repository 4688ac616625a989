"""Snapshots of the ERP's ledger: compared, carried out where the ERP is master, held back where a person must look.

Protects: an item is settled by the ERP only if the whole list adds up, not too much vanished and the item still owes
what was compared; what the ERP lists again is owed again. While the ledgers differ by more than the entity allows, or a
snapshot waits, its reminders wait: that is told as a feed of the entity that cannot be read.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.directory import Entity
from libs.common.errors import Conflict, NotFound, Refused
from libs.common.events import event
from libs.common.events.payments import FeedAdvanced
from libs.common.ids import named, uuid7
from libs.common.money import exponent
from services.payment_matching.agreeing import Compared, Difference, Theirs, compare, doubts, explained
from services.payment_matching.book import Book
from services.payment_matching.evidence import squeezed
from services.payment_matching.store import books, ledger

ERP = "erp"
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Told:
    """The ERP's list of one entity: what it says it has (count, sums by currency) and what it has."""

    entity: Entity
    as_of: date
    digest: bytes
    actor: str
    count: int
    sums: dict[str, int]
    lines: Sequence[Theirs]
    control: dict[str, int]
    """The balance of the customer control account by currency, where the ERP tells it."""


async def take(db: AsyncConnection, at: datetime, told: Told) -> tuple[UUID, str]:
    """Compare, keep, and carry out what may be; answers the snapshot and the result. Raises Refused.

    result: taken, waiting (a person must look), unchanged (the same list), stale (a later one was taken).
    """
    tenant, entity = told.entity.tenant_id, told.entity.entity_id
    if told.as_of > at.date():
        raise Refused("The day of the list has not come yet.", field="as_of")
    await ledger.lock(db, entity)
    before = await ledger.latest(db, tenant, entity)
    if before is not None and before.as_of > told.as_of:
        return before.snapshot_id, "stale"
    same = await ledger.same(db, tenant, entity, told.as_of, told.digest)
    if same is not None and same.state != "rejected":
        return same.snapshot_id, "unchanged"
    ours = await ledger.open_here(db, tenant, entity, told.as_of)
    found = compare(ours, told.lines, told.as_of)
    why = doubts((told.count, told.sums), told.lines, found)
    found = await _known(db, told.entity, found)
    carried: set[UUID] = set()
    if not why and told.entity.settlement_master == "erp":
        carried = await _carry_out(db, at, tenant, found.differences)
        found = replace(found, differences=tuple(_marked(found.differences, carried)))
    row = _row(told, at, found, why) | {"settled": len(carried)}
    await ledger.keep(db, row, found.differences)
    await ledger.keep_balances(db, await _balances(db, told, row["snapshot_id"]))
    held = bool(why) or beyond(told.entity, found.differences)
    await _stand(db, at, row, held)
    return row["snapshot_id"], row["state"]


def _row(told: Told, at: datetime, found: Compared, why: Sequence[str]) -> dict[str, Any]:
    return {
        "tenant_id": told.entity.tenant_id,
        "snapshot_id": uuid7(),
        "entity_id": told.entity.entity_id,
        "as_of": told.as_of,
        "digest": told.digest,
        "actor": told.actor,
        "received_at": at,
        "state": "waiting" if why else "taken",
        "why": list(why),
        "lines": len(told.lines),
        "open_here": found.open_here,
        "agreed": found.agreed,
        "told": {"count": told.count, "sums": told.sums, "control": told.control},
        "decided_by": None,
    }


def beyond(entity: Entity, differences: Iterable[Difference]) -> bool:
    """Whether what differs without explanation comes to more than the entity allows, in any currency."""
    sums: dict[str, int] = {}
    for one in differences:
        sums[one.currency] = sums.get(one.currency, 0) + one.counts
    return any(sum_ > entity.ledger_tolerance * 10 ** exponent(name) for name, sum_ in sums.items())


async def _known(db: AsyncConnection, entity: Entity, found: Compared) -> Compared:
    """Lines that are not open here may be items that we settled: named, and explained by what the ERP will book."""
    extra = {squeezed(one.number)[:64] for one in found.differences if one.kind == "extra"}
    here = await ledger.named(db, entity.tenant_id, entity.entity_id, extra)
    named_ = [_meant(one, here) if one.kind == "extra" else one for one in found.differences]
    items = {one.item_id for one in named_ if one.item_id and one.kind != "missing"}
    unbooked = await ledger.unbooked(db, entity.tenant_id, items)
    return replace(found, differences=explained(named_, unbooked))


def _meant(one: Difference, here: dict[str, list[Any]]) -> Difference:
    for row in here.get(squeezed(one.number)[:64], ()):
        if row.currency == one.currency and one.sequence in (None, row.sequence):
            return replace(one, item_id=row.item_id, debtor_id=row.debtor_id, ours=row.residual_minor)
    return one


def _marked(differences: Iterable[Difference], carried: Collection[UUID]) -> Iterable[Difference]:
    return (replace(one, settled=one.item_id in carried) for one in differences)


async def _carry_out(db: AsyncConnection, at: datetime, tenant: UUID, differences: Sequence[Difference]) -> set[UUID]:
    """Settle what the ERP no longer lists, and owe again what it lists again. Answers the items."""
    gone = {one.item_id: one.ours for one in differences if one.kind == "missing" and one.item_id}
    listed = {one.item_id: one.theirs for one in differences if one.kind == "extra" and one.item_id}
    done: set[UUID] = set()
    ids = sorted(gone)
    for start in range(0, len(ids), CHUNK):
        done |= await _settle(db, at, tenant, {item: gone[item] for item in ids[start : start + CHUNK]})
    for item, (line, amount) in (await ledger.by_erp(db, tenant, listed.keys())).items():
        if amount == listed[item]:
            book = Book(at)
            await books.open_around_items(db, book, [(tenant, item)])
            book.take_back({line: amount}, "unallocated", ERP, at.date(), "erp")
            await books.write(db, book)
            done.add(item)
    return done


async def _settle(db: AsyncConnection, at: datetime, tenant: UUID, owed: dict[UUID, int]) -> set[UUID]:
    """Items that still owe just what was compared; others have changed meanwhile and are left."""
    book = Book(at)
    await books.lock_items(db, book, [(tenant, item) for item in owed])
    same = [item for item, page in sorted(book.items.items()) if page.residual == owed[item]]
    for item in same:
        book.write_off(item, "erp", "erp", ERP, why={"by": ERP})
    await books.write(db, book)
    return set(same)


async def _balances(db: AsyncConnection, told: Told, snapshot: UUID) -> list[dict[str, Any]]:
    """Each customer's balance in both ledgers; lines without a customer are their item's customer's."""
    tenant, entity = told.entity.tenant_id, told.entity.entity_id
    ours = {(row.customer, row.currency): row for row in await ledger.balances(db, tenant, entity, told.as_of)}
    unnamed = {line.key for line in told.lines if not line.debtor}
    owners = await _owners(db, told, unnamed)
    theirs: dict[tuple[str, str], int] = {}
    for line in told.lines:
        key = (line.debtor or owners.get(line.key, ""), line.currency)
        theirs[key] = theirs.get(key, 0) + line.residual
    known = await ledger.customers(db, tenant, entity, {name for name, _ in theirs})
    return [
        {
            "tenant_id": tenant,
            "snapshot_id": snapshot,
            "customer": customer,
            "debtor_id": ours[key].debtor_id if key in ours else known.get(customer),
            "currency": currency,
            "ours_minor": int(ours[key].minor) if key in ours else 0,
            "theirs_minor": theirs.get(key, 0),
        }
        for key in sorted({*ours, *theirs})
        for customer, currency in [key]
    ]


async def _owners(db: AsyncConnection, told: Told, keys: Collection[str]) -> dict[str, str]:
    """Numbers → the customer's number, by our own items."""
    tenant, entity = told.entity.tenant_id, told.entity.entity_id
    here = await ledger.named(db, tenant, entity, keys)
    names = await ledger.names(db, tenant, {row.debtor_id for rows in here.values() for row in rows})
    return {key: names.get(rows[0].debtor_id) or "" for key, rows in here.items()}


async def _stand(db: AsyncConnection, at: datetime, row: dict[str, Any], held: bool) -> None:
    """Say when reminders must wait for the ledgers, and when they need not any more."""
    version, before = await ledger.stand(db, row, held)
    if bool(before) == held:
        return
    body = FeedAdvanced(
        tenant_id=row["tenant_id"],
        version=version,
        entity_id=row["entity_id"],
        bank_account_id=named("ledger", row["tenant_id"], row["entity_id"]),
        covered_to=row["as_of"],
        required=held,
        unreadable=held,
    )
    await outbox.record(db, event(body, at))


async def decide(db: AsyncConnection, at: datetime, entity: Entity, snapshot: UUID, verdict: tuple[str, str]) -> None:
    """A person (`verdict`: accepted or rejected, by whom) decides about a snapshot that waits.

    Raises NotFound, or Conflict when it does not wait.
    """
    await ledger.lock(db, entity.entity_id)
    row = await ledger.one(db, entity.tenant_id, snapshot)
    if row is None:
        raise NotFound(f"There is no snapshot {snapshot}.")
    if row.state != "waiting":
        raise Conflict(f"This snapshot is {row.state}: nobody waits for a decision.")
    state, who = verdict
    found = [_difference(one) for one in await ledger.differences(db, entity.tenant_id, snapshot, 10_000_000)]
    carried: set[UUID] = set()
    if state == "accepted" and entity.settlement_master == "erp":
        carried = await _carry_out(db, at, entity.tenant_id, found)
    await ledger.decide(db, row, state, who, carried)
    told = row._mapping
    if state == "accepted":
        await _stand(db, at, dict(told), beyond(entity, _marked(found, carried)))
        return
    last = await ledger.latest(db, entity.tenant_id, entity.entity_id)
    left = await ledger.differences(db, entity.tenant_id, last.snapshot_id, 10_000_000) if last else []
    await _stand(db, at, dict((last or row)._mapping), beyond(entity, map(_difference, left)))


def _difference(row: Any) -> Difference:
    return Difference(
        row.kind, row.number, row.sequence, row.currency, row.ours_minor, row.theirs_minor, row.item_id,
        row.debtor_id, row.settled,
    )  # fmt: skip
