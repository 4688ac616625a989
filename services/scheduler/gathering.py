"""From rows to facts: everything that the decisions about many cases need, read in a dozen questions.

With `as_of` in the past the facts are those that were known then: residuals, releases and their ends, holds, contacts.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.case import Case, Item, Mark, Money, Party, Pause
from services.scheduler.evidence import facts_of, standing
from services.scheduler.policy import PolicyVersion
from services.scheduler.situation import Row, Situation
from services.scheduler.store import facts
from services.scheduler.store.cases import Pair
from services.scheduler.store.policies import Policies
from services.scheduler.store.zones import calendar
from services.scheduler.trusting import with_bounds

NOTHING = "{}"
BUDGET_LOOKS_BACK = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class _Found:
    """The rows of a gathering, by what they belong to."""

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
    residuals: Mapping[UUID, Any]
    as_of: datetime | None


async def gather(
    db: AsyncConnection,
    rows: Sequence[Row],
    policies: Policies,
    now: datetime,
    *,
    as_of: datetime | None = None,
    also: Collection[Pair] = (),
) -> list[Situation]:
    """The situations of these payer_case rows, in their order; `also` names items that may be closed."""
    if not rows:
        return []
    found = await _find(db, rows, now, as_of, also)
    names = {(key[0], entity.policy) for key, entity in found.entities.items()}
    active = await policies.active(db, names, now)
    on = await policies.of(
        db, {(row["tenant_id"], row["policy_version_id"]) for row in rows if row["policy_version_id"]}
    )
    situations = [_situation(row, found, active, on) for row in rows]
    return situations if found.as_of else await with_bounds(db, situations, found.entities, now)


async def _find(
    db: AsyncConnection, rows: Sequence[Row], now: datetime, as_of: datetime | None, also: Collection[Pair]
) -> _Found:
    cases = {(row["tenant_id"], row["case_id"]) for row in rows}
    parties = {(row["tenant_id"], row["party_id"]) for row in rows}
    payers = {(row["tenant_id"], row["payer_id"]) for row in rows}
    groups = {(row["tenant_id"], row["group_id"]) for row in rows if row["group_id"]}
    tenants = {row["tenant_id"] for row in rows}
    party_rows = await facts.parties(db, parties)
    read = {row.item_id: row for row in await facts.open_items(db, cases)}
    read |= {row.item_id: row for row in await facts.items_of(db, also)}
    ids = {(row.tenant_id, row.item_id) for row in read.values()}
    debtors = payers | {(row.tenant_id, row.debtor_id) for row in read.values()}
    past = as_of is not None and as_of < now
    heard = {pair for pair, row in party_rows.items() if row.last_notice_on is not None}
    entities = {(row["tenant_id"], row["entity_id"]) for row in rows}
    scopes = ids | cases | debtors | parties | groups | entities | {(tenant, tenant) for tenant in tenants}
    return _Found(
        items=_by(read.values(), lambda row: row.case_id),
        marks=_by(await facts.marks(db, ids), lambda row: row.item_id),
        holds=_by(await facts.holds(db, scopes, ended=past), lambda row: (row.tenant_id, row.scope_id)),
        files=await facts.files(db, debtors),
        cash=await facts.cash(db, payers, groups),
        credits=_by(await facts.credited(db, payers), lambda row: (row.tenant_id, row.payer_id)),
        coverage=await facts.coverage(db, entities),
        parties=party_rows,
        said=_days(await facts.said(db, heard, now.date() - BUDGET_LOOKS_BACK)),
        formal=_by(await facts.formal_days(db, parties), lambda row: (row.tenant_id, row.party_id)),
        entities=await facts.entities(db, tenants),
        stopped=await facts.stopped(db, tenants),
        residuals=facts.told_by(await facts.residuals(db, ids), as_of) if past and as_of else {},
        as_of=as_of if past else None,
    )


def _by(rows: Any, key: Any) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def _days(rows: Sequence[Any]) -> dict[Pair, list[date]]:
    found: dict[Pair, list[date]] = defaultdict(list)
    for row in rows:
        found[row.tenant_id, row.party_id].append(row.said_on)
    return found


def _situation(
    row: Row, found: _Found, active: Mapping[Any, PolicyVersion], on: Mapping[UUID, PolicyVersion]
) -> Situation:
    tenant = row["tenant_id"]
    entity = found.entities.get((tenant, row["entity_id"]))
    file = found.files.get((tenant, row["payer_id"]))
    items = tuple(
        made for raw in found.items.get(row["case_id"], ()) if (made := _item(raw, row, found, file)) is not None
    )
    version = on.get(row["policy_version_id"])
    wanted = active.get((tenant, entity.policy)) if entity is not None else None
    if wanted is not None and (version is None or not any(item.marks for item in items)):
        version = wanted
    return Situation(
        row=row,
        case=_case(row, found, items, entity, file is not None),
        version=version,
        calendar=calendar(entity.country, entity.time_zone) if entity else calendar("FR", "Europe/Paris"),
        language=file.language if file is not None else "fr",
        entity_known=entity is not None,
    )


def _case(row: Row, found: _Found, items: tuple[Item, ...], entity: Any, payer_known: bool) -> Case:
    tenant, key = row["tenant_id"], (row["tenant_id"], row["entity_id"])
    left = found.credits.get((tenant, row["payer_id"]), ())
    return Case(
        tenant_id=tenant,
        case_id=row["case_id"],
        entity_id=row["entity_id"],
        payer_id=row["payer_id"],
        party=_party(row, found),
        items=items,
        state=row["state"],
        mode=entity.mode if entity is not None else "shadow",
        approvals=entity.approvals if entity is not None else "confirm",
        stopped=tenant in found.stopped,
        payer_known=payer_known,
        feed_required=key in found.coverage and (entity is None or entity.feed_required),
        covered_to=found.coverage.get(key),
        cash=_cash(row, found) if found.cash else (),
        credits=tuple(
            Money(credit.currency, credit.unapplied_minor, credit.seen_on)
            for credit in left
            if credit.unapplied_minor and credit.answered_version >= credit.issued_version
        ),
        answered_on=row["answered_on"],
        thanked_on=row["thanked_on"],
    )


def _cash(row: Row, found: _Found) -> tuple[Money, ...]:
    mine = [
        paid
        for paid in found.cash
        if paid.tenant_id == row["tenant_id"]
        and (paid.payer_id == row["payer_id"] or (row["group_id"] and paid.group_id == row["group_id"]))
    ]
    return tuple(Money(paid.currency, paid.unapplied_minor, paid.seen_on) for paid in mine)


def _party(row: Row, found: _Found) -> Party:
    pair = (row["tenant_id"], row["party_id"])
    kept = found.parties.get(pair)
    said = found.said.get(pair, [])
    formal = [other.formal_on for other in found.formal.get(pair, ()) if other.case_id != row["case_id"]]
    if kept is None:
        return Party(row["party_id"], formal_on=min(formal, default=None))
    if found.as_of is not None:
        said = [day for day in said if day <= found.as_of.date()]
        return Party(row["party_id"], max(said, default=None), tuple(said), formal_on=min(formal, default=None))
    others = kept.reserved_on if kept.reserved_case != row["case_id"] else None
    return Party(row["party_id"], kept.last_notice_on, tuple(said), others, min(formal, default=None))


def _item(raw: Any, row: Row, found: _Found, payer: Any) -> Item | None:
    tenant, item_id = raw.tenant_id, raw.item_id
    debtor = found.files.get((tenant, raw.debtor_id))
    residual = raw.amount_minor if raw.residual_minor is None else raw.residual_minor
    if found.as_of is not None:
        told = found.residuals.get(item_id)
        residual = raw.amount_minor if told is None else told.residual_minor
    kept = found.marks.get(item_id)
    holds = found.holds and _pauses(raw, row, found)
    cycles = _cycles(orjson.loads(raw.cycles), found.as_of) if raw.cycles != NOTHING else None
    last = max(cycles.values()) if cycles else None
    return Item(
        item_id=item_id,
        invoice_id=raw.invoice_id,
        debtor_id=raw.debtor_id,
        number=raw.number,
        issue_date=raw.issue_date,
        due_date=raw.due_date,
        currency=raw.currency,
        amount=raw.amount_minor,
        residual=residual,
        item_version=raw.item_version,
        invoice_version=raw.invoice_version,
        cancelled=raw.cancelled_version >= raw.invoice_version,
        not_chased=_not_chased(raw, debtor),
        take_over=_take_over(raw),
        take_over_on=raw.take_over_on,
        cycle=1 + len(cycles) if cycles else 1,
        cycle_on=date.fromisoformat(last[0]) if last else None,
        cycle_reason=last[1] if last else "",
        marks=tuple(mark for each in kept if (mark := _mark(each, found, payer)) is not None) if kept else (),
        pauses=holds or (),
        settled_on=raw.settled_on,
        settled_version=raw.settled_version,
        to_thank=raw.to_thank,
        credit_pending=bool(found.credits) and _credit_pending(raw, found.credits.get((tenant, row["payer_id"]), ())),
    )


def _cycles(kept: Mapping[str, list[str]], as_of: datetime | None) -> dict[str, list[str]]:
    if as_of is None:
        return dict(kept)
    return {cause: told for cause, told in kept.items() if date.fromisoformat(told[0]) <= as_of.date()}


def _not_chased(raw: Any, debtor: Any) -> tuple[str, ...]:
    told = tuple(raw.not_chased.split(",")) if raw.not_chased else ()
    if debtor is None:
        return told
    more = [name for name in ("consumer", "intercompany") if getattr(debtor, name) and name not in told]
    return (*told, *more)


def _take_over(raw: Any) -> Any:
    if not raw.take_over:
        return "none"
    return raw.take_over_decision or "waiting"


def _credit_pending(raw: Any, notes: Sequence[Any]) -> bool:
    waiting = [credit for credit in notes if credit.answered_version < credit.issued_version]
    return any(
        raw.invoice_id in credit.invoice_ids or (not credit.invoice_ids and credit.debtor_id == raw.debtor_id)
        for credit in waiting
    )


def _pauses(raw: Any, row: Row, found: _Found) -> tuple[Pause, ...]:
    tenant = raw.tenant_id
    scopes = {
        "item": raw.item_id,
        "case": row["case_id"],
        "debtor": raw.debtor_id,
        "payer": row["payer_id"],
        "party": row["party_id"],
        "group": row["group_id"],
        "entity": row["entity_id"],
        "tenant": tenant,
    }
    return tuple(
        Pause(held.hold_id, held.kind, held.scope, held.review_on, held.amount_minor, held.placed_at)
        for scope, identity in scopes.items()
        if identity is not None
        for held in found.holds.get((tenant, identity), ())
        if held.scope == scope and _in_force(held, found.as_of)
    )


def _in_force(held: Any, as_of: datetime | None) -> bool:
    if as_of is None:
        return True
    return bool(held.placed_at <= as_of and (held.lifted_at is None or held.lifted_at > as_of))


def _mark(raw: Any, found: _Found, payer: Any) -> Mark | None:
    state, on, retry = raw.state, raw.on_date, raw.retry_on
    if found.as_of is not None:
        if raw.released_at > found.as_of and raw.release == 1:
            return None
        known = [fact for fact in facts_of(orjson.loads(raw.ends)) if fact.at <= found.as_of]
        then = standing(known, raw.release, raw.kind, raw.released_at.date())
        state, on, retry = then.state, then.on, then.retry_on
    elif state in ("failed", "bounced") and payer is not None and raw.ended_at and payer.changed_at > raw.ended_at:
        retry = None
    return Mark(
        step_key=raw.step_key,
        cycle=raw.cycle,
        tone=raw.tone,
        kind=raw.kind,
        state=state,
        release=raw.release,
        on=on,
        channel=raw.channel,
        reminder_id=raw.reminder_id,
        retry_on=retry,
        printed=raw.printed_minor,
        invoice_version=raw.invoice_version,
        withdrawn=raw.withdrawn,
        anchored=raw.anchored,
        released_at=raw.released_at,
    )
