"""Cases as they were at an instant that has passed: the rows of now, taken back to what was told by then.

The rule it protects: an explanation of a past instant is the one that was true then, or says what it does not know:
other cases of the party, a debtor's file that changed since, how far the entity was on its run-in.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.calendar import Calendar
from services.scheduler.case import UNENDED, Reason
from services.scheduler.evidence import facts_of, standing
from services.scheduler.finding import BUDGET_LOOKS_BACK, About, Found, by, days
from services.scheduler.policy import LADDER, PolicyVersion
from services.scheduler.situation import Row
from services.scheduler.store import facts, past, told
from services.scheduler.store.cases import Pair
from services.scheduler.store.policies import Policies
from services.scheduler.store.zones import calendar
from services.scheduler.store.zones import of as calendar_of

Told = Mapping[told.Kind, Sequence[tuple[Any, Any]]]
CREDITS: tuple[told.Kind, ...] = ("credit_issued", "credit_applied")
ITEMS: tuple[told.Kind, ...] = ("item",)
KINDS: tuple[told.Kind, ...] = (
    "payment", "credit_issued", "credit_applied", "feed", "entity", "tenant", "answer", "case_policy",
)  # fmt: skip


@dataclass(frozen=True)
class Past:
    """The rows of some cases as they were, and what of them nobody knows any more."""

    rows: list[Row]
    found: Found
    active: Mapping[Any, PolicyVersion]
    caveats: Mapping[UUID, tuple[Reason, ...]]


async def remember(
    db: AsyncConnection, rows: Sequence[Row], policies: Policies, at: datetime, also: Collection[Pair]
) -> Past:
    """These cases at an instant; `also` names items that may have been closed."""
    about = About.of(rows)
    members = await past.payers_of(db, about.groups)
    whose = about.cases | about.payers | set(members) | about.entities | {(each, each) for each in about.tenants}
    log = await told.told(db, whose, KINDS, at)
    entities = _entities(await facts.entities(db, about.tenants), log)
    zones = {key: calendar_of(entity) for key, entity in entities.items()}
    read = {row.item_id: row for row in await past.items_of_cases(db, about.cases)}
    read |= {row.item_id: row for row in await past.items(db, also)}
    ids = {(row.tenant_id, row.item_id) for row in read.values()}
    marks = by(_marks(await facts.marks(db, ids), zones, at), lambda row: row.item_id)
    then = await _items(db, read.values(), ids, marks, at)
    kept = [row for row in then if _seen(row, marks.get(row.item_id, ())) or (row.tenant_id, row.item_id) in set(also)]
    debtors = about.payers | {(row.tenant_id, row.debtor_id) for row in kept}
    scopes = about.scopes({(row.tenant_id, row.item_id) for row in kept}, debtors)
    holds = [held for held in await facts.holds(db, scopes, ended=True) if _in_force(held, at)]
    heard = await past.said(db, about.parties, at.date() - BUDGET_LOOKS_BACK, at)
    said, last = days(heard), by(heard, lambda row: (row.tenant_id, row.party_id))
    files = await facts.files(db, debtors)
    found = Found(
        items=by(kept, lambda row: row.case_id),
        marks=marks,
        holds=by(holds, lambda row: (row.tenant_id, row.scope_id)),
        files=files,
        cash=_cash(log, members),
        credits=by(_credits(log), lambda row: (row.tenant_id, row.payer_id)),
        coverage=_coverage(log),
        parties={pair: SimpleNamespace(last_notice_on=max(row.said_on for row in said_), reserved_on=None,
                                       reserved_case=None)
                 for pair, said_ in last.items()},
        said=said,
        formal={},
        entities=entities,
        stopped={fact.tenant_id for fact, _ in log.get("tenant", ()) if fact.body["stopped"]},
    )  # fmt: skip
    active = await policies.active_at(db, {(key[0], entity.policy) for key, entity in entities.items()}, at)
    companions = await past.companions(db, about.parties)
    thanked = _thanked([mark for each in marks.values() for mark in each], zones)
    return Past(
        rows=[_case(row, log, kept, marks, thanked) for row in rows],
        found=found,
        active=active,
        caveats={row["case_id"]: _caveats(row, files, entities, companions, at) for row in rows},
    )


def _like(row: Any, **changes: Any) -> Any:
    return SimpleNamespace(**(dict(row._mapping) | changes))


def _entities(now: Mapping[Pair, Any], log: Told) -> dict[Pair, Any]:
    then = {(fact.tenant_id, fact.subject_id): fact.body for fact, _ in log.get("entity", ())}
    return {key: _like(row, **then.get(key, {})) for key, row in now.items()}


def _marks(rows: Iterable[Any], zones: Mapping[Pair, Calendar], at: datetime) -> list[Any]:
    """Occurrences as they stood; those that were not released yet are left out."""
    found = []
    for row in rows:
        known = [fact for fact in facts_of(orjson.loads(row.ends)) if fact.at <= at]
        release = row.release
        if row.released_at > at:
            release = max((fact.release for fact in known), default=0)
            if not release:
                continue
        zone = zones.get((row.tenant_id, row.entity_id)) or calendar("FR", "Europe/Paris")
        then = standing(known, release, row.kind, zone.today(row.released_at), row.completes_on)
        changes = {"state": then.state, "on_date": then.on, "retry_on": then.retry_on, "ended_at": then.ended_at}
        found.append(_like(row, release=release, **changes))
    return found


async def _items(
    db: AsyncConnection, rows: Iterable[Any], ids: set[Pair], marks: Mapping[UUID, Sequence[Any]], at: datetime
) -> list[Any]:
    residuals = facts.told_by(await facts.residuals(db, ids), at)
    settled = {(fact.item_id, fact.item_version) for fact in await facts.residuals(db, ids) if fact.told_at <= at}
    versions = (await told.told(db, ids, ITEMS, at)).get("item", ())
    kept = {fact.subject_id: fact for fact, _ in versions}
    return [
        _item(row, residuals.get(row.item_id), kept.get(row.item_id), settled, marks.get(row.item_id, ()), at)
        for row in rows
        if row.due_date is not None
    ]


def _item(  # noqa: PLR0917 - a row, and what was told of it by then
    row: Any, residual: Any, version: Any, settled: set[tuple[UUID, int]], marks: Sequence[Any], at: datetime
) -> Any:
    changes: dict[str, Any] = {}
    if version is not None:
        changes = dict(version.body) | {"invoice_version": version.version}
        changes["due_date"] = date.fromisoformat(changes["due_date"])
    if row.cancelled_at is not None and row.cancelled_at > at:
        changes["cancelled_version"] = 0
    if row.take_over_at is not None and row.take_over_at > at:
        changes |= {"take_over_decision": None, "take_over_on": None}
    cycles = {cause: each for cause, each in orjson.loads(row.cycles).items() if datetime.fromisoformat(each[2]) <= at}
    changes["cycles"] = orjson.dumps(cycles).decode()
    broken = orjson.loads(row.broken)
    changes["broken"] = orjson.dumps({p: e for p, e in broken.items() if datetime.fromisoformat(e[1]) <= at}).decode()
    changes["residual_minor"] = residual.residual_minor if residual is not None else None
    changes["item_version"] = residual.item_version if residual is not None else 0
    over = row.settled_by == "payment" and (row.item_id, row.settled_version) in settled
    reminded = any(mark.kind in LADDER for mark in marks)
    changes["to_thank"] = over and reminded and (row.thanks_at is None or row.thanks_at > at)
    return _like(row, **changes)


def _seen(row: Any, marks: Sequence[Any]) -> bool:
    """Whether a decision of then looked at the item: it was told, and owed or not ended."""
    owed = row.amount_minor if row.residual_minor is None else row.residual_minor
    open_ = row.invoice_version > row.cancelled_version and owed > 0
    return open_ or row.to_thank or any(mark.state in UNENDED for mark in marks)


def _in_force(held: Any, at: datetime) -> bool:
    return bool(held.placed_at <= at and (held.lifted_at is None or held.lifted_at > at))


def _cash(log: Told, members: Mapping[Pair, UUID]) -> list[Any]:
    found = []
    for fact, first in log.get("payment", ()):
        body = fact.body
        if body["unapplied_minor"] > 0 and body["payer_id"]:
            payer = UUID(body["payer_id"])
            found.append(
                SimpleNamespace(
                    tenant_id=fact.tenant_id,
                    payer_id=payer,
                    group_id=members.get((fact.tenant_id, payer)),
                    currency=body["currency"],
                    unapplied_minor=body["unapplied_minor"],
                    seen_on=min(date.fromisoformat(each.body["seen_on"]) for each in (fact, first)),
                )
            )
    return found


def _credits(log: Told) -> list[Any]:
    """Credit notes as issued and as applied by then, in one row each."""
    rows: dict[UUID, dict[str, Any]] = defaultdict(
        lambda: {"issued_version": 0, "answered_version": 0, "unapplied_minor": 0, "invoice_ids": [], "debtor_id": None}
    )
    for kind in CREDITS:
        for fact, first in log.get(kind, ()):
            row = rows[fact.subject_id]
            seen = min(first.body["seen_on"], row.get("seen_on", first.body["seen_on"]))
            row |= fact.body | {"tenant_id": fact.tenant_id, "seen_on": seen}
    return [
        SimpleNamespace(
            **row
            | {
                "payer_id": UUID(row["payer_id"]) if row["payer_id"] else None,
                "debtor_id": UUID(row["debtor_id"]) if row["debtor_id"] else None,
                "invoice_ids": [UUID(each) for each in row["invoice_ids"]],
                "seen_on": date.fromisoformat(row["seen_on"]),
            }
        )
        for row in rows.values()
    ]


def _coverage(log: Told) -> dict[Pair, date | None]:
    found: dict[Pair, date | None] = {}
    unknown: set[Pair] = set()
    for fact, _ in log.get("feed", ()):
        if not fact.body["required"]:
            continue
        key, covered = (fact.tenant_id, fact.about_id), fact.body["covered_to"]
        if covered is None or fact.body["unreadable"]:
            unknown.add(key)
            found.setdefault(key, None)
        else:
            day, before = date.fromisoformat(covered), found.get(key)
            found[key] = day if before is None else min(before, day)
    return {key: None if key in unknown else day for key, day in found.items()}


def _thanked(marks: Iterable[Any], zones: Mapping[Pair, Calendar]) -> dict[UUID, date]:
    found: dict[UUID, date] = {}
    for mark in marks:
        zone = zones.get((mark.tenant_id, mark.entity_id))
        if mark.kind == "acknowledge" and zone is not None:
            day = zone.today(mark.released_at)
            found[mark.case_id] = max(day, found.get(mark.case_id, day))
    return found


def _case(
    row: Row, log: Told, items: Sequence[Any], marks: Mapping[UUID, Sequence[Any]], thanked: Mapping[UUID, date]
) -> Row:
    """The case's own row: the last sign of life, the last thank-you, and the policy that its last release was on."""
    case = row["case_id"]
    answers = [date.fromisoformat(fact.body["on"]) for fact, _ in log.get("answer", ()) if fact.subject_id == case]
    mine = [mark for item in items if item.case_id == case for mark in marks.get(item.item_id, ())]
    last = max(mine, key=lambda mark: mark.released_at, default=None)
    moved = next((fact for fact, _ in log.get("case_policy", ()) if fact.subject_id == case), None)
    version = last.policy_version_id if last is not None else None
    if moved is not None and (last is None or moved.told_at > last.released_at):
        version = UUID(moved.body["version_id"])
    return {
        **row,
        "answered_on": max(answers, default=None),
        "thanked_on": thanked.get(case),
        "policy_version_id": version,
    }


def _caveats(
    row: Row, files: Mapping[Pair, Any], entities: Mapping[Pair, Any], companions: Mapping[Pair, int], at: datetime
) -> tuple[Reason, ...]:
    found = []
    file = files.get((row["tenant_id"], row["payer_id"]))
    if file is not None and file.changed_at > at:
        found.append(Reason("debtor_changed_since", {"on": file.changed_at.date()}))
    if companions.get((row["tenant_id"], row["party_id"]), 0) > 1:
        found.append(Reason("other_cases_then"))
    entity = entities.get((row["tenant_id"], row["entity_id"]))
    if entity is not None and entity.run_in == "required":
        found.append(Reason("run_in_then"))
    return tuple(found)
