"""The part of the debtors' files that the scheduler needs: payer, party, group, language, whether to chase at all.

The rule it protects: the debtor's row is the one lock of all handlers; a debtor that nobody described yet has a row
of version 0 to be locked by.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, Update, and_, select, update
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns, given
from services.scheduler.store.cases import Pair
from services.scheduler.tables import debtor, item, payer_case

_FILE = (
    "tenant_id",
    "debtor_id",
    "entity_id",
    "version",
    "external_id",
    "payer_id",
    "party_id",
    "group_id",
    "language",
    "country",
    "profile",
    "consumer",
    "intercompany",
    "changed_at",
)


async def keep(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Files as told; the highest version wins."""
    ordered = sorted(rows, key=lambda row: (row["tenant_id"], row["debtor_id"]))
    await db.execute(_keeping(), columns(ordered))


async def lock(db: AsyncConnection, pairs: Collection[Pair], at: datetime) -> None:
    """Lock these debtors in the order of their ids; unknown ones get a row of version 0 that pays for itself."""
    if not pairs:
        return
    rows = [
        {
            "tenant_id": tenant,
            "debtor_id": each,
            "entity_id": each,
            "payer_id": each,
            "party_id": each,
            "changed_at": at,
        }
        for tenant, each in sorted(pairs)
    ]
    await db.execute(adding(debtor, tuple(rows[0])), columns(rows))
    await db.execute(_locking(), columns([{"tenant_id": r["tenant_id"], "debtor_id": r["debtor_id"]} for r in rows]))


async def with_items(db: AsyncConnection, pairs: Collection[Pair]) -> set[Pair]:
    """Those of these debtors that have items here."""
    if not pairs:
        return set()
    rows = columns([{"tenant_id": tenant, "debtor_id": each} for tenant, each in sorted(pairs)])
    return {(row.tenant_id, row.debtor_id) for row in await db.execute(_having(), rows)}


async def name_parties(db: AsyncConnection, files: Sequence[Mapping[str, Any]]) -> None:
    """The cases of these payers belong to the parties and groups that their files name."""
    rows = [
        {"tenant_id": f["tenant_id"], "payer_id": f["debtor_id"], "party_id": f["party_id"], "group_id": f["group_id"]}
        for f in files
    ]
    if rows:
        await db.execute(_naming(), columns(rows))


@cache
def _locking() -> Select[Any]:
    asked = given(debtor, ("tenant_id", "debtor_id"))
    theirs = and_(debtor.c.tenant_id == asked.c.tenant_id, debtor.c.debtor_id == asked.c.debtor_id)
    ordered = select(debtor.c.debtor_id).join(asked, theirs).order_by(debtor.c.tenant_id, debtor.c.debtor_id)
    return ordered.with_for_update(of=debtor)


@cache
def _keeping() -> Insert:
    rows = given(debtor, _FILE)
    adding = insert(debtor).from_select(list(_FILE), select(*rows.c))
    told = {name: adding.excluded[name] for name in _FILE[2:]}
    return adding.on_conflict_do_update(
        index_elements=["tenant_id", "debtor_id"], set_=told, where=adding.excluded.version > debtor.c.version
    )


@cache
def _having() -> Select[Any]:
    asked = given(item, ("tenant_id", "debtor_id"))
    theirs = and_(item.c.tenant_id == asked.c.tenant_id, item.c.debtor_id == asked.c.debtor_id)
    return select(asked.c.tenant_id, asked.c.debtor_id).where(select(item.c.item_id).where(theirs).exists())


@cache
def _naming() -> Update:
    asked = given(payer_case, ("tenant_id", "payer_id", "party_id", "group_id"))
    return (
        update(payer_case)
        .where(payer_case.c.tenant_id == asked.c.tenant_id, payer_case.c.payer_id == asked.c.payer_id)
        .values(party_id=asked.c.party_id, group_id=asked.c.group_id)
    )
