"""The team: what waits in each portfolio today, how much of it is late, who looks after it, and who did what lately.

A portfolio is a collector as debtors name them; its work is counted from the same lines as the tabs of Today, so the
sum over all portfolios is what those tabs say.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, Text, and_, case, cast, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.money import Money
from services.console.store.ledger import of_debtor, of_payer
from services.console.store.today import TABS, Tab, base, hashed
from services.console.tables import app_user, audit, substitute
from services.console.tables import read_model as model

DEEDS = ("approved", "calls", "promises", "payments")
"""What people do that is counted apart: messages approved, calls and replies closed, promises noted, matches."""

ENTRANCES = ("user.signed_in", "user.signed_out", "user.sign_in_failed", "user.locked")
"""What the audit says of the door, which is no work."""


@dataclass(frozen=True, slots=True)
class Load:
    """How many lines wait, and how many of them should have been dealt with before today."""

    lines: int = 0
    late: int = 0


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who looks after a portfolio: `until` is a substitute's last day."""

    user_id: UUID
    name: str
    until: date | None = None


@dataclass(slots=True)
class Portfolio:
    """One portfolio as it stands today; the one of nobody has no name. Amounts are those of most customers first."""

    name: str | None
    customers: int = 0
    owed: list[Money] = field(default_factory=list)
    overdue: list[Money] = field(default_factory=list)
    work: dict[Tab, Load] = field(default_factory=dict)
    holders: list[Holder] = field(default_factory=list)

    @property
    def late(self) -> int:
        return sum(load.late for load in self.work.values())

    @property
    def lines(self) -> int:
        return sum(load.lines for load in self.work.values())

    def load(self, tab: Tab) -> Load:
        """What waits under one tab."""
        return self.work.get(tab, Load())


@dataclass(frozen=True, slots=True)
class Member:
    """A person of the team, and how much they did since a day."""

    user_id: UUID
    name: str
    roles: tuple[str, ...]
    portfolio: str | None
    last_login_at: datetime | None
    did: Mapping[str, int]
    """Counts by DEEDS, and `all`."""


async def portfolios(db: AsyncConnection, tenant_id: UUID, day: date, since: datetime) -> list[Portfolio]:
    """Every portfolio, that of nobody first, then those with most late work; `since` is the day's first instant.

    Settle the accounts before.
    """
    found: dict[str | None, Portfolio] = {}

    def of(name: str | None) -> Portfolio:
        return found.setdefault(name or None, Portfolio(name or None))

    for row in await db.execute(_customers(tenant_id)):
        of(row.collector).customers += row.customers
    async with hashed(db):
        owing, waiting = list(await db.execute(_owing(tenant_id))), list(await db.execute(_work(tenant_id, day, since)))
    for row in owing:
        of(row.collector).owed.append(Money(int(row.total), row.currency))
        if row.overdue:
            of(row.collector).overdue.append(Money(int(row.overdue), row.currency))
    for row in waiting:
        before = of(row.collector).load(row.tab)
        of(row.collector).work[row.tab] = Load(before.lines + row.lines, before.late + row.late)
    for row in await db.execute(_holders(tenant_id, day)):
        of(row.portfolio).holders.append(Holder(row.user_id, row.name, row.until_on))
    return sorted(found.values(), key=lambda each: (each.name is not None, -each.late, (each.name or "").casefold()))


def _customers(tenant_id: UUID) -> Select[Any]:
    debtor = model.debtor
    counted = select(debtor.c.collector, func.count().label("customers"))
    return counted.where(debtor.c.tenant_id == tenant_id, ~debtor.c.erased).group_by(debtor.c.collector)


def _owing(tenant_id: UUID) -> Select[Any]:
    account, debtor = model.account, model.debtor
    total, late = func.sum(account.c.total), func.sum(account.c.total - account.c.b0)
    keys = (debtor.c.collector, account.c.currency)
    asked = select(*keys, total.label("total"), late.label("overdue"))
    asked = asked.select_from(account.outerjoin(debtor, of_debtor(account))).where(account.c.tenant_id == tenant_id)
    return asked.group_by(*keys).order_by(func.count().desc(), account.c.currency)


def _work(tenant_id: UUID, day: date, since: datetime) -> Select[Any]:
    """Lines of every tab of Today by collector."""
    debtor = model.debtor
    parts = []
    for tab in TABS:
        table, conditions, _ = base(tab, tenant_id, day)
        both = table.outerjoin(debtor, of_payer(table))
        late = _late(tab, table, day, since).label("late")
        parts.append(
            select(literal(tab, Text).label("tab"), debtor.c.collector, late).select_from(both).where(*conditions)
        )
    every = union_all(*parts).subquery("every")
    keys = (every.c.tab, every.c.collector)
    return select(*keys, func.count().label("lines"), func.count().filter(every.c.late).label("late")).group_by(*keys)


def _late(tab: Tab, table: Any, day: date, since: datetime) -> ColumnElement[bool]:
    """That a line should have been dealt with before today."""
    if tab in ("send", "formal"):
        return func.coalesce(table.c.told_at < since, False)
    due = {"calls": "due_on", "replies": "due_on", "promises": "promised_for", "blocked": "review_on"}[tab]
    return func.coalesce(table.c[due] < day, False)


def _holders(tenant_id: UUID, day: date) -> Select[Any]:
    """Whose portfolios are, and who stands in today."""
    own = select(app_user.c.portfolio, app_user.c.user_id, app_user.c.name, literal(None, substitute.c.until_on.type))
    mine = (app_user.c.tenant_id == tenant_id, app_user.c.active)
    own = own.where(*mine, app_user.c.portfolio.is_not(None), app_user.c.roles != ["sales_owner"])
    of_user = and_(substitute.c.tenant_id == app_user.c.tenant_id, substitute.c.user_id == app_user.c.user_id)
    named = select(substitute.c.portfolio, app_user.c.user_id, app_user.c.name, substitute.c.until_on)
    named = named.select_from(substitute.join(app_user, of_user)).where(*mine)
    both = union_all(own, named.where(substitute.c.from_on <= day, substitute.c.until_on >= day)).subquery("holder")
    portfolio, user, name, until = both.c
    asked = select(portfolio.label("portfolio"), user.label("user_id"), name.label("name"), until.label("until_on"))
    return asked.order_by(until.nulls_first(), name, user)


async def members(db: AsyncConnection, tenant_id: UUID, since: datetime) -> list[Member]:
    """The people who may sign in, by name, with what they did since an instant."""
    did = {row.actor: row._mapping for row in await db.execute(_did(tenant_id, since))}
    names = ("user_id", "name", "roles", "portfolio", "last_login_at")
    asked = select(*(app_user.c[name] for name in names)).where(app_user.c.tenant_id == tenant_id, app_user.c.active)
    rows = await db.execute(asked.order_by(func.lower(app_user.c.name), app_user.c.user_id))
    found = []
    for row in rows:
        counts = did.get(f"user:{row.user_id}", {})
        every = {name: int(counts.get(name) or 0) for name in (*DEEDS, "all")}
        found.append(Member(row.user_id, row.name, tuple(row.roles), row.portfolio, row.last_login_at, every))
    return found


def _did(tenant_id: UUID, since: datetime) -> Select[Any]:
    """The audit counted by who acted: a message is one deed, however many were approved with it."""
    action = audit.c.action
    together = func.coalesce(cast(audit.c.facts["ids"].astext, Integer), 1)
    messages = case((action == "notices.approve", together), else_=0)
    sums = {
        "approved": func.sum(messages),
        "calls": func.count().filter(action.in_(["calls", "tasks.outcome"])),
        "promises": func.count().filter(action == "promises"),
        "payments": func.count().filter(action.startswith("payments.", autoescape=True)),
        "all": func.count().filter(action.not_in(ENTRANCES)),
    }
    asked = select(audit.c.actor, *(told.label(name) for name, told in sums.items()))
    return asked.where(audit.c.tenant_id == tenant_id, audit.c.at >= since).group_by(audit.c.actor)


def totals(found: Iterable[Portfolio]) -> dict[Tab, Load]:
    """What waits under each tab in all portfolios together."""
    known = list(found)
    return {
        tab: Load(sum(each.load(tab).lines for each in known), sum(each.load(tab).late for each in known))
        for tab in TABS
    }
