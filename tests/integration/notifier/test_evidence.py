"""What the notifier proves for a recovery file."""

import re

import pytest

from libs.common.ids import uuid7
from tests.integration.notifier.office import office

pytestmark = pytest.mark.usefixtures("postgres")


async def test_a_notice_that_left_is_proved_by_its_words_its_hash_and_the_servers_answer(settings):
    async with office(settings) as it:
        due = it.due(it.line(1), it.line(2))
        await it.hear(due)
        sent = (await it.until("ReminderSent"))[0]
        asked = {"items": [str(due.lines[0].item_id), str(uuid7())]}
        told = await it.call("POST", "/internal/v1/evidence", who="service:scheduler", json=asked)
        [notice] = told.json()["notices"]
        assert (notice["state"], notice["tone"], len(notice["numbers"])) == ("sent", 2, 2)
        assert "FA-2026-0001" in notice["words"] and notice["sent_at"]
        [delivery] = notice["deliveries"]
        assert (delivery["delivery_id"], delivery["recipient"]) == (str(sent.delivery_id), it.address())
        assert (delivery["state"], delivery["code"]) == ("sent", 250)
        assert re.fullmatch("[0-9a-f]{64}", delivery["sha256"])


async def test_a_notice_that_failed_proves_nothing(settings):
    async with office(settings) as it:
        it.sink.fail("550_rcpt")
        due = it.due()
        await it.hear(due)
        await it.until("ReminderFailed")
        asked = {"items": [str(due.lines[0].item_id)]}
        told = await it.call("POST", "/internal/v1/evidence", who="service:scheduler", json=asked)
        assert told.json()["notices"] == []
