"""Credit control: accounts beside their limits, what two decide, insurers' days, proceedings, messages, files."""

import re
from collections.abc import AsyncIterator
from datetime import datetime

import httpx
import pytest
from sqlalchemy import select

from libs.common.db import Database
from libs.common.events import event
from libs.common.events.payments import PaymentReceived
from libs.common.ids import uuid7
from libs.common.money import Money
from libs.common.settings import Settings
from services.console.store import customers
from services.console.store.ledger import open_now
from services.console.tables import read_model as model
from tests.integration.console import credited
from tests.integration.console.conftest import NOW, Console
from tests.integration.console.credited import BLOCK, FILE, MESSAGE, PROCEEDINGS
from tests.integration.console.history import History
from tests.integration.console.owners import Browser, Owners, owners, refusal
from tests.integration.console.street import lived
from tests.integration.console.test_charges_sheet import euros
from tests.integration.console.test_currencies import debtor, invoice
from tests.integration.console.test_excel import table
from tests.integration.console.test_read_model import hear

Desk = tuple[Browser, Owners]
PAGES = ("/credit", "/credit/requests", "/credit/deadlines", "/credit/declarations", "/credit/insolvencies",
         "/credit/messages", "/hand-over/files")  # fmt: skip


@pytest.fixture(scope="module")
async def history(console: Console, settings: Settings) -> History:
    tenant, _ = await console.tenant()
    return await lived(settings, tenant, 7, debtors=3, invoices=20)


@pytest.fixture
async def desk(console: Console, settings: Settings, history: History) -> AsyncIterator[Desk]:
    with owners(console, settings) as played:
        client = await console.sign_in(await console.user(history.tenant, "manager"))
        item = model.item
        mine = (item.c.tenant_id == history.tenant, open_now(), item.c.debtor_id.is_not(None))
        async with console.room.database.transaction(history.tenant) as db:
            debtor = (await db.execute(select(item.c.debtor_id).where(*mine).limit(1))).scalar_one()
            payer = (await customers.one(db, history.tenant, debtor))["payer_id"] or debtor
            items = list((await db.scalars(select(item.c.item_id).where(*mine, item.c.debtor_id == debtor))).all())
        credited.filled(played, payer, items[0])
        yield Browser(client, settings.public_url, debtor, payer, items), played
        await client.aclose()


async def test_the_accounts_stand_beside_their_limits_and_say_who_is_blocked_and_why(desk: Desk) -> None:
    browser, played = desk
    page = (await browser.client.get("/credit?mine=no")).text
    for told in ("1\u00a0000,00\u00a0€", "Bloqué", "Trois impayés &lt;b&gt;", f'href="/customers/{browser.payer}"'):
        assert told in page, told
    assert [one.params.get("over") for one in played.asked if one.path == "/v1/credit/accounts"] == [None]
    over = (await browser.client.get("/credit?show=over")).text
    assert "1 encours" in over and [one.params for one in played.asked if one.params.get("over") == "true"]
    credited.paged(played, "/v1/credit/accounts", [])
    none = (await browser.client.get("/credit?show=blocked")).text
    assert "Aucun encours" in none


async def test_the_list_is_ordered_and_summed_by_the_exposure_that_it_shows(
    console: Console, settings: Settings
) -> None:
    tenant, email = await console.tenant()
    base = {"tenant_id": tenant, "version": 1, "entity_id": await console.entity(tenant)}
    due = NOW.date()
    whose = {"Riche": 100_000, "Moyen": 50_000, "Petit": 30_000, "Avance": 1_000}
    who = {name: debtor(base, name) for name in whose}
    owed = [invoice(base, who[name].debtor_id, f"F-{name}", Money(minor, "EUR"), due) for name, minor in whose.items()]
    money = [
        PaymentReceived(
            **base, amount=Money(minor, "EUR"), unapplied=Money(minor, "EUR"), payer_id=who[name].debtor_id,
            payment_id=uuid7(), value_date=due,
        )
        for name, minor in (("Riche", 90_000), ("Avance", 5_000))
    ]  # fmt: skip
    loops = Database(settings, "console", "loop")
    await hear(loops, [event(each, NOW) for each in (*who.values(), *owed, *money)], 20)
    await loops.close()
    with owners(console, settings) as played:
        petit = credited.account(who["Petit"].debtor_id, blocked=False, blocked_since=None, blocked_why=None)
        petit["figures"][0] |= {"limit": euros("200.00")}
        credited.paged(played, "/v1/credit/accounts", [petit])
        played.says["GET", "/v1/credit/undecided"] = {"count": 0, "by_others": 0}
        browser = await console.sign_in(email)
        pages = [(await browser.get(f"/credit{asked}")).text for asked in ("", "?order=exposure", "?page=9")]
        _, lines = table(await browser.get("/credit.xlsx"))
        await browser.aclose()
    listed = [list(dict.fromkeys(re.findall("Moyen|Petit|Riche|Avance", each))) for each in pages[:2]]
    assert listed == [["Moyen", "Petit", "Riche", "Avance"], ["Avance", "Riche", "Petit", "Moyen"]]
    assert all("4 encours" in each and "900,00\u00a0€" in each for each in pages), "the sum of what is shown"
    assert [float(line["Encours"]) for line in lines] == [500, 300, 100, 0]
    assert "−100,00\u00a0€" in pages[0] and "150\u00a0%" in pages[0] and "Dépassé" in pages[0]


async def test_the_accounts_leave_as_a_file_with_real_amounts(desk: Desk) -> None:
    browser, _ = desk
    _, lines = table(await browser.client.get("/credit.xlsx?mine=no"))
    [mine] = [line for line in lines if line["Statut"] == "Bloqué"]
    assert float(mine["Limite"]) == 1000 and mine["Disponible"] == 1000 - mine["Encours"]
    assert mine["Utilisé"] == mine["Encours"] * 100 // 1000
    assert mine["Motif"] == "Trois impayés <b>"


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_tells_that_there_is_nothing_and_that_the_scheduler_is_away(desk: Desk, path: str) -> None:
    browser, played = desk
    assert (await browser.client.get(path)).status_code == 200
    file = await browser.client.get(f"{path}.xlsx")
    assert (file.status_code, file.headers["content-type"][:20]) == (200, "application/vnd.open")
    credited.empty(played, browser.payer)
    assert 'class="empty"' in (await browser.client.get(f"{path}?show=over")).text
    assert (await browser.client.get(f"{path}.xlsx")).status_code == 200
    credited.away(played)
    played.says = {key: said for key, said in played.says.items() if "*" in key[1]}
    gone = await browser.client.get(path)
    assert gone.status_code == 200 and "ne répond pas" in gone.text


async def test_a_customers_file_shows_its_credit_and_stands_without_it(desk: Desk) -> None:
    browser, played = desk
    page = (await browser.client.get(f"/customers/{browser.payer}")).text
    assert f'href="/customers/{browser.payer}/credit"' in page and "−250,00\u00a0€" in page
    whole = (await browser.client.get(f"/customers/{browser.payer}/credit")).text
    for told in ("Note 7", "Limite dépassée", "Geste commercial", "Police 77", "Me Durand", "Débloquer", "R-1"):
        assert told in whole, told
    credited.empty(played, browser.payer)
    assert "Rien n’a encore été demandé." in (await browser.client.get(f"/customers/{browser.payer}/credit")).text
    credited.away(played)
    played.says = {key: said for key, said in played.says.items() if "*" in key[1]}
    assert (await browser.client.get(f"/customers/{browser.payer}")).status_code == 200
    assert "ne répond pas" in (await browser.client.get(f"/customers/{browser.payer}/credit")).text
    assert (await browser.client.get(f"/customers/{uuid7()}/credit")).status_code == 404


ASKED = [
    ("limit", {"amount": "1 500,50", "currency": "EUR", "valid_from": "01/12/2026", "reason": "Note 5"}, "limits",
     {"amount": {"amount": "1500.50", "currency": "EUR"}, "valid_from": "2026-12-01", "reason": "Note 5"}),
    ("block", {"act": "unblock", "reason": "Payé"}, "blocks", {"act": "unblock", "reason": "Payé"}),
    ("consent", {"extended_to": "01/12/2026", "given_on": "01/11/2026", "reference": "OK-3"}, "consents",
     {"extended_to": "2026-12-01", "given_on": "2026-11-01", "reference": "OK-3", "item_ids": []}),
    ("insolvency", {"kind": "liquidation", "judgment_on": "08/09/2026", "place": "mainland", "trustee": "Me D"},
     "insolvencies", {"kind": "liquidation", "judgment_on": "2026-09-08", "published_on": None}),
]  # fmt: skip


@pytest.mark.parametrize(("act", "typed", "path", "sent"), ASKED, ids=[each[0] for each in ASKED])
async def test_what_is_asked_for_reaches_the_scheduler_once(
    desk: Desk, act: str, typed: dict[str, str], path: str, sent: dict[str, object]
) -> None:
    browser, played = desk
    for _ in range(2):
        answer = await browser.send(f"/customers/{browser.debtor}/credit/{act}", typed)
        assert answer.status_code == 303, answer.text
    [one] = played.did(f"/v1/credit/{path}")
    assert {name: one.body[name] for name in sent} == sent
    assert (one.body["payer_id"], one.roles) == (str(browser.payer), frozenset({"manager"}))


async def test_a_write_off_is_proposed_for_one_invoice_and_a_wrong_field_is_told_at_its_place(desk: Desk) -> None:
    browser, played = desk
    at, item = f"/customers/{browser.debtor}/credit/write-off", str(browser.items[0])
    told = {"item": item, "amount": "12,50", "currency": "EUR", "reason": "commercial", "note": "Geste"}
    assert (await browser.send(at, told)).status_code == 303
    [one] = played.did("/v1/credit/write-offs")
    assert (one.body["item_id"], one.body["amount"]["amount"]) == (item, "12.50")
    refused = await browser.send(at, told | {"note": ""}, quiet=True)
    assert refused.status_code == 422 and 'data-field="note"' in refused.text


async def test_a_request_is_granted_with_its_reason_and_never_by_whoever_made_it(desk: Desk) -> None:
    browser, played = desk
    page = (await browser.client.get("/credit/requests")).text
    assert page.count('value="approve"') == 3
    answer = await browser.send(f"/credit/requests/block/{BLOCK}", {"do": "approve", "why": "D’accord"})
    assert answer.status_code == 303
    [one] = played.did(f"/v1/credit/blocks/{BLOCK}")
    assert (one.path.rpartition("/")[2], one.body) == ("approve", {"why": "D’accord"})
    played.says["POST", f"/v1/credit/blocks/{BLOCK}/approve"] = refusal(409, "four_eyes")
    own = await browser.send(f"/credit/requests/block/{BLOCK}", {"do": "approve", "why": "Moi", "key": "k2"})
    assert own.status_code == 409 and "Une autre personne" in own.text
    assert (await browser.send(f"/credit/requests/other/{BLOCK}", {"do": "approve"})).status_code == 404


async def test_a_limit_is_withdrawn_with_its_reason_and_one_that_holds_not_by_whoever_entered_it(desk: Desk) -> None:
    browser, played = desk
    at = f"/customers/{browser.debtor}/credit"
    told = {"state": "approved", "approved_by": "user:y", "approved_at": credited.AT, "reason": "Note 6"}
    holds, waits = credited.limit(browser.payer, **told), credited.limit(browser.payer)
    gone = {"state": "withdrawn", "withdrawn_by": "user:y", "withdrawn_at": credited.AT, "why": "Saisie en double"}
    credited.paged(played, "/v1/credit/limits", [holds, waits, credited.limit(browser.payer, **gone)])
    page = (await browser.client.get(at)).text
    assert "retirée" in page and "Saisie en double" in page
    assert page.count('<option value="' + holds["limit_id"]) == page.count('<option value="' + waits["limit_id"]) == 1
    who = next(one.subject for one in played.asked if one.path.startswith("/v1/credit"))
    own = credited.limit(browser.payer, **told, entered_by=who)
    credited.paged(played, "/v1/credit/limits", [own])
    assert '<option value="' + own["limit_id"] not in (await browser.client.get(at)).text
    assert (await browser.send(f"{at}/withdraw", {"limit_id": holds["limit_id"], "why": "Perte"})).status_code == 303
    [one] = played.did(f"/v1/credit/limits/{holds['limit_id']}/withdraw")
    assert one.body == {"why": "Perte"}
    for typed in ({"limit_id": holds["limit_id"], "key": "2"}, {"why": "Perte", "key": "3"}):
        assert (await browser.send(f"{at}/withdraw", typed)).status_code == 422
    taken = await browser.send(f"/credit/requests/limit/{waits['limit_id']}", {"do": "reject", "why": "Erreur"})
    assert taken.status_code == 303
    assert played.did(f"/v1/credit/limits/{waits['limit_id']}/withdraw")[0].body == {"why": "Erreur"}


async def test_what_an_insurer_made_of_a_declaration_is_noted_on_the_customers_file(desk: Desk) -> None:
    browser, played = desk
    at, item = f"/customers/{browser.debtor}/credit", str(browser.items[0])
    page = (await browser.client.get(at)).text
    for told in ("F-78", "DI-9", "hors délai", "acceptée", "450,00\u00a0€", "ACC-1", "90 %"):
        assert told in page, told
    typed = {"item": item, "outcome": "indemnified", "answered_on": "20/11/2026", "reference": "IND-4"}
    missing = await browser.send(f"{at}/answer", typed, quiet=True)
    assert missing.status_code == 422 and 'data-field="amount"' in missing.text
    whole = typed | {"amount": "450,00", "currency": "EUR"}
    assert (await browser.send(f"{at}/answer", whole)).status_code == 303
    [one] = played.did(f"/v1/credit/declarations/{item}/answers")
    assert one.body == {
        "outcome": "indemnified", "answered_on": "2026-11-20", "reference": "IND-4", "note": None,
        "amount": {"amount": "450.00", "currency": "EUR"},
    }  # fmt: skip
    assert (await browser.send(f"{at}/answer", whole | {"outcome": "refused", "key": "2"})).status_code == 422
    assert (await browser.send(f"{at}/answer", whole | {"item": "", "key": "3"})).status_code == 422


async def test_declarations_of_all_customers_are_on_one_page_with_their_deadline_and_state(desk: Desk) -> None:
    browser, played = desk
    page = (await browser.client.get("/credit/declarations")).text
    for told in ("F-78", "Assur · Police 77", "DI-9", "hors délai", "acceptée", "ACC-1", "500,00\u00a0€", "30/10/2026",
                 f'href="/customers/{browser.payer}/credit"'):  # fmt: skip
        assert told in page, told
    assert "Demande d’indemnisation au plus tard" not in page, "the policy has no day for claims"
    claim = credited.declaration(browser.payer, browser.items[0], claim_by="2026-11-25", outcome="awaited", answers=[])
    credited.paged(played, "/v1/credit/declarations", [claim])
    page = (await browser.client.get("/credit/declarations?state=awaited&within=10")).text
    assert "25/11/2026" in page and "encore 2 j" in page.replace("\u00a0", " ") and "en attente" in page
    asked = [one.params for one in played.asked if one.path == "/v1/credit/declarations"]
    assert asked[-1] == {"limit": "100", "outcome": "awaited", "until": "2026-12-03"}
    paid = claim | {"outcome": "indemnified", "indemnified": euros("450.00")}
    credited.paged(played, "/v1/credit/declarations", [paid])
    page = (await browser.client.get("/credit/declarations?state=nothing&within=nothing")).text
    assert "encore 2" not in page and "450,00\u00a0€" in page
    head, [line] = table(await browser.client.get("/credit/declarations.xlsx?state=indemnified&within=passed"))
    assert played.asked[-1].params["outcome"] == "indemnified" and played.asked[-1].params["until"] == "2026-11-22"
    assert (float(line["Indemnité"]), line["Issue"], str(line["Demande d’indemnisation au plus tard"])[:10]) == (
        450, "indemnisée", "2026-11-25",
    )  # fmt: skip
    assert (head["Issue"], head["Échéance"]) == ("indemnisée", "Dépassées")


async def test_the_tables_of_a_credit_file_leave_as_files_with_real_amounts_and_days(desk: Desk) -> None:
    browser, played = desk
    at = f"/customers/{browser.debtor}/credit"
    page = (await browser.client.get(at)).text
    for name in ("items", "history", "declarations"):
        assert f'href="{at}/{name}.xlsx"' in page
    head, items = table(await browser.client.get(f"{at}/items.xlsx"))
    assert head["Client"] and len(items) == len(browser.items)
    assert all(isinstance(line["Échéance"], datetime) and line["Solde"] > 0 for line in items)
    assert [line["Jours restants"] for line in items if line["Jours restants"] is not None] == [7]
    _, asked = table(await browser.client.get(f"{at}/history.xlsx"))
    assert {line["Demande"] for line in asked} == {"Limite de crédit", "Bloquer", "Passer en perte"}
    assert {line["Statut"] for line in asked} == {"à décider"}
    [declared] = table(await browser.client.get(f"{at}/declarations.xlsx"))[1]
    assert (declared["Facture"], declared["Issue"], declared["Montant"]) == ("F-78", "acceptée", 500)
    assert declared["Répondu le"].date().isoformat() == "2026-11-18" and declared["Indemnité"] is None
    assert (await browser.client.get(f"{at}/other.xlsx")).status_code in {404, 422}
    credited.empty(played, browser.payer)
    assert table(await browser.client.get(f"{at}/history.xlsx"))[1] == []


async def test_days_of_insurers_and_courts_are_recorded(desk: Desk) -> None:
    browser, played = desk
    assert "Déclarez-la maintenant" in (await browser.client.get("/credit/deadlines?within=30")).text
    until = [one.params.get("until") for one in played.asked if one.path == "/v1/credit/deadlines"]
    assert until == ["2026-12-23"]
    told = {"item": str(browser.items[0]), "declared_on": "20/11/2026", "reference": "DI-9"}
    assert (await browser.send("/credit/declarations", told)).status_code == 303
    assert played.did("/v1/credit/declarations")[0].body["declared_on"] == "2026-11-20"
    assert (await browser.send("/credit/declarations", told | {"item": ""})).status_code == 422
    filed = {"on": "12/11/2026", "reference": "LRAR 1A"}
    assert (await browser.send(f"/credit/insolvencies/{PROCEEDINGS}/file", filed)).status_code == 303
    [one] = played.did(f"/v1/credit/insolvencies/{PROCEEDINGS}/file")
    assert one.body == {"filed_on": "2026-11-12", "reference": "LRAR 1A"}
    policy = {"name": "P", "insurer": "A", "extension_days": "60", "declaration_days": "90", "counts_from": "due_date"}
    assert (await browser.send("/credit/insurers", policy)).status_code == 303
    assert (await browser.send("/credit/insurers", policy | {"extension_days": "x", "key": "2"})).status_code == 422


async def test_an_endpoints_secret_is_shown_once_and_a_message_is_posted_again(desk: Desk) -> None:
    browser, played = desk
    assert "https://erp.example.com/r" in (await browser.client.get("/credit/messages?state=given_up")).text
    made = {"url": "https://erp.example.com/new", "secret": "whsec_abc"}
    played.says["POST", "/v1/credit/endpoints"] = made
    shown = await browser.send("/credit/endpoints", {"url": made["url"]})
    assert shown.status_code == 200 and "whsec_abc" in shown.text
    assert (await browser.send(f"/credit/messages/{MESSAGE}/retry", {})).status_code == 303
    assert len(played.did(f"/v1/credit/messages/{MESSAGE}/retry")) == 1


async def test_a_recovery_file_is_prepared_looked_at_handed_over_and_taken_as_sealed(desk: Desk) -> None:
    browser, played = desk
    played.says["POST", "/v1/recovery-files"] = {"file_id": FILE}
    made = await browser.send("/hand-over/files", {"item": str(browser.items[0]), "reason": "45 jours"})
    assert made.headers["location"] == f"/hand-over/files/{FILE}"
    page = (await browser.client.get(f"/hand-over/files/{FILE}")).text
    for told in ("552,00\u00a0€", "bon de livraison", "index.html", "1 pièce manque", "Sceller et remettre"):
        assert told in page, told
    handed = {"to": "Cabinet Roux", "kind": "lawyer", "why": "Mûr"}
    assert (await browser.send(f"/hand-over/files/{FILE}/hand-over", handed)).status_code == 303
    assert played.did(f"/v1/recovery-files/{FILE}/hand-over")[0].body == handed
    played.says["GET", f"/v1/recovery-files/{FILE}/file.zip"] = httpx.Response(200, content=b"PK\x03\x04sealed")
    sealed = await browser.client.get(f"/hand-over/files/{FILE}/file.zip")
    assert (sealed.content, sealed.headers["content-type"]) == (b"PK\x03\x04sealed", "application/zip")
    assert played.asked[-1].roles == frozenset({"manager"}), "as the person, not as the console"


async def test_what_a_court_would_bring_is_estimated_before_anybody_goes_there(desk: Desk) -> None:
    browser, played = desk
    told = {"cost": "300,00", "currency": "EUR", "fee": "10", "chance": "10"}
    page = await browser.send(f"/hand-over/files/{FILE}/worth", told)
    assert page.status_code == 200 and "-250.32" in page.text and "Cela coûte plus" in page.text
    wrong = await browser.send(f"/hand-over/files/{FILE}/worth", told | {"chance": "120"})
    assert wrong.status_code == 200 and 'data-field="chance"' in wrong.text
    assert (await browser.send(f"/hand-over/files/{FILE}/judicial", told | {"despite": "Principe"})).status_code == 303
    [one] = played.did(f"/v1/recovery-files/{FILE}/judicial")
    assert (one.body["despite"], one.body["cost"]["amount"], one.body["chance_percent"]) == ("Principe", "300.00", 10)
    assert (await browser.send(f"/hand-over/files/{FILE}/return", {"why": "Rappelé"})).status_code == 303
