"""What a customer has to its credit stands beside what it owes: credit notes not applied, and money not matched."""

import re
from datetime import timedelta

from libs.common.db import Database
from libs.common.events import event
from libs.common.events.invoices import CreditNoteIssued
from libs.common.events.payments import CreditApplied, PaymentReceived
from libs.common.ids import named, uuid7
from libs.common.money import Money
from libs.common.settings import Settings
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.test_currencies import debtor, invoice
from tests.integration.console.test_excel import table
from tests.integration.console.test_read_model import hear


async def test_a_file_shows_what_is_to_its_credit_and_the_net(console: Console, settings: Settings) -> None:
    tenant, email = await console.tenant()
    base = {"tenant_id": tenant, "version": 1, "entity_id": await console.entity(tenant)}
    who, other = debtor(base, "Maison Mère"), debtor(base, "Maison Seule")
    due = NOW.date() - timedelta(days=12)
    owed = [invoice(base, each.debtor_id, f"F-{each.name}", Money(100_000, "EUR"), due) for each in (who, other)]
    about = {"debtor_id": who.debtor_id, "payer_id": who.debtor_id}
    notes = [
        CreditNoteIssued(
            **base,
            **about,
            credit_note_id=named(number, tenant),
            number=number,
            issue_date=due,
            amount=Money(minor, "EUR"),
        )
        for number, minor in (("AV-1", 12_000), ("AV-2", 4_000))
    ]
    left = {"AV-1": 2_000, "AV-2": 0}
    applied = [
        CreditApplied(
            **base, credit_note_id=each.credit_note_id, payer_id=each.payer_id, residuals=[],
            unapplied=Money(left[each.number], "EUR"),
        )
        for each in notes
    ]  # fmt: skip
    money = {"amount": Money(5_000, "EUR"), "unapplied": Money(5_000, "EUR"), "payer_id": who.debtor_id}
    paid = PaymentReceived(**base, **money, payment_id=uuid7(), value_date=NOW.date())
    loops = Database(settings, "console", "loop")
    await hear(loops, [event(each, NOW) for each in (who, other, *owed, *notes, *applied, paid)], 20)
    await loops.close()
    browser = await console.sign_in(email)
    file, alone = [
        re.sub(r"[\s\u00a0]+", " ", re.sub(r"<[^>]+>", " ", (await browser.get(f"/customers/{each.debtor_id}")).text))
        for each in (who, other)
    ]
    page = re.sub(r"[\s\u00a0]+", " ", re.sub(r"<[^>]+>", " ", (await browser.get("/aged-balance")).text))
    narrowed = re.sub(r"[\s\u00a0]+", " ", (await browser.get("/aged-balance?q=Maison+Seule")).text)
    _, lines = table(await browser.get("/aged-balance.xlsx"))
    await browser.aclose()
    assert "À valoir 70,00 € · Solde net 1 930,00 €" in page and "À valoir" not in narrowed
    assert {line["Client"]: line["À valoir"] for line in lines} == {"Maison Mère": 70, "Maison Seule": None}
    assert "À valoir 70,00 €" in file and "Solde net 930,00 €" in file
    assert "Avoir AV-1" in file and "20,00 € sur 120,00 €" in file
    assert "AV-2 12/" not in file.partition("Avoirs non imputés")[2].partition("Historique")[0]
    assert "À valoir" not in alone and "Avoirs non imputés" not in alone
