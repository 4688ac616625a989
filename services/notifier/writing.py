"""The writing loop: a notice that is due becomes a text with recipients, waiting for approval or ready to go.

It reads what the topics told until then, so a ReminderDue that overtakes its debtor's file, or a payment that overtakes
the ReminderDue, still ends in the right text. What is still missing after a while ends the notice with a reason.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.metrics import NOTICES_WAITING
from libs.common.money import Money
from libs.common.retry import backoff, is_transient
from libs.common.runtime import Pulse
from services.notifier import guard, said, superseding, tasking
from services.notifier.contents import Account, Creditor, Facts, Row
from services.notifier.ending import needed
from services.notifier.errors import GuardStopped, RecipientRefused, TemplateRefused
from services.notifier.recipients import Person, chosen
from services.notifier.render import Renderer, Source
from services.notifier.revision import NoticeLine
from services.notifier.store import deliveries, facts, mail, notices, templates

BATCH = 25
PATIENCE = 10
"""Looks, two seconds apart, for a debtor's file or an entity that nobody has told yet."""
LOOK_AGAIN_SECONDS = 2.0
REST = 1.0
OWN: dict[str, str] = {
    "pre_due": "courtesy",
    "final_notice": "final",
    "formal_notice": "formal",
    "task_call": "call",
    "internal_notice": "internal",
    "acknowledge": "thanks",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Known:
    """What was read for one notice before it is written. `debtor` and `entity` may be untold yet."""

    row: Any
    lines: Sequence[NoticeLine]
    deductions: Sequence[Money]
    entity: Any | None
    debtor: Any | None
    contacts: Sequence[Person]
    accounts: Sequence[Any]
    references: Mapping[UUID, str]
    earlier: Sequence[datetime]
    texts: Mapping[tuple[UUID, str, str], Source]

    def today(self, now: datetime) -> date:
        """The creditor's date."""
        return now.astimezone(ZoneInfo(self.entity.time_zone if self.entity else "Europe/Paris")).date()


class Writer:
    """Writes what is due. `nudge_dispatch` wakes the loop that sends."""

    def __init__(self, database: Database, clock: Clock, renderer: Renderer, nudge_dispatch: Any) -> None:
        self.database = database
        self.clock = clock
        self.renderer = renderer
        self.nudge_dispatch = nudge_dispatch

    async def run(self, pulse: Pulse) -> None:
        """Write until the process stops; troubles of the database are waited out."""
        failed = 0
        while not pulse.stopping.is_set():
            pulse.turn()
            try:
                written = await self.write_due()
                failed = 0
            except Exception as error:
                if not is_transient(error):
                    raise
                failed += 1
                log.warning("writing.interrupted", error=type(error).__name__)
                await pulse.rest(backoff(failed))
                continue
            if written:
                self.nudge_dispatch()
            else:
                await pulse.rest(REST)

    async def write_due(self) -> int:
        """One batch in one transaction; answers how many were looked at."""
        async with self.database.transaction() as db:
            rows = await notices.claim_due(db, BATCH)
            for known in await _read(db, rows):
                await self._write(db, known)
                await asyncio.sleep(0)
            NOTICES_WAITING.set(await notices.waiting(db))
            return len(rows)

    async def _write(self, db: AsyncConnection, known: Known) -> None:
        row, now = known.row, self.clock.now()
        key = {(row.tenant_id, row.notice_id)}
        if await superseding.follow_facts(db, key, now):
            return
        if (known.entity is None or known.debtor is None) and row.tries < PATIENCE:
            await notices.later(db, row.tenant_id, row.notice_id, LOOK_AGAIN_SECONDS)
        elif known.entity is None or known.debtor is None:
            await superseding.fail(db, row, known.lines, now, "unknown_debtor" if known.entity else "unknown_entity")
        else:
            await self._by_channel(db, known, now)

    async def _by_channel(self, db: AsyncConnection, known: Known, now: datetime) -> None:
        """The first channel that can carry it; none: somebody must find a contact."""
        row = known.row
        for channel in row.channels:
            if channel == "email":
                people = await self._recipients(db, known)
                if people:
                    await self._mail(db, known, people, now)
                    return
            elif channel == "call_task" or row.kind == "internal_notice":
                await self._task(db, known, now)
                return
            elif channel == "letter":
                await self._letter(db, known, now)
                return
        if row.kind == "internal_notice":
            await self._task(db, known, now)
            return
        await superseding.fail(db, row, known.lines, now, "no_contact")
        why = known.debtor.name if known.debtor else ""
        await tasking.open_contact_task(db, row, why=why, at=now, due_on=known.today(now))

    async def _recipients(self, db: AsyncConnection, known: Known) -> list[Person]:
        row = known.row
        suppressed = await mail.suppressed(db, row.tenant_id, [each.email for each in known.contacts if each.email])
        if row.kind == "internal_notice":
            owner = known.debtor.sales_owner if known.debtor else None
            return chosen([Person(None, "", owner, ("accounts_payable",))], (), suppressed)
        if row.recipients:
            return [Person(None, "", address, ()) for address in row.recipients]
        return chosen(known.contacts, row.audience, suppressed)

    async def _mail(self, db: AsyncConnection, known: Known, people: Sequence[Person], now: datetime) -> None:
        row, entity = known.row, known.entity
        assert entity is not None and known.debtor is not None
        if not await self._text(db, known, people, now):
            return
        if entity.mode == "shadow":
            await superseding.stop(db, {(row.tenant_id, row.notice_id)}, now, "shadow")
            return
        approval = needed(row.kind, row.approval, entity.approvals)
        ready = approval == "none" or row.approved_by is not None
        rows = [
            {
                "tenant_id": row.tenant_id,
                "delivery_id": uuid7(),
                "notice_id": row.notice_id,
                "entity_id": row.entity_id,
                "case_id": row.case_id,
                "contact_id": person.contact_id,
                "kind": row.kind,
                "recipient": person.email,
                "sender": entity.sender_email,
                "debtor_version": known.debtor.version,
                "state": "ready" if ready else "proposed",
            }
            for person in people
        ]
        covered = [line.occurrence_id for line in known.lines if line.completes]
        if not await deliveries.add(db, rows, covered):
            await superseding.stop(db, {(row.tenant_id, row.notice_id)}, now, "already_sent")
            return
        state = "ready" if ready else "proposed"
        changed = await notices.change(db, row.tenant_id, row.notice_id, state=state, approval=approval)
        if not ready:
            await outbox.record(db, said.proposed(changed, known.lines, now))

    async def _text(self, db: AsyncConnection, known: Known, people: Sequence[Person], now: datetime) -> bool:
        """Write subject and words; False when nothing can be written, and the notice has ended."""
        row = known.row
        told = notice_facts(known, people[0].name if len(people) == 1 else "", now)
        try:
            source = template_of(self.renderer, known.texts, row)
            written = self.renderer.render(source, told, row.note or "")
            guard.check_ibans([written.subject, written.text], [each.iban for each in told.accounts])
            guard.address(known.entity.sender_email if known.entity else "")
        except (TemplateRefused, GuardStopped, RecipientRefused) as refused:
            log.error("notice.unwritable", notice=str(row.notice_id), code=refused.code)
            await superseding.fail(db, row, known.lines, now, refused.code)
            await tasking.open_contact_task(db, row, why=refused.detail, at=now, due_on=known.today(now))
            return False
        texts = {"subject": written.subject, "words": written.text, "markup": written.html}
        await notices.change(db, row.tenant_id, row.notice_id, prepared_at=now, **texts)
        return True

    async def _task(self, db: AsyncConnection, known: Known, now: datetime) -> None:
        """A call, or a word to the sales owner, is a task; opened, it counts as sent."""
        row = known.row
        person = next((each for each in known.contacts if "accounts_payable" in each.roles), None)
        told = notice_facts(known, person.name if person else "", now)
        key = "internal" if row.kind == "internal_notice" else "call"
        written = self.renderer.render(self.renderer.own[key, told.language], told)
        kind: said.TaskKind = "internal_notice" if row.kind == "internal_notice" else "call"
        task_id = await tasking.open_task(
            db, row, kind, title=written.subject, body=written.text, due_on=known.today(now), at=now
        )
        done = {"state": "sent", "channel": "call_task", "prepared_at": now, "sent_at": now}
        texts = {"subject": written.subject, "words": written.text}
        changed = await notices.change(db, row.tenant_id, row.notice_id, **done, **texts)
        await outbox.record(
            db, said.sent(changed, known.lines, now, delivery_id=task_id, channel="call_task", sent_at=now)
        )

    async def _letter(self, db: AsyncConnection, known: Known, now: datetime) -> None:
        """A letter is written here and posted by a person, who says so on the task that its approval opens."""
        row = known.row
        if not await self._text(db, known, [Person(None, "", None, ())], now):
            return
        approval = needed(row.kind, row.approval, known.entity.approvals if known.entity else "confirm")
        approval = "confirm" if approval == "none" else approval
        told = {"channel": "letter", "approval": approval, "state": "proposed"}
        changed = await notices.change(db, row.tenant_id, row.notice_id, **told)
        await outbox.record(db, said.proposed(changed, known.lines, now))


def template_of(renderer: Renderer, texts: Mapping[tuple[UUID, str, str], Source], row: Any) -> Source:
    """The tenant's own text under the policy's name, or under our name for this tone, else ours."""
    ours = own_key(row.template, row.kind, row.tone)
    language = row.language
    tenants = texts.get((row.tenant_id, row.template, language)) or texts.get((row.tenant_id, ours, language))
    return tenants or renderer.own[ours, language]


def own_key(name: str, kind: str, tone: int) -> str:
    """Our text for a policy's template name, or for what the step is."""
    if name in ("courtesy", "friendly", "firm", "final", "formal", "thanks", "internal", "call"):
        return name
    return OWN.get(kind) or ("friendly" if tone <= 2 else "firm" if tone == 3 else "final")


def notice_facts(known: Known, contact: str, now: datetime) -> Facts:
    """The facts that a template is rendered from."""
    row, entity, debtor = known.row, known.entity, known.debtor
    assert entity is not None and debtor is not None
    return Facts(
        kind=row.kind,
        tone=row.tone,
        language=row.language,
        today=known.today(now),
        creditor=Creditor(
            name=entity.name,
            sender_name=entity.sender_name,
            reply_to=entity.reply_to or entity.sender_email,
            phone=entity.phone or "",
            siren=entity.siren or "",
            country=entity.country,
        ),
        debtor=debtor.name,
        debtor_siren=debtor.siren or "",
        debtor_phone=debtor.phone or "",
        contact=contact,
        rows=[_row(line, known.references) for line in known.lines],
        anchor_item_id=row.anchor_item_id,
        accounts=[
            Account(each.holder, each.iban, each.bic or "", each.currency)
            for each in known.accounts
            if each.effective_at <= now
        ],
        earlier=[each.astimezone(ZoneInfo(entity.time_zone)).date() for each in known.earlier],
        deductions=known.deductions,
    )


def _row(line: NoticeLine, references: Mapping[UUID, str]) -> Row:
    return Row(
        item_id=line.item_id,
        invoice_id=line.invoice_id,
        number=line.number,
        issue_date=line.issue_date,
        due_date=line.due_date,
        amount=line.amount,
        residual=line.residual,
        reference=references.get(line.invoice_id, ""),
        paused=line.paused,
    )


async def read(db: AsyncConnection, rows: Sequence[Any]) -> list[Known]:
    """Everything these notices are written from, in one question a table."""
    keys = {(row.tenant_id, row.notice_id) for row in rows}
    payers = {(row.tenant_id, row.payer_id) for row in rows}
    entities = {(row.tenant_id, row.entity_id) for row in rows}
    lines, deductions = await notices.lines(db, keys), await notices.deductions(db, keys)
    creditors, accounts = await facts.entities(db, entities), await facts.accounts(db, entities)
    debtors, contacts = await facts.debtors(db, payers), await facts.contacts(db, payers)
    printed = {(row.tenant_id, line.invoice_id) for row in rows for line in lines[row.notice_id]}
    told = await facts.invoices(db, printed)
    references = {key: each.payment_reference for key, each in told.items() if each.payment_reference}
    earlier, texts = await notices.earlier(db, payers), await templates.current(db, {row.tenant_id for row in rows})
    return [
        Known(
            row=row,
            lines=lines[row.notice_id],
            deductions=deductions[row.notice_id],
            entity=creditors.get((row.tenant_id, row.entity_id)),
            debtor=debtors.get((row.tenant_id, row.payer_id)),
            contacts=contacts[row.tenant_id, row.payer_id],
            accounts=accounts[row.tenant_id, row.entity_id],
            references=references,
            earlier=earlier.get((row.tenant_id, row.payer_id), ()),
            texts=texts,
        )
        for row in rows
    ]


async def _read(db: AsyncConnection, rows: Sequence[Any]) -> list[Known]:
    return await read(db, rows) if rows else []
