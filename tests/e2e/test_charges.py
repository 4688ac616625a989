"""Late-payment charges from the due date to the mail, over HTTP, SMTP and the real broker."""

from datetime import timedelta

from tests.support.world import World, text_of, working


async def test_a_final_reminder_states_the_interest_that_its_proof_shows(world: World) -> None:
    await world.debtor("MERCIER")
    due = working(world.today + timedelta(days=1))
    invoice = await world.invoice("F-7001", "MERCIER", due, "12000.00")
    for days in (2, 10, 15):
        await world.at(working(due + timedelta(days=days)))
    firm = world.new_mails()[-1]
    assert "L. 441-10" in text_of(firm) and "12 000,00" in text_of(firm)
    listed = await world.office.get("notifier", "/v1/tasks", params={"state": "open", "kind": "call"})
    for task in listed["tasks"]:
        await world.office.post("notifier", f"/v1/tasks/{task['task_id']}/outcome", {"outcome": "no_answer"})
    final = None
    for days in range(21, 40):
        await world.at(working(due + timedelta(days=days)))
        await world.approve_all()
        await world.office.settled()
        final = next((mail for mail in world.new_mails() if "Dernier rappel" in str(mail["Subject"])), None)
        if final is not None:
            break
    assert final is not None
    item = (await world.item(invoice))["item_id"]
    proof = await world.office.get("scheduler", f"/v1/items/{item}/charges/proof")
    (quote, _) = sorted(
        (await world.office.get("scheduler", "/v1/charges", params={"state": "quoted"}))["items"],
        key=lambda charge: charge["kind"],
    )
    said = text_of(final)
    assert quote["amount"]["amount"].replace(".", ",") in said and "40,00" in said
    assert proof["provisional"] == ("à titre provisoire" in said)
    last = quote["last_day"]
    then = await world.office.get("scheduler", f"/v1/items/{item}/charges", params={"until": last})
    assert then["interest"] == quote["amount"]
