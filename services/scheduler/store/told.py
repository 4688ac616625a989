"""The log of what was told when.

The rule it protects: nothing in it is changed; of each subject the highest version told by an instant held then. It
carries ids, days and amounts, nothing personal.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ARRAY, Select, Text, and_, bindparam, func, select
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import adding, columns, given
from services.scheduler.tables import past_fact

Kind = Literal[
    "payment", "credit_issued", "credit_applied", "feed", "entity", "tenant", "answer", "item", "case_policy"
]
_FACT = ("tenant_id", "kind", "subject_id", "version", "about_id", "told_at", "body")


def fact(  # noqa: PLR0917 - what was told, of what, about whom, when
    kind: Kind, tenant: UUID, subject: UUID, about: UUID, version: int, told_at: datetime, body: Mapping[str, Any]
) -> dict[str, Any]:
    """A fact as it is kept; dates as text, ids as text."""
    plain = {name: _plain(value) for name, value in body.items()}
    return dict(zip(_FACT, (tenant, kind, subject, version, about, told_at, plain), strict=True))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, date | UUID) else value


async def keep(db: AsyncConnection, rows: Sequence[Mapping[str, Any]], *, again: bool = True) -> None:
    """Keep these facts; one told again was told when it was told first, or changes nothing."""
    best: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in rows:
        key = (row["tenant_id"], row["kind"], row["subject_id"], row["version"])
        if key not in best or row["told_at"] < best[key]["told_at"]:
            best[key] = row
    if best:
        statement = _keeping() if again else adding(past_fact, _FACT)
        await db.execute(statement, columns([best[key] for key in sorted(best)]))


async def told(
    db: AsyncConnection, about: Collection[tuple[UUID, UUID]], kinds: Collection[Kind], at: datetime
) -> dict[Kind, list[tuple[Any, Any]]]:
    """Kind → the facts that held at an instant, of every subject that was ever about one of these (tenant, id).

    Each is its highest version told by then, with its first one.
    """
    if not about:
        return {}
    asked = columns([{"tenant_id": tenant, "about_id": each} for tenant, each in sorted(about)])
    best: dict[tuple[Any, ...], Any] = {}
    first: dict[tuple[Any, ...], Any] = {}
    for row in await db.execute(_told(), {**asked, "kinds": sorted(kinds), "at": at}):
        key = (row.kind, row.subject_id)
        if key not in first or row.told_at < first[key].told_at:
            first[key] = row
        if key not in best or row.version > best[key].version:
            best[key] = row
    found: dict[Kind, list[tuple[Any, Any]]] = defaultdict(list)
    for key, row in best.items():
        found[key[0]].append((row, first[key]))
    return found


@cache
def _keeping() -> Insert:
    rows = given(past_fact, _FACT)
    telling = insert(past_fact).from_select(list(_FACT), select(*rows.c))
    earlier = telling.excluded.told_at < past_fact.c.told_at
    return telling.on_conflict_do_update(
        index_elements=list(_FACT[:4]), set_={"told_at": telling.excluded.told_at}, where=earlier
    )


@cache
def _told() -> Select[Any]:
    asked = given(past_fact, ("tenant_id", "about_id"))
    ever = past_fact.alias("ever")
    chosen = ever.c.kind == func.any(bindparam("kinds", type_=ARRAY(Text)))
    mine = and_(ever.c.tenant_id == asked.c.tenant_id, ever.c.about_id == asked.c.about_id, chosen)
    subjects = select(ever.c.tenant_id, ever.c.kind, ever.c.subject_id).join(asked, mine).distinct().subquery()
    theirs = and_(*(past_fact.c[name] == subjects.c[name] for name in ("tenant_id", "kind", "subject_id")))
    by_then = past_fact.c.told_at <= bindparam("at", type_=past_fact.c.told_at.type)
    return select(past_fact).join(subjects, theirs).where(by_then)
