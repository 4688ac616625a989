"""Policy versions and what people did with them; immutable. The product's own ladders are there for every tenant."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.sets import columns, given
from services.scheduler.policy import Policy, PolicyVersion, check, parse, version_of
from services.scheduler.store.asking import among, plain
from services.scheduler.store.cases import Pair
from services.scheduler.tables import policy_act, policy_version
from services.scheduler.versioning import State

FILES = Path(__file__).parents[1] / "policies"
PRODUCT = "product"


class Policies:
    """Versions once read are remembered: they never change. What is active is asked every time."""

    def __init__(self) -> None:
        self._known: dict[UUID, PolicyVersion] = {}
        self._products: dict[str, Policy] = {}

    def products(self) -> Mapping[str, Policy]:
        """The ladders that come with the product, by name."""
        if not self._products:
            read = (parse(path.read_text("utf-8")) for path in sorted(FILES.glob("*.yaml")))
            self._products = {policy.name: policy for policy in read}
        return self._products

    async def active(
        self, db: AsyncConnection, names: Collection[tuple[UUID, str]], now: datetime
    ) -> dict[Any, PolicyVersion]:
        """(tenant, name) → its active version; the product's own ones are activated for a tenant that has none."""
        found = await self._active(db, names)
        lacking = [pair for pair in names if pair not in found and pair[1] in self.products()]
        if lacking:
            await self._bring(db, lacking, now)
            found = await self._active(db, names)
        return found

    async def _active(self, db: AsyncConnection, names: Collection[tuple[UUID, str]]) -> dict[Any, PolicyVersion]:
        if not names:
            return {}
        asked = columns([{"tenant_id": tenant, "name": name} for tenant, name in sorted(names)])
        return {(row.tenant_id, row.name): self._read(plain(row)) for row in await db.execute(_active(), asked)}

    async def active_at(
        self, db: AsyncConnection, names: Collection[tuple[UUID, str]], at: datetime
    ) -> dict[Any, PolicyVersion]:
        """(tenant, name) → the version that was active at an instant; the product's own was there from the start."""
        if not names:
            return {}
        asked = select(policy_version).where(
            or_(policy_version.c.activated_at <= at, policy_version.c.activated_by == PRODUCT),
            tuple_(policy_version.c.tenant_id, policy_version.c.name).in_(sorted(names)),
        )
        rows = await db.execute(asked.order_by(policy_version.c.activated_at))
        return {(row.tenant_id, row.name): self._read(plain(row)) for row in rows}

    async def of(self, db: AsyncConnection, pairs: Collection[Pair]) -> dict[UUID, PolicyVersion]:
        """Version id → version, of these (tenant, version id)."""
        unknown = {version for _, version in pairs if version not in self._known}
        if unknown:
            tenants = {tenant for tenant, version in pairs if version in unknown}
            asked = select(policy_version).where(
                among(policy_version.c.tenant_id, tenants), among(policy_version.c.version_id, unknown)
            )
            for row in await db.execute(asked):
                self._read(plain(row))
        return {version: self._known[version] for _, version in pairs if version in self._known}

    def _read(self, row: Mapping[str, Any]) -> PolicyVersion:
        version = row["version_id"]
        if version not in self._known:
            self._known[version] = PolicyVersion(version_id=version, number=row["number"], policy=check(row["body"]))
        return self._known[version]

    async def _bring(self, db: AsyncConnection, names: Collection[tuple[UUID, str]], now: datetime) -> None:
        known = self.products()
        rows = [_row(tenant, version_of(tenant, known[name], 1), PRODUCT, now) for tenant, name in sorted(names)]
        for row in rows:
            row |= {"state": "active", "activated_by": PRODUCT, "activated_at": now}
        await db.execute(insert(policy_version).on_conflict_do_nothing(), rows)


def _row(tenant: UUID, version: PolicyVersion, author: str, now: datetime) -> dict[str, Any]:
    return {
        "tenant_id": tenant,
        "version_id": version.version_id,
        "name": version.policy.name,
        "number": version.number,
        "body": version.policy.model_dump(mode="json"),
        "author": author,
        "written_at": now,
    }


async def write(db: AsyncConnection, tenant: UUID, policy: Policy, author: str, now: datetime) -> dict[str, Any]:
    """A new draft, numbered after the last version of its name; returns its row."""
    latest = await db.scalar(
        select(func.max(policy_version.c.number)).where(
            policy_version.c.tenant_id == tenant, policy_version.c.name == policy.name
        )
    )
    row = _row(tenant, version_of(tenant, policy, (latest or 0) + 1), author, now)
    written = (await db.execute(insert(policy_version).values(row).returning(policy_version))).one()
    return plain(written)


async def become(  # noqa: PLR0917 - which version, what it becomes, by whom, when, why
    db: AsyncConnection, row: Mapping[str, Any], to: State, by: str, now: datetime, why: str
) -> dict[str, Any]:
    """The version's new state, with who, when and why; what was active under its name is retired by an activation."""
    mine = policy_version.c.tenant_id == row["tenant_id"]
    if to == "active":
        before = select(policy_version).where(
            mine, policy_version.c.name == row["name"], policy_version.c.state == "active"
        )
        for active in await db.execute(before.with_for_update()):
            await become(db, plain(active), "retired", by, now, f"replaced by number {row['number']}: {why}")
    told: dict[str, Any] = {"state": to} | ({"activated_by": by, "activated_at": now} if to == "active" else {})
    changing = update(policy_version).where(mine, policy_version.c.version_id == row["version_id"]).values(told)
    changed = plain((await db.execute(changing.returning(policy_version))).one())
    done = select(func.count() + 1).where(
        policy_act.c.tenant_id == row["tenant_id"], policy_act.c.version_id == row["version_id"]
    )
    act = {"tenant_id": row["tenant_id"], "version_id": row["version_id"], "number": done.scalar_subquery(),
           "was": row["state"], "became": to, "by": by, "at": now, "why": why}  # fmt: skip
    await db.execute(insert(policy_act).values(act))
    return changed


async def acts(db: AsyncConnection, tenant: UUID, version: UUID) -> Sequence[Mapping[str, Any]]:
    """What people did with a version, the first act first."""
    asked = select(policy_act).where(policy_act.c.tenant_id == tenant, policy_act.c.version_id == version)
    return [plain(row) for row in await db.execute(asked.order_by(policy_act.c.number))]


async def one(db: AsyncConnection, tenant: UUID, version: UUID) -> dict[str, Any] | None:
    """One version, locked; None when there is none."""
    asked = select(policy_version).where(policy_version.c.tenant_id == tenant, policy_version.c.version_id == version)
    row = (await db.execute(asked.with_for_update())).one_or_none()
    return None if row is None else plain(row)


async def page(db: AsyncConnection, tenant: UUID, after: tuple[str, int] | None, limit: int) -> list[dict[str, Any]]:
    """Versions in the order of their name and number."""
    asked = select(policy_version).where(policy_version.c.tenant_id == tenant)
    if after is not None:
        name, number = after
        later = (policy_version.c.name == name) & (policy_version.c.number > number)
        asked = asked.where(or_(policy_version.c.name > name, later))
    ordered = asked.order_by(policy_version.c.name, policy_version.c.number).limit(limit)
    return [plain(row) for row in await db.execute(ordered)]


@cache
def _active() -> Select[Any]:
    asked = given(policy_version, ("tenant_id", "name"))
    named = and_(policy_version.c.tenant_id == asked.c.tenant_id, policy_version.c.name == asked.c.name)
    return select(policy_version).join(asked, named).where(policy_version.c.state == "active")
