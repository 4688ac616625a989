"""Items: what an invoice says of them, what matching says they owe, and why they came back.

The rule it protects: the highest version wins, and a fact about an item that nobody has invoiced yet is kept by its id.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    DateTime,
    Select,
    Update,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import ReturningInsert

from libs.common.sets import adding, columns, given
from services.scheduler.policy import LADDER
from services.scheduler.store.asking import among, plain
from services.scheduler.store.cases import Pair
from services.scheduler.tables import item, occurrence, payer_case, residual_fact

INVOICED = (
    "tenant_id",
    "item_id",
    "invoice_id",
    "case_id",
    "entity_id",
    "debtor_id",
    "payer_id",
    "number",
    "issue_date",
    "due_date",
    "amount_minor",
    "currency",
    "invoice_version",
    "not_chased",
    "take_over",
    "told_at",
)
_KEY = ("tenant_id", "item_id")


async def invoiced(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> set[Pair]:
    """What invoices say of their instalments; rows of INVOICED. A lower version than the one kept changes nothing.

    Returns the cases that lost any: the invoice is another debtor's now.
    """
    known = list(await db.execute(_invoicing(), columns(rows)))
    new = {row.item_id for row in known if row.new}
    # All versions of an invoice share its first instalment: if that is new, there was none before.
    told = {(row["tenant_id"], row["invoice_id"]) for row in rows if row["item_id"] not in new}
    if told:
        each = [{"tenant_id": tenant, "invoice_id": invoice} for tenant, invoice in sorted(told)]
        await db.execute(_dropping(), columns(each))
    return {(row.tenant_id, row.left) for row in known if row.left not in {None, row.case_id}}


async def cancelled(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """These items are void: rows of tenant_id, item_id, invoice_id, cancelled_version, cancelled_at."""
    if rows:
        await db.execute(_cancelling(), columns(rows))


async def owing(db: AsyncConnection, rows: Sequence[Mapping[str, Any]], at: datetime) -> None:
    """What matching says these items owe: rows of tenant_id, item_id, invoice_id, residual_minor, item_version."""
    best: dict[Pair, Mapping[str, Any]] = {}
    for row in rows:
        key = (row["tenant_id"], row["item_id"])
        if key not in best or row["item_version"] > best[key]["item_version"]:
            best[key] = row
    if best:
        chosen = [best[key] for key in sorted(best)]
        await db.execute(_owing(), columns(chosen))
        known = [{name: row[name] for name in (*_KEY, "item_version", "residual_minor")} for row in rows]
        await db.execute(
            adding(residual_fact, (*known[0], "told_at")), columns([{**row, "told_at": at} for row in known])
        )


async def settled(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """By what and on which day these items were settled: rows of tenant_id, item_id, settled_version, _by, _on.

    What money settled after a reminder was released is to be thanked for. Tell `owing` first: it makes the row.
    """
    best = {(row["tenant_id"], row["item_id"]): row for row in sorted(rows, key=lambda row: row["settled_version"])}
    if best:
        await db.execute(_settling(), columns([best[key] for key in sorted(best)]))


async def thanks_decided(db: AsyncConnection, rows: Sequence[Mapping[str, Any]], at: datetime) -> None:
    """Nothing more is said about these settlements: rows of tenant_id, item_id, settled_version."""
    if rows:
        await db.execute(_thanked(), {**columns(rows), "at": at})


async def came_back(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    """A cycle more for these items: rows of tenant_id, item_id, invoice_id, cycles {cause: [day, reason, instant]}."""
    if rows:
        await db.execute(_coming_back(), columns(sorted(rows, key=lambda row: (row["tenant_id"], row["item_id"]))))


async def broke(  # noqa: PLR0917 - a broken word in the order of its facts
    db: AsyncConnection, tenant: UUID, ids: Collection[UUID], promise: UUID, day: date, at: datetime
) -> None:
    """A promise about these items was broken on a day."""
    told = item.c.broken.op("||", return_type=JSONB())(cast({str(promise): [day.isoformat(), at.isoformat()]}, JSONB))
    await db.execute(update(item).where(item.c.tenant_id == tenant, among(item.c.item_id, ids)).values(broken=told))


async def move_to_payer(db: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> set[Pair]:
    """The items of these debtors belong to another payer's case: rows of tenant_id, debtor_id, case_id.

    Returns the cases that lost or won any.
    """
    if not rows:
        return set()
    left = {(row.tenant_id, row.case_id) for row in await db.execute(_leaving(), columns(rows))}
    moved = {(row.tenant_id, row.case_id) for row in await db.execute(_moving(), columns(rows))}
    return left | moved


async def look_for_new(db: AsyncConnection, rows: Sequence[Mapping[str, Any]], at: datetime) -> None:
    """The cases of new items are looked at when their first step may be near, at `at` at the earliest.

    Rows of tenant_id, case_id and due_date, the earliest of the case.
    """
    await db.execute(_looking(), {**columns(rows), "at": at})


async def of_ids(db: AsyncConnection, tenant: UUID, ids: Collection[UUID]) -> list[Mapping[str, Any]]:
    """The rows of these items."""
    found = await db.execute(select(item).where(item.c.tenant_id == tenant, among(item.c.item_id, ids)))
    return [plain(row) for row in found]


async def open_of_case(db: AsyncConnection, tenant: UUID, case: UUID, currency: str) -> list[Mapping[str, Any]]:
    """The open items of a case in a currency, oldest due first."""
    asked = select(item).where(
        item.c.tenant_id == tenant, item.c.case_id == case, item.c.open, item.c.currency == currency
    )
    return [plain(row) for row in await db.execute(asked.order_by(item.c.due_date, item.c.item_id))]


async def of_number(db: AsyncConnection, tenant: UUID, number: str, limit: int) -> list[Mapping[str, Any]]:
    """The items of the invoices with this number, the newest first."""
    asked = select(item).where(item.c.tenant_id == tenant, item.c.number == number)
    ordered = asked.order_by(item.c.issue_date.desc(), item.c.item_id).limit(limit)
    return [plain(row) for row in await db.execute(ordered)]


async def of_invoice(db: AsyncConnection, tenant: UUID, invoice: UUID) -> list[Mapping[str, Any]]:
    """The items of an invoice."""
    asked = select(item).where(item.c.tenant_id == tenant, item.c.invoice_id == invoice)
    return [plain(row) for row in await db.execute(asked.order_by(item.c.item_id))]


def _upserting(names: tuple[str, ...]) -> Insert:
    rows = given(item, names)
    return insert(item).from_select(list(names), select(*rows.c))


@cache
def _invoicing() -> ReturningInsert[Any]:
    adding_ = _upserting(INVOICED)
    newer = adding_.excluded.invoice_version > item.c.invoice_version
    earlier = or_(item.c.told_at.is_(None), adding_.excluded.told_at < item.c.told_at)
    told: dict[str, Any] = {
        name: case((newer, adding_.excluded[name]), else_=item.c[name])
        for name in INVOICED
        if name not in {*_KEY, "told_at"}
    }
    told["told_at"] = func.least(item.c.told_at, adding_.excluded.told_at)
    writing = adding_.on_conflict_do_update(index_elements=list(_KEY), set_=told, where=or_(newer, earlier))
    new = literal_column("old.item_id is null", Boolean).label("new")
    left = literal_column("old.case_id", Uuid).label("left")
    return writing.returning(item.c.tenant_id, item.c.item_id, item.c.case_id, new, left)


@cache
def _dropping() -> Update:
    """Instalments that a later version of their invoice does not have any more."""
    asked = given(item, ("tenant_id", "invoice_id"))
    sibling = item.alias("sibling")
    latest = (
        select(sibling.c.tenant_id, sibling.c.invoice_id, func.max(sibling.c.invoice_version).label("version"))
        .join(asked, and_(sibling.c.tenant_id == asked.c.tenant_id, sibling.c.invoice_id == asked.c.invoice_id))
        .group_by(sibling.c.tenant_id, sibling.c.invoice_id)
        .subquery()
    )
    return (
        update(item)
        .where(item.c.tenant_id == latest.c.tenant_id, item.c.invoice_id == latest.c.invoice_id)
        .where(item.c.invoice_version > 0, item.c.invoice_version < latest.c.version)
        .where(item.c.cancelled_version < item.c.invoice_version)
        .values(cancelled_version=item.c.invoice_version)
    )


@cache
def _cancelling() -> Insert:
    adding_ = _upserting((*_KEY, "invoice_id", "cancelled_version", "cancelled_at"))
    higher = func.greatest(item.c.cancelled_version, adding_.excluded.cancelled_version)
    first = func.least(item.c.cancelled_at, adding_.excluded.cancelled_at)
    return adding_.on_conflict_do_update(
        index_elements=list(_KEY), set_={"cancelled_version": higher, "cancelled_at": first}
    )


@cache
def _owing() -> Insert:
    adding_ = _upserting((*_KEY, "invoice_id", "residual_minor", "item_version"))
    told = {name: adding_.excluded[name] for name in ("residual_minor", "item_version")}
    return adding_.on_conflict_do_update(
        index_elements=list(_KEY), set_=told, where=adding_.excluded.item_version > item.c.item_version
    )


@cache
def _settling() -> Update:
    told = given(item, ("tenant_id", "item_id", "settled_version", "settled_by", "settled_on"))
    reminded = (
        select(occurrence.c.occurrence_id)
        .where(occurrence.c.tenant_id == item.c.tenant_id, occurrence.c.item_id == item.c.item_id)
        .where(occurrence.c.kind.in_(sorted(LADDER)))
        .exists()
    )
    return (
        update(item)
        .where(item.c.tenant_id == told.c.tenant_id, item.c.item_id == told.c.item_id)
        .where(told.c.settled_version > item.c.settled_version)
        .values(
            settled_version=told.c.settled_version,
            settled_by=told.c.settled_by,
            settled_on=told.c.settled_on,
            to_thank=and_(told.c.settled_by == "payment", reminded),
            thanks_at=None,
        )
    )


@cache
def _thanked() -> Update:
    asked = given(item, ("tenant_id", "item_id", "settled_version"))
    return (
        update(item)
        .where(item.c.tenant_id == asked.c.tenant_id, item.c.item_id == asked.c.item_id)
        .where(item.c.settled_version == asked.c.settled_version)
        .values(to_thank=False, thanks_at=bindparam("at", type_=item.c.thanks_at.type))
    )


@cache
def _coming_back() -> Insert:
    adding_ = _upserting((*_KEY, "invoice_id", "cycles"))
    joined = item.c.cycles.op("||", return_type=JSONB())(adding_.excluded.cycles)
    return adding_.on_conflict_do_update(index_elements=list(_KEY), set_={"cycles": joined})


def _of_debtor() -> tuple[Any, Any]:
    asked = given(item, ("tenant_id", "debtor_id", "case_id"))
    theirs = and_(
        item.c.tenant_id == asked.c.tenant_id, item.c.debtor_id == asked.c.debtor_id, item.c.case_id != asked.c.case_id
    )
    return asked, theirs


@cache
def _leaving() -> Select[Any]:
    asked, theirs = _of_debtor()
    return select(item.c.tenant_id, item.c.case_id).join(asked, theirs).distinct()


@cache
def _moving() -> Update:
    asked, theirs = _of_debtor()
    moved = update(item).where(theirs).values(case_id=asked.c.case_id)
    return moved.returning(item.c.tenant_id, item.c.case_id)


@cache
def _looking() -> Update:
    """The day before the first step of the case's policy would fall, or at once."""
    asked = given(item, ("tenant_id", "case_id", "due_date"))
    first = func.timezone("UTC", cast(asked.c.due_date + payer_case.c.first_offset - 1, DateTime))
    at = bindparam("at", type_=payer_case.c.next_at.type)
    return (
        update(payer_case)
        .where(payer_case.c.tenant_id == asked.c.tenant_id, payer_case.c.case_id == asked.c.case_id)
        .values(next_at=func.least(payer_case.c.next_at, func.greatest(at, first)), told=payer_case.c.told + 1)
    )
