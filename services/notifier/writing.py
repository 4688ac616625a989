"""The writing loop: a notice that is due becomes a text with recipients, waiting for approval or ready to go.

It reads what the topics told until then, so a ReminderDue that overtakes its debtor's file, or a payment that overtakes
the ReminderDue, still ends in the right text. What is still missing after a while ends the notice with a reason. A
notice that cannot be written stops no other.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common import outbox
from libs.common.aside import ASIDE_FOR, Aside, Narrowing
from libs.common.clock import Clock
from libs.common.db import Database
from libs.common.ids import uuid7
from libs.common.metrics import NOTICES_WAITING
from libs.common.runtime import Pulse
from libs.common.turning import turning
from services.notifier import guard, said, superseding, tasking
from services.notifier.ending import BY_HAND, needed
from services.notifier.errors import GuardStopped, RecipientRefused, TemplateRefused
from services.notifier.known import (
    Known,
    copies_of,
    notice_facts,
    own_key,
    read,
    recipients_of,
    sending_of,
    template_of,
)
from services.notifier.recipients import Person
from services.notifier.render import Renderer
from services.notifier.store import deliveries, notices

BATCH = 25
PATIENCE = 10
"""Looks, two seconds apart, for a debtor's file or an entity that nobody has told yet."""
LOOK_AGAIN_SECONDS = 2.0
REST = 1.0

log = structlog.get_logger(__name__)


class Writer:
    """Writes what is due. `nudge_dispatch` wakes the loop that sends; `aside` counts what could not be written."""

    def __init__(
        self, database: Database, clock: Clock, renderer: Renderer, nudge_dispatch: Callable[[], None], aside: Aside
    ) -> None:
        self.database = database
        self.clock = clock
        self.renderer = renderer
        self.nudge_dispatch = nudge_dispatch
        self._size = Narrowing(BATCH, aside)
        self._in_hand: list[Any] = []

    async def run(self, pulse: Pulse) -> None:
        """Write until the process stops; troubles of the database are waited out."""

        async def turn() -> float:
            looked_at = await self.turn()
            if looked_at:
                self.nudge_dispatch()
            return REST if looked_at == 0 else 0.0

        await turning(pulse, "writing", turn)

    async def turn(self) -> int | None:
        """One batch; None if something in it cannot be written: then the next one is half as large.

        What cannot be written alone is set aside. Raises what is transient, and what happens too often.
        """
        self._in_hand = []
        try:
            looked_at = await self.write_due()
        except Exception as error:
            if self._size.alone(error, len(self._in_hand)):
                await self._set_aside()
            return None
        self._size.widen()
        return looked_at

    async def _set_aside(self) -> None:
        async with self.database.transaction() as db:
            for row in self._in_hand:
                await notices.later(db, row.tenant_id, row.notice_id, ASIDE_FOR.total_seconds())
        self._size.set_aside(len(self._in_hand))
        log.critical("writing.set_aside", notices=[str(row.notice_id) for row in self._in_hand])

    async def write_due(self) -> int:
        """One batch in one transaction; answers how many were looked at."""
        async with self.database.transaction() as db:
            self._in_hand = rows = await notices.claim_due(db, self._size.most)
            keys = {(row.tenant_id, row.notice_id) for row in rows}
            changed = set(await superseding.follow_facts(db, keys, self.clock.now()))
            written: list[Written] = []
            for known in await _read(db, [row for row in rows if row.notice_id not in changed]):
                written += await self._write(db, known)
                await asyncio.sleep(0)
            await self._keep(db, written)
            if rows:
                NOTICES_WAITING.set(await notices.waiting(db))
            return len(rows)

    async def _keep(self, db: AsyncConnection, written: Sequence["Written"]) -> None:
        """Keep the mails that were written, for the recipients who have none of their occurrences yet."""
        now = self.clock.now()
        taken = await deliveries.taken(db, {pair for each in written for pair in each.covered()})
        rows: list[dict[str, Any]] = []
        lines: list[dict[str, Any]] = []
        changes: list[dict[str, Any]] = []
        for each in written:
            free = each.free(taken)
            if not free:
                row = each.known.row
                await superseding.stop(db, {(row.tenant_id, row.notice_id)}, now, "already_sent")
                continue
            rows += free
            for row in free:
                lines += each.lines_of(row)
            taken |= {(line["tenant_id"], line["occurrence_id"], line["recipient"]) for line in lines}
            changes.append(each.change())
        await deliveries.add(db, rows, lines)
        changed = await notices.change_many(db, changes)
        kept = [each for each in written if each.known.row.notice_id in changed and not each.ready]
        told = [said.proposed(changed[each.known.row.notice_id], each.known.lines, now) for each in kept]
        await outbox.record(db, *told)

    async def _write(self, db: AsyncConnection, known: Known) -> list["Written"]:
        """Write one notice: a mail is answered, everything else is kept at once."""
        row, now = known.row, self.clock.now()
        if (known.entity is None or known.debtor is None) and row.tries < PATIENCE:
            await notices.later(db, row.tenant_id, row.notice_id, LOOK_AGAIN_SECONDS)
        elif known.entity is None or known.debtor is None:
            await superseding.fail(db, row, known.lines, now, "unknown_debtor" if known.entity else "unknown_entity")
        else:
            return await self._by_channel(db, known, now)
        return []

    async def _by_channel(self, db: AsyncConnection, known: Known, now: datetime) -> list["Written"]:
        """The first channel that can carry it; none: somebody must find a contact."""
        row = known.row
        if row.kind in BY_HAND:
            return await self._task(db, known, now)
        for channel in row.channels:
            if channel == "email":
                people = recipients_of(known)
                if people:
                    return await self._mail(db, known, people, now)
            elif channel == "call_task":
                return await self._task(db, known, now)
            elif channel == "letter":
                return await self._letter(db, known, now)
        if row.kind == "internal_notice":
            return await self._task(db, known, now)
        await superseding.fail(db, row, known.lines, now, "no_contact")
        why = known.debtor.name if known.debtor else ""
        await tasking.open_contact_task(db, row, why=why, at=now, due_on=known.today(now))
        return []

    async def _mail(
        self, db: AsyncConnection, known: Known, people: Sequence[Person], now: datetime
    ) -> list["Written"]:
        row, entity = known.row, known.entity
        assert entity is not None and known.debtor is not None
        texts = await self._text(db, known, people, now)
        if texts is None:
            return []
        if entity.mode == "shadow":
            await notices.change(db, row.tenant_id, row.notice_id, **texts)
            await superseding.stop(db, {(row.tenant_id, row.notice_id)}, now, "shadow")
            return []
        approval = needed(row.kind, row.approval, entity.approvals)
        return [Written(known, people, texts, approval, approval == "none" or row.approved_by is not None)]

    async def _text(
        self, db: AsyncConnection, known: Known, people: Sequence[Person], now: datetime
    ) -> dict[str, Any] | None:
        """Subject and words as columns; None when nothing can be written, and the notice has ended."""
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
            return None
        texts = {"subject": written.subject, "words": written.text, "markup": written.html}
        return texts | {"prepared_at": now}

    async def _task(self, db: AsyncConnection, known: Known, now: datetime) -> list["Written"]:
        """A call, a visit, a hand-over or a word to the sales owner is a task; opened, it counts as sent."""
        row = known.row
        person = next((each for each in known.contacts if "accounts_payable" in each.roles), None)
        told = notice_facts(known, person.name if person else "", now)
        key = own_key(row.template, row.kind, row.tone)
        written = self.renderer.render(self.renderer.own[key, told.language], told)
        kind: said.TaskKind = BY_HAND.get(row.kind, "internal_notice" if row.kind == "internal_notice" else "call")
        task_id = await tasking.open_task(
            db, row, kind, title=written.subject, body=written.text, due_on=known.today(now), at=now
        )
        done = {"state": "sent", "channel": "call_task", "prepared_at": now, "sent_at": now}
        texts = {"subject": written.subject, "words": written.text}
        changed = await notices.change(db, row.tenant_id, row.notice_id, **done, **texts)
        await outbox.record(
            db, said.sent(changed, known.lines, now, delivery_id=task_id, channel="call_task", sent_at=now)
        )
        return []

    async def _letter(self, db: AsyncConnection, known: Known, now: datetime) -> list["Written"]:
        """A letter is written here and posted by a person, who says so on the task that its approval opens."""
        row = known.row
        texts = await self._text(db, known, [Person(None, "", None, ())], now)
        if texts is None:
            return []
        approval = needed(row.kind, row.approval, known.entity.approvals if known.entity else "confirm")
        approval = "confirm" if approval == "none" else approval
        told = {"channel": "letter", "approval": approval, "state": "proposed"}
        changed = await notices.change(db, row.tenant_id, row.notice_id, **told, **texts)
        await outbox.record(db, said.proposed(changed, known.lines, now))
        return []


@dataclass(frozen=True)
class Written:
    """A mail that was written and is to be kept with a delivery for each of these people."""

    known: Known
    people: Sequence[Person]
    texts: Mapping[str, Any]
    approval: str
    ready: bool

    def covered(self) -> list[tuple[UUID, UUID]]:
        """(tenant, occurrence) of every release that this mail ends."""
        return [(self.known.row.tenant_id, line.occurrence_id) for line in self.known.lines if line.completes]

    def free(self, taken: Collection[deliveries.Taken]) -> list[dict[str, Any]]:
        """The deliveries of those who have none of its occurrences from another one."""
        free = [
            self._delivery(person)
            for person in self.people
            if not any((*pair, person.email) in taken for pair in self.covered())
        ]
        if free:
            free[0]["cc"] = ",".join(copies_of(self.known, self.people))
        return free

    def _delivery(self, person: Person) -> dict[str, Any]:
        row, entity, debtor = self.known.row, self.known.entity, self.known.debtor
        assert entity is not None and debtor is not None
        sender, reply_to = sending_of(self.known)
        return {
            "tenant_id": row.tenant_id,
            "delivery_id": uuid7(),
            "notice_id": row.notice_id,
            "entity_id": row.entity_id,
            "case_id": row.case_id,
            "contact_id": person.contact_id,
            "kind": row.kind,
            "recipient": person.email,
            "cc": "",
            "sender": sender,
            "reply_to": reply_to,
            "debtor_version": debtor.version,
            "state": self.state,
        }

    def lines_of(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What one of its deliveries takes."""
        mine = {name: row[name] for name in ("tenant_id", "delivery_id", "recipient")}
        return [mine | {"occurrence_id": occurrence} for _, occurrence in self.covered()]

    @property
    def state(self) -> str:
        return "ready" if self.ready else "proposed"

    def change(self) -> dict[str, Any]:
        """The notice's columns once it is kept."""
        row = self.known.row
        key = {"tenant_id": row.tenant_id, "notice_id": row.notice_id}
        return {**key, **self.texts, "state": self.state, "approval": self.approval}


async def _read(db: AsyncConnection, rows: Sequence[Any]) -> list[Known]:
    return await read(db, rows) if rows else []
