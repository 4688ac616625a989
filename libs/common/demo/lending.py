"""Credit control of the group: limits from before the play, and at its end what an insurer, a court and two people do.

Cover, proceedings and blocks come last: a promise or a plan of an insured invoice would else have to fit its policy.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from libs.common import ids
from libs.common.demo import wire
from libs.common.demo.company import Customer, Group
from libs.common.demo.office import ADMINISTRATOR, COLLECTOR, MANAGER, TREASURER, Office
from libs.common.demo.stage import Stage
from libs.common.money import from_wire

LIMITED, COVERED = 30, 12
"""Customers with a limit, and those of them that the insurer covers: the ones that buy most."""
STEP = 500_00
"""A limit is a whole number of these."""
DECLARED = 6
TWO_PEOPLE = 500_00
"""Beyond this amount a match by hand takes two people."""
MONTH = timedelta(days=30)


def payer_id(stage: Stage, customer: Customer) -> UUID:
    return ids.debtor_id(stage.tenant, stage.entities[customer.entity], customer.external_id)


def bought(group: Group) -> Counter[str]:
    """What was bought in the twelve months, in cents, by the external id of who pays."""
    found: Counter[str] = Counter()
    for sale in group.sales:
        found[group.customers[sale.customer].head_office or sale.customer] += sale.gross
    return found


def buyers(group: Group) -> list[Customer]:
    """Who pays, those that buy most first."""
    sums = bought(group)
    own = [one for one in group.customers.values() if one.head_office is None]
    return sorted(own, key=lambda one: (-sums[one.external_id], one.external_id))


def limit_of(group: Group, customer: Customer) -> int:
    """Two months and a half of what it buys, in cents; what pays slowly gets half of it."""
    share = bought(group)[customer.external_id] // (10 if customer.profile == "slow" else 5)
    return max(STEP, -(-share // STEP) * STEP)


async def set_limits(office: Office, stage: Stage, group: Group, day: date) -> None:
    """A collector enters the limits, a manager approves them."""
    await asyncio.gather(*(_limit(office, stage, group, one, day) for one in buyers(group)[:LIMITED]))


async def _limit(office: Office, stage: Stage, group: Group, customer: Customer, day: date) -> None:
    body = _limit_body(stage, customer, limit_of(group, customer), day, "Revue annuelle des encours")
    made = await office.post("scheduler", "/v1/credit/limits", body, by=COLLECTOR)
    await office.post("scheduler", f"/v1/credit/limits/{made['limit_id']}/approve", by=MANAGER)


def _limit_body(stage: Stage, customer: Customer, cents: int, day: date, reason: str) -> dict[str, Any]:
    about = {"payer_id": str(payer_id(stage, customer)), "amount": wire.euros(cents)}
    return about | {"valid_from": day.isoformat(), "reason": reason}


async def at_the_end(office: Office, stage: Stage, group: Group, day: date) -> None:
    """What stands on the desk on the last day: cover, declarations, blocks, proceedings and a match for two."""
    first, *rest = buyers(group)[:LIMITED]
    over = await _over(office, stage, rest)
    await asyncio.gather(
        _insured(office, stage, group, day),
        _asked(office, stage, group, first, over, day=day),
        _insolvent(office, stage, buyers(group)[LIMITED], day),
        _two_people(office, stage),
    )


async def _over(office: Office, stage: Stage, customers: Sequence[Customer]) -> list[str]:
    """Payers beyond their limit, those that are the furthest beyond it first."""
    named = {"payer_id": [str(payer_id(stage, one)) for one in customers], "limit": 200}
    told = (await office.get("scheduler", "/v1/credit/accounts", params=named))["items"]
    used = {each["payer_id"]: max(figure["used_percent"] or 0 for figure in each["figures"] or [{"used_percent": 0}])
            for each in told}  # fmt: skip
    return sorted(used, key=lambda payer: (-used[payer], payer))


async def _asked(
    office: Office, stage: Stage, group: Group, first: Customer, over: Sequence[str], *, day: date
) -> None:
    """One payer is not delivered any more; for another that is asked for, and a higher limit for the largest."""
    for payer in over[:2]:
        asked = await office.post("scheduler", "/v1/credit/blocks", _block(payer), by=COLLECTOR)
        if payer == over[0]:
            path = f"/v1/credit/blocks/{asked['block_id']}/approve"
            await office.post("scheduler", path, {"why": "Aucune livraison avant règlement"}, by=MANAGER)
    more = _limit_body(stage, first, 2 * limit_of(group, first), day, "Commande exceptionnelle annoncée")
    await office.post("scheduler", "/v1/credit/limits", more, by=COLLECTOR)


def _block(payer: str) -> dict[str, str]:
    return {"payer_id": payer, "act": "block", "reason": "Encours au-delà de la limite, relances sans réponse"}


async def _insured(office: Office, stage: Stage, group: Group, day: date) -> None:
    """One policy covers the largest customers; of what was declared under it the insurer answered most."""
    terms = {"name": "Police 2026", "insurer": "Prudence Crédit", "extension_days": 60, "declaration_days": 150}
    made = await office.post("scheduler", "/v1/credit/insurers", terms | {"claim_days": 60}, by=MANAGER)
    since = date(day.year - 1, 1, 1).isoformat()
    covers = [
        {"payer_id": str(payer_id(stage, one)), "terms_id": made["terms_id"], "valid_from": since,
         "amount": wire.euros(limit_of(group, one)), "reference": f"PC-{one.external_id}"}
        for one in buyers(group)[:COVERED]
    ]  # fmt: skip
    await asyncio.gather(*(office.post("scheduler", "/v1/credit/covers", each, by=MANAGER) for each in covers))
    due = (await office.get("scheduler", "/v1/credit/deadlines", params={"limit": DECLARED}))["items"]
    for place, item in enumerate(due):
        await _declared(office, item, place, day)


async def _declared(office: Office, item: dict[str, Any], place: int, day: date) -> None:
    """An invoice that was declared a month or two ago, and what the insurer said since."""
    on = max(date.fromisoformat(item["due_date"]), day - 2 * MONTH) + place * timedelta(days=3)
    body = {
        "item_ids": [item["item_id"]],
        "declared_on": min(on, day).isoformat(),
        "reference": f"DI-2026-{40 + place}",
    }
    await office.post("scheduler", "/v1/credit/declarations", body, by=COLLECTOR)
    said: dict[str, Any] = {"answered_on": day.isoformat(), "reference": f"SIN-{8110 + place}"}
    paid = wire.euros(from_wire(item["owed"]).minor * 9 // 10)
    answers: dict[int, dict[str, Any]] = {
        0: {"outcome": "refused", "note": "Déclaration hors délai"},
        1: {"outcome": "accepted"},
        2: {"outcome": "indemnified", "amount": paid, "note": "Quotité garantie de 90 %"},
    }
    if place in answers:
        path = f"/v1/credit/declarations/{item['item_id']}/answers"
        await office.post("scheduler", path, said | answers[place], by=COLLECTOR)


async def _insolvent(office: Office, stage: Stage, customer: Customer, day: date) -> None:
    """A court has opened proceedings: nothing is chased there any more, the claim is to be filed in time."""
    told = {"payer_id": str(payer_id(stage, customer)), "kind": "receivership", "trustee": "Me Solène Aubertin"}
    days = {"judgment_on": (day - MONTH).isoformat(), "published_on": (day - timedelta(days=18)).isoformat()}
    await office.post("scheduler", "/v1/credit/insolvencies", told | days, by=COLLECTOR)


async def _two_people(office: Office, stage: Stage) -> None:
    """The amount beyond which two people decide, and the largest payment that is left, matched by one of them."""
    for entity in stage.entities.values():
        body = {"entity_id": str(entity), "above": wire.euros(TWO_PEOPLE)}
        await office.call("PUT", "payment_matching", "/v1/matching/two-people", json=body, by=ADMINISTRATOR)
    listed = await office.get("payment_matching", "/v1/payments", params={"state": "unmatched", "limit": 100})
    for payment in sorted(listed["payments"], key=lambda each: -from_wire(each["amount"]).minor)[:1]:
        path = f"/v1/payments/{payment['payment_id']}"
        found = (await office.get("payment_matching", f"{path}/suggestions"))["suggestions"]
        lines = [{"item_id": item["item_id"], "amount": item["amount"]} for item in found[0]["items"]]
        await office.post("payment_matching", f"{path}/allocations", {"allocations": lines}, by=TREASURER)
