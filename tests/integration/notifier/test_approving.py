"""A person's word: exactly what was shown, by enough people, and changed without losing what was approved."""

import pytest

from tests.integration.notifier.office import office
from tests.integration.notifier.test_superseding import approve_all, proposed

pytestmark = pytest.mark.usefixtures("postgres")


async def test_what_is_approved_leaves_and_what_is_not_waits(settings):
    async with office(settings) as it:
        await it.hear(it.debtor(2), it.due(approval="confirm"), it.due(it.line(2), payer=2, approval="confirm"))
        await it.until("ReminderProposed", count=2)
        [first, second] = await proposed(it)
        listed = await it.get("/v1/notices?state=proposed")
        body = {"ids": [first["id"]], "as_of": listed["as_of"], "count": 1, "sums": first["sums"]}
        answer = await it.call("POST", "/v1/notices/approve", json=body)
        assert answer.json() == {"approved": [first["id"]], "awaiting_second": []}
        (sent,) = await it.until("ReminderSent")
        assert (sent.approved, sent.edited) == (True, False)
        assert len(it.sink.taken) == 1 and [each["id"] for each in await proposed(it)] == [second["id"]]


@pytest.mark.parametrize("change", [{"count": 2}, {"sums": [{"amount": "999.99", "currency": "EUR"}]}, {"sums": []}])
async def test_another_count_or_sum_than_shown_approves_nothing(settings, change):
    async with office(settings) as it:
        await it.hear(it.due(approval="confirm"))
        await it.until("ReminderProposed")
        listed = await it.get("/v1/notices?state=proposed")
        body = {"filter": {}, "as_of": listed["as_of"], "count": 1, "sums": listed["notices"][0]["sums"]} | change
        answer = await it.call("POST", "/v1/notices/approve", json=body)
        assert answer.status_code == 409 and answer.json()["code"] == "set_changed"
        assert answer.json()["count"] == 1 and len(await proposed(it)) == 1


async def test_a_set_that_changed_since_it_was_shown_is_not_approved(settings):
    async with office(settings) as it:
        await it.hear(it.due(it.line(1), it.line(2), approval="confirm"))
        await it.until("ReminderProposed")
        listed = await it.get("/v1/notices?state=proposed")
        await it.hear(it.owes(1, 0))
        await it.until("ReminderProposed", count=2)
        body = {"filter": {}, "as_of": listed["as_of"], "count": 1, "sums": listed["notices"][0]["sums"]}
        assert (await it.call("POST", "/v1/notices/approve", json=body)).status_code == 409
        assert (await approve_all(it)).status_code == 200
        await it.until("ReminderSent")


async def test_four_eyes_are_two_people_and_no_key(settings):
    async with office(settings) as it:
        await it.hear(it.due(approval="four_eyes"))
        await it.until("ReminderProposed")
        assert (await approve_all(it, who="key:1")).status_code == 403
        assert (await approve_all(it, who="anne")).json()["awaiting_second"]
        assert (await approve_all(it, who="anne")).json()["code"] == "second_person"
        assert (await approve_all(it, who="bruno")).json()["approved"]
        await it.until("ReminderSent")


async def test_who_edited_a_notice_is_not_one_of_its_four_eyes(settings):
    async with office(settings) as it:
        await it.hear(it.due(approval="four_eyes"))
        await it.until("ReminderProposed")
        [notice] = await proposed(it)
        edited = await it.call("PATCH", f"/v1/notices/{notice['id']}", who="anne", json={"note": "Comme convenu."})
        assert edited.status_code == 200, edited.text
        await it.until("ReminderProposed", count=2)
        assert (await approve_all(it, who="anne")).status_code == 409
        await approve_all(it, who="bruno")
        await approve_all(it, who="chloe")
        (sent,) = await it.until("ReminderSent")
        assert (sent.approved, sent.edited) == (True, True)
        assert "Comme convenu." in it.sink.taken[0].mail.get_body(("plain",)).get_content()


async def test_a_formal_notice_is_approved_alone_and_never_counted_in_a_bulk(settings):
    async with office(settings) as it:
        formal = it.due(it.line(2, tone=5), payer=2, kind="formal_notice", template="formal", approval="confirm")
        await it.hear(it.debtor(2), it.due(approval="confirm"), formal)
        await it.until("ReminderProposed", count=2)
        listed = await it.get("/v1/notices?state=proposed")
        [plain] = [each for each in listed["notices"] if each["kind"] == "reminder"]
        [strict] = [each for each in listed["notices"] if each["kind"] == "formal_notice"]
        sums = [{"amount": "2000.00", "currency": "EUR"}]
        body = {"ids": [plain["id"], strict["id"]], "as_of": listed["as_of"], "count": 2, "sums": sums}
        assert (await it.call("POST", "/v1/notices/approve", json=body)).status_code == 409
        body = {"filter": {}, "as_of": listed["as_of"], "count": 1, "sums": plain["sums"]}
        assert (await it.call("POST", "/v1/notices/approve", json=body)).json()["approved"] == [plain["id"]]
        alone = {"ids": [strict["id"]], "as_of": listed["as_of"], "count": 1, "sums": strict["sums"]}
        assert (await it.call("POST", "/v1/notices/approve", json=alone)).json()["awaiting_second"] == [strict["id"]]


async def test_a_rejected_notice_never_leaves(settings):
    async with office(settings) as it:
        await it.hear(it.due(approval="confirm"))
        await it.until("ReminderProposed")
        [notice] = await proposed(it)
        path = f"/v1/notices/{notice['id']}/reject"
        assert (await it.call("POST", path, json={"reason": "client stratégique"})).status_code == 200
        assert (await it.until("ReminderStopped"))[0].reason == "rejected"
        assert (await it.call("POST", path, json={"reason": "encore"})).status_code == 409
        assert (await it.call("POST", path, json={"reason": "x"}, headers={"If-Match": '"1"'})).status_code in (
            409,
            412,
        )


async def test_other_recipients_must_be_of_the_debtors_domains(settings):
    async with office(settings) as it:
        await it.hear(it.due(approval="confirm"))
        await it.until("ReminderProposed")
        [notice] = await proposed(it)
        path, domain = f"/v1/notices/{notice['id']}", it.address().partition("@")[2]
        refused = await it.call("PATCH", path, json={"recipients": ["voleur@ailleurs.fr"]})
        assert refused.status_code == 422 and refused.json()["code"] == "recipient_refused"
        stale = await it.call("PATCH", path, json={"note": "x"}, headers={"If-Match": '"99"'})
        assert stale.status_code == 412
        assert (await it.call("PATCH", path, json={"recipients": [f"chef@{domain}"]})).status_code == 200
        await it.until("ReminderProposed", count=2)
        await approve_all(it)
        await it.until("ReminderSent")
        assert it.sink.taken[0].recipients == (f"chef@{domain}",)


async def test_a_letter_is_posted_by_a_person_after_its_approval(settings):
    async with office(settings) as it:
        letter = it.due(it.line(1, tone=5), kind="formal_notice", channels=["letter"], template="formal")
        await it.hear(letter)
        await it.until("ReminderProposed")
        await approve_one(it, "anne")
        await approve_one(it, "bruno")
        [task] = (await it.get("/v1/tasks?state=open"))["tasks"]
        assert "mettons en demeure" in task["body"] and await it.said("ReminderSent") == []
        await it.call("POST", f"/v1/tasks/{task['task_id']}/outcome", json={"outcome": "done"})
        assert (await it.until("ReminderSent"))[0].channel == "letter"


async def presented(it):
    """A formal notice on paper is approved by two people and posted; answers the door of its next task."""
    letter = it.due(
        it.line(1, tone=5), kind="formal_notice", channels=["letter"], template="formal", completes_on="presented"
    )
    await it.hear(letter)
    await it.until("ReminderProposed")
    await approve_one(it, "anne")
    await approve_one(it, "bruno")
    [post] = (await it.get("/v1/tasks?state=open"))["tasks"]
    await it.call("POST", f"/v1/tasks/{post['task_id']}/outcome", json={"outcome": "done"})
    [waiting] = (await it.get("/v1/tasks?state=open"))["tasks"]
    assert (post["kind"], waiting["kind"]) == ("post", "presentation")
    return f"/v1/tasks/{waiting['task_id']}/outcome"


async def test_a_registered_letter_that_was_refused_counts_as_presented(settings):
    async with office(settings) as it:
        task = await presented(it)
        wrong = await it.call("POST", task, json={"outcome": "reached"})
        assert wrong.status_code == 422 and wrong.json()["field"] == "outcome" and "presented" in wrong.json()["remedy"]
        await it.call("POST", task, json={"outcome": "refused"})
        done = [body for body in await it.said("TaskDone") if body.kind == "presentation"]
        assert [(body.outcome, len(body.covers)) for body in done] == [("refused", 1)]
        assert await it.said("ReminderBounced") == []


async def test_a_registered_letter_to_an_unknown_address_never_arrived(settings):
    async with office(settings) as it:
        await it.call("POST", await presented(it), json={"outcome": "unknown_address"})
        assert (await it.until("ReminderBounced"))[0].permanent
        assert [task["kind"] for task in (await it.get("/v1/tasks?state=open"))["tasks"]] == ["contact"]


async def test_a_copy_goes_with_the_first_mail_of_a_notice(settings):
    async with office(settings) as it:
        house = {"collector": "claire@verrerie-leman.fr", "sales_owner": "paul@verrerie-leman.fr"}
        await it.hear(it.debtor(version=9).model_copy(update=house))
        await it.hear(it.due(cc=["collector", "sales_owner"], sender={"by": "collector"}))
        await it.until("ReminderSent")
        [taken] = it.sink.taken
        assert taken.recipients[0] == it.address() and set(taken.recipients[1:]) == set(house.values())
        assert {each.strip() for each in taken.mail["Cc"].split(",")} == set(house.values())
        assert "claire@verrerie-leman.fr" in taken.mail["From"] and taken.mail["Reply-To"] == "compta@verrerie-leman.fr"


async def approve_one(it, who):
    listed = await it.get("/v1/notices?state=proposed")
    [notice] = listed["notices"]
    body = {"ids": [notice["id"]], "as_of": listed["as_of"], "count": 1, "sums": notice["sums"]}
    answer = await it.call("POST", "/v1/notices/approve", json=body, who=who)
    assert answer.status_code == 200, answer.text


async def test_a_tenants_own_text_is_used_from_its_next_notice_on(settings):
    async with office(settings) as it:
        text = {"subject": "Petit rappel {{ number }}", "body": "Bonjour {{ debtor }},\n\n[[lines]]\n\n[[signature]]"}
        saved = await it.call("POST", "/v1/templates/friendly/fr/versions", json=text)
        assert saved.status_code == 201 and saved.json()["version"] == 1, saved.text
        refused = await it.call("POST", "/v1/templates/friendly/fr/versions", json=text | {"body": "{{ nope }}"})
        assert refused.status_code == 422 and refused.json()["code"] == "template_refused"
        looked = await it.call("POST", "/v1/templates/preview", json=text)
        assert "Client Exemple" in looked.json()["text"]
        await it.hear(it.due())
        await it.until("ReminderSent")
        assert it.sink.taken[0].mail["Subject"] == "Petit rappel FA-2026-0001"
        assert (await it.get("/v1/templates/friendly/fr"))["version"] == 1
        assert len((await it.get("/v1/templates"))["templates"]) == 22


async def test_a_runaway_day_stops_the_tenant_until_a_person_lets_it_go_on(settings):
    async with office(settings, loops=["writing"]) as it:
        more = await it.call("POST", "/v1/volume/resume", json={"more": 2})
        assert more.status_code == 200 and more.json()["most"] == 2
        for n in range(2, 7):
            await it.hear(it.debtor(n), it.due(it.line(100 + n), payer=n))
        it.run("dispatch")
        await it.until("ReminderSent", count=2)
        volume = await it.get("/v1/volume")
        assert volume["stopped_at"] is not None
        sent = len(it.sink.taken)
        assert sent < 6
        await it.call("POST", "/v1/volume/resume", json={"more": 50})
        await it.until("ReminderSent", count=5, within=40)
        assert len(it.sink.taken) == 5
