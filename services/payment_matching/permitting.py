"""This service's part of the send permit: does the debtor still owe what the notice says, as far as anybody knows?

no     an item is void, or owes another amount; money that could pay it lies unapplied; bank data are stale; the
       ERP's ledger and ours differ by more than the entity allows
again  an item is not on record or not tried yet; a payment or a file of the tenant waits to be tried
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import directory
from libs.common.clock import Clock, today
from libs.common.money import exponent
from libs.common.permits import Answer, Ask, AskedItem, again, no, yes
from services.payment_matching.banking import banking_days_after, last_banking_day_before

CASH_DAYS = 3
"""Working days for which unapplied cash keeps silent what it could pay; then it is deducted visibly."""
CASH_TOLERANCE = 5
"""Whole units of a currency by which a debt may exceed the cash and still be meant by it."""
PATIENCE = 0.6
GLANCE = 0.02
LISTING = frozenset({"pre_due", "statement"})
"""Notices that do not call anything late: the last banking day is enough for them."""
THANKS = "acknowledge"
"""A thank-you asks for nothing: only what the item owes counts, not money on account nor how fresh the bank is."""

_PENDING = text("select p.seq from payment p where p.tenant_id = :tenant and p.pending")
_STILL = text("select 1 from payment p where p.tenant_id = :tenant and p.pending and p.seq = any(:seqs) limit 1")
_READING = text("""
    select 1 from statement_file f
     where f.tenant_id = :tenant and f.state = 'reading'
       and f.received_at > clock_timestamp() - interval '3 minutes'
     limit 1
""")
_ITEMS = text("""
    select i.item_id, i.payer_id, i.currency, i.residual_minor, i.cancelled, i.due_on,
           exists (select from untried u where u.item_id = i.item_id) as untried
      from open_item i
     where i.tenant_id = :tenant and i.item_id = any(cast(:items as uuid[]))
""")
_CASH = text("""
    with asked as (
        select distinct d.payer_id, coalesce(g.payer_id, d.payer_id) as member
          from unnest(cast(:payers as uuid[])) as d(payer_id)
          left join debtor mine on mine.tenant_id = :tenant and mine.debtor_id = d.payer_id
          left join debtor g on g.tenant_id = :tenant and g.group_id = mine.group_id)
    select a.payer_id, m.currency, sum(m.minor) as cash
      from (select payer_id, member from asked union select payer_id, payer_id from asked) a
      join payment p on p.tenant_id = :tenant and p.payer_id = a.member
     cross join lateral (
           select p.currency, p.unapplied_minor as minor
            union all
           select p.instructed_currency, ceil(p.instructed_minor::numeric * p.unapplied_minor / p.amount_minor)::bigint
            where p.instructed_minor is not null) m
     where p.unapplied_minor > 0 and p.received_at >= :since
     group by a.payer_id, m.currency
""")
_MEANT = text("""
    select distinct m.item_id
      from payment p
      join suggestion s on s.tenant_id = p.tenant_id and s.payment_id = p.payment_id
     cross join lateral unnest(s.items) as m(item_id)
     where p.tenant_id = :tenant and p.unapplied_minor > 0 and p.received_at >= :since
       and m.item_id = any(cast(:items as uuid[]))
       and exists (select 1 from jsonb_array_elements(s.evidence) e
                    where e->>'code' in ('quoted_checked', 'quoted_full', 'quoted_digits', 'payer_iban', 'payer_named',
                                        'erp_unclear'))
""")
_FEEDS = text("""
    select b.entity_id, b.covered_to, b.unreadable from bank_account b
     where b.tenant_id = :tenant and b.required and b.entity_id = any(cast(:entities as uuid[]))
       and (b.effective_at is null or b.effective_at <= :now)
""")
_DIFFERS = text("""
    select s.entity_id from ledger_standing s
     where s.tenant_id = :tenant and s.held and s.entity_id = any(cast(:entities as uuid[]))
""")


@dataclass(frozen=True)
class Ledger:
    """What was found for one call: items, cash by payer and currency (that of the account, and the one it was ordered
    in while all of it is left), items that undecided money may mean, feeds."""

    items: Mapping[UUID, Any]
    cash: Mapping[tuple[UUID, str], int]
    meant: set[UUID]
    feeds: Mapping[UUID, Sequence[Any]]
    entities: Mapping[UUID, Any]
    differing: set[UUID]
    """Entities whose ledger here is not the ERP's."""


class Looking:
    """The look of the permit, with the clock it needs and a way to wake the loop that tries payments."""

    def __init__(self, clock: Clock, hurry: Callable[[], None]) -> None:
        self.clock = clock
        self.hurry = hurry

    async def look(self, db: AsyncConnection, tenant: UUID, asks: Sequence[Ask]) -> list[Answer]:
        """An answer for each delivery. What was pending at the first glance must be tried before any yes."""
        if not await self._tried(db, tenant):
            return [again(ask, "money_untried") for ask in asks]
        ledger = await self._ledger(db, tenant, asks)
        return [self._answer(ask, ledger) for ask in asks]

    async def _tried(self, db: AsyncConnection, tenant: UUID) -> bool:
        if await db.scalar(_READING, {"tenant": tenant}):
            return False
        seqs = list((await db.scalars(_PENDING, {"tenant": tenant})).all())
        if not seqs:
            return True
        self.hurry()
        for _ in range(int(PATIENCE / GLANCE)):
            if not await db.scalar(_STILL, {"tenant": tenant, "seqs": seqs}):
                return True
            await asyncio.sleep(GLANCE)
        return False

    async def _ledger(self, db: AsyncConnection, tenant: UUID, asks: Sequence[Ask]) -> Ledger:
        ids = sorted({item.item_id for ask in asks for item in ask.items})
        items = {row.item_id: row for row in await db.execute(_ITEMS, {"tenant": tenant, "items": ids})}
        payers = sorted({row.payer_id for row in items.values()} | {ask.payer_id for ask in asks})
        since = self.clock.now() - _back(self.clock.now().date())
        cash = await db.execute(_CASH, {"tenant": tenant, "payers": payers, "since": since})
        meant = await db.scalars(_MEANT, {"tenant": tenant, "items": ids, "since": since})
        entities = sorted({ask.entity_id for ask in asks})
        feeds: dict[UUID, list[Any]] = {}
        told = {"tenant": tenant, "entities": entities, "now": self.clock.now()}
        for row in await db.execute(_FEEDS, told):
            feeds.setdefault(row.entity_id, []).append(row)
        known = {one.entity_id: one for one in await directory.entities(db, tenant, entities)}
        money = {(row.payer_id, row.currency): int(row.cash) for row in cash}
        differing = set((await db.scalars(_DIFFERS, told)).all())
        return Ledger(items, money, set(meant.all()), feeds, known, differing)

    def _answer(self, ask: Ask, ledger: Ledger) -> Answer:
        for item in ask.items:
            row = ledger.items.get(item.item_id)
            if row is None:
                return again(ask, "item_unknown")
            if why := _changed(item, row):
                return no(ask, why)
            if row.untried:
                return again(ask, "item_untried")
            if ask.kind != THANKS and (why := _covered_by_cash(ask, row, ledger)):
                return no(ask, why)
        if ask.entity_id in ledger.differing and ask.kind not in ("internal_notice", THANKS):
            return no(ask, "ledger_differs")
        return no(ask, "feed_stale") if self._stale(ask, ledger) else yes(ask)

    def _stale(self, ask: Ask, ledger: Ledger) -> bool:
        entity = ledger.entities.get(ask.entity_id)
        if ask.kind in ("internal_notice", THANKS) or (entity is not None and not entity.feed_required):
            return False
        now = today(self.clock, entity.time_zone if entity else "Europe/Paris")
        needed = last_banking_day_before(now)
        if ask.kind not in LISTING:
            due = [row.due_on for item in ask.items if (row := ledger.items.get(item.item_id)) and row.due_on < now]
            needed = max([needed, *(banking_days_after(day, 1) for day in due)])
        return any(
            feed.unreadable or feed.covered_to is None or feed.covered_to < needed
            for feed in ledger.feeds.get(ask.entity_id, [])
        )


def _changed(item: AskedItem, row: Any) -> str | None:
    if row.cancelled:
        return "item_cancelled"
    if (row.residual_minor, row.currency) != (item.amount.minor, item.amount.currency):
        return "residual_changed"
    return None


def _covered_by_cash(ask: Ask, row: Any, ledger: Ledger) -> str | None:
    """Money on account that could pay it, or money whose best guess is this item."""
    cash = max(ledger.cash.get((payer, row.currency), 0) for payer in (row.payer_id, ask.payer_id))
    tolerance = CASH_TOLERANCE * 10 ** exponent(row.currency)
    if cash and row.residual_minor <= cash + tolerance:
        return "cash_on_account"
    return "money_undecided" if row.item_id in ledger.meant else None


def _back(day: date) -> timedelta:
    """How far back money still counts as fresh: three banking days and the days between."""
    start = day
    for _ in range(CASH_DAYS):
        start = last_banking_day_before(start)
    return day - start
