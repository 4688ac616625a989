"""Lanes: parts of one list that never touch the same debtor, so that two transactions may carry them at once.

Pure. The rules it protects: lines of one debtor, and lines about one invoice, keep their order; a credit never runs
beside the invoice that it names.
"""

from collections.abc import Sequence
from zlib import crc32

from services.invoice_ingest.accounts import Offer

LANES = 2
"""While one waits for the database, the other one works."""
LEAST = 40
"""Offers that are worth two transactions."""


def lane_of(offer: Offer) -> int:
    """The lane of an offer: the same debtor is always in the same one."""
    return crc32(f"{offer.entity_id}{_debtor(offer)}".encode()) % LANES


def _debtor(offer: Offer) -> str | None:
    told = offer.invoice.debtor
    return told.external_id or told.vat_number or told.siren


def lanes(offers: Sequence[Offer]) -> list[list[int]]:
    """The places of the offers, lane by lane, in order; one lane when the list cannot be parted safely."""
    alone = [list(range(len(offers)))]
    if len(offers) < LEAST:
        return alone
    homes: dict[str, int] = {}
    parted: list[list[int]] = [[] for _ in range(LANES)]
    for place, offer in enumerate(offers):
        lane = lane_of(offer)
        told = offer.invoice
        if _debtor(offer) != told.debtor.external_id or told.references.preceding:
            return alone
        if homes.setdefault(told.number, lane) != lane or homes.setdefault(f"#{offer.external_id}", lane) != lane:
            return alone
        parted[lane].append(place)
    return [lane for lane in parted if lane]
