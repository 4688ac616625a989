"""The world of a micro-batch: everything the store knows that bears on these payments, looked up in sets.

Protects: what one payment of the batch takes, the next one no longer sees. Residuals and versions run along as plans
are made; when the items are locked, a version that is not the planned one sends the payment back to wait.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment_matching.allocation import Line
from services.payment_matching.evidence import (
    Evidence,
    Hit,
    Item,
    Known,
    Quoted,
    Read,
    Receipt,
    groups,
    name_key,
    overlap,
    quotes,
    read,
    unread_places,
)
from services.payment_matching.near import near
from services.payment_matching.store import candidates, debtors, habits
from services.payment_matching.store.candidates import HITS, Claimed, KeyHit

Key = tuple[UUID, UUID]
SURE_KINDS = {"number", "reference", "digits"}


@dataclass
class World:
    """What was found; `items` carries the residual and `versions` the version that the plans so far leave."""

    claimed: list[Claimed]
    reads: list[Read]
    items: dict[Key, Item] = field(default_factory=dict)
    versions: dict[Key, int] = field(default_factory=dict)
    hits: dict[int, list[KeyHit]] = field(default_factory=dict)
    payers: dict[int, list[Known]] = field(default_factory=dict)
    like_amount: dict[int, list[UUID]] = field(default_factory=dict)
    of_payer: dict[Key, list[UUID]] = field(default_factory=dict)
    habit: set[habits.Number] = field(default_factory=set)
    """Numbers that payers write again and again and that name nothing."""

    def take(self, tenant: UUID, lines: Iterable[Line]) -> dict[UUID, int]:
        """Take these parts off; answers the version that each must have before."""
        before: dict[UUID, int] = {}
        for line in lines:
            key = (tenant, line.item_id)
            before.setdefault(line.item_id, self.versions[key])
            self.versions[key] += 1
            self.items[key] = replace(self.items[key], residual=self.items[key].residual - line.amount)
        return before


async def look(db: AsyncConnection, claimed: Sequence[Claimed]) -> World:
    """Five look-ups for the whole batch: keys, identities, equal amounts, habits, and what the payers found owe."""
    reads = [read(one.remittance, one.structured, one.end_to_end_id) for one in claimed]
    world = World(list(claimed), reads)
    asked = [(n, one.tenant_id, reads[n].keys) for n, one in enumerate(claimed)]
    for hit in await candidates.hits(db, asked):
        world.hits.setdefault(hit.ord, []).append(hit)
    await _payers(db, world)
    amounts = [(n, one.tenant_id, one.currency, one.unapplied) for n, one in enumerate(claimed)]
    for n, item in await candidates.like_amount(db, amounts):
        world.like_amount.setdefault(n, []).append(item)
    await _items(db, world)
    numbers = [
        (one.tenant_id, world.reads[n].pieces[place]) for n, one in enumerate(claimed) for place in _loose(world, n)
    ]
    world.habit = await habits.common(db, numbers)
    return world


def _loose(world: World, n: int) -> list[int]:
    """Places of numbers that no key found covers."""
    text = world.reads[n]
    spans = [text.keys[hit.key] for hit in world.hits.get(n, []) if hit.kind != "group"]
    return unread_places(text, spans, world.claimed[n].unapplied)


async def _payers(db: AsyncConnection, world: World) -> None:
    named = {(one.tenant_id, one.debtor_id) for one in world.claimed if one.debtor_id}
    pays = await debtors.payers(db, named) if named else {}
    values = []
    for n, one in enumerate(world.claimed):
        if one.debtor_id:
            payer = pays.get((one.tenant_id, one.debtor_id), one.debtor_id)
            world.payers.setdefault(n, []).append(Known(payer, "named", True))
        if one.payer_iban:
            values.append((n, one.tenant_id, "iban", one.payer_iban))
        if name := name_key(one.payer_name):
            values.append((n, one.tenant_id, "name", name))
    for hit in await candidates.payers(db, values):
        world.payers.setdefault(hit.ord, []).append(Known(hit.payer_id, hit.kind, hit.confirmed, hit.times))


async def _items(db: AsyncConnection, world: World) -> None:
    """The items that are named or owe just this; and what the payers owe, for whom that does not settle it already."""
    named = {
        (one.tenant_id, item)
        for n, one in enumerate(world.claimed)
        for item in (*(hit.item_id for hit in world.hits.get(n, []) if not hit.credit), *world.like_amount.get(n, []))
    }
    seen = await candidates.items(db, named)
    wanted = {
        (one.tenant_id, known.payer_id)
        for n, one in enumerate(world.claimed)
        if not _sure(one, world.hits.get(n, []), seen, world.payers.get(n, []))
        for known in world.payers.get(n, [])
    }
    theirs = await candidates.of_payers(db, wanted)
    for key, (item, _) in theirs.items():
        world.of_payer.setdefault((key[0], item.payer_id), []).append(item.item_id)
    seen |= theirs
    world.items = {key: item for key, (item, _) in seen.items()}
    world.versions = {key: version for key, (_, version) in seen.items()}


def _sure(one: Claimed, hits: Sequence[KeyHit], seen: candidates.Seen, payers: Sequence[Known]) -> bool:
    """Whether what is surely named sums to the amount, and nobody else seems to pay: then nothing else that the payer
    owes can outweigh it."""
    named = {(one.tenant_id, hit.item_id) for hit in hits if hit.kind in SURE_KINDS and not hit.credit}
    items = [seen[key][0] for key in named if key in seen and seen[key][0].currency == one.currency]
    known = {payer.payer_id for payer in payers}
    if known and not known & {item.payer_id for item in items}:
        return False
    return bool(items) and sum(item.residual for item in items) == one.unapplied


def receipt_of(world: World, n: int) -> Receipt:
    """Payment number `n` of the batch, as the pure rules want it."""
    one = world.claimed[n]
    return Receipt(one.payment_id, one.entity_id, one.unapplied, one.currency, one.value_on, world.reads[n])


def evidence_of(world: World, n: int) -> Evidence:
    """All that is known of payment number `n`, with what earlier payments of the batch have taken already gone."""
    one, text = world.claimed[n], world.reads[n]
    payers = _once(world.payers.get(n, []))
    mine = [item for known in payers for item in world.of_payer.get((one.tenant_id, known.payer_id), [])]
    like = world.like_amount.get(n, [])
    named = [hit.item_id for hit in world.hits.get(n, [])]
    found = {i: world.items[one.tenant_id, i] for i in (*mine, *like, *named) if (one.tenant_id, i) in world.items}
    owing = {i: item for i, item in found.items() if item.residual > 0 and item.currency == one.currency}
    hits = [*_worth(world.hits.get(n, [])), *_at_home(world, one, text, mine)]
    quoted = quotes(text, hits, owing)
    paid = _paid(text, world.hits.get(n, []), found, quoted)
    spans = [*(quote.span for quote in quoted.values()), *(text.keys[hit.key] for hit, _ in paid)]
    loose = [place for place in unread_places(text, spans, one.unapplied) if not _habit(world, n, place)]
    slips = _slips(text, loose, payers, [owing[i] for i in mine if i in owing and i not in quoted])
    quoted |= {quote.item_id: quote for quote in slips}
    read_too = {place for quote in slips for place in range(*quote.span)}
    same = sum(1 for i in like if owing.get(i) and owing[i].residual == one.unapplied)
    return Evidence(
        items=owing,
        quoted=quoted,
        closed=tuple(dict.fromkeys(item.number for _, item in paid)),
        payers=tuple(payers),
        same_amount=same,
        unread=tuple(text.pieces[place] for place in loose if place not in read_too),
    )


def _habit(world: World, n: int, place: int) -> bool:
    return (world.claimed[n].tenant_id, world.reads[n].pieces[place]) in world.habit


def _slips(text: Read, loose: Sequence[int], payers: Sequence[Known], items: Sequence[Item]) -> list[Quoted]:
    """What slips of a payer whom we know for certain may mean, among what it owes."""
    sure = {known.payer_id for known in payers if known.confirmed}
    theirs = [item for item in items if item.payer_id in sure and not item.credit]
    return near(text, loose, theirs) if loose and theirs else []


def _once(payers: Sequence[Known]) -> list[Known]:
    """Each payer once a kind, its surest mention."""
    best: dict[tuple[UUID, str], Known] = {}
    for known in payers:
        key = (known.payer_id, known.by)
        if key not in best or (known.confirmed, known.times) > (best[key].confirmed, best[key].times):
            best[key] = known
    return list(best.values())


def _worth(hits: Sequence[KeyHit]) -> list[Hit]:
    """Hits with their frequency; a part of a number that very many have says nothing."""
    counts = Counter((hit.key, hit.kind) for hit in hits)
    of_key = Counter(hit.key for hit in hits)
    return [
        Hit(hit.key, hit.kind, hit.item_id, counts[hit.key, hit.kind])
        for hit in hits
        if hit.kind != "group" or of_key[hit.key] < HITS
    ]


def _at_home(world: World, one: Claimed, text: Read, mine: Sequence[UUID]) -> list[Hit]:
    """Parts of numbers, looked for among the payer's own items: `fact 125` means something at home."""
    said = text.keys.keys()
    rows = [
        (key, item)
        for item in mine
        if (found := world.items.get((one.tenant_id, item)))
        for key in sorted(groups(found.number) & said)
    ]
    counts = Counter(key for key, _ in rows)
    return [Hit(key, "group", item, counts[key]) for key, item in rows]


def _paid(
    text: Read, hits: Sequence[KeyHit], found: dict[UUID, Item], quoted: dict[UUID, Quoted]
) -> list[tuple[KeyHit, Item]]:
    """Items surely named that owe nothing any more, unless the same words mean one that still does.

    `VLO-2026-00692` names that invoice and not `VEM-2026-00692`, although its digits are those of both.
    """
    owing = {quote.key for quote in quoted.values()}
    taken = [quote.span for quote in quoted.values() if quote.strength in ("full", "checked")]
    return [
        (hit, found[hit.item_id])
        for hit in hits
        if hit.kind in SURE_KINDS
        and (len(hit.key) >= 6 or not hit.key.isdigit())
        and hit.key not in owing
        and hit.key in text.keys
        and not any(overlap(text.keys[hit.key], span) for span in taken)
        and hit.item_id in found
        and found[hit.item_id].residual == 0
    ]
