"""Mail that comes back: a bounce un-counts, a complaint ends e-mail to its address, a person's reply stops the case."""

from datetime import timedelta

import pytest

from tests.integration.notifier.office import office
from tests.integration.notifier.test_superseding import proposed
from tests.support import eventually
from tests.unit.notifier.test_inbound import DELIVERY, bounce, complaint, letter

pytestmark = pytest.mark.usefixtures("postgres")


async def post(it, raw):
    answer = await it.call("POST", "/v1/inbound/mail", content=raw, headers={"Content-Type": "message/rfc822"})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def sent_one(it, *lines):
    await it.hear(it.due(*lines))
    sent = (await it.until("ReminderSent"))[0]
    return sent, it.sink.to(it.address())[0]


def answering(arrival, **how):
    return letter(**how).replace(f"<{DELIVERY}@verrerie-leman.fr>".encode(), arrival.mail["Message-ID"].encode())


async def test_a_hard_bounce_un_counts_the_notice_and_its_address_is_written_to_no_more(settings):
    async with office(settings) as it:
        sent, arrival = await sent_one(it)
        raw = bounce(to=arrival.sender).replace(b"fournisseurs@beau-rivage.fr", it.address().encode())
        assert (await post(it, raw))["kind"] == "bounce"
        told = (await it.until("ReminderBounced"))[0]
        assert told.delivery_id == sent.delivery_id and told.permanent and told.status == "5.1.1"
        assert (await it.until("TaskOpened"))[0].kind == "contact"
        assert (await post(it, raw))["result"] == "unchanged"
        await post(it, raw + b"\r\n")
        assert len(await it.said("ReminderBounced")) == 1
        await it.hear(it.due(it.line(2, tone=3)))
        assert (await it.until("ReminderFailed"))[0].reason == "no_contact"


async def test_a_delay_notice_changes_nothing(settings):
    async with office(settings) as it:
        _, arrival = await sent_one(it)
        assert (await post(it, bounce(action="delayed", status="4.4.1", to=arrival.sender)))["kind"] == "delayed"
        assert await it.said("ReminderBounced") == []


async def test_a_bounce_ends_the_doubt_about_an_uncertain_mail(settings):
    async with office(settings, final_seconds=0.2) as it:
        it.sink.fail("cut_after_dot_taken")
        await it.hear(it.due())
        await it.until("ReminderUncertain")
        await post(it, bounce(to=it.sink.taken[0].sender))
        assert await it.names() == ["ReminderUncertain", "ReminderSent", "ReminderBounced"]
        assert (await it.get("/v1/deliveries?state=uncertain"))["deliveries"] == []


async def test_a_bounce_of_one_of_two_recipients_leaves_the_notice_delivered(settings):
    async with office(settings) as it:
        other = f"direction@{it.address().partition('@')[2]}"
        await it.hear(it.debtor(version=2, emails=[it.address(), other]))
        await it.hear(it.due())
        await eventually(lambda: len(it.sink.taken) == 2)
        await eventually(lambda: _all_sent(it))
        [arrival] = it.sink.to(other)
        await post(it, bounce(to=arrival.sender).replace(b"fournisseurs@beau-rivage.fr", other.encode()))
        assert await it.said("ReminderBounced") == []
        assert (await it.until("TaskOpened"))[0].kind == "contact"


async def _all_sent(it):
    return len((await it.get("/v1/deliveries?state=sent"))["deliveries"]) == 2


async def test_a_complaint_ends_mail_to_its_address_and_what_was_said_still_counts(settings):
    async with office(settings) as it:
        other = f"direction@{it.address().partition('@')[2]}"
        await it.hear(it.debtor(version=2, emails=[it.address(), other]))
        await it.hear(it.due())
        await eventually(lambda: _all_sent(it))
        [arrival] = it.sink.to(other)
        raw = complaint(mail_from=arrival.sender)
        answer = await post(it, raw)
        assert (answer["kind"], answer["result"]) == ("complaint", "created")
        assert (await post(it, raw))["result"] == "unchanged"
        [told] = await it.said("ComplaintReceived")
        assert (str(told.delivery_id), told.feedback) == (arrival.delivery_id, "abuse")
        [silent] = (await it.get("/v1/suppressions"))["suppressions"]
        assert (silent["address"], silent["reason"], silent["author"]) == (other, "complaint: abuse", "feedback loop")
        assert [each.kind for each in await it.said("TaskOpened")] == ["contact"]
        assert await it.said("ReminderBounced") == []
        it.clock.at += timedelta(days=2)
        await it.hear(it.due(it.line(2, tone=3), window_ends_at=it.clock.now() + timedelta(hours=9)))
        await it.until("ReminderSent", count=2)
        assert len(it.sink.to(other)) == 1 and len(it.sink.to(it.address())) == 2


async def test_a_complaint_stops_a_mail_to_the_same_address_that_waits(settings):
    async with office(settings) as it:
        _, arrival = await sent_one(it)
        pulse = it.app.pulses.pop("dispatch")
        pulse.stopping.set()
        pulse.nudge()
        await it.tasks.pop("dispatch")
        it.clock.at += timedelta(days=2)
        await it.hear(it.due(it.line(2, tone=3), window_ends_at=it.clock.now() + timedelta(hours=9)))
        await eventually(lambda: _ready(it))
        await post(it, complaint(mail_from=arrival.sender))
        it.run("dispatch")
        assert (await it.until("ReminderStopped"))[0].reason == "suppressed"
        assert len(it.sink.taken) == 1


async def _ready(it):
    return (await it.get("/v1/deliveries?state=ready"))["deliveries"]


async def test_a_complaint_ends_the_doubt_about_an_uncertain_mail(settings):
    async with office(settings, final_seconds=0.2) as it:
        it.sink.fail("cut_after_dot_taken")
        await it.hear(it.due())
        await it.until("ReminderUncertain")
        await post(it, complaint(mail_from=it.sink.taken[0].sender))
        assert [name for name in await it.names() if name.startswith("Reminder")] == [
            "ReminderUncertain",
            "ReminderSent",
        ]


async def test_a_complaint_about_nothing_of_ours_is_kept_and_silences_nobody(settings):
    async with office(settings) as it:
        await sent_one(it)
        assert (await post(it, complaint(mail_from="news@elsewhere.fr", returned=False)))["notice_id"] is None
        assert (await it.get("/v1/inbound?matched=false"))["messages"][0]["kind"] == "complaint"
        assert (await it.get("/v1/suppressions"))["suppressions"] == []


async def test_a_persons_reply_stops_what_waits_in_the_case_and_opens_a_task(settings):
    async with office(settings) as it:
        sent, arrival = await sent_one(it)
        await it.hear(it.due(it.line(2, tone=3), approval="confirm"))
        await it.until("ReminderProposed")
        reply = letter().replace(
            b"<018f0000-0000-7000-8000-000000000001@verrerie-leman.fr>", arrival.mail["Message-ID"].encode()
        )
        taken = await post(it, reply)
        assert taken["kind"] == "reply" and taken["notice_id"] == str(sent.notice_id)
        told = (await it.until("ReplyReceived"))[0]
        assert told.case_id == sent.case_id and told.notice_id == sent.notice_id
        assert (await it.until("ReminderStopped"))[0].reason == "reply" and await proposed(it) == []
        [task] = (await it.get("/v1/tasks?kind=reply"))["tasks"]
        assert "Nous payons vendredi." in task["body"]
        await it.hear(it.due(it.line(3, tone=3)))
        assert (await it.until("ReminderStopped", count=2))[1].reason == "reply"
        await it.call("POST", f"/v1/tasks/{task['task_id']}/outcome", json={"outcome": "done"})
        [message] = (await it.get("/v1/inbound?kind=reply"))["messages"]
        assert message["read_at"] is not None and message["words"] == "Nous payons vendredi."


async def test_an_automatic_answer_does_nothing(settings):
    async with office(settings) as it:
        _, arrival = await sent_one(it)
        reply = answering(arrival, extra="Auto-Submitted: auto-replied\r\n")
        assert (await post(it, reply))["kind"] == "auto_reply"
        assert await it.names() == ["ReminderSent"]


async def test_a_reply_without_references_is_found_by_its_writer(settings):
    async with office(settings) as it:
        sent, _ = await sent_one(it)
        raw = letter().replace(b"jean@beau-rivage.fr", it.address().encode())
        assert (await post(it, raw))["notice_id"] == str(sent.notice_id)


async def test_a_message_of_nobody_is_listed(settings):
    async with office(settings) as it:
        assert (await post(it, letter()))["notice_id"] is None
        assert len((await it.get("/v1/inbound?matched=false"))["messages"]) == 1
        nothing = await it.call(
            "POST", "/v1/inbound/mail", content=b"\x00\x01", headers={"Content-Type": "message/rfc822"}
        )
        assert nothing.status_code == 422 and nothing.json()["code"] == "mail_unreadable"


async def test_another_tenants_mail_is_not_found_here(settings):
    async with office(settings) as one, office(settings, loops=[]) as other:
        _, arrival = await sent_one(one)
        assert (await post(other, bounce(to=arrival.sender)))["notice_id"] is None
        assert await one.said("ReminderBounced") == []


async def test_a_suppressed_address_gets_nothing_more(settings):
    async with office(settings) as it:
        body = {"address": it.address().upper(), "reason": "demande du client"}
        added = await it.call("POST", "/v1/suppressions", json=body | {"address": it.address()})
        assert added.status_code == 201
        await it.hear(it.due())
        assert (await it.until("ReminderFailed"))[0].reason == "no_contact"
        assert (await it.call("DELETE", f"/v1/suppressions/{it.address()}")).status_code == 204
        assert (await it.call("DELETE", f"/v1/suppressions/{it.address()}")).status_code == 404
