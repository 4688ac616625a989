"""Bank details: what debtors are told to pay to. One person proposes, another approves, and 72 hours pass.

A changed account is how money is stolen, so no single person or key can make one effective.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from stdnum import bic as bic_rules
from stdnum import iban as iban_rules
from stdnum.exceptions import ValidationError

from libs.common import directory, ids
from libs.common.errors import NotFound, Refused
from libs.common.events.directory import BankDetailsApproved
from libs.common.ids import uuid7
from libs.common.money import exponent
from services.console.directory.change import Change
from services.console.errors import AlreadyDecided, SecondPersonNeeded
from services.console.tables import bank_proposal

WAIT = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An account as somebody proposes it."""

    entity_id: UUID
    iban: str
    bic: str | None
    holder: str
    currency: str
    required: bool


async def propose(change: Change, wanted: Wanted) -> UUID:
    """Write a proposal down; nothing changes yet. Raises Refused for an IBAN or BIC whose check fails."""
    exponent(wanted.currency)
    await directory.entity(change.db, change.tenant_id, wanted.entity_id)
    iban, bic = checked_iban(wanted.iban), checked_bic(wanted.bic)
    identity = uuid7()
    account = ids.named("bank_account", change.tenant_id, wanted.entity_id, iban)
    facts = {"entity_id": wanted.entity_id, "iban": iban, "bic": bic, "holder": wanted.holder}
    facts |= {"currency": wanted.currency, "required": wanted.required, "bank_account_id": account}
    made = {"proposed_by": change.actor, "proposed_at": change.at, "state": "proposed"}
    adding = insert(bank_proposal).values(tenant_id=change.tenant_id, proposal_id=identity, **facts, **made)
    await change.db.execute(adding)
    await change.note("bank_details.proposed", "bank_proposal", identity, facts)
    return identity


async def undecided(db: AsyncConnection, tenant_id: UUID, actor: str) -> int:
    """How many accounts wait that somebody else than `actor` proposed."""
    c = bank_proposal.c
    asked = select(func.count()).where(c.tenant_id == tenant_id, c.state == "proposed", c.proposed_by != actor)
    return int(await db.scalar(asked) or 0)


async def approve(change: Change, proposal_id: UUID) -> BankDetailsApproved:
    """The second person says yes; the account takes effect 72 hours later.

    Raises NotFound, AlreadyDecided, or SecondPersonNeeded when both persons are one.
    """
    found = await _open(change, proposal_id)
    if found["proposed_by"] == change.actor:
        raise SecondPersonNeeded
    effective = change.at + WAIT
    kept = ("bank_account_id", "entity_id", "iban", "bic", "holder", "currency", "required")
    facts = {name: found[name] for name in kept}
    body = await change.tell(BankDetailsApproved, found["bank_account_id"], **facts, effective_at=effective)
    await _decide(change, proposal_id, state="approved", effective_at=effective)
    await change.note("bank_details.approved", "bank_proposal", proposal_id, {"effective_at": effective})
    return body


async def reject(change: Change, proposal_id: UUID) -> None:
    """The proposal is dropped; its own author may do that too. Raises NotFound or AlreadyDecided."""
    await _open(change, proposal_id)
    await _decide(change, proposal_id, state="rejected")
    await change.note("bank_details.rejected", "bank_proposal", proposal_id)


async def _open(change: Change, proposal_id: UUID) -> dict[str, Any]:
    mine = (bank_proposal.c.tenant_id == change.tenant_id, bank_proposal.c.proposal_id == proposal_id)
    found = (await change.db.execute(select(bank_proposal).where(*mine).with_for_update())).one_or_none()
    if found is None:
        raise NotFound(f"There is no proposal {proposal_id}.")
    if found.state != "proposed":
        raise AlreadyDecided(f"It is {found.state} since {found.decided_at:%Y-%m-%d}.")
    return dict(found._mapping)


async def _decide(change: Change, proposal_id: UUID, **facts: Any) -> None:
    mine = (bank_proposal.c.tenant_id == change.tenant_id, bank_proposal.c.proposal_id == proposal_id)
    decided = {"decided_by": change.actor, "decided_at": change.at}
    await change.db.execute(update(bank_proposal).where(*mine).values(**facts, **decided))


async def listed(db: AsyncConnection, tenant_id: UUID) -> list[dict[str, Any]]:
    """The proposals of a tenant, newest first."""
    asked = select(bank_proposal).where(bank_proposal.c.tenant_id == tenant_id)
    found = await db.execute(asked.order_by(bank_proposal.c.proposal_id.desc()))
    return [{name: value for name, value in row._mapping.items() if name != "tenant_id"} for row in found]


def checked_iban(text: str) -> str:
    """The IBAN without spaces. Raises Refused when its check digits or its length are wrong."""
    try:
        return str(iban_rules.validate(text))
    except ValidationError:
        raise Refused("This is no valid IBAN.", field="iban", remedy="Copy it from the bank's own document.") from None


def checked_bic(text: str | None) -> str | None:
    """The BIC in capitals. Raises Refused when it is none."""
    if not text:
        return None
    try:
        return str(bic_rules.validate(text))
    except ValidationError:
        raise Refused("This is no valid BIC.", field="bic") from None
