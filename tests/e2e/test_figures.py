"""The figures of the console are those of the services' own APIs, to the cent, after all that happens to invoices:
parts paid, a rest written off at the workbench, a credit note, and an invoice amended after money came for it."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx

from libs.common.demo.office import ADMINISTRATOR, TREASURER
from tests.integration.console.conftest import csrf
from tests.integration.console.test_excel import table
from tests.support import eventually
from tests.support.world import World

Line = dict[str, Any]
DEBTORS = ("AUBRY", "BESSON", "COLOMB", "DELMAS")
AMOUNTS = ("1200.00", "980.40", "77.77", "15400.05")


async def lived(world: World) -> None:
    """Invoices of all ages; some paid, one in part and amended after it, one credited in part, one promised."""
    await world.debtors(DEBTORS)
    for place, name in enumerate(DEBTORS):
        for number, due in enumerate((-75, -40, -12, 25)):
            amount = AMOUNTS[(place + number) % len(AMOUNTS)]
            await world.invoice(f"{name}-{number}", name, world.today + timedelta(days=due), amount)
    await world.office.settled()
    await world.pay("77.77", "BESSON-1", payer="BESSON")
    part = {"number": "AUBRY-0", "amount": {"amount": "400.00", "currency": "EUR"}}
    await world.pay("400.00", "acompte", payer="AUBRY", allocations=[part])
    await world.pay("50.00", "sans objet")
    await world.office.settled()
    await world.invoice("AUBRY-0", "AUBRY", world.today - timedelta(days=75), "950.00")
    note = world.body("AV-1", "COLOMB", world.today, "100.00")
    note |= {"kind": "credit_note", "issue_date": world.today.isoformat(), "entity_id": str(world.entity)}
    note |= {"source": "erp", "references": {"preceding": [{"number": "COLOMB-0"}]}}
    del note["due_date"]
    await world.office.post("invoice_ingest", "/v1/credit-notes", note, by=TREASURER)
    await world.office.settled()


async def all_of(world: World, service: str, path: str, name: str, **params: Any) -> list[Line]:
    """Every line of an API's list."""
    found: list[Line] = []
    cursor = None
    while True:
        asked = params | {"limit": 100} | ({"cursor": cursor} if cursor else {})
        told = await world.office.get(service, path, params=asked)
        found += told[name]
        cursor = told.get("next")
        if cursor is None:
            return found


async def file(screen: httpx.AsyncClient, path: str) -> list[Line]:
    """The lines of a page's Excel file."""
    return table(await screen.get(path))[1]


def told(line: Line, name: str) -> Decimal:
    return Decimal(line[name]["amount"])


def added(lines: list[Line], name: str) -> Decimal:
    """The sum of a column, to the cent."""
    return sum((Decimal(str(line[name] or 0)).quantize(Decimal("0.01")) for line in lines), Decimal(0))


async def agree(world: World, screen: httpx.AsyncClient) -> None:
    """Every sum that the console shows, beside the owner's own."""
    owed = [
        each for each in await all_of(world, "payment_matching", "/v1/open-items", "items") if told(each, "residual")
    ]
    open_total = sum(told(each, "residual") for each in owed)
    overdue = sum(told(each, "residual") for each in owed if date.fromisoformat(each["due_date"]) < world.today)
    aged, invoices = await file(screen, "/aged-balance.xlsx"), await file(screen, "/invoices.xlsx?state=open")
    beside = ("Devise", "Encours", "À valoir")
    ages = [name for name in aged[0] if name not in beside and isinstance(aged[0][name], int | float)]
    assert added(aged, "Encours") == added(invoices, "Solde") == open_total
    assert sum(added(aged, name) for name in ages) == open_total
    assert open_total - added(aged, "Non échu") == overdue
    by_number = {each["number"]: told(each, "residual") for each in owed}
    assert {line["Facture"]: Decimal(str(line["Solde"])).quantize(Decimal("0.01")) for line in invoices} == by_number

    (dso,) = (await world.office.get("scheduler", "/v1/kpis/dso"))["figures"]
    assert (told(dso, "outstanding"), told(dso, "overdue")) == (open_total, overdue)
    for each in owed:
        path = "/v1/items"
        (item,) = (await world.office.get("scheduler", path, params={"invoice_id": each["invoice_id"]}))["items"]
        assert item["residual"] == each["residual"], each["number"]

    payments = await all_of(world, "payment_matching", "/v1/payments", "payments")
    shown = await file(screen, "/payments.xlsx?state=all")
    assert len(shown) == len(payments)
    assert added(shown, "Montant") == sum(told(each, "amount") for each in payments)
    assert added(shown, "À affecter") == sum(told(each, "unapplied") for each in payments)
    matched = sum(told(part, "amount") for each in payments for part in each["allocations"])
    assert added(shown, "Montant") - added(shown, "À affecter") == matched

    promises = await all_of(world, "scheduler", "/v1/promises", "items")
    assert added(await file(screen, "/promises.xlsx?state=all"), "Montant promis") == sum(
        told(each, "amount") for each in promises
    )
    notices = await all_of(world, "notifier", "/v1/notices", "notices", state="proposed")
    tasks = await all_of(world, "notifier", "/v1/tasks", "tasks", state="open")
    team = await file(screen, "/team.xlsx")
    formal = [each for each in notices if each["kind"] == "formal_notice"]
    assert (added(team, "À envoyer"), added(team, "Mises en demeure")) == (len(notices) - len(formal), len(formal))
    assert added(team, "Appels et tâches") + added(team, "Réponses reçues") == len(tasks)


async def written_off(world: World, screen: httpx.AsyncClient, number: str, paid: str, kind: str) -> UUID:
    """A payment that leaves a little of an invoice, accepted at the workbench with the rest written off."""
    invoice = next(each for each in await all_of(world, "payment_matching", "/v1/open-items", "items")
                   if each["number"] == number)  # fmt: skip
    payment = (await world.pay(paid, "sans objet"))["id"]
    await world.office.settled()
    line = f"/payments?state=left&line={payment}"

    async def there() -> bool:
        return payment in (await screen.get(line)).text

    await eventually(there)
    fields = {"csrf": csrf(await screen.get(line)), "currency": "EUR", "item": invoice["item_id"], "write_off": kind}
    answer = await screen.post(
        f"/payments/{payment}/match", data=fields, headers={"origin": world.living.settings.public_url}
    )
    assert answer.status_code == 303, answer.text
    assert "passés en perte" in (await screen.get("/payments")).text
    return UUID(invoice["item_id"])


async def test_the_consoles_figures_are_those_of_the_services_to_the_cent(
    world: World, screen: httpx.AsyncClient
) -> None:
    path = f"/v1/directory/entities/{world.entity}"
    await world.office.call("PATCH", "console", path, by=ADMINISTRATOR, json={"approvals": "confirm"})
    await lived(world)
    await agree(world, screen)

    item = await written_off(world, screen, "DELMAS-1", "1195.00", "discount")
    await world.office.settled()
    settled = await world.office.get("payment_matching", f"/v1/open-items/{item}")
    assert settled["residual"]["amount"] == "0.00"
    await agree(world, screen)

    await world.pass_days(2)
    case = (await all_of(world, "scheduler", "/v1/cases", "items"))[0]
    promise = {"case_id": case["case_id"], "amount": {"amount": "60.00", "currency": "EUR"}}
    await world.office.post(
        "scheduler", "/v1/promises", promise | {"promised_for": (world.today + timedelta(days=5)).isoformat()}
    )
    await world.office.settled()
    assert await all_of(world, "notifier", "/v1/notices", "notices", state="proposed"), "a morning's work"
    await agree(world, screen)
