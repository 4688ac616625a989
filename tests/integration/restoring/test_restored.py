"""The database goes back in time while the topics keep what was said: nobody is mailed twice, nothing leaves then."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, delete, func, select, update

from libs.common import outbox, restoring
from libs.common.db import Database
from libs.common.devstack.kafka import Kafka
from libs.common.devstack.postgres import Postgres
from libs.common.events import event
from libs.common.events.deliveries import NoticeBody, ReminderSent, ReminderUncertain
from libs.common.events.reminders import ReminderDue
from libs.common.outbox import Relay
from libs.common.rewound import NotRecovering, StillToHear, begin, end, status
from libs.common.settings import Settings
from libs.common.tables import inbox
from libs.common.tables import outbox as waiting
from services.notifier.adopting import StillToWrite, adopt
from services.notifier.store import adoption
from services.notifier.tables import delivery, delivery_line, notice, notice_deduction, notice_line
from services.scheduler import adopting
from tests.integration.bus.world import running
from tests.integration.notifier.office import NOW, Office, office
from tests.support import eventually

SERVICES = ("scheduler", "notifier")


@dataclass
class Gap:
    """An office whose notifier went back to T; its reminders by what became of them after T."""

    office: Office
    scheduler: Database
    restored_to: datetime
    kept: ReminderDue
    """Ready at T, sent after it."""
    forgotten: ReminderDue
    """Due and sent after T."""
    doubted: ReminderDue
    """Ready at T; no event tells more."""
    proposed: ReminderDue
    """Waits for approval."""

    async def states(self, *, of: Table = delivery) -> dict[UUID, str]:
        """Reminder → the state of its notice or its only delivery."""
        async with self.office.loops.transaction() as db:
            rows = await db.execute(
                select(notice.c.reminder_id, of.c.state)
                .join_from(notice, delivery, delivery.c.notice_id == notice.c.notice_id)
                .where(notice.c.tenant_id == self.office.tenant)
            )
            return {row.reminder_id: row.state for row in rows}

    async def refused(self) -> bool:
        """Whether all was heard and written again, and each of the three mails was refused: it is asked for again."""
        asked = Counter(ask["delivery_id"] for service, ask in self.office.granters.asked if service == "scheduler")
        return len(asked) == 3 and min(asked.values()) > 1


async def _say(scheduler: Database, *bodies: ReminderDue) -> None:
    async with scheduler.transaction() as db:
        await outbox.record(db, *(event(body, NOW, known_as=body.reminder_id) for body in bodies))


async def _rows(it: Office, table: Table, reminder: UUID) -> list[dict[str, Any]]:
    of = select(notice.c.notice_id).where(notice.c.tenant_id == it.tenant, notice.c.reminder_id == reminder)
    async with it.loops.transaction() as db:
        return [dict(row._mapping) for row in await db.execute(select(table).where(table.c.notice_id.in_(of)))]


async def _left(it: Office, count: int) -> bool:
    return len(it.sink.taken) == count


async def _stopped(it: Office) -> None:
    """The loops end as they do before a restore; the doors stay."""
    for pulse in it.app.pulses.values():
        pulse.stopping.set()
        pulse.nudge()
    await asyncio.gather(*it.tasks.values())
    it.tasks.clear()
    it.app.pulses.clear()


async def _back(it: Office, kept: Sequence[tuple[Table, dict[str, Any]]], forgotten: ReminderDue) -> None:
    """Rows as they were at T, and nothing of what came later."""
    gone = (notice.c.tenant_id == it.tenant, notice.c.reminder_id == forgotten.reminder_id)
    of = select(notice.c.notice_id).where(*gone)
    deliveries = select(delivery.c.delivery_id).where(delivery.c.notice_id.in_(of))
    async with it.loops.transaction() as db:
        for table, row in kept:
            mine = [column == row[column.name] for column in table.primary_key]
            await db.execute(update(table).where(*mine).values(row))
        await db.execute(delete(delivery_line).where(delivery_line.c.delivery_id.in_(deliveries)))
        for table in (delivery, notice_line, notice_deduction):
            await db.execute(delete(table).where(table.c.notice_id.in_(of)))
        await db.execute(delete(notice).where(*gone))
        await db.execute(delete(inbox).where(inbox.c.event_id == forgotten.reminder_id))


@pytest.fixture
async def gap(settings: Settings, postgres: Postgres, kafka: Kafka) -> AsyncIterator[Gap]:
    """The moment after the restore, before any service was started again."""
    scheduler = Database(settings, "scheduler", "loop")
    loops = ("writing", "dispatch", "consumer", "relay")
    async with running(Relay(settings, "scheduler", scheduler).run), office(settings, loops=loops) as it:
        await it.hear(*(it.debtor(n) for n in range(2, 6)))
        kept, doubted = it.due(it.line(1), payer=1), it.due(it.line(3), payer=3)
        proposed, forgotten = it.due(it.line(4), payer=4, approval="confirm"), it.due(it.line(2), payer=2)
        it.granters.say = lambda service, ask: ("again", "credit_not_applied")
        await _say(scheduler, kept, doubted, proposed)
        await it.until("ReminderProposed")
        await eventually(lambda: _asked(it, 2), 20)
        before = [(table, row) for table in (notice, delivery) for row in await _rows(it, table, kept.reminder_id)]
        restored_to = datetime.now(UTC)
        it.granters.say = lambda service, ask: (
            ("again", "credit_not_applied") if ask["payer_id"] == str(it.payer(3)) else ("yes", None)
        )
        await _say(scheduler, forgotten)
        await it.until("ReminderSent", count=2, within=40)
        await eventually(lambda: _relayed(it), 20)
        await _stopped(it)
        await _back(it, before, forgotten)
        it.granters.say = lambda service, ask: ("yes", None)
        it.granters.asked.clear()
        yield Gap(it, scheduler, restored_to, kept, forgotten, doubted, proposed)
        for service in SERVICES:
            database = Database(settings, service, "loop", pool=1)
            async with database.transaction() as db:
                await restoring.stop(db)
            await database.close()
    await scheduler.close()


async def _asked(it: Office, count: int) -> bool:
    return len({ask["delivery_id"] for _, ask in it.granters.asked}) == count


async def _relayed(it: Office) -> bool:
    async with it.loops.transaction() as db:
        return not await db.scalar(select(func.count()).where(waiting.c.tenant_id == it.tenant))


async def _heard(settings: Settings) -> bool:
    return [each.to_hear for each in await status(settings, ["notifier"])] == [0]


async def test_nobody_is_mailed_twice_and_what_nothing_proves_is_uncertain(gap: Gap, settings: Settings) -> None:
    it = gap.office
    assert len(it.sink.taken) == 2
    done = await begin(settings, gap.restored_to, adopting.adopt, SERVICES)
    assert done.groups["relance.notifier"] > 0 and done.releases >= 4
    with pytest.raises(StillToHear, match=r"notifier has \d+ records to hear") as refused:
        await end(settings, adopt, ["notifier"])
    assert "relance restore status" in refused.value.remedy_text
    it.run("writing", "dispatch", "consumer", "relay")
    await eventually(gap.refused, 60)
    assert len(it.sink.taken) == 2
    await eventually(lambda: _heard(settings), 30)
    ended = await end(settings, adopt, ["notifier"])
    assert ended.sent >= 2 and ended.uncertain >= 1
    expected = {
        gap.kept.reminder_id: "sent",
        gap.forgotten.reminder_id: "sent",
        gap.doubted.reminder_id: "uncertain",
        gap.proposed.reminder_id: "proposed",
    }
    assert await gap.states() == await gap.states(of=notice) == expected
    assert len({(each.notice_id, each.version) for each in await it.said("ReminderUncertain")}) == 1
    after = it.due(it.line(5), payer=5)
    await _say(gap.scheduler, after)
    await eventually(lambda: _left(it, 3), 30)
    assert [each.recipients for each in it.sink.taken[2:]] == [(it.address(5),)]
    with pytest.raises(NotRecovering):
        await end(settings, adopt, ["notifier"])


def _told(kind: type[NoticeBody], row: Mapping[str, Any], **facts: Any) -> Any:
    """What was said of this notice in the time that is gone."""
    about = {name: row[name] for name in kind.model_fields if name in row}
    return kind(**about | {"covers": [], "version": 9} | facts)


async def _waiting(it: Office, due: ReminderDue) -> tuple[dict[str, Any], dict[str, Any]]:
    """A notice that waits for its permit, and its delivery."""
    it.granters.say = lambda service, ask: ("again", "credit_not_applied")
    await it.hear(due)
    await eventually(lambda: _asked(it, 1), 20)
    [row], [one] = await _rows(it, notice, due.reminder_id), await _rows(it, delivery, due.reminder_id)
    return row, one


async def test_the_rendition_that_is_there_now_ends_as_the_one_that_left(
    settings: Settings, postgres: Postgres
) -> None:
    async with office(settings) as it:
        due = it.due(it.line(1), it.line(2))
        row, one = await _waiting(it, due)
        await it.hear(it.owes(2, 0))
        await eventually(lambda: _asked(it, 2), 20)
        await _stopped(it)
        before = await it.names()
        sent = _told(ReminderSent, row, delivery_id=one["delivery_id"], channel="email", sent_at=NOW)
        doubt = _told(ReminderUncertain, row, delivery_id=one["delivery_id"])
        async with it.loops.transaction() as db:
            assert await adoption.adopt(db, [doubt]) == {"uncertain": 1}
            assert await adoption.adopt(db, [doubt, sent]) == {"sent": 1}
            assert await adoption.adopt(db, [doubt, sent]) == {}
        found = {
            each["rendition"]: (each["state"], each["sent_at"]) for each in await _rows(it, notice, due.reminder_id)
        }
        assert found == {1: ("superseded", None), 2: ("sent", NOW)}
        assert {each["state"] for each in await _rows(it, delivery, due.reminder_id)} == {"stopped", "sent"}
        assert await it.names() == before


async def test_what_left_before_it_was_settled_is_taken_though_the_notice_was_stopped(
    settings: Settings, postgres: Postgres
) -> None:
    async with office(settings) as it:
        due = it.due(it.line(1))
        row, one = await _waiting(it, due)
        await it.hear(it.owes(1, 0))
        sent = _told(ReminderSent, row, delivery_id=one["delivery_id"], channel="email", sent_at=NOW)
        async with it.loops.transaction() as db:
            lines = select(delivery_line.c.live).where(delivery_line.c.delivery_id == one["delivery_id"])
            assert list(await db.scalars(lines)) == [False]
            assert await adoption.adopt(db, [sent]) == {"sent": 1}
            assert list(await db.scalars(lines)) == [True]
        assert [each["state"] for each in await _rows(it, delivery, due.reminder_id)] == ["sent"]


async def test_recovery_does_not_end_while_a_notice_is_still_to_be_written(
    settings: Settings, postgres: Postgres
) -> None:
    async with office(settings, loops=()) as it:
        await it.hear(it.due())
        with pytest.raises(StillToWrite, match="1 notices to write"):
            await adopt(settings, NOW)
