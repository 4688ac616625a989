"""Taking invoices in: a list of offers, one transaction, one answer each.

Lock the debtors, read what stands, decide each offer against what the ones before it left, write, say. Nothing here
commits. The rules it protects: every accepted state is one row version and one event; the same invoice twice in one
list is decided twice; what is doubtful is set aside in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.errors import RelanceError, VersionConflict
from libs.common.ids import invoice_id
from libs.common.permits import Scope
from services.invoice_ingest import assess as assessing
from services.invoice_ingest.accounts import Found, Offer, accounts
from services.invoice_ingest.assess import Facts
from services.invoice_ingest.crediting import Numbers, credited
from services.invoice_ingest.desk import Desk, Standing
from services.invoice_ingest.doubts import doubt, set_aside
from services.invoice_ingest.errors import Doubt
from services.invoice_ingest.intake import Decision, Incoming, decide
from services.invoice_ingest.rows import Account, Telling
from services.invoice_ingest.sources.canonical import CanonicalInvoice
from services.invoice_ingest.store import invoices as store
from services.invoice_ingest.store import quarantine


@dataclass(slots=True)
class Outcome:
    """What became of one offer: the result's word, and what a client needs to find or correct it."""

    result: str
    external_id: str | None
    invoice_id: UUID | None = None
    version: int | None = None
    quarantine_id: UUID | None = None
    problem: RelanceError | None = None
    stops: Sequence[Scope] = ()
    """What a stopping command must wait for after the commit."""


async def take(db: AsyncConnection, offers: Sequence[Offer], now: datetime) -> list[Outcome]:
    """Take a list of offers of any tenants. Raises Raced when another transaction was quicker: try again."""
    found, opened = await accounts(db, offers, now)
    ids = [invoice_of(offer) for offer in offers]
    desk = Desk(now, await _standing(db, offers, ids), await _numbers(db, offers))
    outcomes = [_settle(desk, offer, one, account) for offer, one, account in zip(offers, ids, found, strict=True)]
    await desk.write(db)
    await quarantine.supersede(db, desk.taken)
    await quarantine.add(db, list(desk.aside.values()))
    await outbox.record(db, *opened, *desk.events)
    return outcomes


def invoice_of(offer: Offer) -> UUID:
    """The id of the invoice that an offer tells."""
    told = offer.invoice
    return invoice_id(offer.tenant_id, offer.entity_id, told.kind, told.number, told.issue_date.year)


async def _standing(db: AsyncConnection, offers: Sequence[Offer], ids: Sequence[UUID]) -> list[Standing]:
    asked = [
        {
            "tenant_id": offer.tenant_id,
            "invoice_id": one,
            "entity_id": offer.entity_id,
            "source": offer.source,
            "external_id": offer.external_id,
        }
        for offer, one in zip(offers, ids, strict=True)
    ]
    return [Standing.of(row._asdict()) for row in await store.known(db, asked)]


async def _numbers(db: AsyncConnection, offers: Sequence[Offer]) -> Numbers:
    named = {
        (offer.tenant_id, offer.entity_id, each.number)
        for offer in offers
        for each in offer.invoice.references.preceding
    }
    return Numbers(await store.numbered(db, named))


def _settle(desk: Desk, offer: Offer, one: UUID, account: Found) -> Outcome:
    before = len(desk.stops)
    try:
        if isinstance(account, RelanceError):
            raise account
        outcome = _decided(desk, offer, one, account)
        outcome.stops = desk.stops[before:]
        return outcome
    except Doubt as why:
        row = set_aside(offer, one, why, desk.now)
        desk.aside[row["quarantine_id"]] = row
        return Outcome("quarantined", offer.external_id, quarantine_id=row["quarantine_id"], problem=why)
    except RelanceError as why:
        return Outcome("refused", offer.external_id, problem=why)


@dataclass(frozen=True, slots=True)
class _Case:
    """One offer with all that its decision rests on."""

    offer: Offer
    invoice_id: UUID
    account: Account
    facts: Facts
    incoming: Incoming
    standing: Standing | None


def _case(desk: Desk, offer: Offer, one: UUID, account: Account) -> _Case:
    told = offer.invoice
    facts = assessing.assess(told, account.terms, trusted=offer.released)
    content = assessing.content(told, facts, account.debtor_id)
    core = assessing.core(facts, account.debtor_id, told.issue_date)
    incoming = Incoming(offer.source, told.version, content, core, told.status == "cancelled", facts.credit)
    return _Case(offer, one, account, facts, incoming, desk.standing.get(one))


def _decided(desk: Desk, offer: Offer, one: UUID, account: Account) -> Outcome:
    if desk.told_as(offer) not in (None, one):
        raise doubt("identity_changed")
    case = _case(desk, offer, one, account)
    decision = decide(case.standing.known() if case.standing else None, case.incoming, released=offer.released)
    if decision.result == "quarantined":
        raise doubt(decision.reason or "second_source")
    if decision.result == "conflict":
        return Outcome("conflict", offer.external_id, one, problem=VersionConflict(field="version"))
    return Outcome(decision.result, offer.external_id, one, _carried_out(desk, case, decision))


def _carried_out(desk: Desk, case: _Case, decision: Decision) -> int:
    """The version that the invoice has afterwards."""
    standing = case.standing
    if standing is None or decision.result in ("created", "amended"):
        return desk.accept(case.offer, _telling(desk, case))
    if decision.result == "cancelled" and not standing.cancelled:
        return desk.cancel(case.offer, standing, case.account)
    if decision.moves_on:
        desk.move_on(standing, case.incoming.source_version)
    return standing.version


def _telling(desk: Desk, case: _Case) -> Telling:
    offer, told, account, standing = case.offer, case.offer.invoice, case.account, case.standing
    late = standing.take_over if standing else assessing.takes_over(told, case.facts, offer.today)
    credits_ = case.facts.credit and not case.incoming.cancelled
    return Telling(
        tenant_id=offer.tenant_id,
        entity_id=offer.entity_id,
        invoice_id=case.invoice_id,
        version=standing.version + 1 if standing else 1,
        account=account,
        invoice=told,
        facts=case.facts,
        source=offer.source,
        source_version=standing.source_version if standing and told.version is None else told.version,
        content=case.incoming.content,
        core=case.incoming.core,
        not_chased=assessing.not_chased(told, consumer=account.consumer, intercompany=account.intercompany),
        take_over=late or (standing is None and offer.take_over),
        cancelled=case.incoming.cancelled,
        document_id=offer.document_id or _copy(told) or (standing.document_id if standing else None),
        received_at=standing.received_at if standing else desk.now,
        now=desk.now,
        credits=credited(offer, case.facts, desk.numbers) if credits_ else (),
    )


def _copy(told: CanonicalInvoice) -> UUID | None:
    """The document that is the invoice itself, if one is linked."""
    return next((link.document_id for link in told.documents if link.kind == "invoice"), None)
