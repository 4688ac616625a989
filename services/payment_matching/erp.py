"""An ERP's own allocations are authoritative: found, limited to what is owed, and waited for when they come early.

Protects: what the ERP said is never guessed at. A named invoice that is not on record yet keeps its part of the
payment waiting, and so does one that gets nothing by what the ERP said, with a suggestion that says so; the machine
gives no part of such a payment to anything else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment_matching.allocation import Line, Owing, between, in_turn, share
from services.payment_matching.evidence import Item, squeezed
from services.payment_matching.hypotheses import Hypothesis, Shape
from services.payment_matching.scoring import SHOWN, Reason, Weighed
from services.payment_matching.store import candidates
from services.payment_matching.store.candidates import Claimed
from services.payment_matching.world import World

_FIND = text("""
    with given as (
        select * from unnest(cast(:ords as int[]), cast(:tenants as uuid[]), cast(:items as uuid[]),
                             cast(:invoices as uuid[]), cast(:numbers as text[]))
                      as g(ord, tenant_id, item_id, invoice_id, number))
    select g.ord, i.tenant_id, i.item_id from given g
      join open_item i on i.tenant_id = g.tenant_id and i.item_id = g.item_id
     where not i.cancelled
    union
    select g.ord, i.tenant_id, i.item_id from given g
      join open_item i on i.tenant_id = g.tenant_id and i.invoice_id = g.invoice_id
     where not i.cancelled
    union
    select g.ord, i.tenant_id, i.item_id from given g
      join item_key k on k.tenant_id = g.tenant_id and k.key = g.number and k.kind = 'number'
      join open_item i on i.tenant_id = k.tenant_id and i.item_id = k.item_id
     where not i.cancelled
""")
"""One branch for each way of naming an item, each on its index: as one condition with `or` it would read them all."""


NUMBERS = 3
"""Invoices that a suggestion names as the ERP's, at most."""
UNCLEAR = "erp_unclear"
"""What keeps the machine from acting on a suggestion of this kind, and its reason."""


@dataclass
class Resolved:
    """What of an ERP's allocations can be done now, and what waits: for its invoice, or for a person."""

    lines: list[Line] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    unclear: list[Item] = field(default_factory=list)
    """What owes something, is named, and gets nothing by what the ERP said: a person is to say how much."""


async def find(db: AsyncConnection, world: World) -> dict[int, list[UUID]]:
    """For each payment of the batch that came with allocations: the items on record that they name."""
    rows = [(n, one.tenant_id, part) for n, one in enumerate(world.claimed) for part in one.told]
    if not rows:
        return {}
    asked = {
        "ords": [n for n, _, _ in rows],
        "tenants": [tenant for _, tenant, _ in rows],
        "items": [_uuid(part["item_id"]) for _, _, part in rows],
        "invoices": [_uuid(part["invoice_id"]) for _, _, part in rows],
        "numbers": [_key(part["number"]) for _, _, part in rows],
    }
    hits = [(row.ord, (row.tenant_id, row.item_id)) for row in await db.execute(_FIND, asked)]
    seen = await candidates.items(db, {key for _, key in hits} - world.items.keys())
    world.items.update({key: item for key, (item, _) in seen.items()})
    world.versions.update({key: version for key, (_, version) in seen.items()})
    found: dict[int, list[UUID]] = {}
    for n, (_, item) in hits:
        found.setdefault(n, []).append(item)
    return found


def _uuid(value: str | None) -> UUID | None:
    return UUID(value) if value else None


def _key(number: str | None) -> str | None:
    return squeezed(number)[:64] if number else None


def resolve(world: World, one: Claimed, named: Sequence[UUID]) -> Resolved:
    """Each part to the items it names, the oldest instalment first; never more than owed, never more than there is."""
    resolved, available = Resolved(), one.unapplied
    items = {item: world.items[one.tenant_id, item] for item in named}
    if whole := _as_ordered(one, list(items.values())):
        return Resolved(whole)
    left = {item: found.residual for item, found in items.items()}
    for part in one.told:
        meant = [item for item in items.values() if _names(part, item)]
        if not meant:
            resolved.waiting.append(part)
            continue
        owed = [item for item in _in_order(meant) if left[item.item_id]]
        currency = part["currency"] or one.currency
        owing = [
            Owing(item.item_id, item.invoice_id, item.due_on, left[item.item_id])
            for item in owed
            if item.currency == currency
        ]
        lines = _given(part, available, owing)
        if owed and available and not lines:
            resolved.waiting.append(part)
            resolved.unclear += owed
        for line in lines:
            resolved.lines.append(line)
            left[line.item_id] -= line.amount
            available -= line.taken
    return resolved


def _in_order(items: Iterable[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (item.due_on, item.sequence, item.item_id))


def _as_ordered(one: Claimed, items: Sequence[Item]) -> list[Line]:
    """All that the named items owe, where every part asks for that and it is just what was ordered in their currency;
    what was booked is shared over them by their size."""
    plain = all(part["amount"] is None and any(_names(part, item) for item in items) for part in one.told)
    owed = [item for item in _in_order(items) if item.residual]
    if not plain or {item.currency for item in owed} != {one.instructed_currency}:
        return []
    lines = [Line(item.item_id, item.residual) for item in owed]
    return between(lines, one.unapplied) if sum(line.amount for line in lines) == one.instructed else []


def suggested(one: Claimed, unclear: Sequence[Item], others: Sequence[Weighed]) -> tuple[Weighed, ...]:
    """For a person: the items that the ERP named and that get nothing by what it said, a suggestion a currency, with
    the reason; then what else the evidence says."""
    named = {currency: [each for each in unclear if each.currency == currency] for currency in _currencies(unclear)}
    first = [_suggestion(one, items, others) for items in named.values()]
    shown = [found for found in first if found is not None]
    mine = {found.hypothesis.items for found in shown}
    return (*shown, *(each for each in others if each.hypothesis.items not in mine))[:SHOWN]


def _currencies(items: Iterable[Item]) -> list[str]:
    return sorted({item.currency for item in items})


def _suggestion(one: Claimed, items: Sequence[Item], others: Sequence[Weighed]) -> Weighed | None:
    """These items of one currency, with the figures of the evidence if that says the same; None where the payment has
    not a minor unit for one of them."""
    reasons = tuple(
        Reason("erp_unclear", {"number": number, "in": items[0].currency})
        for number in list(dict.fromkeys(item.number for item in items))[:NUMBERS]
    )
    ids = {item.item_id for item in items}
    for each in others:
        if each.hypothesis.items == ids:
            return replace(each, reasons=(*reasons, *each.reasons), unsure=(UNCLEAR,))
    lines = _worth_showing(one, items)
    payers = {item.payer_id for item in items}
    shape: Shape = "partial" if items[0].currency == one.currency else "unconverted"
    chosen = Hypothesis(shape, tuple(lines), payers.pop() if len(payers) == 1 else None)
    even = {"score": 0.0, "share": 0.5, "odds": 0.0}
    found = Weighed(chosen, items[0].currency, kinds=frozenset(), reasons=reasons, unsure=(UNCLEAR,), **even)
    return found if lines else None


def _worth_showing(one: Claimed, items: Sequence[Item]) -> list[Line]:
    """All that there is for what is owed; between two currencies without the smallest items that it has nothing for."""
    if items[0].currency == one.currency:
        return in_turn(one.unapplied, [Owing(i.item_id, i.invoice_id, i.due_on, i.residual) for i in items])
    lines = [Line(item.item_id, item.residual) for item in items]
    while lines and not between(lines, one.unapplied):
        lines.remove(min(lines, key=lambda line: line.amount))
    return between(lines, one.unapplied)


def _given(part: dict[str, Any], available: int, owing: Sequence[Owing]) -> list[Line]:
    """The lines of a part; between two currencies both amounts are the ERP's, and less of one is less of the other."""
    paid = part["paid"]
    if paid is None:
        return in_turn(available if part["amount"] is None else min(available, part["amount"]), owing)
    can = min(available, paid)
    lines = in_turn(share(can, paid, part["amount"]), owing)
    total = sum(line.amount for line in lines)
    return between(lines, can if total == share(can, paid, part["amount"]) else share(total, part["amount"], paid))


def _names(part: dict[str, Any], item: Item) -> bool:
    if part["item_id"]:
        return str(item.item_id) == str(part["item_id"])
    if part["invoice_id"]:
        return str(item.invoice_id) == str(part["invoice_id"])
    return _key(part["number"]) == _key(item.number)
