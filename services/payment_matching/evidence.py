"""Evidence: what a payment's text, payer and amount say about the items it may pay.

Protects: the same text gives the same keys for an item and for a payment, whatever the dressing; nothing of a
numbering scheme is assumed. Every run of letters or digits is a piece; an invoice number is a row of pieces, so
`FA-2026/000123`, `fa2026 000123` and `FA2026000123REF` meet. How much a key is worth, its frequency decides
(Fellegi and Sunter 1969, with term frequency), not its form.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from typing import Literal
from uuid import UUID

from libs.common import creditor_reference
from services.payment_matching import references

KeyKind = Literal["number", "digits", "group", "reference", "order"]
Strength = Literal["checked", "full", "digits", "order", "group", "near"]
STRENGTHS: dict[str, int] = {"checked": 5, "full": 4, "digits": 3, "order": 2, "group": 1, "near": 0}

MOST_KEYS = 120
MOST_PIECES = 60
JOINED = 6
_OF_REFERENCE = 25
"""Pieces that an RF reference has at most: it has as many characters."""
_PIECE = re.compile(r"[A-Z]+|[0-9]+", re.ASCII)
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_WORD = re.compile(r"[A-Z0-9]+", re.ASCII)
_DATE = re.compile(
    r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])|[0-3][0-9](?:0[1-9]|1[0-2])(?:19|20)[0-9]{2}"
)
_LEGAL_FORMS = frozenset(
    "SARL SA SAS SASU EURL SNC SCI SCOP SCA EI EIRL GIE GMBH AG KG UG LTD LIMITED PLC LLP LLC INC CORP BV NV SPRL SRL "
    "SPA SL AB AS OY APS ETS ETABLISSEMENTS STE SOCIETE CIE COMPANY CO MR MME M MLLE MONSIEUR MADAME".split()
)


@lru_cache(maxsize=20_000)
def plain(text: str) -> str:
    """Capitals without accents."""
    if text.isascii():
        return text.upper()
    bare = unicodedata.normalize("NFKD", text)
    return "".join(c for c in bare if not unicodedata.combining(c)).upper()


def squeezed(text: str) -> str:
    """Letters and digits alone, in capitals."""
    return "".join(_WORD.findall(plain(text)))


def name_key(name: str | None) -> str:
    """A name's words without legal forms, sorted: `Dupont SARL` and `SARL DUPONT` are one. Empty when none is left."""
    words = _WORD.findall(plain(name or ""))
    return " ".join(sorted({word for word in words if word not in _LEGAL_FORMS} or set(words)))[:200]


def whole_name(name: str | None) -> str:
    """A name's words with its legal form, sorted: it tells `Dupont SARL` from `Dupont SAS`."""
    return " ".join(sorted(set(_WORD.findall(plain(name or "")))))[:200]


def item_keys(number: str, reference: str | None, order: str | None) -> set[tuple[str, KeyKind]]:
    """Every key an item can be found by: its number, its digits, its groups of digits, its reference, its order."""
    found: set[tuple[str, KeyKind]] = set()
    whole = squeezed(number)
    groups = [piece for piece in _PIECE.findall(plain(number)) if piece.isdigit()]
    digits = "".join(groups)
    if len(whole) >= 3:
        found.add((whole, "number"))
    if len(digits) >= 5 and digits != whole:
        found.add((digits.lstrip("0"), "digits"))
    found |= {(bare, "group") for group in groups if len(bare := group.lstrip("0")) >= 3 and bare != whole}
    if reference:
        found.add((references.normal(reference), "reference"))
    if order and len(squeezed(order)) >= 4:
        found.add((squeezed(order), "order"))
    return {(key[:64], kind) for key, kind in found if key}


@lru_cache(maxsize=100_000)
def groups(number: str) -> frozenset[str]:
    """The digit groups of a number that may name it among its payer's own items: 3 digits or more, bare of zeros."""
    return frozenset(bare for group in _DIGITS.findall(number) if len(bare := group.lstrip("0")) >= 3)


@dataclass(frozen=True, slots=True)
class Read:
    """A payment's text, read: keys to look up with the pieces each covers, and what the pieces are."""

    keys: Mapping[str, tuple[int, int]]
    """Key → (first piece, piece after the last)."""
    pieces: tuple[str, ...]
    checked: frozenset[str]
    """Keys that are structured references whose check digits hold, and the numbers that RF references say."""
    long: bool
    """At a bank's length limit, a multiple of 35 up to 140 or beyond: something may be cut off."""
    said: int
    """How many of the pieces the payer wrote as text; those after it are its system's own reference."""


def read(remittance: str | None, structured: Sequence[str] = (), end_to_end: str | None = None) -> Read:
    """Read the text, the structured references and the end-to-end id of a payment.

    The end-to-end id is the payer's own: it may name an invoice, but its numbers ask for no explanation.
    """
    said = _PIECE.findall(plain(remittance or ""))[:MOST_PIECES]
    pieces = [*said, *_PIECE.findall(plain(end_to_end or ""))][:MOST_PIECES]
    keys: dict[str, tuple[int, int]] = {}
    for reference in structured:
        keys.setdefault(references.normal(reference)[:64], (-1, -1))
    ours = _issued_by_us(keys, pieces)
    for width in range(1, JOINED + 1):
        for start in range(len(pieces) - width + 1):
            _join(keys, pieces, start, start + width)
    kept = dict(list(keys.items())[:MOST_KEYS])
    checked = frozenset(key for key in kept if len(key) >= 10 and references.is_strong(key))
    structured_keys = {references.normal(reference)[:64] for reference in structured}
    proved = frozenset(key for key in kept if key in structured_keys and references.scheme(key))
    return Read(kept, tuple(pieces), checked | proved | ours, _at_limit(len(remittance or "")), len(said))


def _issued_by_us(keys: dict[str, tuple[int, int]], pieces: Sequence[str]) -> set[str]:
    """Add the numbers that RF references whose check digits hold are made of: so reminders print them."""
    found = {creditor_reference.number(key): span for key, span in keys.items() if creditor_reference.holds(key)}
    for start in (place for place, piece in enumerate(pieces) if piece == "RF"):
        for end in range(start + 2, min(len(pieces), start + _OF_REFERENCE) + 1):
            whole = "".join(pieces[start:end])
            if creditor_reference.holds(whole):
                found.setdefault(creditor_reference.number(whole), (start, end))
    for name, span in found.items():
        keys.setdefault(name, span)
    return set(found)


def _at_limit(length: int) -> bool:
    return length >= 135 or (length >= 69 and length % 35 in (0, 34))


def _join(keys: dict[str, tuple[int, int]], pieces: Sequence[str], start: int, end: int) -> None:
    row = pieces[start:end]
    whole = "".join(row)
    if not 3 <= len(whole) <= 64:
        return
    if end - start == 1:
        if whole[0] <= "9":
            keys.setdefault(whole, (start, end))
            if len(bare := whole.lstrip("0")) >= 3:
                keys.setdefault(bare, (start, end))
        return
    if not whole.isalpha():
        keys.setdefault(whole, (start, end))
    if row[0][0] <= "9" and row[-1][0] <= "9":
        digits = "".join(piece for piece in row if piece[0] <= "9").lstrip("0")
        if len(digits) >= 3:
            keys.setdefault(digits, (start, end))


@dataclass(frozen=True, slots=True)
class Item:
    """An open item, or a credit note with something left, as matching sees it. Amounts in minor units, positive."""

    item_id: UUID
    invoice_id: UUID
    entity_id: UUID
    debtor_id: UUID
    payer_id: UUID
    number: str
    currency: str
    residual: int
    issued_on: date
    due_on: date
    sequence: int = 1
    credit: bool = False
    discount: int = 0
    """What of it a payment by `discount_until` may leave out."""
    discount_until: date | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A key of the text that names an item."""

    key: str
    kind: KeyKind
    item_id: UUID
    count: int
    """How many items of the tenant have this key, up to the bound of the look-up."""


@dataclass(frozen=True, slots=True)
class Quoted:
    """An item as the text names it: how surely, and which pieces say so."""

    item_id: UUID
    strength: Strength
    key: str
    count: int
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Known:
    """A payer that an account number or a name points to."""

    payer_id: UUID
    by: Literal["named", "iban", "name"]
    """named: the source itself said whose money it is."""
    confirmed: bool
    times: int = 0


@dataclass(frozen=True, slots=True)
class Provider:
    """A payment provider whose account sent the money: it pays out what many paid, less its fees."""

    name: str
    share: int
    """Basis points of the items' sum that it may keep at most."""
    each: int
    """Minor units an item that it may keep besides."""

    def most(self, total: int, count: int) -> int:
        """The most that it may keep of so many items, in minor units."""
        return total * self.share // 10_000 + self.each * count


@dataclass(frozen=True, slots=True)
class Awaited:
    """The next payment of an agreed plan of the payer, for these items."""

    currency: str
    since: date
    """The day of the agreement: money from before it is no payment of the plan."""
    amount: int
    """What of the instalment is still to come, in minor units."""
    item_ids: frozenset[UUID]


def next_part(parts: Iterable[tuple[str, int]], paid: int) -> int | None:
    """Of instalments (day, minor units): what is left of the first that `paid` does not cover."""
    for _, minor in sorted(parts):
        if paid < minor:
            return minor - paid
        paid -= minor
    return None


@dataclass(frozen=True, slots=True)
class Booked:
    """What the bank booked of a payment that is matched in another currency, and the rate that it told."""

    amount: int
    currency: str
    rate: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The money to match: what is left of one payment."""

    payment_id: UUID
    entity_id: UUID
    amount: int
    currency: str
    value_on: date
    read: Read
    booked: Booked | None = None
    """Read in another currency than the account's: `amount` is what the payer ordered then, 0 where nobody told."""


@dataclass(frozen=True)
class Evidence:
    """All that is known of one receipt."""

    items: Mapping[UUID, Item]
    """Open items and credits of the payers and quotes below, by id."""
    quoted: Mapping[UUID, Quoted] = field(default_factory=dict)
    closed: tuple[str, ...] = ()
    """Numbers of items quoted that owe nothing any more."""
    payers: tuple[Known, ...] = ()
    same_amount: int = 0
    """How many open items of the tenant owe exactly this amount, up to the bound of the look-up."""
    unread: tuple[str, ...] = ()
    """Numbers of the text that nothing explains."""
    provider: Provider | None = None
    awaited: tuple[Awaited, ...] = ()

    @cached_property
    def sure(self) -> tuple[Quoted, ...]:
        """What the text surely names: by its digits at least."""
        return tuple(one for one in self.quoted.values() if STRENGTHS[one.strength] >= STRENGTHS["digits"])

    @cached_property
    def owed_by(self) -> Mapping[UUID, tuple[Item, ...]]:
        """The items and credits above by who pays them."""
        found: dict[UUID, list[Item]] = {}
        for item in self.items.values():
            found.setdefault(item.payer_id, []).append(item)
        return {payer: tuple(items) for payer, items in found.items()}


def quotes(read: Read, hits: Iterable[Hit], open_items: Mapping[UUID, Item]) -> dict[UUID, Quoted]:
    """The strongest quote of each open item. A quote inside stronger ones (a year, a serial, the end of one number and
    the start of the next) says nothing more."""
    best: dict[UUID, Quoted] = {}
    for hit in hits:
        if hit.item_id not in open_items or hit.key not in read.keys:
            continue
        found = Quoted(hit.item_id, _strength(read, hit), hit.key, hit.count, read.keys[hit.key])
        known = best.get(hit.item_id)
        if known is None or _rank(found) > _rank(known):
            best[hit.item_id] = found
    stronger = _said_more_surely(best.values())
    return {item: quote for item, quote in best.items() if not _covered(quote, stronger)}


def _strength(read: Read, hit: Hit) -> Strength:
    if hit.kind == "reference":
        return "checked" if hit.key in read.checked else _unchecked(hit.key)
    if hit.kind == "number":
        if hit.key in read.checked:
            return "checked"
        # A number that is all digits and short is met by chance: a date, a postcode, a price.
        return "full" if len(hit.key) >= 6 or not hit.key.isdigit() else "group"
    if hit.kind == "order":
        return "order"
    return "digits" if hit.kind == "digits" else "group"


def _unchecked(reference: str) -> Strength:
    """A reference met in free text: digits alone are met by chance unless there are many of them."""
    if not reference.isdigit() or len(reference) >= 9:
        return "full"
    return "digits" if len(reference) >= 7 else "group"


def _rank(quote: Quoted) -> tuple[int, int, int]:
    """Of two quotes as strong, the rarer says more: the serial, and not the year beside it."""
    return STRENGTHS[quote.strength], -quote.count, len(quote.key)


def _said_more_surely(quotes: Iterable[Quoted]) -> dict[int, set[int]]:
    """For every strength, the pieces of the text that stronger quotes use. Once for all: a year may quote hundreds."""
    places: dict[int, set[int]] = {}
    for quote in quotes:
        places.setdefault(STRENGTHS[quote.strength], set()).update(range(*quote.span))
    above: set[int] = set()
    found = {}
    for strength in sorted(places, reverse=True):
        found[strength] = set(above)
        above |= places[strength]
    return found


def _covered(quote: Quoted, stronger: Mapping[int, set[int]]) -> bool:
    places = range(*quote.span)
    return bool(places) and stronger[STRENGTHS[quote.strength]].issuperset(places)


def overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two quotes use a piece of the text in common: then only the stronger was meant."""
    return one[0] < other[1] and other[0] < one[1]


def unread(read: Read, spans: Iterable[tuple[int, int]], amount: int) -> tuple[str, ...]:
    """Numbers of four digits or more that no quote covers and that are no date and not the amount itself."""
    return tuple(read.pieces[place] for place in unread_places(read, spans, amount))


def unread_places(read: Read, spans: Iterable[tuple[int, int]], amount: int) -> list[int]:
    """Where in the text those numbers stand."""
    covered = {place for start, end in spans for place in range(start, end)}
    return [
        place
        for place, piece in enumerate(read.pieces[: read.said])
        if place not in covered and piece.isdigit() and len(piece) >= 4 and not _explained(piece, amount)
    ]


def _explained(piece: str, amount: int) -> bool:
    year = len(piece) == 4 and piece.startswith(("19", "20"))
    return year or bool(_DATE.fullmatch(piece)) or piece.lstrip("0") in (str(amount), str(amount // 100))
