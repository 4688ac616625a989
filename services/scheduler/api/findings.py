"""The linter over HTTP: what is wrong with a policy that nobody keeps yet, and with a version."""

import asyncio
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from services.scheduler.api.policies import NewPolicy, one
from services.scheduler.api.shared import In, Reads
from services.scheduler.errors import PolicyInvalid, PolicyNotClean
from services.scheduler.findings import Finding
from services.scheduler.linting import lint, shape
from services.scheduler.policy import Policy, check
from services.scheduler.room import Room

routes = APIRouter(prefix="/v1/policies", tags=["policies"])


class Words(BaseModel):
    """What is wrong, and what to do about it."""

    told: str
    remedy: str


class FindingOut(BaseModel):
    """One thing that is wrong: by which rule, at which step and field. Errors block, warnings do not."""

    severity: Literal["error", "warning"]
    rule: str
    step: str | None
    field: str
    fr: Words
    en: Words


class Linted(BaseModel):
    """Everything that is wrong; `clean` when nothing of it blocks."""

    clean: bool
    findings: list[FindingOut]


def out(finding: Finding) -> FindingOut:
    """A finding as it is shown."""
    words = {language: dict(zip(("told", "remedy"), finding.said(language), strict=True)) for language in ("fr", "en")}
    return FindingOut(
        severity=finding.severity, rule=finding.rule, step=finding.step or None, field=finding.field, **words
    )


def linted(findings: list[Finding]) -> Linted:
    """Findings as they are shown."""
    return Linted(clean=all(each.severity != "error" for each in findings), findings=[out(each) for each in findings])


async def found(room: Room, tenant: UUID, policy: Policy) -> list[Finding]:
    """What the linter finds: a second or two of search, beside everything else."""
    own = await room.texts.of(tenant, policy)
    return await asyncio.to_thread(lint, policy, own)


async def refuse(room: Room, tenant: UUID, body: Any) -> None:
    """Raises PolicyNotClean with the findings when one of them is an error."""
    told = linted(await found(room, tenant, check(body)))
    if not told.clean:
        first = next(each for each in told.findings if each.severity == "error")
        facts = [each.model_dump() for each in told.findings]
        raise PolicyNotClean(first.en.told, field=first.field or None, findings=facts)


@routes.post("/lint")
async def lint_policy(told: NewPolicy, caller: Reads, room: In) -> Linted:
    """Look a policy over without keeping it: mistakes of its shape are findings too."""
    try:
        policy = told.read()
    except PolicyInvalid as invalid:
        return linted(shape(invalid))
    return linted(await found(room, caller.tenant_id, policy))


@routes.get("/{version_id}/findings")
async def show_findings(version_id: UUID, caller: Reads, room: In) -> Linted:
    """What the linter finds in a version."""
    async with room.database.transaction(caller.tenant_id) as db:
        row = await one(db, caller.tenant_id, version_id)
    return linted(await found(room, caller.tenant_id, check(row["body"])))
