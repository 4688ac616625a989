"""Bank details over HTTP: proposed by one person, approved by another, effective 72 hours later."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, StringConstraints

from libs.common.auth import Caller
from libs.common.errors import Forbidden
from libs.common.http import Line, Wire
from services.console.api.shared import Administrator, In, routes_of
from services.console.directory import bank_details
from services.console.directory.bank_details import Wanted

routes = routes_of("bank details")


class Proposal(Wire):
    """An account to propose."""

    entity_id: UUID
    iban: Line
    bic: Line | None = None
    holder: Line
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")] = "EUR"
    required: bool = True


class Proposed(BaseModel):
    """A proposal just written down."""

    proposal_id: UUID


class Approved(BaseModel):
    """An account approved by a second person, and the instant from which debtors are told to pay to it."""

    proposal_id: UUID
    bank_account_id: UUID
    effective_at: datetime


class ProposalOut(BaseModel):
    """A proposal as it stands."""

    proposal_id: UUID
    entity_id: UUID
    bank_account_id: UUID
    iban: str
    bic: str | None
    holder: str
    currency: str
    required: bool
    state: str
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    effective_at: datetime | None


def _person(caller: Caller) -> str:
    """Keys are nobody: two of them may be in one hand."""
    if caller.subject.startswith(("key:", "service:")):
        raise Forbidden("Bank details are proposed and approved by people.")
    return caller.subject


@routes.post("/bank-details", status_code=201)
async def propose(caller: Administrator, room: In, wanted: Proposal) -> Proposed:
    """Propose an account of ours. Nothing changes until another person approves it."""
    async with room.changing(caller.tenant_id, _person(caller)) as change:
        return Proposed(proposal_id=await bank_details.propose(change, Wanted(**wanted.model_dump())))


@routes.get("/bank-details")
async def list_proposals(caller: Administrator, room: In) -> list[ProposalOut]:
    """The proposals of the tenant, newest first."""
    async with room.database.transaction(caller.tenant_id) as db:
        return [ProposalOut(**found) for found in await bank_details.listed(db, caller.tenant_id)]


@routes.post("/bank-details/{proposal_id}/approve")
async def approve(caller: Administrator, room: In, proposal_id: UUID) -> Approved:
    """Approve what another person proposed."""
    async with room.changing(caller.tenant_id, _person(caller)) as change:
        body = await bank_details.approve(change, proposal_id)
    account = body.bank_account_id
    return Approved(proposal_id=proposal_id, bank_account_id=account, effective_at=body.effective_at)


@routes.post("/bank-details/{proposal_id}/reject", status_code=204)
async def reject(caller: Administrator, room: In, proposal_id: UUID) -> None:
    """Drop a proposal."""
    async with room.changing(caller.tenant_id, _person(caller)) as change:
        await bank_details.reject(change, proposal_id)
