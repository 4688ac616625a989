"""The bytes of deliveries, made once and kept: with the thread of the case, the invoice copies and the statement.

A delivery whose bytes may not leave fails by name; one whose copies cannot be fetched now is given back.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import structlog

from libs.common.auth import service_token
from libs.common.calls import Peers
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.errors import Unavailable
from services.notifier import contents, guard
from services.notifier.channels.email import FILES, Envelope, File, build, fitting, linking, message_id
from services.notifier.channels.statement import Cell, statement
from services.notifier.dispatch.job import Job
from services.notifier.ending import OUTWARD
from services.notifier.errors import GuardStopped, RecipientRefused
from services.notifier.labels import LABELS
from services.notifier.render import Rendered
from services.notifier.revision import NoticeLine
from services.notifier.store import deliveries, facts, notices
from services.notifier.store.deliveries import Claim, Conclusion
from services.notifier.store.pairs import rows_of
from services.notifier.superseding import conclude
from services.notifier.tables import notice
from services.notifier.tokens import Links, Tokens

AGAIN_SECONDS = 5.0
COLUMNS = ("number", "issued", "due", "amount", "residual")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Copies:
    """The invoice copies that go with a delivery, and whether there are more than a mail carries."""

    files: Sequence[File]
    more: bool


class Freezer:
    """Turns claims into jobs whose bytes are on record."""

    def __init__(self, database: Database, peers: Peers, clock: Clock, tokens: Tokens, links: Links) -> None:
        self.database = database
        self.peers = peers
        self.clock = clock
        self.tokens = tokens
        self.links = links

    async def jobs(self, claims: Sequence[Claim]) -> list[Job]:
        """The jobs that can go on; the others were given back or have failed."""
        async with self.database.transaction() as db:
            keys = {(each.tenant_id, each.notice_id) for each in claims}
            rows = {row.notice_id: row for row in await rows_of(db, notice.c.notice_id, keys)}
            lines = await notices.lines(db, keys)
            bare = [each for each in claims if each.raw is None]
            known = await self._read(db, bare, rows, lines)
        copies = await self._copies(bare, known)
        built, refused, waiting = [], [], []
        for claim in bare:
            row = rows[claim.notice_id]
            if claim.delivery_id not in copies:
                waiting.append(claim)
                continue
            try:
                raw = self._build(claim, row, lines[claim.notice_id], known, copies[claim.delivery_id])
                built.append((claim, raw, hashlib.sha256(raw).digest()))
            except (GuardStopped, RecipientRefused) as stopped:
                log.error("delivery.guarded", delivery=str(claim.delivery_id), detail=stopped.detail)
                refused.append(Conclusion(claim, "failed", stopped.code))
            await asyncio.sleep(0)
        await self._keep(built, refused, waiting)
        raws = {claim.delivery_id: raw for claim, raw, _ in built}
        return [
            self._job(claim, rows[claim.notice_id], lines[claim.notice_id], bytes_)
            for claim in claims
            if (bytes_ := claim.raw or raws.get(claim.delivery_id)) is not None
        ]

    async def _keep(self, built: Any, refused: Sequence[Conclusion], waiting: Sequence[Claim]) -> None:
        if not (built or refused or waiting):
            return
        async with self.database.transaction() as db:
            await deliveries.freeze(db, built)
            await deliveries.let_go(db, waiting, AGAIN_SECONDS)
            if refused:
                changed = await deliveries.conclude(db, refused)
                await conclude(db, {(row.tenant_id, row.notice_id) for row in changed}, self.clock.now())

    def _job(self, claim: Claim, row: Any, lines: Sequence[NoticeLine], raw: bytes) -> Job:
        path = self.tokens.return_path(claim.delivery_id, guard.domain(claim.sender))
        return Job(claim, row, lines, raw, path)

    async def _read(
        self, db: Any, bare: Sequence[Claim], rows: Mapping[UUID, Any], lines: Mapping[UUID, Sequence[NoticeLine]]
    ) -> dict[str, Any]:
        entities = {(each.tenant_id, each.entity_id) for each in bare}
        printed = {
            (each.tenant_id, line.invoice_id)
            for each in bare
            if rows[each.notice_id].kind in OUTWARD
            for line in lines[each.notice_id]
        }
        invoices = await facts.invoices(db, printed)
        return {
            "entities": await facts.entities(db, entities),
            "accounts": await facts.accounts(db, entities),
            "threads": await deliveries.threads(db, bare) if bare else {},
            "documents": {key: row.document_id for key, row in invoices.items() if row.document_id},
            "lines": lines,
        }

    async def _copies(self, bare: Sequence[Claim], known: Mapping[str, Any]) -> dict[UUID, Copies]:
        """Delivery → the copies that go with it; a delivery is absent while its copies cannot be fetched."""
        told = {each.delivery_id: _documents(each, known) for each in bare}
        wanted = {delivery: each[:FILES] for delivery, each in told.items()}
        asked = sorted({one for each in wanted.values() for one in each})
        found = dict(zip(asked, await asyncio.gather(*(self._copy(*one) for one in asked)), strict=True))
        ready: dict[UUID, Copies] = {}
        for delivery_id, each in wanted.items():
            files = [found[one] for one in each]
            if not any(isinstance(file, Unavailable) for file in files):
                printed = [file for file in files if isinstance(file, File)]
                kept = fitting(printed)
                more = len(kept) < len(printed) or bool(printed and len(told[delivery_id]) > FILES)
                ready[delivery_id] = Copies(kept, more)
        return ready

    async def _copy(self, tenant: UUID, document: UUID, number: str) -> File | Unavailable | None:
        """The invoice's PDF from its owner; None when there is none there."""
        token = service_token(self.peers.settings, audience="invoice_ingest", tenant=tenant, subject="service:notifier")
        url = f"{self.peers.settings.urls['invoice_ingest']}/internal/v1/documents/{document}"
        try:
            answer = await self.peers.client.get(url, headers={"Authorization": f"Bearer {token}"})
        except httpx.HTTPError as error:
            return Unavailable(type(error).__name__)
        if answer.status_code >= 500 or answer.status_code in (408, 429):
            return Unavailable(f"HTTP {answer.status_code}")
        if not answer.is_success or not answer.content.startswith(b"%PDF-"):
            return None
        return File(f"{number}.pdf", "application/pdf", answer.content)

    def _build(
        self, claim: Claim, row: Any, lines: Sequence[NoticeLine], known: Mapping[str, Any], copies: Copies
    ) -> bytes:
        entity = known["entities"][claim.tenant_id, claim.entity_id]
        now = self.clock.now()
        thread = known["threads"].get(claim.delivery_id)
        envelope = Envelope(
            delivery_id=claim.delivery_id,
            sender_name=entity.sender_name,
            sender=claim.sender,
            reply_to=claim.reply_to or entity.reply_to or entity.sender_email,
            recipient=claim.recipient,
            cc=claim.copies,
            language=row.language,
            at=now,
            thread=[message_id(*thread)] if thread else [],
        )
        rendered = Rendered(row.subject or "", row.words or "", row.markup or "")
        if copies.more:
            link = self.links.make(claim.tenant_id, claim.delivery_id, row.language)
            rendered = linking(rendered, LABELS[row.language]["copies"], link)
        files = [*copies.files, *([_statement(row, lines)] if len(lines) > contents.SHOWN else [])]
        return build(envelope, rendered, files, _approved(known["accounts"][claim.tenant_id, claim.entity_id], now))


def _documents(claim: Claim, known: Mapping[str, Any]) -> list[tuple[UUID, UUID, str]]:
    """Tenant, document and number of each invoice of a delivery that has one, once."""
    documents = known["documents"]
    told = {
        documents[line.invoice_id]: line.number
        for line in known["lines"][claim.notice_id]
        if line.invoice_id in documents
    }
    return [(claim.tenant_id, document, number) for document, number in told.items()]


def _approved(accounts: Sequence[Any], now: datetime) -> list[str]:
    return [each.iban for each in accounts if each.effective_at <= now]


def _statement(row: Any, lines: Sequence[NoticeLine]) -> File:
    label = LABELS[row.language]
    rows: list[list[Cell]] = [
        [
            line.number,
            line.issue_date,
            line.due_date,
            Decimal(line.amount.decimal()),
            Decimal(line.residual.decimal()),
            line.residual.currency,
        ]
        for line in lines
    ]
    return statement(label["statement"], [*(label[name] for name in COLUMNS), ""], rows)
