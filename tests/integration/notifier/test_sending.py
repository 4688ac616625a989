"""Each mail once: what follows from every fault of the mail server, and what a payer reads."""

import io
import re
from datetime import timedelta

import pytest
from openpyxl import load_workbook

from libs.common.ids import case_id, named, uuid7
from services.notifier.guard import HEADERS
from tests.integration.notifier.office import LANES, PDF, office
from tests.support import eventually
from tests.support.smtp import DOUBTFUL_FAULTS

pytestmark = pytest.mark.usefixtures("postgres")


async def test_a_reminder_that_is_due_leaves_once_and_says_so(settings):
    async with office(settings) as it:
        due = it.due(it.line(1), it.line(2, residual=50_000))
        await it.hear(due, due)
        sent = (await it.until("ReminderSent"))[0]
        assert sent.reminder_id == due.reminder_id and sent.channel == "email" and sent.tone == 2
        assert {each.occurrence_id for each in sent.covers} == {line.occurrence_id for line in due.lines}
        [arrival] = it.sink.to(it.address())
        mail = arrival.mail
        text = mail.get_body(("plain",)).get_content()
        assert "FA-2026-0001" in text and "1\u00a0500,00\u00a0€" in text
        assert mail["Auto-Submitted"] == "auto-generated" and {name.lower() for name in mail} <= HEADERS
        assert arrival.sender.startswith("bounce+") and arrival.sender.endswith("@verrerie-leman.fr")
        assert str(sent.delivery_id) in mail["Message-ID"]
        assert await it.names() == ["ReminderSent"]
        assert {service for service, _ in it.granters.asked} == {"invoice_ingest", "scheduler", "payment_matching"}
        assert it.granters.asked[0][1]["items"][0]["amount"]["currency"] == "EUR"
        await eventually(lambda: it.granters.released.count(str(sent.delivery_id)) == 3)


REFUSED = ["421_rcpt", "450_rcpt", "451_rcpt", "cut_rcpt", "451_data", "cut_data", "cut_before_dot", "451_dot"]


@pytest.mark.parametrize("fault", REFUSED)
async def test_what_was_clearly_not_taken_is_tried_again_with_the_same_bytes_and_id(settings, fault):
    async with office(settings, final_seconds=2) as it:
        it.sink.fail(fault, fault)
        await it.hear(it.due())
        if fault == "cut_before_dot":
            # The whole body may already be with the server's kernel when it cuts: then nobody can tell.
            assert await it.until("ReminderSent", "ReminderUncertain")
            assert len(it.sink.to(it.address())) <= 1
            return
        sent = await it.until("ReminderSent")
        assert len(it.sink.to(it.address())) == 1 and len(sent) == 1
        assert await it.names() == ["ReminderSent"]
        deliveries = (await it.get("/v1/deliveries"))["deliveries"]
        assert [each["state"] for each in deliveries] == ["sent"] and deliveries[0]["tries"] == 3


@pytest.mark.parametrize(("fault", "reason"), [("550_rcpt", "recipient_refused"), ("552_dot", "refused")])
async def test_a_final_refusal_fails_and_is_never_tried_again(settings, fault, reason):
    async with office(settings) as it:
        it.sink.fail(fault)
        await it.hear(it.due())
        failed = (await it.until("ReminderFailed"))[0]
        assert failed.reason == reason and it.sink.taken == []
        if fault == "550_rcpt":
            assert [each["address"] for each in (await it.get("/v1/suppressions"))["suppressions"]] == [it.address()]
            assert [each.kind for each in await it.until("TaskOpened")] == ["contact"]
        assert (await it.get("/v1/deliveries"))["deliveries"][0]["state"] == "failed"


@pytest.mark.parametrize("fault", DOUBTFUL_FAULTS)
async def test_silence_after_the_final_dot_is_uncertain_and_never_a_second_mail(settings, fault):
    async with office(settings, final_seconds=0.3) as it:
        it.sink.fail(fault)
        due = it.due()
        await it.hear(due)
        uncertain = (await it.until("ReminderUncertain"))[0]
        again = it.due(it.line(1, release=2))
        await it.hear(due, again)
        assert (await it.until("ReminderStopped"))[0].reason == "already_sent"
        assert len(it.sink.data_instants) == 1
        listed = (await it.get("/v1/deliveries?state=uncertain"))["deliveries"]
        assert [each["delivery_id"] for each in listed] == [str(uncertain.delivery_id)]


@pytest.mark.parametrize(("outcome", "name"), [("sent", "ReminderSent"), ("not_sent", "ReminderStopped")])
async def test_a_person_ends_the_doubt(settings, outcome, name):
    async with office(settings, final_seconds=0.2) as it:
        it.sink.fail("cut_after_dot_lost")
        await it.hear(it.due())
        uncertain = (await it.until("ReminderUncertain"))[0]
        path = f"/v1/deliveries/{uncertain.delivery_id}/resolve"
        found_out = {"outcome": outcome, "why": "the log of our relay says so"}
        assert (await it.call("POST", path, json={"outcome": outcome})).status_code == 422, (
            "nobody decides without a reason"
        )
        answer = await it.call("POST", path, json=found_out, who="claire")
        assert answer.status_code == 200, answer.text
        assert (answer.json()["resolved_by"], answer.json()["resolved_why"]) == ("claire", found_out["why"])
        assert await it.names() == ["ReminderUncertain", name]
        assert (await it.call("POST", path, json=found_out)).status_code == 409
        assert len(it.sink.data_instants) == 1


async def test_a_late_answer_within_the_wait_is_an_answer(settings):
    async with office(settings) as it:
        it.sink.fail("late_250")
        await it.hear(it.due())
        assert await it.until("ReminderSent") and len(it.sink.taken) == 1


async def test_several_mails_share_a_connection(settings):
    async with office(settings) as it:
        for n in range(2, 42):
            await it.hear(it.debtor(n), it.due(it.line(100 + n), payer=n))
        await it.until("ReminderSent", count=40)
        assert len(it.sink.taken) == 40 and it.sink.connections <= LANES
        assert len({arrival.delivery_id for arrival in it.sink.taken}) == 40


async def test_every_contact_of_the_audience_gets_one_and_the_reminder_is_sent_once(settings):
    async with office(settings) as it:
        other = f"direction@{it.address().partition('@')[2]}"
        await it.hear(it.debtor(version=2, emails=[it.address(), other, it.address().upper()]), it.due())
        await eventually(lambda: _both(it))
        assert await it.names() == ["ReminderSent"] and len(it.sink.taken) == 2


async def test_the_invoice_copy_travels_with_the_reminder(settings):
    async with office(settings) as it:
        document = named("document", it.tenant)
        it.granters.documents[str(document)] = PDF
        await it.hear(it.issued(1, document_id=document), it.due())
        await it.until("ReminderSent")
        [part] = list(it.sink.taken[0].mail.iter_attachments())
        assert part.get_filename() == "FA-2026-0001.pdf" and part.get_content() == PDF


async def test_more_than_five_copies_are_five_and_a_link_to_all_for_whom_it_was_sent_to(settings):
    async with office(settings) as it:
        documents = {n: named("document", it.tenant, n) for n in range(1, 8)}
        it.granters.documents |= dict.fromkeys(map(str, documents.values()), PDF)
        await it.hear(*(it.issued(n, document_id=documents[n]) for n in documents))
        await it.hear(it.due(*(it.line(n) for n in documents)))
        await it.until("ReminderSent")
        mail = it.sink.taken[0].mail
        assert len(list(mail.iter_attachments())) == 5
        token = re.search(r"/copies/(\w+)", _text(mail))[1]
        told = await it.call("GET", f"/internal/v1/copies/{token}", who="service:console")
        assert {copy["document_id"] for copy in told.json()["copies"]} == set(map(str, documents.values()))
        assert (await it.call("GET", f"/internal/v1/copies/{token[:-1]}", who="service:console")).status_code == 404
        it.clock.advance(timedelta(days=181))
        assert (await it.call("GET", f"/internal/v1/copies/{token}", who="service:console")).status_code == 404


async def test_a_reminder_waits_for_its_copy_while_its_owner_is_away(settings):
    async with office(settings) as it:
        it.granters.silent.add("invoice_ingest")
        await it.hear(it.issued(1, document_id=named("document", it.tenant)), it.due())
        await eventually(lambda: _state(it, "ready"))
        assert it.sink.data_instants == []


async def _both(it):
    return len(await _state(it, "sent")) == 2


async def _state(it, state):
    return (await it.get(f"/v1/deliveries?state={state}"))["deliveries"]


async def test_the_second_mail_of_a_case_threads_on_the_first(settings):
    async with office(settings) as it:
        await it.hear(it.due())
        first = (await it.until("ReminderSent"))[0]
        it.clock.advance(timedelta(days=8))
        late = it.due(it.line(1, tone=3), template="firm", window_ends_at=it.clock.now() + timedelta(hours=5))
        await it.hear(late)
        await it.until("ReminderSent", count=2)
        mail = it.sink.taken[1].mail
        assert str(first.delivery_id) in mail["References"] and "1er octobre 2026" in _text(mail).replace("\u00a0", " ")


def _text(mail):
    return mail.get_body(("plain",)).get_content()


async def test_more_than_fifty_lines_come_with_a_statement(settings):
    async with office(settings) as it:
        await it.hear(it.due(*(it.line(n) for n in range(1, 61))))
        await it.until("ReminderSent")
        [part] = list(it.sink.taken[0].mail.iter_attachments())
        sheet = load_workbook(io.BytesIO(part.get_content())).active
        assert part.get_filename() == "releve.xlsx" and (sheet.max_row, sheet["B2"].is_date) == (61, True)


async def test_a_second_reminder_to_a_contact_waits_until_the_next_day(settings):
    async with office(settings) as it:
        other = it.due(it.line(2, tone=3), template="firm", window_ends_at=it.clock.now() + timedelta(days=3))
        await it.hear(it.due())
        await it.until("ReminderSent")
        await it.hear(other)
        reasons = lambda: _state(it, "ready")  # noqa: E731
        await eventually(reasons)
        assert len(it.sink.taken) == 1
        it.clock.advance(timedelta(hours=25))
        it.wake()
        await it.until("ReminderSent", count=2, within=40)


async def test_a_call_is_a_task_with_its_script_and_counts_as_sent_when_opened(settings):
    async with office(settings) as it:
        await it.hear(it.due(kind="task_call", channels=["call_task"], template="call"))
        sent = (await it.until("ReminderSent"))[0]
        assert sent.channel == "call_task" and it.sink.taken == []
        [task] = (await it.get("/v1/tasks?state=open&kind=call"))["tasks"]
        assert "FA-2026-0001" in task["body"] and task["task_id"] == str(sent.delivery_id)
        done = await it.call("POST", f"/v1/tasks/{task['task_id']}/outcome", json={"outcome": "no_answer"})
        assert done.status_code == 200 and done.json()["state"] == "done"
        told = (await it.until("TaskDone"))[0]
        assert told.outcome == "no_answer" and [each.item_id for each in told.covers]


async def test_a_call_that_nobody_planned_is_noted_once_and_told(settings):
    async with office(settings) as it:
        body = {"payer_id": str(it.payer()), "outcome": "reached", "remark": "Rappeler lundi"}
        noted = await it.call("POST", "/v1/calls", json=body, headers={"Idempotency-Key": "call-1"})
        again = await it.call("POST", "/v1/calls", json=body, headers={"Idempotency-Key": "call-1"})
        assert noted.status_code == 201 and noted.json() == again.json()
        assert noted.json()["state"] == "done" and noted.json()["remark"] == "Rappeler lundi"
        told = await it.until("TaskDone")
        assert [(each.payer_id, each.case_id, each.outcome) for each in told] == [
            (it.payer(), case_id(it.tenant, it.payer()), "reached")
        ]
        nobody = await it.call("POST", "/v1/calls", json=body | {"payer_id": str(uuid7())})
        assert nobody.status_code == 404


async def test_a_call_to_a_payer_ends_the_call_that_waited(settings):
    async with office(settings) as it:
        await it.hear(it.due(kind="task_call", channels=["call_task"], template="call"))
        await it.until("ReminderSent")
        [task] = (await it.get("/v1/tasks?state=open&kind=call"))["tasks"]
        done = await it.call("POST", "/v1/calls", json={"payer_id": str(it.payer()), "outcome": "reached"})
        assert done.json()["task_id"] == task["task_id"]
        assert (await it.get("/v1/tasks?state=open&kind=call"))["tasks"] == []
        [told] = await it.until("TaskDone")
        assert [each.item_id for each in told.covers]


async def test_a_payer_without_an_address_fails_and_somebody_looks_for_a_contact(settings):
    async with office(settings) as it:
        await it.hear(it.debtor(version=2, emails=[]), it.due())
        assert (await it.until("ReminderFailed"))[0].reason == "no_contact"
        assert (await it.until("TaskOpened"))[0].kind == "contact"


async def test_without_an_address_the_next_channel_carries_it(settings):
    async with office(settings) as it:
        await it.hear(it.debtor(version=2, emails=[]), it.due(channels=["email", "call_task"]))
        assert (await it.until("ReminderSent"))[0].channel == "call_task"


async def test_an_entity_in_shadow_decides_and_shows_and_sends_nothing(settings):
    async with office(settings, mode="shadow") as it:
        await it.hear(it.due())
        assert (await it.until("ReminderStopped"))[0].reason == "shadow"
        [notice] = (await it.get("/v1/notices"))["notices"]
        assert "Rappel" in notice["subject"] and it.sink.connections == 0


async def test_a_strange_account_in_an_invoice_number_stops_the_notice(settings):
    async with office(settings) as it:
        line = it.line(1).model_copy(update={"number": "DE89 3704 0044 0532 0130 00"})
        await it.hear(it.due(line))
        assert (await it.until("ReminderFailed"))[0].reason == "guard_stopped"
        assert it.sink.connections == 0
