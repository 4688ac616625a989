"""Many at once: fifty writers on one item, two loops on one queue, the same upload twice at the same moment."""

import asyncio
from uuid import UUID

from libs.common.db import Database
from services.payment_matching.store.candidates import claim
from services.payment_matching.work import Matching
from tests.integration.payment_matching.till import IBAN, Till, eur
from tests.unit.payment_matching.camt_files import camt053, detail, entry, statement


async def test_fifty_writers_on_one_item_give_it_exactly_what_it_owes(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000))
    batch = [till.payment(f"P{n}", 300, "merci") for n in range(50)]
    told = await till.post("/v1/payments/batch", batch)
    await till.settle()
    wanted = {"allocations": [{"item_id": str(till.item_id("FA-1")), "amount": eur(300)}]}

    async def give(payment: str) -> int:
        path = f"/v1/payments/{payment}/allocations"
        return (await till.client.post(path, json=wanted, headers=till.headers)).status_code

    statuses = await asyncio.gather(*(give(line["id"]) for line in told["results"]))
    assert statuses.count(201) == 33
    assert statuses.count(422) == 17
    assert await till.owed("FA-1") == 100
    versions = [
        residual["item_version"] for matched in await till.events("PaymentMatched") for residual in matched["residuals"]
    ]
    assert sorted(versions) == list(range(1, 34))
    await till.balanced()


async def test_the_machine_and_people_together_never_over_allocate(till: Till) -> None:
    await till.hear(till.customer("Dupont"), *(till.issued(f"FA-2026-{n:04d}", "Dupont", 1_000) for n in range(20)))
    batch = [till.payment(f"P{n}", 1_000, f"FA-2026-{n % 20:04d}") for n in range(40)]
    told = await till.post("/v1/payments/batch", batch)
    other = Database(till.settings, "payment_matching", "loop")
    loops = [Matching(till.loops, till.clock), Matching(other, till.clock)]

    async def match(loop: Matching) -> None:
        for _ in range(10):
            await loop.turn(7)

    async def give(n: int, payment: str) -> None:
        wanted = {"allocations": [{"item_id": str(till.item_id(f"FA-2026-{(n + 3) % 20:04d}"))}]}
        await till.client.post(f"/v1/payments/{payment}/allocations", json=wanted, headers=till.headers)

    people = (give(n, line["id"]) for n, line in enumerate(told["results"]) if n % 3 == 0)
    await asyncio.gather(*(match(loop) for loop in loops), *people)
    await till.settle()
    await other.close()
    await till.balanced()
    assert sum([await till.owed(f"FA-2026-{n:04d}") for n in range(20)]) == 0


async def test_of_two_payments_of_one_debt_the_first_is_tried_first_however_many_matchers_there_are(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-2026-0001", "Dupont", 1_000))
    await till.settle()
    told = await till.post("/v1/payments/batch", [till.payment(f"P{n}", 1_000, "FA-2026-0001") for n in (1, 2)])
    first, second = (UUID(line["id"]) for line in told["results"])
    other = Database(till.settings, "payment_matching", "loop")
    async with other.transaction() as db:
        assert [one.payment_id for one in await claim(db, 1)] == [first]
        assert await Matching(till.loops, till.clock).turn() == 0
        assert await till.owed("FA-2026-0001") == 1_000
    await other.close()
    await till.settle()
    assert (await till.state(first), await till.state(second)) == ("matched", "unmatched")
    await till.balanced()


async def test_fifty_writers_give_write_off_and_take_back_and_not_a_cent_is_lost(till: Till) -> None:
    await till.hear(till.customer("Dupont"), *(till.issued(f"FA-{n}", "Dupont", 1_000) for n in range(5)))
    told = await till.post("/v1/payments/batch", [till.payment(f"P{n}", 950, "merci") for n in range(10)])
    await till.settle()

    async def write(n: int) -> None:
        item, payment = till.item_id(f"FA-{n % 5}"), told["results"][n % 10]["id"]
        path, how = f"/v1/payments/{payment}", {"headers": till.headers}
        if n % 5 == 4:
            await till.client.post(f"{path}/reverse", json={"code": "AC04", "amount": eur(100)}, **how)
        elif n % 3 == 0:
            await till.client.post(f"/v1/open-items/{item}/write-offs", json={"kind": "other"}, **how)
        else:
            wanted = {"allocations": [{"item_id": str(item), "write_off": "discount"}]}
            answer = await till.client.post(f"{path}/allocations", json=wanted, **how)
            for line in answer.json().get("allocations", [])[: n % 2]:
                await till.client.delete(f"{path}/allocations/{line['allocation_id']}", **how)

    await asyncio.gather(*(write(n) for n in range(50)))
    await till.settle()
    await till.balanced()
    for n in range(5):
        assert 0 <= await till.owed(f"FA-{n}") <= 1_000


async def test_a_number_of_somebody_else_is_left_to_a_person_if_the_payer_by_name_owes_as_much(till: Till) -> None:
    others = [till.issued(f"FB-2026-{n:04d}", f"C{n}", 10_000) for n in range(9)]
    await till.hear(*(till.customer(f"C{n}") for n in range(9)), *others)
    await till.hear(till.customer("Martin"), till.issued("FA-2026-0001", "Martin", 10_000))
    wrong = await till.pay("P1", 10_000, "FB-2026-0003", payer_name="MARTIN SARL")
    assert await till.state(wrong) == "unmatched"
    right = await till.pay("P2", 10_000, "FB-2026-0003", payer_name="Comptable Untel")
    assert await till.state(right) == "matched"


async def test_the_same_file_uploaded_at_the_same_moment_is_taken_once(till: Till) -> None:
    entries = [entry(100, detail(100, transaction=f"T{n}"), reference=f"R{n}", on="2026-11-19") for n in range(20)]
    body = camt053(statement(IBAN, entries, opening=0, closing=2_000, closes="2026-11-19"))
    headers = till.headers | {"content-type": "application/xml"}
    answers = await asyncio.gather(
        *(till.client.post("/v1/statements", content=body, headers=headers) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} <= {200, 201, 503}
    assert [answer.status_code for answer in answers].count(201) == 1
    assert len((await till.get("/v1/payments", limit=100))["payments"]) == 20


async def test_the_same_payment_posted_at_the_same_moment_is_one(till: Till) -> None:
    body = till.payment("P1", 1_000)
    answers = await asyncio.gather(
        *(till.client.post("/v1/payments", json=body, headers=till.headers) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len((await till.get("/v1/payments"))["payments"]) == 1


async def test_two_tenants_never_see_each_other(till: Till) -> None:
    payment = await till.pay("P1", 1_000)
    async with till.for_a_tenant() as other:
        await other.get(f"/v1/payments/{payment}", 404)
        assert (await other.get("/v1/payments"))["payments"] == []
        await other.post(f"/v1/payments/{payment}/reverse", {"code": "AC04"}, 404)
        found = await other.ask("/internal/v1/lookups", {"payments": [str(payment)]})
        assert found["payments"] == {}
    found = await till.ask("/internal/v1/lookups", {"payments": [str(payment)]})
    assert found["payments"][str(payment)]["amount"] == eur(1_000)
