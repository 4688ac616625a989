"""A head office pays for its shops: Today asks for all of it in one message, and the file says of what it is made."""

import re
from datetime import timedelta

from libs.common import ids
from libs.common.db import Database
from libs.common.events import event
from libs.common.events.deliveries import Covered, ReminderProposed
from libs.common.money import Money
from libs.common.settings import Settings
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.test_currencies import debtor, invoice
from tests.integration.console.test_read_model import hear


async def test_the_file_of_a_head_office_adds_up_to_what_today_asks_for(console: Console, settings: Settings) -> None:
    tenant, email = await console.tenant()
    base = {"tenant_id": tenant, "version": 1, "entity_id": await console.entity(tenant)}
    head, shop, other = (debtor(base, name) for name in ("Maison Mère", "Maison Fille", "Maison Seule"))
    shop = shop.model_copy(update={"payer_id": head.debtor_id})
    due, payer = NOW.date() - timedelta(days=12), head.debtor_id
    own = invoice(base, payer, "F1", Money(100_000, "EUR"), due)
    hers = invoice(base, shop.debtor_id, "F2", Money(23_450, "EUR"), due).model_copy(update={"payer_id": payer})
    later = invoice(base, payer, "F3", Money(77_700, "EUR"), NOW.date() + timedelta(days=12))
    covers = [
        Covered(
            occurrence_id=ids.named(one.invoice_id),
            release=1,
            item_id=one.instalments[0].item_id,
            step_key="r1",
            tone=2,
        )
        for one in (own, hers)
    ]
    about = {"payer_id": payer, "party_id": payer, "case_id": ids.case_id(tenant, payer), "covers": covers}
    about |= {"reminder_id": ids.named("r", payer), "notice_id": ids.named("n", payer)}
    proposed = ReminderProposed(kind="reminder", **base, **about)
    loops = Database(settings, "console", "loop")
    await hear(loops, [event(each, NOW) for each in (head, shop, other, own, hers, later, proposed)], 10)
    await loops.close()
    browser = await console.sign_in(email)
    asked, file, daughter, alone = [
        re.sub(r"<[^>]+>|\u00a0", " ", (await browser.get(path)).text)
        for path in ("/", *(f"/customers/{each.debtor_id}" for each in (head, shop, other)))
    ]
    await browser.aclose()
    # What is not due yet is not counted beside what is overdue.
    assert re.search(r"1 234,50 €\s*2 échéances", asked)
    assert "2 sur 3" in asked
    assert "Échu de tous ses comptes : 1 234,50 €" in re.sub(r" +", " ", file)
    assert "Maison Fille" in file
    assert "234,50 €" in file
    assert "Maison Mère" in daughter
    for page in (daughter, alone):
        assert "Comptes payés par ce client" not in page
