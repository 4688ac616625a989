"""Insolvency proceedings of payers: told, filed, ended. Nothing is chased meanwhile and no clock is stopped by it.

The rule it protects: from the moment it is told nothing leaves for the payer; claims of before the judgment are filed
with the trustee by a day that is told of three times, later ones go through the administrator, by a person.
"""

from datetime import date, timedelta
from uuid import UUID

from libs.common.errors import Conflict, Refused
from libs.common.ids import uuid7
from services.scheduler import insuring, speaking
from services.scheduler.commands import Asker, Row, found, hold_row, lifted
from services.scheduler.credit.insolvency import Place, file_by
from services.scheduler.errors import AlreadyEnded
from services.scheduler.store import credit, holds
from services.scheduler.store import insurance as store
from services.scheduler.store.cases import case_id
from services.scheduler.tables import insolvency

REVIEW_IN = timedelta(days=366)


async def told(  # noqa: PLR0917 - proceedings in the order of their facts
    asker: Asker, payer: UUID, kind: str, judgment_on: date, published_on: date | None, place: Place, trustee: str
) -> Row:
    """A payer is in proceedings: hold all of it. Raises ScopeUnknown, Refused or Conflict."""
    about = await insuring.known(asker, payer)
    today = (await asker.calendar(about.entity_id)).today(asker.now)
    _dates(judgment_on, published_on, today)
    if payer in await store.insolvent(asker.db, asker.tenant, [payer]):
        raise Conflict("Proceedings of this payer are on record.", field="payer_id", remedy="End those first.")
    case = {"entity_id": about.entity_id, "case_id": case_id(asker.tenant, payer), "payer_id": payer}
    held = hold_row(asker, "payer", payer, "insolvency", today + REVIEW_IN) | case | {"reason": "insolvency"}
    await holds.place(asker.db, [held])
    await holds.look_over(asker.db, asker.tenant, "payer", payer, asker.now)
    row = {
        "tenant_id": asker.tenant, "insolvency_id": uuid7(), "payer_id": payer, "entity_id": about.entity_id,
        "kind": kind, "judgment_on": judgment_on, "published_on": published_on,
        "file_by": file_by(published_on, place), "place": place, "trustee": trustee, "hold_id": held["hold_id"],
        "author": asker.subject, "recorded_at": asker.now,
    }  # fmt: skip
    await asker.say(speaking.placed(held))
    return await credit.add(asker.db, insolvency, row)


async def published(asker: Asker, insolvency_id: UUID, published_on: date) -> Row:
    """The judgment is published: from now on the claim has its day. Raises NotFound, AlreadyEnded or Refused."""
    row = await _open(asker, insolvency_id)
    _dates(row["judgment_on"], published_on, (await asker.calendar(row["entity_id"])).today(asker.now))
    facts = {"published_on": published_on, "file_by": file_by(published_on, row["place"])}
    return await credit.change(asker.db, insolvency, row, **facts)


async def filed(asker: Asker, insolvency_id: UUID, filed_on: date, reference: str) -> Row:
    """The claim was filed with the trustee. Raises NotFound, AlreadyEnded or Refused."""
    row = await _open(asker, insolvency_id)
    if row["filed_on"] is not None:
        raise AlreadyEnded(f"The claim was filed on {row['filed_on']}.")
    if not row["judgment_on"] <= filed_on <= (await asker.calendar(row["entity_id"])).today(asker.now):
        raise Refused(
            f"{filed_on} is before the judgment or has not come yet.",
            field="filed_on",
            remedy="Send the day of filing.",
        )
    return await credit.change(asker.db, insolvency, row, filed_on=filed_on, filing_reference=reference)


async def ended(asker: Asker, insolvency_id: UUID, on: date) -> Row:
    """The proceedings are over and the payer is chased again. Raises NotFound or AlreadyEnded."""
    row = await _open(asker, insolvency_id)
    await lifted(asker, [row["hold_id"]], "withdrawn")
    return await credit.change(asker.db, insolvency, row, ended_on=on)


async def _open(asker: Asker, insolvency_id: UUID) -> Row:
    row = await found(asker, insolvency, insolvency_id)
    if row["ended_on"] is not None:
        raise AlreadyEnded(f"These proceedings ended on {row['ended_on']}.")
    return row


def _dates(judgment_on: date, published_on: date | None, today: date) -> None:
    if judgment_on > today:
        raise Refused(f"{judgment_on} has not come yet.", field="judgment_on", remedy="Send the day of the judgment.")
    if published_on is not None and not judgment_on <= published_on <= today:
        raise Refused(
            f"{published_on} is before the judgment or has not come yet.",
            field="published_on",
            remedy="Send the day of the official gazette (BODACC), or leave it out until it is published.",
        )
