"""From rows to facts: everything that the decisions about many cases need, read in a dozen questions.

With `as_of` in the past the rows are those of that instant, as `remembering` puts them together again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.case import UNKNOWN_PAYER, Case, Item, Mark, Money, Party, Pause, Payer
from services.scheduler.choosing import chosen
from services.scheduler.finding import Found, find
from services.scheduler.policy import PolicyVersion
from services.scheduler.remembering import remember
from services.scheduler.running_in import base
from services.scheduler.situation import Row, Situation
from services.scheduler.store.cases import Pair
from services.scheduler.store.importing import STEP as IMPORTED
from services.scheduler.store.policies import Policies
from services.scheduler.store.zones import calendar, of
from services.scheduler.trusting import with_bounds

NOTHING = "{}"


async def gather(
    db: AsyncConnection,
    rows: Sequence[Row],
    policies: Policies,
    now: datetime,
    *,
    as_of: datetime | None = None,
    also: Collection[Pair] = (),
    parties: Mapping[Pair, Any] | None = None,
) -> list[Situation]:
    """The situations of these payer_case rows, in their order; `also` names items that may be closed, `parties` has
    their parties' rows where they were read before."""
    if not rows:
        return []
    if as_of is not None and as_of < now:
        past = await remember(db, rows, policies, as_of, also)
        on = await _on(db, past.rows, policies)
        known = [_situation(row, past.found, past.active, on) for row in past.rows]
        told = await chosen(db, known, policies, partial(policies.active_at, db, at=as_of), as_of)
        return [replace(each, caveats=past.caveats[each.row["case_id"]]) for each in told]
    found = await find(db, rows, now, also, parties)
    names = {(key[0], entity.policy) for key, entity in found.entities.items()}
    active = await policies.active(db, names, now)
    on = await _on(db, rows, policies)
    situations = [_situation(row, found, active, on) for row in rows]
    situations = await chosen(db, situations, policies, partial(policies.active, db, now=now), now)
    return await with_bounds(db, situations, found.entities, now)


async def _on(db: AsyncConnection, rows: Sequence[Row], policies: Policies) -> dict[UUID, PolicyVersion]:
    versions = {(row["tenant_id"], row["policy_version_id"]) for row in rows if row["policy_version_id"]}
    return await policies.of(db, versions)


def _situation(
    row: Row, found: Found, active: Mapping[Any, PolicyVersion], on: Mapping[UUID, PolicyVersion]
) -> Situation:
    tenant = row["tenant_id"]
    entity = found.entities.get((tenant, row["entity_id"]))
    file = found.files.get((tenant, row["payer_id"]))
    items = tuple(_item(raw, row, found, file) for raw in found.items.get(row["case_id"], ()))
    version = on.get(row["policy_version_id"])
    wanted = active.get((tenant, entity.policy)) if entity is not None else None
    if wanted is not None and (version is None or not any(_said_here(item) for item in items)):
        version = wanted
    return Situation(
        row=row,
        case=_case(row, found, items, entity, file),
        version=version,
        calendar=of(entity) if entity else calendar("FR", "Europe/Paris"),
        language=file.language if file is not None else "fr",
        entity_known=entity is not None,
    )


def _said_here(item: Item) -> bool:
    """Whether a policy of ours said something of it: what another system said before binds it to no version."""
    return any(base(mark.step_key) != IMPORTED for mark in item.marks)


def _case(row: Row, found: Found, items: tuple[Item, ...], entity: Any, file: Any) -> Case:
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
        payer_known=file is not None,
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
        payer=_payer(file) if file is not None else UNKNOWN_PAYER,
    )


def _payer(file: Any) -> Payer:
    return Payer(file.language, file.country, file.group_id is not None, told=file.profile)


def _cash(row: Row, found: Found) -> tuple[Money, ...]:
    mine = [
        paid
        for paid in found.cash
        if paid.tenant_id == row["tenant_id"]
        and (paid.payer_id == row["payer_id"] or (row["group_id"] and paid.group_id == row["group_id"]))
    ]
    return tuple(Money(paid.currency, paid.unapplied_minor, paid.seen_on) for paid in mine)


def _party(row: Row, found: Found) -> Party:
    pair = (row["tenant_id"], row["party_id"])
    kept = found.parties.get(pair)
    said = found.said.get(pair, [])
    formal = [other.formal_on for other in found.formal.get(pair, ()) if other.case_id != row["case_id"]]
    if kept is None:
        return Party(row["party_id"], formal_on=min(formal, default=None))
    others = kept.reserved_on if kept.reserved_case != row["case_id"] else None
    return Party(row["party_id"], kept.last_notice_on, tuple(said), others, min(formal, default=None))


def _item(raw: Any, row: Row, found: Found, payer: Any) -> Item:
    tenant, item_id = raw.tenant_id, raw.item_id
    debtor = found.files.get((tenant, raw.debtor_id))
    residual = raw.amount_minor if raw.residual_minor is None else raw.residual_minor
    kept = found.marks.get(item_id)
    holds = found.holds and _pauses(raw, row, found)
    cycles = orjson.loads(raw.cycles) if raw.cycles != NOTHING else None
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
        marks=tuple(_mark(each, payer) for each in kept) if kept else (),
        pauses=holds or (),
        broken=_broken(raw.broken) if raw.broken != NOTHING else (),
        settled_on=raw.settled_on,
        settled_version=raw.settled_version,
        to_thank=raw.to_thank,
        credit_pending=bool(found.credits) and _credit_pending(raw, found.credits.get((tenant, row["payer_id"]), ())),
    )


def _not_chased(raw: Any, debtor: Any) -> tuple[str, ...]:
    told = tuple(raw.not_chased.split(",")) if raw.not_chased else ()
    if debtor is None or not (debtor.consumer or debtor.intercompany):
        return told
    more = [name for name in ("consumer", "intercompany") if getattr(debtor, name) and name not in told]
    return (*told, *more)


def _broken(told: str) -> tuple[date, ...]:
    """The days of broken promises: {promise: [day, instant]}."""
    return tuple(sorted(date.fromisoformat(each[0]) for each in orjson.loads(told).values()))


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


def _pauses(raw: Any, row: Row, found: Found) -> tuple[Pause, ...]:
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
        Pause(held.hold_id, held.kind, held.scope, held.review_on, held.amount_minor, held.placed_at, held.due_on)
        for scope, identity in scopes.items()
        if identity is not None
        for held in found.holds.get((tenant, identity), ())
        if held.scope == scope
    )


def _mark(raw: Any, payer: Any) -> Mark:
    retry = raw.retry_on
    if raw.state in ("failed", "bounced") and payer is not None and raw.ended_at and payer.changed_at > raw.ended_at:
        retry = None
    return Mark(
        step_key=raw.step_key,
        cycle=raw.cycle,
        tone=raw.tone,
        kind=raw.kind,
        state=raw.state,
        release=raw.release,
        on=raw.on_date,
        channel=raw.channel,
        reminder_id=raw.reminder_id,
        retry_on=retry,
        printed=raw.printed_minor,
        invoice_version=raw.invoice_version,
        withdrawn=raw.withdrawn,
        anchored=raw.anchored,
        completes_on=raw.completes_on,
        released_at=raw.released_at,
        version_id=raw.policy_version_id,
    )
