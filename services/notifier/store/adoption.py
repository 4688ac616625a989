"""What our own topic says of notices that the database forgot, and what nobody can prove, after a restore.

The rule it protects: a reminder that was said to have left, in whatever rendition, never leaves again.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.events.deliveries import ReminderSent, ReminderUncertain

_notices = text("""
    with told as (
        select * from unnest(cast(:tenants as uuid[]), cast(:reminders as uuid[]), cast(:notices as uuid[]),
                             cast(:versions as bigint[]), cast(:states as text[]), cast(:channels as text[]),
                             cast(:instants as timestamptz[]))
                   as t (tenant_id, reminder_id, notice_id, version, state, channel, sent_at)
    ), meant as (
        select distinct on (n.tenant_id, n.reminder_id) n.tenant_id, n.notice_id, t.version, t.state, t.channel,
               t.sent_at
          from told t join notice n on n.tenant_id = t.tenant_id and n.reminder_id = t.reminder_id
         where (n.state in ('proposed', 'ready', 'uncertain') or (t.state = 'sent' and n.notice_id = t.notice_id))
           and n.state <> t.state
           and not exists (select from notice o where o.tenant_id = t.tenant_id and o.reminder_id = t.reminder_id
                              and o.state = 'sent')
         order by n.tenant_id, n.reminder_id, n.state in ('proposed', 'ready', 'uncertain') desc, n.rendition desc
    )
    update notice n
       set state = m.state, channel = m.channel, sent_at = m.sent_at,
           reason = case when m.state = 'uncertain' then 'restored' end,
           version = greatest(n.version + 1, m.version)
      from meant m
     where n.tenant_id = m.tenant_id and n.notice_id = m.notice_id
    returning n.tenant_id, n.reminder_id, n.notice_id, n.state
""")
"""The rendition that is still open, else the one that left, ends as it was told; once one has been sent, nothing."""

_deliveries = text("""
    with told as (
        select * from unnest(cast(:tenants as uuid[]), cast(:notices as uuid[]), cast(:deliveries as uuid[]),
                             cast(:states as text[]), cast(:instants as timestamptz[]))
                   as t (tenant_id, notice_id, delivery_id, state, sent_at)
    )
    update delivery d
       set state = t.state, reason = case when t.state = 'uncertain' then 'restored' end,
           sent_at = coalesce(t.sent_at, d.sent_at), raw = case when t.state = 'uncertain' then d.raw end,
           fence = d.fence + 1, claimed_until = null
      from told t
     where d.tenant_id = t.tenant_id and d.notice_id = t.notice_id
       and (d.state in ('proposed', 'ready', 'on_wire', 'uncertain') or d.delivery_id = t.delivery_id)
    returning d.tenant_id, d.delivery_id
""")

_taking = text("""
    update delivery_line l set live = true
      from unnest(cast(:tenants as uuid[]), cast(:deliveries as uuid[])) as d (tenant_id, delivery_id)
     where l.tenant_id = d.tenant_id and l.delivery_id = d.delivery_id and not l.live
       and not exists (select from delivery_line o where o.tenant_id = l.tenant_id and o.live
                          and o.occurrence_id = l.occurrence_id and o.recipient = l.recipient)
""")

_doubting = text("""
    update delivery d
       set state = 'uncertain', reason = 'restored', fence = d.fence + 1, claimed_until = null
      from (select tenant_id, delivery_id from delivery where state in ('ready', 'on_wire')
             order by tenant_id, delivery_id limit :most for update) as o
     where d.tenant_id = o.tenant_id and d.delivery_id = o.delivery_id
    returning d.tenant_id, d.delivery_id, d.notice_id
""")


async def adopt(db: AsyncConnection, told: Sequence[ReminderSent | ReminderUncertain]) -> Counter[str]:
    """End these notices and their deliveries as the topic tells; says nothing anew. Answers how many by state."""
    by_reminder: dict[Any, ReminderSent | ReminderUncertain] = {}
    for body in told:
        key = (body.tenant_id, body.reminder_id)
        if isinstance(body, ReminderSent) or key not in by_reminder:
            by_reminder[key] = body
    chosen = list(by_reminder.values())
    rows = list(await db.execute(_notices, _columns(chosen))) if chosen else []
    if rows:
        its = [by_reminder[row.tenant_id, row.reminder_id] for row in rows]
        given = _columns(its) | {"notices": [row.notice_id for row in rows]}
        changed = list(await db.execute(_deliveries, {name: given[name] for name in _OF_DELIVERIES}))
        taken = {"tenants": [row.tenant_id for row in changed], "deliveries": [row.delivery_id for row in changed]}
        await db.execute(_taking, taken)
    return Counter(row.state for row in rows)


_OF_DELIVERIES = ("tenants", "notices", "deliveries", "states", "instants")


def _columns(told: Sequence[ReminderSent | ReminderUncertain]) -> dict[str, list[Any]]:
    left = [body if isinstance(body, ReminderSent) else None for body in told]
    return {
        "tenants": [body.tenant_id for body in told],
        "reminders": [body.reminder_id for body in told],
        "notices": [body.notice_id for body in told],
        "deliveries": [body.delivery_id for body in told],
        "versions": [body.version for body in told],
        "states": ["sent" if each else "uncertain" for each in left],
        "channels": [each.channel if each else "email" for each in left],
        "instants": [each.sent_at if each else None for each in left],
    }


async def doubt(db: AsyncConnection, most: int) -> list[Any]:
    """So many mails that might have left become uncertain: nobody knows. Answers tenant, delivery, notice of each."""
    return list(await db.execute(_doubting, {"most": most}))
