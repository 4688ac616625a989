"""The world of a micro-batch: everything the store knows that bears on these payments, looked up in sets.

Protects: what one payment of the batch takes, the next one no longer sees. Residuals and versions run along as plans
are made; when the items are locked, a version that is not the planned one sends the payment back to wait.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from services.payment_matching.allocation import Line
from services.payment_matching.evidence import (
    Awaited,
    Booked,
    Evidence,
    Hit,
    Item,
    Known,
    Provider,
    Quoted,
    Read,
    Receipt,
    groups,
    name_key,
    overlap,
    quotes,
    read,
    unread_places,
    whole_name,
)
from services.payment_matching.hypotheses import ordered, propose, unconverted
from services.payment_matching.near import near
from services.payment_matching.scoring import Reading
from services.payment_matching.store import candidates, debtors, habits, plans, providers
from services.payment_matching.store.candidates import HITS, OF_PAYER, Claimed, KeyHit

Key = tuple[UUID, UUID]
OF_PAYMENT = 1_000
"""Items of payers that one payment may bring in, whatever its account pays for."""
SURE_KINDS = {"number", "reference", "digits"}
PART_KINDS = {"group", "digits"}
WHOLE = {"number": 6, "reference": 9}
"""Digits from which on one of digits alone is not met by chance."""
PART = 5
"""Digits at an end of a longer number that name an item of a payer whom we know."""


@dataclass
class World:
    """What was found; `items` carries the residual and `versions` the version that the plans so far leave."""

    claimed: list[Claimed]
    reads: list[Read]
    items: dict[Key, Item] = field(default_factory=dict)
    versions: dict[Key, int] = field(default_factory=dict)
    hits: dict[int, list[KeyHit]] = field(default_factory=dict)
    payers: dict[int, list[Known]] = field(default_factory=dict)
    like_amount: dict[tuple[int, str], list[UUID]] = field(default_factory=dict)
    """(payment, currency) → items that owe just what it is in that currency."""
    of_payer: dict[Key, list[UUID]] = field(default_factory=dict)
    habit: set[habits.Number] = field(default_factory=set)
    """Numbers that payers write again and again and that name nothing that they pay."""
    providers: dict[int, Provider] = field(default_factory=dict)
    awaited: dict[Key, list[Awaited]] = field(default_factory=dict)
    """(tenant, payer) → what its plans wait for next."""

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
    """Seven look-ups for the whole batch: keys, providers, identities, plans, equal amounts, habits, and what the
    payers found owe."""
    reads = [read(one.remittance, one.structured, one.end_to_end_id) for one in claimed]
    world = World(list(claimed), reads)
    asked = [(n, one.tenant_id, reads[n].keys) for n, one in enumerate(claimed)]
    for hit in await candidates.hits(db, asked):
        world.hits.setdefault(hit.ord, []).append(hit)
    accounts = [(n, one.tenant_id, one.payer_iban, one.currency) for n, one in enumerate(claimed) if one.payer_iban]
    world.providers = await providers.of(db, accounts)
    await _payers(db, world)
    world.awaited = await plans.awaited(
        db, {(claimed[n].tenant_id, known.payer_id) for n, found in world.payers.items() for known in found}
    )
    amounts = [(n, one.tenant_id, one.currency, one.unapplied) for n, one in enumerate(claimed)]
    amounts += [
        (n, one.tenant_id, one.instructed_currency, one.instructed)
        for n, one in enumerate(claimed)
        if one.instructed_currency and one.instructed
    ]
    for n, currency, item in await candidates.like_amount(db, amounts):
        world.like_amount.setdefault((n, currency), []).append(item)
    await _items(db, world)
    numbers = [
        (one.tenant_id, world.reads[n].pieces[place]) for n, one in enumerate(claimed) for place in _loose(world, n)
    ]
    world.habit = await habits.common(db, numbers)
    return world


def _loose(world: World, n: int) -> list[int]:
    """Places of numbers that no number or reference found in full covers."""
    text = world.reads[n]
    spans = [text.keys[hit.key] for hit in world.hits.get(n, []) if hit.kind not in PART_KINDS]
    return unread_places(text, spans, world.claimed[n].unapplied)


async def _payers(db: AsyncConnection, world: World) -> None:
    named = {(one.tenant_id, one.debtor_id) for one in world.claimed if one.debtor_id}
    pays = await debtors.payers(db, named) if named else {}
    values = []
    for n, one in enumerate(world.claimed):
        if one.debtor_id:
            payer = pays.get((one.tenant_id, one.debtor_id), one.debtor_id)
            world.payers.setdefault(n, []).append(Known(payer, "named", True))
        # A provider's account is no customer's, whatever it was taken for before.
        if one.payer_iban and n not in world.providers:
            values.append((n, one.tenant_id, "iban", one.payer_iban))
        if name := name_key(one.payer_name):
            values.append((n, one.tenant_id, "name", name))
    found = await candidates.payers(db, values)
    wholes = {n: whole_name(one.payer_name) for n, one in enumerate(world.claimed)}
    # With its legal form a name is nobody's who has another one.
    exact = {hit.ord for hit in found if hit.kind == "name" and hit.whole == wholes[hit.ord]}
    for hit in found:
        if hit.kind == "iban" or hit.ord not in exact or hit.whole == wholes[hit.ord]:
            world.payers.setdefault(hit.ord, []).append(Known(hit.payer_id, hit.kind, hit.confirmed, hit.times))


async def _items(db: AsyncConnection, world: World) -> None:
    """The items that are named; and for whom these do not settle it already, what the payers owe and who owes just as
    much."""
    tenants = [one.tenant_id for one in world.claimed]
    seen = await candidates.items(db, {(tenants[n], item) for n in range(len(tenants)) for item in _named(world, n)})
    open_ = [n for n in range(len(tenants)) if not _sure(world, n, seen)]
    theirs = await candidates.of_payers(db, _wanted(world, open_))
    for key, (item, _) in theirs.items():
        world.of_payer.setdefault((key[0], item.payer_id), []).append(item.item_id)
    seen |= theirs
    alike = {(tenants[n], item) for (n, _), found in world.like_amount.items() if n in open_ for item in found}
    seen |= await candidates.items(db, alike - seen.keys())
    world.items = {key: item for key, (item, _) in seen.items()}
    world.versions = {key: version for key, (_, version) in seen.items()}


def _named(world: World, n: int) -> list[UUID]:
    """The items that keys of the text name. A part of a number that is named in full names nothing by itself: whoever
    else has a serial or a year like it is not looked up."""
    text = world.reads[n]
    hits = [hit for hit in world.hits.get(n, []) if not hit.credit]
    places = {place for hit in hits if _in_full(hit) for place in range(*text.keys[hit.key])}
    return [hit.item_id for hit in hits if hit.kind != "group" or not places.issuperset(range(*text.keys[hit.key]))]


def _in_full(hit: KeyHit) -> bool:
    """Whether a key is a whole number or reference that is not met by chance."""
    return hit.kind in WHOLE and (not hit.key.isdigit() or len(hit.key) >= WHOLE[hit.kind])


def _wanted(world: World, open_: Sequence[int]) -> dict[Key, int]:
    """Whose items are to be seen, and how many at most: the more an account pays for, the fewer of each."""
    wanted: dict[Key, int] = {}
    for n in open_:
        payers, tenant = {known.payer_id for known in world.payers.get(n, [])}, world.claimed[n].tenant_id
        most = min(OF_PAYER, OF_PAYMENT // max(1, len(payers)))
        wanted |= {(tenant, payer): max(most, wanted.get((tenant, payer), 0)) for payer in payers}
    return wanted


def _sure(world: World, n: int, seen: candidates.Seen) -> bool:
    """Whether what is surely named sums to the amount, and nobody else seems to pay: then nothing else that the payer
    owes can outweigh it."""
    one, hits = world.claimed[n], world.hits.get(n, [])
    named = {(one.tenant_id, hit.item_id) for hit in hits if hit.kind in SURE_KINDS and not hit.credit}
    items = [seen[key][0] for key in named if key in seen and seen[key][0].currency == one.currency]
    known = {payer.payer_id for payer in world.payers.get(n, [])}
    if known and not known & {item.payer_id for item in items}:
        return False
    return bool(items) and sum(item.residual for item in items) == one.unapplied


def readings(world: World, n: int) -> list[Reading]:
    """Payment number `n` of the batch, as the pure rules want it: in its account's currency, in the one it was ordered
    in, and in those of items that its text surely names and of which the bank told no amount."""
    one, text = world.claimed[n], world.reads[n]
    receipt = Receipt(one.payment_id, one.entity_id, one.unapplied, one.currency, one.value_on, text)
    evidence = _evidence(world, n, receipt)
    found = [Reading(receipt, evidence, propose(receipt, evidence))]
    booked = Booked(one.unapplied, one.currency, one.exchange_rate)
    for currency in _abroad(world, n):
        told = one.instructed if currency == one.instructed_currency else None
        there = replace(receipt, amount=told or 0, currency=currency, booked=booked)
        known = _evidence(world, n, there)
        may = ordered(there, known, one.unapplied) if told else unconverted(known, one.unapplied)
        found.append(Reading(there, known, may))
    return found


def _abroad(world: World, n: int) -> list[str]:
    """The other currencies that payment number `n` may be read in."""
    one = world.claimed[n]
    hits = [hit for hit in world.hits.get(n, ()) if hit.kind in SURE_KINDS and not hit.credit]
    named = (found for hit in hits if (found := world.items.get((one.tenant_id, hit.item_id))) and found.residual)
    currencies = {item.currency for item in named}
    if one.instructed and one.instructed_currency:
        currencies.add(one.instructed_currency)
    return sorted(currencies - {one.currency})


def _evidence(world: World, n: int, receipt: Receipt) -> Evidence:
    """All that is known of payment number `n` read in this currency, with what earlier payments of the batch have taken
    already gone."""
    one, text = world.claimed[n], world.reads[n]
    payers = _once(world.payers.get(n, []))
    mine = [item for known in payers for item in world.of_payer.get((one.tenant_id, known.payer_id), [])]
    like = world.like_amount.get((n, receipt.currency), [])
    named = [hit.item_id for hit in world.hits.get(n, [])]
    found = {i: world.items[one.tenant_id, i] for i in (*mine, *like, *named) if (one.tenant_id, i) in world.items}
    owing = {i: item for i, item in found.items() if item.residual > 0 and item.currency == receipt.currency}
    hits = [*_worth(world.hits.get(n, [])), *_at_home(world, one, text, mine), *_parts(world, one, text, payers, mine)]
    quoted = _meant(world, n, payers, owing, quotes(text, hits, owing))
    paid = _paid(text, world.hits.get(n, []), found, quoted)
    spans = [*(quote.span for quote in quoted.values()), *(text.keys[hit.key] for hit, _ in paid)]
    loose = [place for place in unread_places(text, spans, receipt.amount) if not _habit(world, n, place)]
    slips = _slips(text, loose, payers, [owing[i] for i in mine if i in owing and i not in quoted])
    quoted |= {quote.item_id: quote for quote in slips}
    read_too = {place for quote in slips for place in range(*quote.span)}
    same = sum(1 for i in like if (one.tenant_id, i) not in world.items or _owes(owing.get(i), receipt.amount))
    return Evidence(
        items=owing,
        quoted=quoted,
        closed=tuple(dict.fromkeys(item.number for _, item in paid)),
        payers=tuple(payers),
        same_amount=same,
        unread=tuple(text.pieces[place] for place in loose if place not in read_too),
        provider=world.providers.get(n),
        awaited=tuple(
            plan
            for payer in dict.fromkeys(known.payer_id for known in payers)
            for plan in world.awaited.get((one.tenant_id, payer), ())
        ),
    )


def _owes(item: Item | None, amount: int) -> bool:
    return item is not None and item.residual == amount


def _meant(
    world: World, n: int, payers: Sequence[Known], owing: dict[UUID, Item], quoted: dict[UUID, Quoted]
) -> dict[UUID, Quoted]:
    """The quotes without those by a part of a number that payers write by habit: it is a stranger's by chance."""
    at_home, text = {known.payer_id for known in payers}, world.reads[n]

    def idle(quote: Quoted) -> bool:
        if quote.strength not in PART_KINDS or owing[quote.item_id].payer_id in at_home:
            return False
        places = [place for place in range(*quote.span) if text.pieces[place].isdigit()]
        return bool(places) and all(_habit(world, n, place) for place in places)

    return {item: quote for item, quote in quoted.items() if not idle(quote)}


def said_in_vain(world: World, n: int, read_as: Sequence[Reading], paid: Collection[UUID]) -> set[str]:
    """Numbers that name nothing of what is paid, nor of what its payer owes in any currency: said often, they become
    habit."""
    return set.intersection(*(_in_vain(world, n, each.evidence, paid) for each in read_as))


def _in_vain(world: World, n: int, evidence: Evidence, paid: Collection[UUID]) -> set[str]:
    text, at_home = world.reads[n], {known.payer_id for known in evidence.payers}
    spans = [
        quote.span
        for item, quote in evidence.quoted.items()
        if item in paid or quote.strength not in PART_KINDS or evidence.items[item].payer_id in at_home
    ]
    places = unread_places(text, spans, world.claimed[n].unapplied)
    return {text.pieces[place] for place in places if not _habit(world, n, place)}


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
    return _groups(rows)


def _groups(rows: Sequence[tuple[str, UUID]]) -> list[Hit]:
    counts = Counter(key for key, _ in rows)
    return [Hit(key, "group", item, counts[key]) for key, item in rows]


def _parts(world: World, one: Claimed, text: Read, payers: Sequence[Known], mine: Sequence[UUID]) -> list[Hit]:
    """The serial in a longer number of a payer whom we know for certain: `41299` of its `9502941299`."""
    sure = {known.payer_id for known in payers if known.confirmed}
    said = {bare for piece in text.pieces[: text.said] if piece.isdigit() and len(bare := piece.lstrip("0")) >= PART}
    if not sure or not said:
        return []
    items = (found for item in mine if (found := world.items.get((one.tenant_id, item))) and found.payer_id in sure)
    return _groups([(key, item.item_id) for item in items for key in sorted(said) if _has(item.number, key)])


def _has(number: str, key: str) -> bool:
    found = (group for group in groups(number) if len(group) > len(key))
    return any(group.endswith(key) or group.startswith(key) for group in found)


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
