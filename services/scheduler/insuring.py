"""Credit insurance as people act on it: terms, covers, consents, declarations; and the deadlines of each item.

The rules it protects: a promise or plan beyond the insurer's longest extension needs its recorded consent; an item is
declared once, and a declaration that comes late says so; nothing that pauses an item stops a clock.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from libs.common.errors import Refused
from libs.common.ids import uuid7
from libs.common.money import Money
from services.scheduler.calendar import Calendar
from services.scheduler.commands import Asker, Target
from services.scheduler.credit import insurance
from services.scheduler.credit.insurance import Consent, Deadlines, Terms
from services.scheduler.errors import ConsentMissing, ScopeUnknown
from services.scheduler.store import credit
from services.scheduler.store import insurance as store
from services.scheduler.tables import insurer_consent, insurer_cover, insurer_terms

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Clock:
    """The deadlines of one covered item, beside its row."""

    row: Row
    terms: Terms
    deadlines: Deadlines
    today: date

    @property
    def stage(self) -> int | None:
        """The tightest alarm that it has reached; None when it is declared or far away."""
        if self.row["declared_on"] is not None:
            return None
        return insurance.stage(self.deadlines.declare_by, self.today, self.terms.alarm_days)


def terms_of(row: Row) -> Terms:
    """A row with the columns of insurer_terms → terms."""
    return Terms(
        row["terms_id"],
        row["name"],
        row["extension_days"],
        row["declaration_days"],
        row["counts_from"],
        row["claim_days"],
        tuple(row["alarm_days"]),
    )


def consent_of(row: Row) -> Consent:
    """A row of insurer_consent → a consent."""
    return Consent(row["extended_to"], row["reference"], frozenset(row["item_ids"]))


async def clocks(asker: Asker, rows: Sequence[Row]) -> list[Clock]:
    """The deadlines of covered items, in their order: rows of `store.covered`."""
    found: dict[UUID, list[Consent]] = defaultdict(list)
    for row in await store.consents(asker.db, asker.tenant, {row["payer_id"] for row in rows}):
        found[row["payer_id"]].append(consent_of(row))
    calendars = {entity: await asker.calendar(entity) for entity in {row["entity_id"] for row in rows}}
    return [_clock(asker, row, found[row["payer_id"]], calendars[row["entity_id"]]) for row in rows]


def _clock(asker: Asker, row: Row, consents: Sequence[Consent], calendar: Calendar) -> Clock:
    terms = terms_of(row)
    agreed = insurance.consented(row["item_id"], consents)
    dates = insurance.deadlines(row["due_date"], terms, calendar, agreed)
    return Clock(row, terms, dates, calendar.today(asker.now))


async def set_terms(asker: Asker, told: Mapping[str, Any]) -> Row:
    """What a policy says from now on: the next number of its name."""
    number = await store.next_number(asker.db, asker.tenant, told["name"])
    row = {"tenant_id": asker.tenant, "terms_id": uuid7(), "number": number, **told}
    return await credit.add(asker.db, insurer_terms, {**row, "author": asker.subject, "set_at": asker.now})


async def cover(  # noqa: PLR0917 - a cover in the order of its facts
    asker: Asker, payer: UUID, terms_id: UUID, amount: Money, valid_from: date, valid_until: date | None, reference: str
) -> Row:
    """A payer's invoices issued in a span are insured. Raises ScopeUnknown or Refused."""
    await known(asker, payer)
    if not await store.terms(asker.db, asker.tenant, [terms_id]):
        raise ScopeUnknown(
            f"There are no terms {terms_id}.", field="terms_id", remedy="GET /v1/credit/insurers lists them."
        )
    if valid_until is not None and valid_until < valid_from:
        raise Refused(
            "The cover ends before it begins.", field="valid_until", remedy="Send a later day, or leave it out."
        )
    row = {
        "tenant_id": asker.tenant, "cover_id": uuid7(), "payer_id": payer, "terms_id": terms_id,
        "amount_minor": amount.minor, "currency": amount.currency, "valid_from": valid_from,
        "valid_until": valid_until, "reference": reference, "author": asker.subject, "set_at": asker.now,
    }  # fmt: skip
    return await credit.add(asker.db, insurer_cover, row)


async def consent(  # noqa: PLR0917 - a consent in the order of its facts
    asker: Asker, payer: UUID, items: Collection[UUID], extended_to: date, given_on: date, reference: str
) -> Row:
    """The insurer let items be paid by a later day. Raises ScopeUnknown or Refused."""
    await known(asker, payer)
    today = (await asker.calendar(None)).today(asker.now)
    if given_on > today:
        raise Refused(f"{given_on} has not come yet.", field="given_on", remedy="Send the day of the insurer's answer.")
    row = {
        "tenant_id": asker.tenant, "consent_id": uuid7(), "payer_id": payer, "item_ids": sorted(set(items)),
        "extended_to": extended_to, "given_on": given_on, "reference": reference, "author": asker.subject,
        "recorded_at": asker.now,
    }  # fmt: skip
    return await credit.add(asker.db, insurer_consent, row)


async def known(asker: Asker, payer: UUID) -> Any:
    """The payer's file. Raises ScopeUnknown."""
    files = await credit.payers(asker.db, asker.tenant, [payer])
    if payer not in files:
        raise ScopeUnknown(f"There is no payer {payer} here.", field="payer_id")
    return files[payer]


async def declare(asker: Asker, items: Sequence[UUID], declared_on: date, reference: str) -> list[Clock]:
    """Note that unpaid items were declared, with the insurer's reference. Raises Refused for what is not covered."""
    rows = await store.covered_of(asker.db, asker.tenant, items)
    missing = set(items) - {row["item_id"] for row in rows}
    if missing:
        raise Refused(
            f"No policy covers the item {min(missing)}, or it is paid.",
            field="item_ids",
            remedy="Leave it out, or enter the cover of its payer for the day of its issue first.",
        )
    found = await clocks(asker, rows)
    if any(declared_on > clock.today for clock in found):
        raise Refused(
            f"{declared_on} has not come yet.", field="declared_on", remedy="Send the day of the declaration."
        )
    new = await store.declare(asker.db, [_declaration(asker, each, declared_on, reference) for each in found])
    again = [clock.row["number"] for clock in found if clock.row["item_id"] not in new]
    if again:
        raise Refused(
            f"{', '.join(sorted(again))} was declared before.",
            field="item_ids",
            remedy="Leave it out: its declaration stays on record.",
        )
    return await clocks(asker, await store.covered_of(asker.db, asker.tenant, items))


def _declaration(asker: Asker, clock: Clock, declared_on: date, reference: str) -> dict[str, Any]:
    return {
        "tenant_id": asker.tenant, "item_id": clock.row["item_id"], "payer_id": clock.row["payer_id"],
        "terms_id": clock.terms.terms_id, "declared_on": declared_on, "declare_by": clock.deadlines.declare_by,
        "claim_by": insurance.claim_by(declared_on, clock.terms), "reference": reference, "author": asker.subject,
        "recorded_at": asker.now,
    }  # fmt: skip


async def within_cover(asker: Asker, target: Target, last: date, field: str) -> None:
    """Raises ConsentMissing when items would be paid later than their insurer lets them be without its consent."""
    rows = await store.covered_of(asker.db, asker.tenant, [row["item_id"] for row in target.items])
    if not rows:
        return
    payer = target.case["payer_id"]
    consents = [consent_of(row) for row in await store.consents(asker.db, asker.tenant, [payer])]
    by_terms: dict[Terms, list[tuple[UUID, date]]] = defaultdict(list)
    for row in rows:
        by_terms[terms_of(row)].append((row["item_id"], row["due_date"]))
    for terms, dated in by_terms.items():
        longest = insurance.too_late(dated, last, terms, consents)
        if longest is not None:
            raise ConsentMissing(
                f"{last} is later than {longest}: {terms.name} lets an invoice be paid {terms.extension_days} days"
                " after its due date.",
                field=field,
                remedy=f"Agree on a day until {longest}, or record the insurer's consent: POST /v1/credit/consents.",
                rule="longest_extension",
            )
