"""What can be seen from outside: every record of every topic, the caught mails, read-only SQL; and what must hold."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition
from sqlalchemy import text

from libs.common import kafka
from libs.common.db import driver_url, make_engine
from libs.common.events import HEARD, OWNERS, PARTITIONS
from libs.common.settings import SCHEMAS, Settings
from tests.support.living import Living
from tests.support.world import PARIS, is_thanks, text_of, working

GAP_DAYS = 5
"""Working days between two notices to one party, as the standard policy says."""
ENDS = {"ReminderSent", "ReminderFailed", "ReminderStopped", "ReminderUncertain"}
PLUMBING = {
    "outbox", "outbox_archive", "relay_mark", "inbox", "dead_letter", "parked", "parked_key", "breaker", "restoring",
    "idempotency_key", "webhook_seen", "webhook_refused", "permit_lease", "audit_mark", "alembic_version",
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
    """Every event of a tenant, from the start of each topic to its end as seen now."""
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
                found += [_record(place.topic, raw) for raw in raws if raw.value is not None and raw.headers]
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


async def one_row_each(settings: Settings, tenant: UUID, numbers: Iterable[str]) -> None:
    """I1: each natural key is one row, and there is no other."""
    rows = await asked(settings, "select number from ingest.invoice where tenant_id = :t", t=tenant)
    assert sorted(row[0] for row in rows) == sorted(numbers)


async def mailed_once(living: Living, tenant: UUID, mark: str) -> None:
    """I2: each accepted mail is one delivery, no message twice, at most one mail an occurrence and recipient."""
    mails = [one for one in living.mailbox.all() if any(mark in to for to in one.recipients)]
    assert [name for name, count in Counter(one.message_id for one in mails).items() if count > 1] == []
    query = """
        select d.delivery_id, d.recipient, array_agg(l.occurrence_id) as covers from notifier.delivery d
          join notifier.delivery_line l on l.tenant_id = d.tenant_id and l.delivery_id = d.delivery_id
         where d.tenant_id = :t group by d.delivery_id, d.recipient
    """
    known = {str(row.delivery_id): row for row in await asked(living.settings, query, t=tenant)}
    covered: Counter[tuple[UUID, str]] = Counter()
    for one in mails:
        row = known[str(living.mailbox.message(one.number)["X-Relance-Delivery"])]
        assert one.recipients == [row.recipient]
        covered.update((occurrence, row.recipient) for occurrence in row.covers)
    assert [key for key, count in covered.items() if count > 1] == []


def in_order(records: Iterable[Record], steps: Sequence[str]) -> None:
    """I7: no step before its predecessor, none outside window and working days, none within the gap of its party."""
    told = [one.body for one in {record.id: record for record in records}.values() if one.type == "ReminderSent"]
    asking = sorted((one for one in told if one["kind"] == "reminder"), key=lambda one: one["sent_at"])
    reached: dict[str, list[str]] = defaultdict(list)
    heard: dict[str, set[date]] = defaultdict(set)
    for one in asking:
        local = datetime.fromisoformat(one["sent_at"]).astimezone(PARIS)
        assert time(9) <= local.time() <= time(18) and working(local.date()) == local.date(), local
        heard[one["party_id"]].add(local.date())
        for line in one["covers"]:
            if line["completes"]:
                reached[line["item_id"]].append(line["step_key"])
    assert {item: said for item, said in reached.items() if said != list(steps[: len(said)])} == {}
    for days in heard.values():
        for before, after in pairwise(sorted(days)):
            between = sum(
                working(day) == day for day in (before + timedelta(n) for n in range(1, (after - before).days))
            )
            assert between + 1 >= GAP_DAYS, (before, after)


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
          left join lateral (select coalesce(sum(a.paid_minor), 0) as given from matching.allocation a
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


async def nothing_in_hand(settings: Settings, tenant: UUID) -> bool:
    """Whether no mail of the tenant is about to leave."""
    query = "select 1 from notifier.delivery where tenant_id = :t and state in ('ready', 'on_wire') limit 1"
    return not await asked(settings, query, t=tenant)


async def doubtful(living: Living, tenant: UUID) -> int:
    """Uncertain is only what was on the wire when its sender died; none has two mails. Answers how many there are."""
    query = "select delivery_id, reason from notifier.delivery where tenant_id = :t and state = 'uncertain'"
    rows = await asked(living.settings, query, t=tenant)
    assert {row.reason for row in rows} <= {"no_answer", "unfinished"}, "its lanes tell how far each was"
    seen: Counter[str] = Counter()
    for one in living.mailbox.all():
        seen[str(living.mailbox.message(one.number)["X-Relance-Delivery"])] += 1
    assert [name for name, count in seen.items() if count > 1] == []
    return len(rows)


async def checksums(settings: Settings) -> dict[str, str]:
    """Table of a service → a digest of its rows. Bus, doors and the auditor's place are not business."""
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
