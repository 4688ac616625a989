"""The desk at which one list of invoices is decided: what stands, what is to be written and said.

Later offers of a list are decided against what the earlier ones left; only the last state of an invoice is written,
every state is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.events import Event
from libs.common.permits import Scope
from services.invoice_ingest import rows
from services.invoice_ingest.accounts import Offer
from services.invoice_ingest.crediting import Numbers
from services.invoice_ingest.intake import Known
from services.invoice_ingest.rows import Account, Telling
from services.invoice_ingest.store import invoices as store


@dataclass(slots=True)
class Standing:
    """What stands of one invoice; the columns of its row that decisions need."""

    tenant_id: UUID
    invoice_id: UUID
    entity_id: UUID
    debtor_id: UUID
    source: str
    external_id: str
    source_version: int | None
    version: int
    cancelled: bool
    owed: int
    items: int
    content: bytes
    core: bytes
    take_over: bool
    document_id: UUID | None
    currency: str
    received_at: datetime
    number: str
    issue_date: date

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Standing":
        """From a row of `invoice`."""
        return cls(*[row[name] for name in _FACTS])

    def known(self) -> Known:
        """As `intake` compares it."""
        return Known(self.source, self.source_version, self.content, self.core, self.cancelled, self.owed < 0)


_FACTS = tuple(fact.name for fact in fields(Standing))


class Desk:
    """State of one list under way."""

    def __init__(self, now: datetime, standing: Sequence[Standing], numbers: Numbers) -> None:
        self.now = now
        self.standing = {each.invoice_id: each for each in standing}
        self.names = {(each.entity_id, each.source, each.external_id): each.invoice_id for each in standing}
        self.numbers = numbers
        self.events: list[Event] = []
        self.stops: list[Scope] = []
        self.taken: list[dict[str, Any]] = []
        self.aside: dict[UUID, dict[str, Any]] = {}
        self._before = set(self.standing)
        self._tellings: dict[UUID, Telling] = {}
        self._rows: dict[UUID, dict[str, Any]] = {}
        self._cancelled: dict[UUID, Standing] = {}
        self._moved: dict[UUID, Standing] = {}

    def told_as(self, offer: Offer) -> UUID | None:
        """The invoice that this source has told under this name."""
        return self.names.get((offer.entity_id, offer.source, offer.external_id))

    def accept(self, offer: Offer, telling: Telling) -> int:
        """A new state of an invoice; its version."""
        before = self.standing.get(telling.invoice_id)
        row = telling.row()
        self.standing[telling.invoice_id] = Standing.of(row)
        self.names[offer.entity_id, offer.source, offer.external_id] = telling.invoice_id
        self._tellings[telling.invoice_id] = telling
        self._rows[telling.invoice_id] = row
        self._cancelled.pop(telling.invoice_id, None)
        self._moved.pop(telling.invoice_id, None)
        self._took(telling.tenant_id, telling.invoice_id, offer.source)
        if not telling.facts.credit:
            self.numbers.add(offer.entity_id, telling.invoice.number, telling.invoice_id, telling.invoice.issue_date)
        if not telling.cancelled:
            self.events.append(telling.said())
            self._stop(telling, before)
        return telling.version

    def cancel(self, offer: Offer, standing: Standing, account: Account) -> int:
        """An invoice that stands becomes void; its version."""
        standing.version += 1
        standing.cancelled = True
        standing.source_version = standing.source_version if offer.invoice.version is None else offer.invoice.version
        row = self._rows.get(standing.invoice_id)
        if row is not None:
            row |= {"version": standing.version, "cancelled": True, "source_version": standing.source_version}
        else:
            self._cancelled[standing.invoice_id] = standing
        self._took(standing.tenant_id, standing.invoice_id, offer.source)
        self.events.append(rows.cancelled(standing, account, standing.version, self.now))
        touched = rows.items(standing.invoice_id, standing.items)
        self.stops.append(Scope(standing.tenant_id, item_ids=touched, debtor_ids=(account.debtor_id, account.payer_id)))
        return standing.version

    def move_on(self, standing: Standing, source_version: int | None) -> None:
        """The source counts on although nothing changed."""
        standing.source_version = source_version
        row = self._rows.get(standing.invoice_id)
        if row is not None:
            row["source_version"] = source_version
        elif standing.invoice_id not in self._cancelled:
            self._moved[standing.invoice_id] = standing

    def _took(self, tenant: UUID, invoice: UUID, source: str) -> None:
        self.taken.append({"tenant_id": tenant, "invoice_id": invoice, "source": source})

    def _stop(self, telling: Telling, before: Standing | None) -> None:
        account = telling.account
        if telling.facts.credit:
            named = tuple({account.debtor_id, account.payer_id})
            self.stops.append(Scope(telling.tenant_id, debtor_ids=named))
        elif before is not None:
            touched = rows.items(telling.invoice_id, max(before.items, len(telling.facts.due)))
            self.stops.append(Scope(telling.tenant_id, item_ids=touched))

    async def write(self, db: AsyncConnection) -> None:
        """Write the last state of everything. Raises Raced."""
        told = sorted(self._tellings.values(), key=lambda each: each.invoice_id)
        await store.write(db, [self._rows[each.invoice_id] for each in told])
        again = [(each.tenant_id, each.invoice_id) for each in told if each.invoice_id in self._before]
        parts = [part for each in told for part in each.instalments()]
        await store.replace_parts(db, again, parts, [named for each in told for named in each.credited()])
        await store.link(db, [link for each in told for link in _links(each)])
        await store.cancel(db, [_void(each, self.now) for each in self._cancelled.values()])
        await store.move_on(db, [_place(each) for each in self._moved.values()])


def _void(standing: Standing, now: datetime) -> dict[str, Any]:
    names = ("tenant_id", "invoice_id", "version", "source_version")
    return {name: getattr(standing, name) for name in names} | {"changed_at": now}


def _place(standing: Standing) -> dict[str, Any]:
    return {name: getattr(standing, name) for name in ("tenant_id", "invoice_id", "source_version")}


def _links(telling: Telling) -> list[dict[str, Any]]:
    kinds = {link.document_id: link.kind for link in telling.invoice.documents}
    if telling.document_id is not None:
        kinds.setdefault(telling.document_id, "invoice")
    return [
        {"tenant_id": telling.tenant_id, "invoice_id": telling.invoice_id, "document_id": one, "kind": kind}
        for one, kind in kinds.items()
    ]
