"""The rows that decisions about many cases need: one question a table, for all cases at once.

Every question joins on the tenant as well as on the id. `gathering` makes facts of the rows.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    CompoundSelect,
    Select,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    func,
    or_,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.directory.tables import directory_entity, directory_tenant
from libs.common.sets import columns, given
from services.scheduler.store.cases import Pair
from services.scheduler.store.evidence import counts
from services.scheduler.tables import (
    credit_note,
    debtor,
    feed,
    hold,
    item,
    notice,
    occurrence,
    party,
    payer_case,
    payment,
    residual_fact,
)

ITEM = (
    "tenant_id", "item_id", "invoice_id", "case_id", "entity_id", "debtor_id", "number", "issue_date", "due_date",
    "amount_minor", "currency", "invoice_version", "cancelled_version", "not_chased", "take_over",
    "take_over_decision", "take_over_on", "residual_minor", "item_version", "cycles", "broken", "open",
    "settled_version", "settled_on", "to_thank",
)  # fmt: skip
MARK = (
    "tenant_id", "item_id", "cycle", "step_key", "case_id", "kind", "tone", "release", "state", "reason",
    "reminder_id", "channel", "on_date", "released_at", "ended_at", "retry_on", "printed_minor", "invoice_version",
    "withdrawn", "anchored", "completes_on", "ends", "policy_version_id", "entity_id",
)  # fmt: skip


def _asked(names: tuple[str, str], pairs: Collection[Pair]) -> dict[str, list[Any]]:
    first, second = names
    return columns([{first: one, second: two} for one, two in sorted(pairs)])


@cache
def joined(table: Table, chosen: tuple[str, ...], second: str) -> Select[Any]:
    """These columns of the rows whose tenant and second name were asked for."""
    asked = given(table, ("tenant_id", second))
    mine = and_(table.c.tenant_id == asked.c.tenant_id, table.c[second] == asked.c[second])
    return select(*(_read(table, name) for name in chosen)).join(asked, mine)


def _read(table: Table, name: str) -> ColumnElement[Any]:
    """JSON as its text: most of it is empty, and reading nothing two hundred thousand times takes seconds."""
    column = table.c[name]
    return cast(column, Text).label(name) if isinstance(column.type, JSONB) else column


async def _rows(
    db: AsyncConnection, table: Table, chosen: Iterable[str], second: str, pairs: Collection[Pair]
) -> list[Any]:
    if not pairs:
        return []
    found = await db.execute(joined(table, tuple(chosen), second), _asked(("tenant_id", second), pairs))
    return list(found.all())


async def open_items(db: AsyncConnection, cases: Collection[Pair]) -> list[Any]:
    """The open items of these cases, those to be thanked for, and closed ones with a release that has not ended."""
    if not cases:
        return []
    return list((await db.execute(_looked_at(), _asked(("tenant_id", "case_id"), cases))).all())


@cache
def _looked_at() -> CompoundSelect[Any]:
    """Those that are closed come by the partial index of what has not ended: few, whatever the number of cases."""
    mine = and_(item.c.tenant_id == occurrence.c.tenant_id, item.c.item_id == occurrence.c.item_id)
    theirs = [
        occurrence.c[name] == any_(_array(occurrence, name, "given_" + name)) for name in ("tenant_id", "case_id")
    ]
    closed = (
        select(*(_read(item, name) for name in ITEM))
        .distinct()
        .select_from(occurrence)
        .join(item, mine)
        .where(*theirs, text("occurrence.state in ('released', 'proposed')"), ~item.c.open, ~item.c.to_thank)
    )
    return union_all(joined(item, ITEM, "case_id").where(or_(item.c.open, item.c.to_thank)), closed)


async def items_of(db: AsyncConnection, items: Collection[Pair]) -> list[Any]:
    """These items, open or not."""
    return await _rows(db, item, ITEM, "item_id", items)


async def marks(db: AsyncConnection, items: Collection[Pair]) -> list[Any]:
    """Every occurrence of these items."""
    if not items:
        return []
    return list((await db.execute(_marks(), _asked(("tenant_id", "item_id"), items))).all())


@cache
def _marks() -> Select[Any]:
    """One look into the index for each item: while the table fills up, its statistics would have it read whole."""
    asked = given(occurrence, ("tenant_id", "item_id"))
    mine = and_(occurrence.c.tenant_id == asked.c.tenant_id, occurrence.c.item_id == asked.c.item_id)
    each = select(*(_read(occurrence, name) for name in MARK)).where(mine).offset(0).correlate(asked).lateral("mark")
    return select(each).select_from(asked.join(each, true()))


async def residuals(db: AsyncConnection, items: Collection[Pair]) -> list[Any]:
    """Every residual that was ever told of these items."""
    return await _rows(db, residual_fact, [column.name for column in residual_fact.c], "item_id", items)


async def holds(db: AsyncConnection, scopes: Collection[Pair], *, ended: bool = False) -> list[Any]:
    """The holds over these (tenant, scope id): the active ones, or with `ended` all there ever were."""
    if not scopes:
        return []
    return list((await db.execute(_holds(ended), _asked(("tenant_id", "scope_id"), scopes))).all())


@cache
def _holds(ended: bool) -> Select[Any]:
    names = ("tenant_id", "hold_id", "scope", "scope_id", "kind", "amount_minor", "currency", "review_on",
             "placed_at", "lifted_at", "due_on")  # fmt: skip
    asked = joined(hold, names, "scope_id")
    return asked if ended else asked.where(hold.c.state == "active")


async def files(db: AsyncConnection, debtors: Collection[Pair]) -> dict[Pair, Any]:
    """(tenant, debtor) → its file, for those that somebody described."""
    chosen = ("tenant_id", "debtor_id", "version", "language", "country", "profile", "group_id", "consumer",
              "intercompany", "changed_at")  # fmt: skip
    found = await _rows(db, debtor, chosen, "debtor_id", debtors)
    return {(row.tenant_id, row.debtor_id): row for row in found if row.version > 0}


async def cash(db: AsyncConnection, payers: Collection[Pair], groups: Collection[Pair]) -> list[Any]:
    """Unapplied money of these payers and of the other payers of their groups: with payer, group, amount, day."""
    found: list[Any] = []
    if payers:
        found += (await db.execute(_cash("payer_id"), _asked(("tenant_id", "payer_id"), payers))).all()
    if groups:
        found += (await db.execute(_cash("group_id"), _asked(("tenant_id", "group_id"), groups))).all()
    return list({row.payment_id: row for row in found}.values())


@cache
def _cash(second: str) -> Select[Any]:
    asked = given(payer_case, ("tenant_id", second))
    theirs = and_(payer_case.c.tenant_id == asked.c.tenant_id, payer_case.c[second] == asked.c[second])
    paid = and_(payment.c.tenant_id == payer_case.c.tenant_id, payment.c.payer_id == payer_case.c.payer_id)
    chosen = (payment.c.payment_id, payment.c.tenant_id, payment.c.payer_id, payment.c.currency,
              payment.c.unapplied_minor, payment.c.seen_on, payer_case.c.group_id)  # fmt: skip
    return (
        select(*chosen)
        .select_from(payer_case)
        .join(asked, theirs)
        .join(payment, paid)
        .where(payment.c.unapplied_minor > 0)
    )


async def credited(db: AsyncConnection, payers: Collection[Pair]) -> list[Any]:
    """Credit notes of these payers that wait to be applied, or of which something is left."""
    if not payers:
        return []
    return list((await db.execute(_credited(), _asked(("tenant_id", "payer_id"), payers))).all())


@cache
def _credited() -> Select[Any]:
    names = ("tenant_id", "credit_note_id", "payer_id", "debtor_id", "currency", "invoice_ids", "unapplied_minor",
             "answered_version", "issued_version", "seen_on")  # fmt: skip
    left = or_(credit_note.c.answered_version < credit_note.c.issued_version, credit_note.c.unapplied_minor > 0)
    return joined(credit_note, names, "payer_id").where(left)


async def coverage(db: AsyncConnection, entities: Collection[Pair]) -> dict[Pair, date | None]:
    """(tenant, entity) → the day up to which all its required accounts are known; None when one is not."""
    if not entities:
        return {}
    found = await db.execute(_coverage(), _asked(("tenant_id", "entity_id"), entities))
    return {(row.tenant_id, row.entity_id): None if row.unknown else row.covered for row in found}


@cache
def _coverage() -> Select[Any]:
    asked = given(feed, ("tenant_id", "entity_id"))
    mine = and_(feed.c.tenant_id == asked.c.tenant_id, feed.c.entity_id == asked.c.entity_id)
    unknown = func.bool_or(or_(feed.c.covered_to.is_(None), feed.c.unreadable)).label("unknown")
    return (
        select(feed.c.tenant_id, feed.c.entity_id, func.min(feed.c.covered_to).label("covered"), unknown)
        .join(asked, mine)
        .where(feed.c.required)
        .group_by(feed.c.tenant_id, feed.c.entity_id)
    )


async def parties(db: AsyncConnection, pairs: Collection[Pair]) -> dict[Pair, Any]:
    """(tenant, party) → when it last heard from us, for those that ever did or may soon."""
    found = await _rows(db, party, [column.name for column in party.c], "party_id", pairs)
    return {(row.tenant_id, row.party_id): row for row in found}


async def said(db: AsyncConnection, parties: Collection[Pair], since: date) -> list[Any]:
    """The notices to these parties since a day, and the calls that were made: they count for the gap."""
    if not parties:
        return []
    return list((await db.execute(_said(), {**_asked(("tenant_id", "party_id"), parties), "since": since})).all())


@cache
def _said() -> Select[Any]:
    asked = joined(notice, ("tenant_id", "party_id", "said_on", "reminder_id", "kind"), "party_id")
    return asked.where(counts(), notice.c.said_on >= bindparam("since", type_=notice.c.said_on.type))


async def formal_days(db: AsyncConnection, parties: Collection[Pair]) -> list[Any]:
    """The cases of these parties that have a formal notice coming, with its day."""
    if not parties:
        return []
    return list((await db.execute(_formal_days(), _asked(("tenant_id", "party_id"), parties))).all())


@cache
def _formal_days() -> Select[Any]:
    asked = joined(payer_case, ("tenant_id", "party_id", "case_id", "formal_on"), "party_id")
    return asked.where(payer_case.c.formal_on.is_not(None))


async def entities(db: AsyncConnection, tenants: Collection[UUID]) -> dict[Pair, Any]:
    """(tenant, entity) → its part of the directory."""
    return (await directory(db, tenants))[0]


async def directory(db: AsyncConnection, tenants: Collection[UUID]) -> tuple[dict[Pair, Any], set[UUID]]:
    """(tenant, entity) → its part of the directory; and those of these tenants whose emergency stop is pulled."""
    found = (await db.execute(_directory(), {"given_tenant_id": sorted(tenants)})).all()
    known = {(row.tenant_id, row.entity_id): row for row in found if row.entity_id is not None}
    return known, {row.asked for row in found if row.stopped}


@cache
def _directory() -> Select[Any]:
    asked, entity, tenant = given(directory_tenant, ("tenant_id",)), directory_entity, directory_tenant
    return (
        select(entity, tenant.c.stopped, asked.c.tenant_id.label("asked"))
        .select_from(asked)
        .outerjoin(entity, entity.c.tenant_id == asked.c.tenant_id)
        .outerjoin(tenant, tenant.c.tenant_id == asked.c.tenant_id)
    )


def _array(table: Table, column: str, name: str) -> BindParameter[Any]:
    """A parameter: values of a column, as one array."""
    return bindparam(name, type_=ARRAY(table.c[column].type, dimensions=1))


async def tenants(db: AsyncConnection) -> set[UUID]:
    """Every tenant that has a company."""
    return set((await db.scalars(select(directory_entity.c.tenant_id).distinct())).all())


def told_by(rows: Iterable[Any], instant: datetime) -> Mapping[UUID, Any]:
    """Item id → the residual fact that held at an instant: the highest version told by then."""
    best: dict[UUID, Any] = {}
    for row in rows:
        if row.told_at <= instant and (row.item_id not in best or row.item_version > best[row.item_id].item_version):
            best[row.item_id] = row
    return best
