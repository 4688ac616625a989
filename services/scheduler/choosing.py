"""Which policy version each case, and each item of its own, is on; with the profiles that this takes.

The rule it protects: without an assignment nothing is asked; a case of which something was said stays on its version.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.scheduler.assigning import Assignment, for_case, for_item
from services.scheduler.case import Item
from services.scheduler.policy import PolicyVersion
from services.scheduler.situation import Situation
from services.scheduler.store import assignments, profiles
from services.scheduler.store.cases import Pair
from services.scheduler.store.policies import Policies

Named = Callable[[set[tuple[UUID, str]]], Awaitable[Mapping[Any, PolicyVersion]]]
"""(tenant, name) → the version that is active, or was."""


async def chosen(
    db: AsyncConnection, situations: list[Situation], policies: Policies, named: Named, at: datetime
) -> list[Situation]:
    """The same situations, each on the version that holds for it, with its profile where a condition asks for it."""
    tenants = await assignments.of_tenants(db, {each.case.tenant_id for each in situations}, at)
    if tenants:
        situations = await _assigned(db, situations, policies, named, at, tenants)
    asking = [each for each in situations if each.version is not None and each.version.policy.asks_for_profile]
    asking += [each for each in situations if any(i.own and i.own.policy.asks_for_profile for i in each.case.items)]
    return await with_profiles(db, situations, [each for each in asking if each.case.payer.profile is None], at)


async def _assigned(  # noqa: PLR0917 - what is known, and when
    db: AsyncConnection, situations: list[Situation], policies: Policies, named: Named, at: datetime,
    tenants: Collection[UUID],
) -> list[Situation]:  # fmt: skip
    concerned = [each for each in situations if each.case.tenant_id in tenants]
    subjects = {(each.case.tenant_id, each.case.payer_id) for each in concerned}
    subjects |= {(e.case.tenant_id, id_) for e in concerned for i in e.case.items for id_ in (i.item_id, i.debtor_id)}
    rules = await assignments.over(db, subjects | {(tenant, tenant) for tenant in tenants}, at)
    asking = {tenant for tenant, some in rules.items() if any(_asks_for_profile(each) for each in some)}
    situations = await with_profiles(db, situations, [s for s in situations if s.case.tenant_id in asking], at)
    active = await named({(tenant, each.policy) for tenant, some in rules.items() for each in some})
    marked = {
        (s.case.tenant_id, m.version_id) for s in concerned for i in s.case.items for m in i.marks if m.version_id
    }
    versions = await policies.of(db, marked)
    return [_on(each, rules.get(each.case.tenant_id, ()), active, versions, at) for each in situations]


def _asks_for_profile(assignment: Assignment) -> bool:
    fields = assignment.condition.fields if assignment.condition is not None else ()
    return any(name.startswith("profile.") for name in fields)


def _on(
    situation: Situation, rules: Sequence[Assignment], active: Mapping[Any, PolicyVersion],
    versions: Mapping[UUID, PolicyVersion], at: datetime,
) -> Situation:  # fmt: skip
    if not rules:
        return situation
    case, today = situation.case, situation.calendar.today(at)
    rule_of_case = for_case(rules, case, today)
    wanted = active.get((case.tenant_id, rule_of_case.policy)) if rule_of_case is not None else None
    clear = not any(item.marks for item in case.items)
    if wanted is not None and (clear or situation.version is None):
        situation = replace(situation, version=wanted)
    own = {item.item_id: rule for item in case.items if (rule := for_item(rules, item, case, today)) is not None}
    items = tuple(
        _own(item, own[item.item_id], active.get((case.tenant_id, own[item.item_id].policy)), versions)
        if item.item_id in own
        else item
        for item in case.items
    )
    return replace(situation, case=replace(case, items=items), assignment=rule_of_case, assigned=own)


def _own(item: Item, rule: Assignment, wanted: PolicyVersion | None, versions: Mapping[UUID, PolicyVersion]) -> Item:
    """An item that was reminded stays on the version it was reminded by, unless it was moved at once."""
    last = max((mark for mark in item.marks if mark.released_at), key=lambda mark: mark.released_at or 0, default=None)
    on = versions.get(last.version_id) if last is not None and last.version_id is not None else None
    if on is not None and on.policy.name == rule.policy:
        return replace(item, own=on)
    return replace(item, own=wanted) if wanted is not None and (last is None or rule.at_once) else item


async def with_profiles(
    db: AsyncConnection, situations: list[Situation], asking: Sequence[Situation], at: datetime
) -> list[Situation]:
    """The same situations, those that ask with the profile of their payer at an instant."""
    asked = {key(each): (each.case.payer.told, each.calendar.today(at)) for each in asking}
    known = await profiles.of_cases(db, asked)
    if not known:
        return situations
    return [_profiled(each, known.get(key(each))) for each in situations]


def key(situation: Situation) -> Pair:
    """(tenant, case)."""
    return situation.case.tenant_id, situation.case.case_id


def _profiled(situation: Situation, profile: Any) -> Situation:
    if profile is None:
        return situation
    payer = replace(situation.case.payer, profile=profile)
    return replace(situation, case=replace(situation.case, payer=payer))
