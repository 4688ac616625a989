"""The rows behind the decisions about many cases: one question a table, for all of them at once."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.situation import Row
from services.scheduler.store import facts
from services.scheduler.store.cases import Pair

BUDGET_LOOKS_BACK = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Found:
    """The rows, by what they belong to."""

    items: Mapping[UUID, Sequence[Any]]
    marks: Mapping[UUID, Sequence[Any]]
    holds: Mapping[Pair, Sequence[Any]]
    files: Mapping[Pair, Any]
    cash: Sequence[Any]
    credits: Mapping[Pair, Sequence[Any]]
    coverage: Mapping[Pair, date | None]
    parties: Mapping[Pair, Any]
    said: Mapping[Pair, Sequence[date]]
    formal: Mapping[Pair, Sequence[Any]]
    entities: Mapping[Pair, Any]
    stopped: Collection[UUID]


@dataclass(frozen=True)
class About:
    """Who and what some cases are about, as (tenant, id)."""

    cases: set[Pair]
    parties: set[Pair]
    payers: set[Pair]
    groups: set[Pair]
    entities: set[Pair]
    tenants: set[UUID]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "About":
        """The ids of these payer_case rows."""

        def every(name: str) -> set[Pair]:
            return {(row["tenant_id"], row[name]) for row in rows if row[name]}

        return cls(
            cases=every("case_id"),
            parties=every("party_id"),
            payers=every("payer_id"),
            groups=every("group_id"),
            entities=every("entity_id"),
            tenants={row["tenant_id"] for row in rows},
        )

    def scopes(self, items: set[Pair], debtors: set[Pair]) -> set[Pair]:
        """Everything that a hold over one of them may name."""
        tenants = {(tenant, tenant) for tenant in self.tenants}
        return items | self.cases | debtors | self.parties | self.groups | self.entities | tenants


async def find(
    db: AsyncConnection,
    rows: Sequence[Row],
    now: datetime,
    also: Collection[Pair],
    parties: Mapping[Pair, Any] | None = None,
) -> Found:
    """The rows as they are now; `also` names items that may be closed, `parties` has rows that were read before."""
    about = About.of(rows)
    party_rows = await facts.parties(db, about.parties) if parties is None else parties
    entities, stopped = await facts.directory(db, about.tenants)
    read = {row.item_id: row for row in await facts.open_items(db, about.cases)}
    read |= {row.item_id: row for row in await facts.items_of(db, also)}
    ids = {(row.tenant_id, row.item_id) for row in read.values()}
    debtors = about.payers | {(row.tenant_id, row.debtor_id) for row in read.values()}
    heard = {pair for pair, row in party_rows.items() if row.last_notice_on is not None}
    return Found(
        items=by(read.values(), lambda row: row.case_id),
        marks=by(await facts.marks(db, ids), lambda row: row.item_id),
        holds=by(await facts.holds(db, about.scopes(ids, debtors)), lambda row: (row.tenant_id, row.scope_id)),
        files=await facts.files(db, debtors),
        cash=await facts.cash(db, about.payers, about.groups),
        credits=by(await facts.credited(db, about.payers), lambda row: (row.tenant_id, row.payer_id)),
        coverage=await facts.coverage(db, about.entities),
        parties=party_rows,
        said=days(await facts.said(db, heard, now.date() - BUDGET_LOOKS_BACK)),
        formal=by(await facts.formal_days(db, about.parties), lambda row: (row.tenant_id, row.party_id)),
        entities=entities,
        stopped=stopped,
    )


def by(rows: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    """The rows by what they belong to."""
    found: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def days(rows: Iterable[Any]) -> dict[Pair, list[date]]:
    """(tenant, party) → the days of these notices; a call is none."""
    found: dict[Pair, list[date]] = defaultdict(list)
    for row in rows:
        if row.kind != "task_call":
            found[row.tenant_id, row.party_id].append(row.said_on)
    return found
