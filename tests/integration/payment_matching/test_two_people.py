"""Beyond an amount two people decide: one proposes, another approves, and nothing is done in between."""

from typing import Any
from uuid import uuid4

from libs.common.auth import service_token
from tests.integration.payment_matching.till import Till, eur

LIMITS = "/v1/matching/two-people"
PATH = "/v1/matching/proposals"


async def said(till: Till, who: str, method: str, path: str, told: Any = None, *, roles: tuple[str, ...] = ()) -> Any:
    """What a person is answered: (status, body)."""
    token = service_token(
        till.settings, audience="payment_matching", tenant=till.tenant, subject=who, roles=roles or ("treasurer",)
    )
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
    answer = await till.client.request(method, path, json=told, headers=headers)
    return answer.status_code, answer.json() if answer.content else None


async def limited(till: Till, cents: int) -> None:
    status, found = await said(till, "user:admin", "PUT", LIMITS, {"above": eur(cents)}, roles=("administrator",))
    assert (status, found["limits"][0]["above"]) == (200, eur(cents))


async def waiting(till: Till) -> tuple[str, str]:
    """A payment of 100 € that Anne gives to an invoice, and what then waits."""
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000))
    payment = str(await till.pay("P1", 10_000, "merci"))
    wanted = {"allocations": [{"item_id": str(till.item_id("FA-1"))}]}
    status, found = await said(till, "user:anne", "POST", f"/v1/payments/{payment}/allocations", wanted)
    assert (status, found["allocations"], found["unapplied"]) == (202, [], eur(10_000))
    return payment, found["proposal_id"]


async def test_one_proposes_and_another_approves(till: Till) -> None:
    await limited(till, 9_999)
    payment, proposal = await waiting(till)
    assert await till.owed("FA-1") == 10_000
    listed = await till.get(PATH, state="waiting")
    assert [(one["proposal_id"], one["amount"]) for one in listed["proposals"]] == [(proposal, eur(10_000))]
    assert await till.get(f"{PATH}/{proposal}") == listed["proposals"][0]
    [on_list] = (await till.get("/v1/payments", state="unmatched"))["payments"]
    assert (on_list["payment_id"], on_list["proposal_id"]) == (payment, proposal)
    token = service_token(till.settings, audience="payment_matching", tenant=till.tenant, subject="service:console")
    headers = {"Authorization": f"Bearer {token}"}
    looked = await till.client.post("/internal/v1/lookups", json={"payments": [payment]}, headers=headers)
    assert looked.json()["payments"][payment]["proposal_id"] == proposal
    assert (await said(till, "user:anne", "POST", f"{PATH}/{proposal}/approve"))[1]["code"] == "four_eyes"
    assert (await till.post(f"{PATH}/{proposal}/approve", {}, 403))["code"] == "forbidden", "a key is no person"
    status, done = await said(till, "user:bert", "POST", f"{PATH}/{proposal}/approve")
    assert (status, done["state"], done["decided_by"]) == (200, "approved", "user:bert")
    assert await till.owed("FA-1") == 0
    shown = await till.get(f"/v1/payments/{payment}")
    assert (shown["allocations"][0]["actor"], shown["proposal_id"]) == ("user:anne", None)
    assert (await said(till, "user:carl", "POST", f"{PATH}/{proposal}/approve"))[1]["code"] == "already_decided"
    await till.balanced()


async def test_what_does_not_fit_any_more_waits_on_and_can_be_refused(till: Till) -> None:
    await limited(till, 5_000)
    _, proposal = await waiting(till)
    other = await till.pay("P2", 10_000, "FA-1")
    assert await till.state(other) == "matched"
    status, problem = await said(till, "user:bert", "POST", f"{PATH}/{proposal}/approve")
    assert (status, problem["code"]) == (409, "nothing_to_give")
    status, refused = await said(till, "user:bert", "POST", f"{PATH}/{proposal}/refuse", {"why": "paid by another"})
    assert (status, refused["state"], refused["why"]) == (200, "refused", "paid by another")
    assert await till.owed("FA-1") == 0
    await till.balanced()


async def test_up_to_the_limit_one_is_enough_and_parts_of_a_payment_are_counted_together(till: Till) -> None:
    await limited(till, 6_000)
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 20_000))
    payment = await till.pay("P1", 10_000, "merci")
    part = {"allocations": [{"item_id": str(till.item_id("FA-1")), "amount": eur(6_000)}]}
    path = f"/v1/payments/{payment}/allocations"
    assert (await said(till, "user:anne", "POST", path, part))[0] == 201
    rest = {"allocations": [{"item_id": str(till.item_id("FA-1")), "amount": eur(1)}]}
    assert (await said(till, "user:anne", "POST", path, rest))[0] == 202
    again = await said(till, "user:anne", "POST", path, rest)
    assert again[0] == 202
    listed = [(one["state"], one["amount"]) for one in (await till.get(PATH))["proposals"]]
    assert listed == [("waiting", eur(1)), ("replaced", eur(1))], "one waits of a payment, for what it would give"
    assert (await said(till, "user:x", "DELETE", f"{LIMITS}/{till.entity}/EUR", roles=("administrator",)))[0] == 204
    assert (await said(till, "user:anne", "POST", path, rest))[0] == 201


async def test_a_write_off_beyond_the_limit_takes_two_and_only_an_administrator_sets_the_limit(till: Till) -> None:
    assert (await said(till, "user:anne", "PUT", LIMITS, {"above": eur(1)}))[0] == 403
    await limited(till, 100)
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 900))
    path = f"/v1/open-items/{till.item_id('FA-1')}/write-offs"
    status, found = await said(till, "user:anne", "POST", path, {"kind": "other"})
    assert (status, found["write_off_id"], found["item"]["residual"]) == (202, None, eur(900))
    assert (await said(till, "user:bert", "POST", f"{PATH}/{found['proposal_id']}/approve"))[0] == 200
    assert await till.owed("FA-1") == 0
    await till.balanced()
