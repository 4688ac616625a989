"""What can be seen from outside: every record of every topic, the caught mails, read-only SQL; and what must hold."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition
from sqlalchemy import text

from libs.common import kafka
from libs.common.db import driver_url, make_engine
from libs.common.events import HEARD, OWNERS, PARTITIONS
from libs.common.settings import SCHEMAS, Settings
from tests.support.living import Living
from tests.support.world import is_thanks, text_of

ENDS = {"ReminderSent", "ReminderFailed", "ReminderStopped", "ReminderUncertain"}
PLUMBING = {
    "outbox", "outbox_archive", "relay_mark", "inbox", "dead_letter", "parked", "parked_key", "breaker",
    "idempotency_key", "webhook_seen", "permit_lease", "alembic_version",
}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """One event as it lies on a topic."""

    topic: str
    type: str
    id: UUID
    tenant: UUID
    body: Mapping[str, Any]


async def topics(settings: Settings, tenant: UUID) -> list[Record]:
    """Every record of a tenant, from the start of each topic to its end as seen now."""
    places = [TopicPartition(topic, part) for topic in OWNERS for part in range(PARTITIONS)]
    client = kafka.consumer(settings, f"relance.evidence.{tenant}")
    await client.start()
    try:
        client.assign(places)
        ends = await client.end_offsets(places)
        await client.seek_to_beginning(*places)
        found: list[Record] = []
        while any([await client.position(place) < ends[place] for place in places]):
            for place, raws in (await client.getmany(timeout_ms=1000, max_records=5000)).items():
                found += [_record(place.topic, raw) for raw in raws if raw.value is not None]
        return [one for one in found if one.tenant == tenant]
    finally:
        await client.stop()


def _record(topic: str, raw: Any) -> Record:
    headers = {name: value.decode() for name, value in raw.headers}
    kind = headers["ce_type"].split(".")[1]
    return Record(topic, kind, UUID(headers["ce_id"]), UUID(headers["ce_tenantid"]), json.loads(raw.value))


async def asked(settings: Settings, query: str, **facts: Any) -> list[Any]:
    """Read-only SQL as the administrator of the test's own database."""
    engine = make_engine(driver_url(settings.admin_url or ""), 1)
    try:
        async with engine.connect() as db:
            await db.execute(text("set transaction read only"))
            return list((await db.execute(text(query), facts)).all())
    finally:
        await engine.dispose()


def told_once(created: Iterable[UUID], records: Iterable[Record]) -> None:
    """I1: each `created` answer is exactly one InvoiceIssued id, and there is no other."""
    issued: dict[UUID, set[UUID]] = defaultdict(set)
    for one in records:
        if one.type == "InvoiceIssued":
            issued[UUID(one.body["invoice_id"])].add(one.id)
    assert set(issued) == set(created)
    assert {invoice: ids for invoice, ids in issued.items() if len(ids) > 1} == {}


def mailed_once(living: Living, mark: str, records: Iterable[Record]) -> None:
    """I2: no message twice, no line twice to one recipient in one tone, every mail is a delivery that was recorded."""
    mails = [one for one in living.mailbox.all() if any(mark in to for to in one.recipients)]
    assert [name for name, count in Counter(one.message_id for one in mails).items() if count > 1] == []
    sent = [one for one in records if one.type in ("ReminderSent", "ReminderUncertain")]
    deliveries = {one.body["delivery_id"] for one in sent if one.body.get("channel", "email") == "email"}
    assert len(mails) <= len(deliveries), "each mail has its own delivery on record"
    covered = Counter(
        (line["occurrence_id"], one.body["delivery_id"])
        for one in {record.id: record for record in sent}.values()
        for line in one.body["covers"]
        if line["completes"]
    )
    twice = Counter(occurrence for occurrence, _ in covered)
    assert [occurrence for occurrence, count in twice.items() if count > 1] == []


def ended_once(records: Iterable[Record]) -> None:
    """I4: every release of an occurrence has exactly one end."""
    unique = {one.id: one for one in records}.values()
    released = {
        (line["occurrence_id"], line["release"])
        for one in unique
        if one.type == "ReminderDue"
        for line in one.body["lines"]
        if line["completes"]
    }
    ends: dict[tuple[str, int], set[str]] = defaultdict(set)
    for one in unique:
        if one.type in ENDS:
            for line in one.body["covers"]:
                ends[line["occurrence_id"], line["release"]].add(one.type)
    assert {release: found for release, found in ends.items() if len(found - {"ReminderUncertain"}) > 1} == {}
    assert sorted(released - set(ends)) == []


def nothing_after(living: Living, mark: str, answered: Mapping[str, datetime]) -> None:
    """I3: no mail that asks for an invoice arrived after the 2xx that settled or stopped it; thank-yous may."""
    late = []
    for one in living.mailbox.all():
        if not any(mark in to for to in one.recipients):
            continue
        mail = living.mailbox.message(one.number)
        words = "" if is_thanks(mail) else text_of(mail)
        at = datetime.fromisoformat(one.received_at)
        late += [(number, at - when) for number, when in answered.items() if number in words and at > when]
    assert late == []


async def money_adds_up(settings: Settings, tenant: UUID) -> None:
    """I5: per payment allocated + unapplied + returned = amount; per item what it lacks is what it was given."""
    payments = """
        select p.payment_id from matching.payment p
          left join lateral (select coalesce(sum(a.amount_minor), 0) as given from matching.allocation a
                              where a.tenant_id = p.tenant_id and a.source = 'payment' and a.source_id = p.payment_id
                                and a.undone_at is null) g on true
         where p.tenant_id = :t and not p.replaced and g.given + p.unapplied_minor + p.returned_minor <> p.amount_minor
    """
    items = """
        select i.item_id from matching.open_item i
          left join lateral (select coalesce(sum(a.amount_minor), 0) as given from matching.allocation a
                              where a.tenant_id = i.tenant_id and a.item_id = i.item_id
                                and a.undone_at is null) g on true
         where i.tenant_id = :t and not i.cancelled and i.residual_minor + g.given <> i.amount_minor
    """
    for query in (payments, items):
        assert await asked(settings, query, t=tenant) == []


async def nothing_left(settings: Settings) -> None:
    """I6: no outbox row, no open dead letter, nothing parked, no claim that ran out."""
    for schema in SCHEMAS.values():
        for table, where in (("outbox", "true"), ("dead_letter", "state = 'open'"), ("parked", "true")):
            query = f"select count(*) from {schema}.{table} where {where}"
            assert await asked(settings, query) == [(0,)], f"{schema}.{table}"
    late = "select count(*) from notifier.delivery where state = 'on_wire' and claimed_until < clock_timestamp()"
    assert await asked(settings, late) == [(0,)]


async def doubtful(living: Living, tenant: UUID) -> int:
    """Uncertain is only what was on the wire when its sender died; none has two mails. Answers how many there are."""
    query = "select delivery_id, reason from notifier.delivery where tenant_id = :t and state = 'uncertain'"
    rows = await asked(living.settings, query, t=tenant)
    assert {row.reason for row in rows} <= {"claim_expired"}
    seen: Counter[str] = Counter()
    for one in living.mailbox.all():
        seen[str(living.mailbox.message(one.number)["X-Relance-Delivery"])] += 1
    assert [name for name, count in seen.items() if count > 1] == []
    return len(rows)


async def checksums(settings: Settings) -> dict[str, str]:
    """Table of a service → a digest of its rows. Tables of the bus and the doors are not business."""
    names = await asked(
        settings,
        "select schemaname, tablename from pg_tables t where schemaname = any(:schemas)"
        " and not exists (select 1 from pg_inherits i where i.inhrelid = (schemaname||'.'||tablename)::regclass)",
        schemas=list(SCHEMAS.values()),
    )
    found = {}
    for schema, table in names:
        if table in PLUMBING:
            continue
        whole = f"select md5(coalesce(string_agg(r::text, '|' order by r::text), '')) from {schema}.{table} r"
        found[f"{schema}.{table}"] = (await asked(settings, whole))[0][0]
    return found


async def back_to_the_start(settings: Settings) -> None:
    """Set every consumer group to the start of every topic it hears; nobody may be reading."""
    for service, topics_heard in HEARD.items():
        client = kafka.consumer(settings, kafka.group_of(service))
        await client.start()
        try:
            places = [TopicPartition(topic, part) for topic in topics_heard for part in range(PARTITIONS)]
            client.assign(places)
            await client.commit(dict.fromkeys(places, 0))
        finally:
            await client.stop()
