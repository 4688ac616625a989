"""Calibrations: made of what people decided, watched in shadow, activated, rolled back; errors raise the threshold."""

from datetime import timedelta

import pytest

from libs.common.auth import service_token
from tests.integration.payment_matching.till import Till

PATH = "/v1/matching/calibrations"


def a(till: Till, role: str) -> dict[str, str]:
    """The header of a person with this role."""
    token = service_token(
        till.settings, audience="payment_matching", tenant=till.tenant, subject="user:marie", roles=(role,)
    )
    return {"Authorization": f"Bearer {token}"}


async def decided(till: Till, count: int, first: int = 0) -> None:
    """So many payments that say nothing but their amount, each given by a person to the invoice that was suggested."""
    names = [f"Client {n}" for n in range(first, first + count)]
    for n, name in enumerate(names, first):
        await till.hear(till.customer(name), till.issued(f"FA-2026-{n:05d}", name, 10_001 + n))
    for n, name in enumerate(names, first):
        payment = await till.pay(f"P{n}", 10_001 + n, f"virement {90_000 + n}", payer_name=f"{name} SARL")
        assert await till.state(payment) == "unmatched"
        wanted = {"allocations": [{"item_id": str(till.item_id(f"FA-2026-{n:05d}"))}]}
        await till.post(f"/v1/payments/{payment}/allocations", wanted, 201)


async def matched(till: Till, n: int) -> str:
    """A payment that the machine matches alone."""
    await till.hear(till.customer(f"Sur {n}"), till.issued(f"FB-2026-{n:05d}", f"Sur {n}", 20_002 + n))
    payment = await till.pay(f"S{n}", 20_002 + n, f"FB-2026-{n:05d}", payer_name="Quelqu'un")
    assert await till.state(payment) == "matched"
    return str(payment)


async def take_back(till: Till, payment: str) -> None:
    standing = (await till.get(f"/v1/payments/{payment}"))["allocations"][0]["allocation_id"]
    await till.delete(f"/v1/payments/{payment}/allocations/{standing}")


async def test_a_calibration_of_fewer_than_fifty_outcomes_is_refused(till: Till) -> None:
    refused = await till.post(PATH, {"why": "first try"}, 422)
    assert refused["code"] == "too_few_outcomes"
    found = await till.get(PATH)
    assert (found["calibrations"], found["own_error"], found["least_odds"]) == ([], None, None)


async def test_a_shadow_acts_on_nothing_until_a_person_says_so_and_a_rollback_brings_back_what_was(till: Till) -> None:
    await decided(till, 52)
    made = await till.post(PATH, {"why": "a month of decisions", "least_odds": 40}, 201)
    shadow = made["calibrations"][0]
    assert (shadow["state"], shadow["outcomes"], made["least_odds"]) == ("shadow", 52, None)
    assert shadow["error"] < made["own_error"], "it knows this tenant's people"
    await matched(till, 1)
    again = await till.post(PATH, {"why": "a better one", "least_odds": 39}, 201)
    assert [one["why"] for one in again["calibrations"]] == ["a better one"], "one shadow at a time"
    identity = again["calibrations"][0]["calibration_id"]
    for path in (f"{PATH}/{identity}/activate", f"{PATH}/rollback"):
        assert (await till.post(path, {}, 403, headers=a(till, "treasurer")))["code"] == "forbidden"
        assert (await till.post(path, {}, 403))["code"] == "forbidden", "a key is no manager"
    acts = await till.post(f"{PATH}/{identity}/activate", {}, headers=a(till, "manager"))
    assert acts["least_odds"] == 39
    await till.post(f"{PATH}/{identity}/activate", {}, 409, headers=a(till, "manager"))
    await till.hear(till.customer("Dupont"), till.issued("FC-2026-00001", "Dupont", 70_007))
    held = await till.pay("H1", 70_007, "FC-2026-00001")
    assert await till.state(held) == "unmatched"
    shown = (await till.get(f"/v1/payments/{held}/suggestions"))["suggestions"][0]
    assert shown["unsure"] == ["below_threshold"]
    back = await till.post(f"{PATH}/rollback", {}, headers=a(till, "administrator"))
    assert (back["least_odds"], back["calibrations"][0]["state"]) == (None, "retired")
    await till.post(f"/v1/payments/{held}/retry", {})
    await till.settle()
    assert await till.state(held) == "matched"
    await till.post(f"{PATH}/rollback", {}, 409, headers=a(till, "manager"))


async def test_two_of_the_machines_latest_matches_taken_back_raise_the_threshold_and_a_person_lowers_it(
    till: Till,
) -> None:
    payments = [await matched(till, n) for n in range(4)]
    await take_back(till, payments[0])
    assert (await till.get(PATH))["least_odds"] is None, "one is no pattern"
    await take_back(till, payments[1])
    found = await till.get(PATH)
    assert found["least_odds"] == pytest.approx(found["calibrations"][0]["least_odds"])
    assert (found["calibrations"][0]["why"], found["calibrations"][0]["made_by"]) == ("canary: 2 wrong", "machine")
    await till.hear(till.customer("Dupont"), till.issued("FC-2026-00001", "Dupont", 70_007))
    held = await till.pay("H1", 70_007, "FC-2026-00001", payer_name="Quelqu'un")
    assert await till.state(held) == "unmatched"
    assert (await till.post(f"{PATH}/rollback", {}, headers=a(till, "administrator")))["least_odds"] is None
    till.clock.advance(timedelta(minutes=1))
    try:
        await take_back(till, payments[2])
        assert (await till.get(PATH))["least_odds"] is None, "what was known then was weighed then"
        await take_back(till, payments[3])
        assert (await till.get(PATH))["least_odds"] is not None
    finally:
        till.clock.advance(timedelta(minutes=-1))
    await till.balanced()


async def test_what_a_person_rejects_or_leaves_on_account_counts_against_the_suggestion(till: Till) -> None:
    await till.hear(till.customer("Dupont"), till.issued("FA-1", "Dupont", 10_000))
    one = await till.pay("P1", 10_000, "virement")
    await till.post(f"/v1/payments/{one}/suggestions/reject", {})
    assert (await till.get(PATH))["outcomes"] == 1
    await till.post(f"/v1/payments/{one}/retry", {})
    await till.settle()
    assert (await till.get(PATH))["outcomes"] == 0
    await till.post(f"/v1/payments/{one}/account", {"debtor_id": str(till.debtor("Dupont"))})
    assert (await till.get(PATH))["outcomes"] == 1


async def test_a_match_of_the_machines_counts_as_right_after_two_weeks(till: Till) -> None:
    await matched(till, 1)
    assert (await till.get(PATH))["outcomes"] == 0
    till.clock.advance(timedelta(days=15))
    try:
        found = await till.get(PATH)
    finally:
        till.clock.advance(timedelta(days=-15))
    assert found["outcomes"] == 1
    assert found["own_error"] == pytest.approx(0.0002, abs=0.0001)
