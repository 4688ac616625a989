"""Credit control as people act on it: limits, blocks, write-offs, asked for by one and granted by another.

The rule it protects: nobody approves what they asked for themselves; a block or its end is told to the tenant's systems
in the transaction that approves it; the last approved act of a payer holds.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Table

from libs.common.errors import Conflict, Forbidden, Refused
from libs.common.ids import uuid7
from libs.common.money import Money
from services.scheduler import outgoing
from services.scheduler.commands import Asker, fits, found, item_target, owed
from services.scheduler.credit.exposure import Limit, Owing, Standing, advice, standing
from services.scheduler.errors import AlreadyEnded, FourEyes, ScopeUnknown
from services.scheduler.store import credit as store
from services.scheduler.tables import credit_block, credit_limit, write_off_proposal

Row = Mapping[str, Any]
Act = Literal["block", "unblock"]


@dataclass(frozen=True)
class Account:
    """A payer's exposure in each currency, whether its deliveries are stopped, and what the figures propose."""

    payer_id: UUID
    entity_id: UUID
    external_id: str
    standings: list[Standing]
    block: Row | None
    """The act that stopped them: decided_at, reason."""

    @property
    def blocked(self) -> bool:
        return self.block is not None

    @property
    def advice(self) -> Act | None:
        return advice(self.standings, blocked=self.blocked)

    def figures(self) -> list[dict[str, Any]]:
        """The standings as they are kept and told: amounts on the wire."""
        return [_figure(each) for each in self.standings]


def _figure(each: Standing) -> dict[str, Any]:
    def wire(minor: int | None) -> Any:
        return None if minor is None else Money(minor, each.owing.currency).wire()

    return {
        "exposure": wire(each.owing.exposure),
        "not_due": wire(each.owing.not_due),
        "overdue": wire(each.owing.overdue),
        "on_account": wire(each.owing.on_account),
        "limit": wire(each.limit.minor if each.limit else None),
        "available": wire(each.available),
        "used_percent": each.used_percent,
        "over": each.over,
    }


async def accounts(asker: Asker, payers: Collection[UUID]) -> dict[UUID, Account]:
    """Payer → its account, for those that are known here."""
    files = await store.payers(asker.db, asker.tenant, payers)
    owing: dict[UUID, dict[str, Owing]] = defaultdict(dict)
    limits: dict[UUID, dict[str, Limit]] = defaultdict(dict)
    for row in await store.exposures(asker.db, asker.tenant, payers, asker.now):
        figures = {name: int(row[name]) for name in store.FIGURES}
        owing[row["payer_id"]][row["currency"]] = Owing(row["currency"], **figures)
    for row in await store.limits(asker.db, asker.tenant, payers):
        limits[row["payer_id"]][row["currency"]] = limit_of(row)
    blocked = await store.blocked(asker.db, asker.tenant, payers)
    known = {}
    for payer, file in files.items():
        today = (await asker.calendar(file.entity_id)).today(asker.now)
        currencies = sorted(owing[payer].keys() | limits[payer].keys())
        standings = [
            standing(owing[payer].get(each, Owing(each)), limits[payer].get(each), today) for each in currencies
        ]
        known[payer] = Account(payer, file.entity_id, file.external_id, standings, blocked.get(payer))
    return known


async def account(asker: Asker, payer: UUID) -> Account:
    """One payer's account. Raises ScopeUnknown."""
    known = await accounts(asker, [payer])
    if payer not in known:
        raise ScopeUnknown(f"There is no payer {payer} here.", field="payer_id")
    return known[payer]


def limit_of(row: Row) -> Limit:
    """A row of credit_limit → a limit."""
    return Limit(row["currency"], row["amount_minor"], row["valid_from"], row["valid_until"])


async def enter_limit(asker: Asker, payer: UUID, amount: Money, span: tuple[date, date | None], reason: str) -> Row:
    """A limit that somebody else has to approve. Raises ScopeUnknown or Refused."""
    valid_from, valid_until = span
    if valid_until is not None and valid_until < valid_from:
        raise Refused(
            "The limit ends before it begins.", field="valid_until", remedy="Send a later day, or leave it out."
        )
    about = await account(asker, payer)
    row = {
        "tenant_id": asker.tenant, "limit_id": uuid7(), "payer_id": payer, "entity_id": about.entity_id,
        "amount_minor": amount.minor, "currency": amount.currency, "valid_from": valid_from,
        "valid_until": valid_until, "reason": reason, "entered_by": asker.subject, "entered_at": asker.now,
    }  # fmt: skip
    return await store.add(asker.db, credit_limit, row)


async def approve_limit(asker: Asker, limit_id: UUID) -> Row:
    """The limit holds from its day on. Raises NotFound, AlreadyEnded or FourEyes."""
    row = await _asked(asker, credit_limit, limit_id, "entered_by", "entered")
    return await store.approve_limit(asker.db, row, asker.subject, asker.now)


async def withdraw_limit(asker: Asker, limit_id: UUID, why: str, *, manager: bool) -> Row:
    """A limit is taken back; one that holds by a second person. Raises NotFound, AlreadyEnded, Forbidden, FourEyes."""
    row = await found(asker, credit_limit, limit_id)
    if row["state"] not in {"entered", "approved"}:
        raise AlreadyEnded(f"This is {row['state']}.", field="state")
    if row["state"] == "approved" and not manager:
        raise Forbidden("Only a manager withdraws a limit that holds.", remedy="Ask a person with the role manager.")
    if row["state"] == "approved" and row["entered_by"] == asker.subject:
        raise FourEyes("Whoever entered it cannot withdraw it.", remedy="Another person has to decide.")
    facts = {"state": "withdrawn", "withdrawn_by": asker.subject, "withdrawn_at": asker.now, "why": why}
    return await store.change(asker.db, credit_limit, row, **facts)


async def request_block(asker: Asker, payer: UUID, act: Act, reason: str) -> Row:
    """Ask that deliveries to a payer stop, or go on. Raises ScopeUnknown or Conflict."""
    about = await account(asker, payer)
    if about.blocked == (act == "block"):
        raise Conflict(f"This payer is {'blocked' if about.blocked else 'not blocked'} already.", field="act")
    row = {
        "tenant_id": asker.tenant, "block_id": uuid7(), "payer_id": payer, "entity_id": about.entity_id, "act": act,
        "reason": reason, "figures": about.figures(), "requested_by": asker.subject, "requested_at": asker.now,
    }  # fmt: skip
    made = await store.request_block(asker.db, row)
    if made is None:
        raise Conflict("A request about this payer is open.", field="payer_id", remedy="Decide that one first.")
    return made


async def decide_block(asker: Asker, block_id: UUID, *, approved: bool, why: str) -> Row:
    """Grant a request and tell the tenant's systems, or reject it. Raises NotFound, AlreadyEnded or FourEyes."""
    row = await _asked(asker, credit_block, block_id, "requested_by" if approved else None, "requested")
    decided = await store.change(asker.db, credit_block, row, **_decision(asker, approved, why))
    if approved:
        about = await account(asker, row["payer_id"])
        await outgoing.queue(
            asker,
            f"credit.{row['act']}ed",
            row["entity_id"],
            block_id,
            {
                "block_id": str(block_id), "entity_id": str(row["entity_id"]), "payer_id": str(row["payer_id"]),
                "external_id": about.external_id, "act": row["act"], "reason": row["reason"],
                "requested_by": row["requested_by"], "approved_by": asker.subject, "figures": about.figures(),
            },
        )  # fmt: skip
    return decided


async def propose_write_off(asker: Asker, item_id: UUID, amount: Money | None, reason: str, note: str) -> Row:
    """Propose to give up what an item owes, or a part. Raises NotFound, AmountTooLarge, AlreadyEnded or Conflict."""
    target = await item_target(asker, item_id)
    item = target.items[0]
    fits(amount, item)
    if not item["open"]:
        raise AlreadyEnded("This item owes nothing.", field="item_id")
    row = {
        "tenant_id": asker.tenant, "proposal_id": uuid7(), "item_id": item_id,
        "entity_id": target.case["entity_id"], "payer_id": target.case["payer_id"],
        "amount_minor": amount.minor if amount else owed(item), "currency": item["currency"],
        "reason": reason, "note": note, "proposed_by": asker.subject, "proposed_at": asker.now,
    }  # fmt: skip
    made = await store.propose_write_off(asker.db, row)
    if made is None:
        raise Conflict("There is a proposal for this item.", field="item_id", remedy="Decide that one first.")
    return made


async def decide_write_off(asker: Asker, proposal_id: UUID, *, approved: bool, why: str) -> Row:
    """Agree, so that the ERP is told to book it, or reject. Raises NotFound, AlreadyEnded or FourEyes."""
    row = await _asked(asker, write_off_proposal, proposal_id, "proposed_by" if approved else None, "proposed")
    target = await item_target(asker, row["item_id"])
    if approved:
        fits(Money(row["amount_minor"], row["currency"]), target.items[0])
    decided = await store.change(asker.db, write_off_proposal, row, **_decision(asker, approved, why))
    if approved:
        told = {
            "proposal_id": str(proposal_id), "item_id": str(row["item_id"]), "number": target.items[0]["number"],
            "entity_id": str(row["entity_id"]), "payer_id": str(row["payer_id"]),
            "amount": Money(row["amount_minor"], row["currency"]).wire(), "reason": row["reason"],
            "proposed_by": row["proposed_by"], "approved_by": asker.subject,
        }  # fmt: skip
        await outgoing.queue(asker, "credit.write_off_approved", row["entity_id"], proposal_id, told)
    return decided


async def _asked(asker: Asker, table: Table, identity: UUID, by: str | None, state: str) -> Row:
    """What nobody decided yet, and with `by` what another person asked for. Raises NotFound, AlreadyEnded, FourEyes."""
    row = await found(asker, table, identity)
    if row["state"] != state:
        raise AlreadyEnded(f"This is {row['state']}.", field="state")
    if by is not None and row[by] == asker.subject:
        raise FourEyes("Whoever asked for it cannot grant it.", remedy="Another person has to decide.")
    return row


def _decision(asker: Asker, approved: bool, why: str) -> dict[str, Any]:
    state = "approved" if approved else "rejected"
    return {"state": state, "decided_by": asker.subject, "decided_at": asker.now, "why": why}
