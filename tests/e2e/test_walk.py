"""The way of one invoice, over HTTP, SMTP and the real broker (the walk of the architecture)."""

from datetime import timedelta

from libs.common.demo.bank import Transfer, statement
from tests.support.world import World, is_thanks, last_banking_day_before, text_of, working


async def test_an_invoice_is_noticed_reminded_called_promised_and_paid(world: World) -> None:
    await world.debtor("GARNIER")
    due = working(world.today + timedelta(days=12))
    invoice = await world.invoice("F-1001", "GARNIER", due, "4800.00")
    await world.office.settled()
    assert world.new_mails() == []

    await world.at(working(due - timedelta(days=5)))
    (notice,) = world.new_mails()
    assert notice["To"].addresses[0].addr_spec == world.address("garnier")
    assert "F-1001" in text_of(notice)
    assert "4 800,00" in text_of(notice)

    await world.at(working(due + timedelta(days=2)))
    (friendly,) = world.new_mails()
    assert str(notice["Message-ID"]) in str(friendly["References"])

    await world.at(working(due + timedelta(days=10)))
    (firm,) = world.new_mails()
    assert firm["Subject"] != friendly["Subject"]

    await world.at(working(due + timedelta(days=15)))
    assert world.new_mails() == []
    tasks = (await world.office.get("notifier", "/v1/tasks", params={"state": "open", "kind": "call"}))["tasks"]
    (call,) = tasks
    assert call["body"], "the caller has a script"
    await world.promise(call, working(world.today + timedelta(days=6)), "4800.00")

    await world.at(working(due + timedelta(days=21)))
    assert world.new_mails() == [], "a promise pauses the final reminder"

    paid = await world.pay("4800.00", "F-1001", payer="GARNIER")
    assert paid["result"] == "created"
    await world.office.settled()
    assert (await world.item(invoice))["residual"]["amount"] == "0.00"
    assert (await world.promises())[0]["state"] == "kept"

    await world.at(working(world.today + timedelta(days=9)))
    (thanks,) = world.new_mails()
    assert is_thanks(thanks)
    assert "F-1001" in text_of(thanks)
    await world.at(working(world.today + timedelta(days=30)))
    assert world.new_mails() == [], "nobody is reminded after paying"


async def test_a_payment_that_overtakes_its_invoice_closes_it_before_any_mail(world: World) -> None:
    await world.debtor("BESSON")
    await world.pay("1200.00", "REGLEMENT F-2001", payer="BESSON")
    due = working(world.today + timedelta(days=1))
    invoice = await world.invoice("F-2001", "BESSON", due)
    await world.office.settled()
    assert (await world.item(invoice))["residual"]["amount"] == "0.00"
    await world.at(working(due + timedelta(days=14)))
    assert world.new_mails() == []


async def test_an_amended_due_date_moves_the_reminder(world: World) -> None:
    await world.debtor("COLOMB")
    due = working(world.today + timedelta(days=3))
    later = working(due + timedelta(days=20))
    await world.invoice("F-3001", "COLOMB", due, "900.00")
    await world.invoice("F-3001", "COLOMB", later, "900.00", issued=due - timedelta(days=30))
    await world.at(working(due + timedelta(days=2)))
    assert world.new_mails() == []
    await world.at(working(later + timedelta(days=2)))
    (reminder,) = world.new_mails()
    assert f"{later:%d/%m/%Y}" in text_of(reminder)


async def test_two_invoices_of_one_payer_due_nine_days_apart_each_get_their_first_reminder(world: World) -> None:
    await world.debtor("FAURE")
    first = working(world.today + timedelta(days=1))
    second = first + timedelta(days=9)
    await world.invoice("F-4001", "FAURE", first, "900.00")
    await world.invoice("F-4002", "FAURE", second, "900.00")
    told: list[str] = []
    for day in range(2, 26):
        await world.at(working(max(first + timedelta(days=day), world.today)))
        told += [text_of(mail) for mail in world.new_mails()]
    assert sum("F-4001" in text for text in told) >= 2
    assert any("F-4002" in text for text in told)
    assert len(told) <= 4, "one payer, grouped, never closer than the gap"


async def test_head_office_pays_for_three_shops_in_one_transfer(world: World) -> None:
    await world.debtor("SIEGE")
    invoices = []
    due = working(world.today + timedelta(days=1))
    for shop in ("LYON", "NANTES", "LILLE"):
        await world.debtor(shop, payer="SIEGE")
        invoices.append(await world.invoice(f"F-50{shop}", shop, due, "900.00"))
    await world.at(working(due + timedelta(days=2)))
    (reminder,) = world.new_mails()
    assert reminder["To"].addresses[0].addr_spec == world.address("siege")
    assert all(f"F-50{shop}" in text_of(reminder) for shop in ("LYON", "NANTES", "LILLE"))
    await world.pay("2700.00", "F-50LYON F-50NANTES F-50LILLE", payer="SIEGE")
    await world.office.settled()
    assert [(await world.item(invoice))["residual"]["amount"] for invoice in invoices] == ["0.00"] * 3


async def test_a_returned_payment_reopens_at_the_level_reached(world: World) -> None:
    await world.debtor("LACOMBE")
    due = working(world.today + timedelta(days=1))
    invoice = await world.invoice("F-6001", "LACOMBE", due, "900.00")
    await world.at(working(due + timedelta(days=2)))
    (friendly,) = world.new_mails()
    paid = await world.pay("900.00", "F-6001", payer="LACOMBE")
    await world.office.settled()
    assert (await world.item(invoice))["residual"]["amount"] == "0.00"
    await world.reverse(paid["id"], "AC04")
    await world.office.settled()
    assert (await world.item(invoice))["residual"]["amount"] == "900.00"
    again = []
    for _ in range(12):
        await world.pass_days(1)
        again += world.new_mails()
        if again:
            break
    assert [mail["Subject"] for mail in again] == [friendly["Subject"]], "that tone once more, not the next, not none"


async def test_a_bounce_does_not_count_as_delivered_and_opens_a_task(world: World) -> None:
    await world.debtor("PERDU")
    due = working(world.today + timedelta(days=1))
    await world.invoice("F-7001", "PERDU", due, "900.00")
    await world.at(working(due + timedelta(days=2)))
    (friendly,) = world.new_mails()
    await world.bounce(friendly)
    await world.office.settled()
    tasks = (await world.office.get("notifier", "/v1/tasks", params={"state": "open"}))["tasks"]
    assert [task["kind"] for task in tasks] == ["contact"]
    await world.at(working(due + timedelta(days=10)))
    assert world.new_mails() == [], "no firmer tone on an address that does not exist"


async def test_a_reply_pauses_the_case_and_an_absence_note_does_not(world: World) -> None:
    await world.debtor("REPOND")
    await world.debtor("ABSENT")
    due = working(world.today + timedelta(days=1))
    await world.invoice("F-8001", "REPOND", due, "900.00")
    await world.invoice("F-8002", "ABSENT", due, "900.00")
    await world.at(working(due + timedelta(days=2)))
    first = {mail["To"].addresses[0].username: mail for mail in world.new_mails()}
    await world.reply(first["repond"], "Nous n'avons pas reçu la marchandise.")
    await world.absence(first["absent"])
    await world.office.settled()
    await world.at(working(due + timedelta(days=10)))
    assert [mail["To"].addresses[0].username for mail in world.new_mails()] == ["absent"]


async def test_a_feed_gone_stale_holds_reminders_until_the_bank_speaks(fed: World) -> None:
    await fed.debtor("ATTEND")
    due = working(fed.today + timedelta(days=1))
    invoice = await fed.invoice("F-9001", "ATTEND", due, "900.00")
    await fed.at(working(due + timedelta(days=4)))
    assert fed.new_mails() == [], "bank data do not reach yesterday: nobody is reminded"
    assert {reason["code"] for reason in (await fed.explain(invoice))["reasons"]} <= {"feed_missing", "feed_stale"}
    await fed.bank_day(last_banking_day_before(fed.today))
    await fed.at(fed.today, 11)
    (reminder,) = fed.new_mails()
    assert "F-9001" in text_of(reminder)


async def test_a_statement_settles_an_invoice_and_tells_its_money_only_once(world: World) -> None:
    await world.debtor("VIREUR", ibans=["FR7630004000010819672731795"])
    due = working(world.today + timedelta(days=1))
    invoice = await world.invoice("F-9101", "VIREUR", due, "900.00")
    await world.office.settled()
    transfer = Transfer("VIR00000001", 90_000, "VIREUR SARL", "FR7630004000010819672731795", "FACTURE F-9101")
    day = last_banking_day_before(world.today)
    raw = statement(world.iban, day, 1, 0, [transfer])
    first, again = await world.upload(raw), await world.upload(raw)
    assert (first["result"], again["result"]) == ("created", "unchanged")
    await world.office.settled()
    assert (await world.item(invoice))["residual"]["amount"] == "0.00"
    payments = (await world.office.get("payment_matching", "/v1/payments"))["payments"]
    assert [payment["state"] for payment in payments] == ["matched"]
    await world.at(working(due + timedelta(days=14)))
    assert world.new_mails() == []
