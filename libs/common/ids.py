"""Identifiers: new things get a time-ordered uuid7, things that must be found again a uuid5 of what they are.

The names below are part of the data: changing one changes every id that was ever derived from it.
"""

import os
import time
from collections.abc import Iterable
from functools import lru_cache
from uuid import UUID, uuid5

NAMESPACE = UUID("5a1d2c1e-7a3e-5d0c-9b1a-0e5c1a7e0001")


def uuid7() -> UUID:
    """A new id that sorts by its millisecond of birth (RFC 9562, section 5.7)."""
    millis = time.time_ns() // 1_000_000
    rest = int.from_bytes(os.urandom(10), "big")
    value = (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | (rest >> 68 & 0xFFF) << 64 | 0b10 << 62 | rest & (1 << 62) - 1
    return UUID(int=value)


def named(*parts: object) -> UUID:
    """The id of the thing these parts name; the same parts give the same id for ever."""
    return uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))


def invoice_id(tenant: UUID, entity: UUID, kind: str, number: str, issue_year: int) -> UUID:
    """One invoice, whichever source tells it: its seller, kind, number and year of issue."""
    return named("invoice", tenant, entity, kind, number.strip(), issue_year)


def item_id(invoice: UUID, sequence: int) -> UUID:
    """One instalment of an invoice, counted from 1."""
    return named("item", invoice, sequence)


@lru_cache(10_000)
def debtor_id(tenant: UUID, entity: UUID, external_id: str) -> UUID:
    """A party's account at one entity, by the number that the entity's ledger gives it."""
    return named("debtor", tenant, entity, external_id.strip())


def case_id(tenant: UUID, payer: UUID) -> UUID:
    """The conversation with one payer of one entity: one for ever."""
    return named("case", tenant, payer)


def occurrence_id(tenant: UUID, item: UUID, cycle: int, step_key: str) -> UUID:
    """One step of one item in one cycle: the thing that happens once."""
    return named("occurrence", tenant, item, cycle, step_key)


def reminder_id(releases: Iterable[tuple[UUID, int]]) -> UUID:
    """The ReminderDue that covers these (occurrence, release) pairs, in whatever order they come."""
    return named("reminder", *(f"{occurrence}#{release}" for occurrence, release in sorted(releases)))
