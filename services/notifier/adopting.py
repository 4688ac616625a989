"""After a point-in-time restore: our own events prove what had left; what nothing proves becomes uncertain.

The rule it protects: nobody is reminded twice without a person's click. What waits for approval goes on waiting: it
leaves by a click only.
"""

from datetime import datetime

from libs.common.db import Database
from libs.common.errors import Conflict
from libs.common.events.deliveries import ReminderSent, ReminderUncertain
from libs.common.rewound import Adopted, told_since
from libs.common.settings import Settings
from services.notifier import superseding
from services.notifier.store import adoption, notices

BATCH = 500


class StillToWrite(Conflict):
    """Notices that were heard again are not written yet."""

    code = "still_to_write"
    remedy = "The notifier writes them while it runs; reject what it cannot write (POST /v1/notices/{id}/reject)."


async def adopt(settings: Settings, restored_to: datetime) -> Adopted:
    """Adopt what the topic says was sent, and doubt every other mail that might have left. Safe to repeat.

    Raises StillToWrite while notices wait to be written: what they cover is not taken yet.
    """
    database = Database(settings, "notifier", "loop", pool=1)
    try:
        async with database.transaction() as db:
            if waiting := await notices.unwritten(db):
                raise StillToWrite(f"The notifier has {waiting} notices to write.", services=["notifier"])
        sent = uncertain = 0
        async for events in told_since(settings, restored_to, ReminderSent, ReminderUncertain):
            async with database.transaction() as db:
                found = await adoption.adopt(db, [each.body for each in events])
            sent, uncertain = sent + found["sent"], uncertain + found["uncertain"]
        while doubted := await _doubt(database, settings.clock().now()):
            uncertain += doubted
        return Adopted(sent, uncertain)
    finally:
        await database.close()


async def _doubt(database: Database, at: datetime) -> int:
    """A batch of what may have left though nobody said so."""
    async with database.transaction() as db:
        rows = await adoption.doubt(db, BATCH)
        await superseding.conclude(db, {(row.tenant_id, row.notice_id) for row in rows}, at)
        return len(rows)
