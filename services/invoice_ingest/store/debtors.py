"""Debtors, their parties and their contacts."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Delete,
    Row,
    Select,
    Text,
    Update,
    Uuid,
    and_,
    any_,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns, given
from services.invoice_ingest.store.sets import add_rows, each, raise_rows
from services.invoice_ingest.tables import contact, debtor, party

Debtor = Row[Any]
"""A row of `debtor`, by its column names."""
_KEYS = ("tenant_id", "debtor_id")


def _matches(asked: Any, table: Any = debtor) -> Any:
    return and_(*(table.c[name] == asked.c[name] for name in _KEYS))


@cache
def _locking() -> Select[Any]:
    return each(debtor, given(debtor, _KEYS), _KEYS[1:], tuple(debtor.c.keys()), lock=True)


@cache
def _reading() -> Select[Any]:
    return each(debtor, given(debtor, _KEYS), _KEYS[1:], tuple(debtor.c.keys()))


def _asked(ids: Collection[tuple[UUID, UUID]]) -> dict[str, Any]:
    ordered = sorted(set(ids), key=lambda pair: pair[1])
    return {"given_tenant_id": [pair[0] for pair in ordered], "given_debtor_id": [pair[1] for pair in ordered]}


async def lock(db: AsyncConnection, ids: Collection[tuple[UUID, UUID]]) -> dict[UUID, Debtor]:
    """These (tenant, debtor) rows, locked in the order of their ids, by debtor id; unknown ones are left out."""
    found = (await db.execute(_locking(), _asked(ids))).all() if ids else ()
    return {row.debtor_id: row for row in found}


async def read(db: AsyncConnection, ids: Collection[tuple[UUID, UUID]]) -> dict[UUID, Debtor]:
    """These (tenant, debtor) rows by debtor id, without a lock."""
    found = (await db.execute(_reading(), _asked(ids))).all() if ids else ()
    return {row.debtor_id: row for row in found}


@cache
def _opening(names: tuple[str, ...]) -> Any:
    return adding(debtor, names).returning(debtor.c.debtor_id)


async def open_files(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> set[UUID]:
    """Add debtors; those that somebody added meanwhile stay as they are. The ids of those that were new."""
    if not rows:
        return set()
    ordered = sorted(rows, key=lambda row: row["debtor_id"])
    return set((await db.scalars(_opening(tuple(ordered[0])), columns(ordered))).all())


async def write_files(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Add or overwrite debtors at their new versions. Raises Raced."""
    await raise_rows(db, debtor, sorted(rows, key=lambda row: row["debtor_id"]))


async def move_on(db: AsyncConnection, tenant: UUID, debtor_id: UUID, source_version: int | None) -> None:
    """Keep the newer version that the ledger gave to a file it had told before."""
    mine = (debtor.c.tenant_id == tenant, debtor.c.debtor_id == debtor_id)
    await db.execute(update(debtor).where(*mine).values(source_version=source_version))


async def by_identifier(
    db: AsyncConnection, tenant: UUID, entity: UUID, siren: str | None, vat: str | None
) -> list[Debtor]:
    """The debtors of an entity with this SIREN or VAT number, at most two: two are no answer."""
    same = [debtor.c[name] == value for name, value in (("siren", siren), ("vat_number", vat)) if value]
    if not same:
        return []
    mine = (debtor.c.tenant_id == tenant, debtor.c.entity_id == entity, ~debtor.c.erased)
    return list((await db.execute(select(debtor).where(*mine, or_(*same)).limit(2))).all())


async def with_payer(db: AsyncConnection, tenant: UUID, payers: Collection[UUID]) -> list[tuple[UUID, UUID]]:
    """(debtor, payer) of the debtors that others of these pay for."""
    found = select(debtor.c.debtor_id, debtor.c.payer_id).where(
        debtor.c.tenant_id == tenant, debtor.c.payer_id == _any(payers), debtor.c.debtor_id != debtor.c.payer_id
    )
    return [(row.debtor_id, row.payer_id) for row in await db.execute(found)]


def _any(ids: Collection[UUID]) -> Any:
    return any_(literal(list(ids), ARRAY(Uuid)))


@cache
def _adding_parties() -> Any:
    names = ("tenant_id", "party_id", "siren", "vat_number", "group_id")
    made = insert(party).from_select(list(names), select(*given(party, names).c))
    return made.on_conflict_do_nothing()


async def add_parties(db: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Add parties; known ones stay as they are."""
    if rows:
        await db.execute(_adding_parties(), columns(sorted(rows, key=lambda row: row["party_id"])))


async def groups(db: AsyncConnection, tenant: UUID, parties: Collection[UUID]) -> dict[UUID, UUID | None]:
    """The group of each of these parties."""
    asked = select(party.c.party_id, party.c.group_id).where(
        party.c.tenant_id == tenant, party.c.party_id == _any(parties)
    )
    return {row.party_id: row.group_id for row in await db.execute(asked)}


async def regroup(db: AsyncConnection, tenant: UUID, party_id: UUID, group: UUID | None) -> None:
    """Put a party into a group, or into none."""
    mine = (party.c.tenant_id == tenant, party.c.party_id == party_id)
    await db.execute(update(party).where(*mine).values(group_id=group))


async def lock_of_parties(db: AsyncConnection, tenant: UUID, parties: Collection[UUID]) -> list[Debtor]:
    """Every debtor of these parties, locked in the order of their ids."""
    mine = (debtor.c.tenant_id == tenant, debtor.c.party_id == _any(parties), ~debtor.c.erased)
    asked = select(debtor).where(*mine).order_by(debtor.c.debtor_id).with_for_update(of=debtor)
    return list((await db.execute(asked)).all())


@cache
def _clearing_contacts() -> Delete:
    asked = given(contact, _KEYS)
    return delete(contact).where(_matches(asked, contact))


async def write_contacts(
    db: AsyncConnection, changed: Collection[tuple[UUID, UUID]], rows: Sequence[dict[str, Any]]
) -> None:
    """Replace all contacts of the changed debtors."""
    if changed:
        await db.execute(_clearing_contacts(), _asked(changed))
    await add_rows(db, contact, rows)


async def contacts(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> dict[UUID, list[Row[Any]]]:
    """The contacts of these debtors, in their order."""
    asked = (
        select(contact)
        .where(contact.c.tenant_id == tenant, contact.c.debtor_id == _any(ids))
        .order_by(contact.c.debtor_id, contact.c.position)
    )
    found: dict[UUID, list[Row[Any]]] = {}
    for row in await db.execute(asked):
        found.setdefault(row.debtor_id, []).append(row)
    return found


@cache
def _bumping() -> Update:
    return (
        update(debtor)
        .where(
            debtor.c.tenant_id == bindparam("bumped_tenant", type_=Uuid),
            debtor.c.debtor_id == func.any(bindparam("bumped", type_=ARRAY(Uuid))),
        )
        .values(version=debtor.c.version + 1)
        .returning(debtor)
    )


async def bump(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> list[Debtor]:
    """Raise the version of locked debtors whose file changed from outside (their party moved); the rows after it."""
    return list((await db.execute(_bumping(), {"bumped_tenant": tenant, "bumped": list(ids)})).all())


async def one(db: AsyncConnection, tenant: UUID, debtor_id: UUID) -> Debtor | None:
    """One debtor of a tenant."""
    return (await read(db, [(tenant, debtor_id)])).get(debtor_id)


async def page(
    db: AsyncConnection,
    tenant: UUID,
    limit: int,
    after: Sequence[Any] | None,
    *,
    entity: UUID | None = None,
    external_id: str | None = None,
    party_id: UUID | None = None,
    payer_id: UUID | None = None,
) -> Sequence[Debtor]:
    """`limit` + 1 debtors after a (external_id, debtor_id), in that order."""
    wanted = [debtor.c.tenant_id == tenant]
    facts = {"entity_id": entity, "external_id": external_id, "party_id": party_id, "payer_id": payer_id}
    wanted += [debtor.c[name] == value for name, value in facts.items() if value is not None]
    if after is not None:
        place = tuple_(literal(after[0], Text), literal(after[1], Uuid))
        wanted.append(tuple_(debtor.c.external_id, debtor.c.debtor_id) > place)
    asked = select(debtor).where(*wanted).order_by(debtor.c.external_id, debtor.c.debtor_id).limit(limit + 1)
    return (await db.execute(asked)).all()


async def erase(db: AsyncConnection, tenant: UUID, debtor_id: UUID, blank: dict[str, Any]) -> None:
    """Overwrite the personal data of a locked debtor and drop its contacts."""
    mine = (debtor.c.tenant_id == tenant, debtor.c.debtor_id == debtor_id)
    await db.execute(update(debtor).where(*mine).values(blank))
    await db.execute(delete(contact).where(contact.c.tenant_id == tenant, contact.c.debtor_id == debtor_id))
