"""What became of webhooks: taken, or refused and why; bounded, without bodies and secrets, for their tenant alone."""

import time
from typing import Any

from sqlalchemy import func, select, text, update

from libs.common import refusals
from libs.common.auth import service_token
from libs.common.errors import QuotaExceeded, Refused, Unavailable
from libs.common.forgetting import forget
from libs.common.refusals import SHARE, Refusal, Refusals
from libs.common.tables import webhook_refused
from tests.integration.invoice_ingest.office import Office, invoice
from tests.support import fresh_tenant


async def received(office: Office, **params: Any) -> list[dict[str, Any]]:
    """What the console would be told, with everything that waits written first."""
    await office.app.http.state.doorkeeper.refusals.write()
    token = service_token(office.settings, audience="invoice_ingest", tenant=office.tenant, subject="service:console")
    headers = {"Authorization": f"Bearer {token}"}
    answer = await office.client.get("/internal/v1/webhooks/received", params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["received"]
    return found


async def test_every_refusal_says_why_and_the_sender_learns_nothing(office: Office) -> None:
    answers = [
        await office.webhook(invoice(), secret="whsec_" + "A" * 32),
        await office.webhook(invoice(), at=int(time.time()) - 4_000),
        await office.client.post(f"/v1/webhooks/invoices/{office.source}", content=b"{}"),
    ]
    assert {answer.text for answer in answers} == {answers[0].text}
    await office.webhook(invoice(due_date="soon"), webhook_id="msg_bad")
    await office.webhook(invoice(), webhook_id="msg_good")
    found = await received(office)
    assert {each["code"] for each in found if each["webhook_id"] is None} == {
        "signature_wrong",
        "timestamp_off",
        "header_missing",
    }
    (bad,) = [each for each in found if each["webhook_id"] == "msg_bad"]
    assert (bad["result"], bad["field"], bad["count"]) == ("refused", "due_date", 1)
    (good,) = [each for each in found if each["webhook_id"] == "msg_good"]
    assert (good["result"], good["code"]) == ("taken", None)
    assert all(each["result"] == "refused" for each in await received(office, refused=True))


async def test_the_same_message_again_counts_on_and_a_reused_id_is_told(office: Office) -> None:
    for _ in range(3):
        await office.webhook(invoice(due_date="soon"), webhook_id="msg_bad")
        await received(office)
    await office.webhook(invoice("F-7"), webhook_id="msg_two")
    await office.webhook(invoice("F-8"), webhook_id="msg_two")
    found = {each["code"]: each for each in await received(office, refused=True)}
    assert found["invalid_request"]["count"] == 3
    assert found["webhook_id_reused"]["webhook_id"] == "msg_two"


async def test_nothing_of_bodies_signatures_and_secrets_is_kept(office: Office) -> None:
    secret = "whsec_" + "B" * 32
    await office.webhook(invoice(due_date="Jean Personne"), secret=secret)
    await office.webhook(invoice(due_date="Jean Personne"), webhook_id="msg_bad")
    await received(office)
    async with office.loops.transaction() as db:
        kept = str(list(await db.execute(select(webhook_refused).where(webhook_refused.c.tenant_id == office.tenant))))
    assert "Jean" not in kept
    assert secret.removeprefix("whsec_") not in kept
    assert office.secret not in kept


async def test_a_flood_makes_a_bounded_number_of_lines(office: Office) -> None:
    keeper = Refusals(office.app.http.state.doorkeeper.database)
    for number in range(SHARE + 300):
        keeper.note(Refusal(office.tenant, office.source, "invalid_request", "x", "number", f"msg_{number}"))
    for _ in range(500):
        keeper.note(Refusal(office.tenant, office.source, "signature_wrong", "x"))
    await keeper.close()
    mine = webhook_refused.c.tenant_id == office.tenant
    async with office.loops.transaction() as db:
        lines = await db.scalar(select(func.count()).where(mine))
        total = await db.scalar(select(func.sum(webhook_refused.c.count)).where(mine))
    assert lines == SHARE + 2
    assert total == SHARE + 800


async def test_another_tenant_sees_nothing_of_it(office: Office) -> None:
    await office.webhook(invoice(), secret="whsec_" + "A" * 32)
    await received(office)
    office.tenant = fresh_tenant()
    assert await received(office) == []


async def test_refusals_are_forgotten_after_two_weeks(office: Office) -> None:
    await office.webhook(invoice(), secret="whsec_" + "A" * 32)
    await received(office)
    async with office.loops.transaction() as db:
        mine = update(webhook_refused).where(webhook_refused.c.tenant_id == office.tenant)
        await db.execute(mine.values(last_at=text("now() - interval '15 days'")))
        await forget(db)
    assert await received(office) == []


def test_our_own_trouble_is_no_refusal() -> None:
    assert refusals.of(Unavailable()) is None
    assert refusals.of(QuotaExceeded()) is None
    assert refusals.of(Refused("no", field="number")) == ("refused", "What was sent cannot be taken.", "number")
