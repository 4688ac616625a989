"""What people have agreed and opened in the last days: a plan of instalments, and disputes that somebody looks into."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from libs.common.demo import wire
from libs.common.demo.company import Sale
from libs.common.demo.office import COLLECTOR, Office
from libs.common.money import from_wire

DISPUTES = (
    ("price", "Le prix facturé n’est pas celui de la commande, avoir demandé"),
    ("quantity", "Deux palettes manquaient à la livraison"),
)
PARTS = 3
MONTH = timedelta(days=30)
CLAUSE = "À défaut d’une échéance, le solde redevient exigible de plein droit."


async def at_the_end(office: Office, sales: Sequence[Sale], day: date) -> None:
    """`sales` are those that nobody has paid or contested. The customer that owes most on several late invoices gets
    a plan; of two others the largest late invoice is disputed."""
    late: dict[str, list[Sale]] = defaultdict(list)
    for sale in sales:
        if sale.due < day:
            late[sale.customer].append(sale)
    by_sum = sorted(late.values(), key=lambda some: (-sum(sale.gross for sale in some), some[0].customer))
    several = [some for some in by_sum if len(some) > 1]
    planned = several[len(several) // 3 : len(several) // 3 + 1]
    for some in planned:
        await _plan(office, some, day)
    others = [some for some in by_sum if some not in planned]
    for (reason, note), some in zip(DISPUTES, others[4:], strict=False):
        await _dispute(office, max(some, key=lambda sale: sale.gross), reason, note)


async def _items(office: Office, sale: Sale) -> list[dict[str, Any]]:
    """What of an invoice is still owed, as the scheduler knows it."""
    found = (await office.get("scheduler", "/v1/items", params={"number": sale.number}))["items"]
    return [each | {"owed": each["residual"] or each["amount"]} for each in found if each["open"]]


async def _plan(office: Office, sales: Sequence[Sale], day: date) -> None:
    items = [item for sale in sales for item in await _items(office, sale)]
    whole = sum(from_wire(item["owed"]).minor for item in items)
    part = whole // PARTS
    parts = [part] * (PARTS - 1) + [whole - part * (PARTS - 1)]
    dates = [day + timedelta(days=10) + MONTH * place for place in range(PARTS)]
    body = {
        "item_ids": [item["item_id"] for item in items],
        "instalments": [
            {"on": on.isoformat(), "amount": wire.euros(cents)} for on, cents in zip(dates, parts, strict=True)
        ],
        "clause": {"words": CLAUSE},
    }
    await office.post("scheduler", "/v1/plans", body, by=COLLECTOR)


async def _dispute(office: Office, sale: Sale, reason: str, note: str) -> None:
    for item in (await _items(office, sale))[:1]:
        body = {"item_id": item["item_id"], "reason": reason, "note": note}
        await office.post("scheduler", "/v1/disputes", body, by=COLLECTOR)
