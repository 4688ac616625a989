"""Recovery files as people act on them: prepared, handed over by a second person, judicial, collected or returned.

The rules it protects: nobody hands over what they prepared; from then on nothing leaves from here for its items; a
file that comes back lets the ladder go on where it stood; what is disputed is not handed on.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from libs.common.errors import Conflict, NotFound, Refused, SetChanged
from libs.common.ids import uuid7
from services.scheduler import speaking
from services.scheduler.commands import Asker, Row, hold_row, item_target, lifted, owed
from services.scheduler.errors import FourEyes, WrongState
from services.scheduler.recovery.course import OUTSIDE, State, may_become
from services.scheduler.recovery.worth import Worth
from services.scheduler.store import cases, holds
from services.scheduler.store import recovery as store

REVIEW_IN = timedelta(days=90)
"""When its author is reminded of a file that somebody else has."""


async def prepare(asker: Asker, items: Sequence[UUID], reason: str) -> Row:
    """A file over items of one case and currency. Raises NotFound, Refused or Conflict."""
    target = await item_target(asker, *items)
    if len({row["currency"] for row in target.items}) != 1:
        raise Refused("A file has one currency.", field="item_ids", remedy="Prepare one file for each currency.")
    closed = [row["number"] for row in target.items if not row["open"]]
    if closed:
        raise Refused(f"{min(closed)} owes nothing.", field="item_ids", remedy="Leave it out.")
    disputed = await store.disputed(asker.db, asker.tenant, items)
    if disputed:
        raise Refused(
            f"The item {min(disputed)} is disputed.", field="item_ids", remedy="Resolve the dispute, or leave it out."
        )
    row = target.about | {
        "file_id": uuid7(), "currency": target.items[0]["currency"], "reason": reason, "author": asker.subject,
        "prepared_at": asker.now, "state": "prepared",
    }  # fmt: skip
    rows = [{"item_id": r["item_id"], "invoice_id": r["invoice_id"], "owed_minor": owed(r)} for r in target.items]
    taken = set(items) - await store.add(asker.db, row, rows)
    if taken:
        raise Conflict(f"The item {min(taken)} is in another file.", field="item_ids", remedy="Leave it out.")
    await _noted(asker, row["file_id"], "", "prepared", reason)
    return await found(asker, row["file_id"])


async def found(asker: Asker, file_id: UUID, *, lock: bool = False) -> Row:
    """A file without its bytes. Raises NotFound."""
    row = await store.one(asker.db, asker.tenant, file_id, lock=lock)
    if row is None:
        raise NotFound(f"There is no recovery file {file_id}.")
    return row


async def ready(asker: Asker, file_id: UUID) -> Row:
    """A prepared file that the asker may hand over. Raises NotFound, WrongState or FourEyes."""
    row = await found(asker, file_id)
    _may(row, "handed_over")
    if row["author"] == asker.subject:
        raise FourEyes("Whoever prepared a file cannot hand it over.", remedy="Another person has to hand it over.")
    return row


async def hand_over(asker: Asker, row: Row, seen: Sequence[Row], sealed: Row, why: str) -> Row:
    """Somebody else has it now, as sealed from the items as `seen`. Raises WrongState, FourEyes or SetChanged."""
    target = await item_target(asker, *(each["item_id"] for each in seen))
    now = await found(asker, row["file_id"], lock=True)
    _may(now, "handed_over")
    stood = {each["item_id"]: (each["item_version"], each["invoice_version"], owed(each)) for each in seen}
    if any(stood[r["item_id"]] != (r["item_version"], r["invoice_version"], owed(r)) for r in target.items):
        raise SetChanged(
            "What is owed changed while the file was sealed.", remedy="Look at it again, then hand it over."
        )
    rows = [_hold(asker, target.about, each["item_id"], now) for each in seen]
    await holds.place(asker.db, rows)
    await cases.look_at(asker.db, {(asker.tenant, now["case_id"])}, asker.now)
    await asker.say(*(speaking.placed(each) for each in rows))
    return await _turned(asker, now, "handed_over", why, hold_ids=[each["hold_id"] for each in rows], **sealed)


def _hold(asker: Asker, about: Row, item: UUID, file: Row) -> dict[str, Any]:
    review = asker.now.date() + REVIEW_IN
    return {**hold_row(asker, "item", item, "recovery", review), **about, "reason": f"recovery file {file['file_id']}"}


async def go_to_court(asker: Asker, file_id: UUID, figures: Worth, shown: Row, despite: str) -> Row:
    """On to court, with the figures that were shown. Raises NotFound, WrongState, or Refused when it costs more."""
    row = await found(asker, file_id, lock=True)
    _may(row, "judicial")
    if not figures.pays and not despite:
        raise Refused(
            "By these figures it costs more than it brings.",
            field="despite",
            remedy="Say in `despite` why it is done all the same, or take the file back and propose to write it off.",
            rule="cost_over_benefit",
        )
    return await _turned(asker, row, "judicial", despite or "worth it", figures=dict(shown))


async def end(asker: Asker, file_id: UUID, became: State, why: str, on: date | None = None) -> Row:
    """Collected, returned or dropped. Raises NotFound, WrongState, or Refused for what is not all paid."""
    row = await found(asker, file_id, lock=True)
    _may(row, became)
    left = [each["number"] for each in await store.items(asker.db, asker.tenant, file_id) if each["open"]]
    if became == "collected" and left:
        raise Refused(
            f"{min(left)} still owes something.",
            field="file_id",
            remedy="It is collected when the money is matched; return the file if nothing more comes.",
        )
    return await over(asker, row, became, why, on)


async def over(asker: Asker, row: Row, became: State, why: str, on: date | None = None) -> Row:
    """End a file and lift its holds: what is still owed is chased on from the level reached."""
    if row["state"] in OUTSIDE:
        await lifted(asker, row["hold_ids"], "settled" if became == "collected" else "withdrawn")
    return await _turned(asker, row, became, why, on=on, ended_at=asker.now)


async def _turned(asker: Asker, row: Row, became: State, why: str, *, on: date | None = None, **facts: Any) -> Row:
    now = await store.change(asker.db, asker.tenant, row["file_id"], state=became, **facts)
    await _noted(asker, row["file_id"], row["state"], became, why, on)
    return now


async def _noted(  # noqa: PLR0917 - a step in the order of its facts
    asker: Asker, file_id: UUID, was: str, became: str, why: str, on: date | None = None
) -> None:
    number = len(await store.steps(asker.db, asker.tenant, file_id)) + 1
    facts = {"was": was, "became": became, "by": asker.subject, "at": asker.now, "why": why, "on_day": on}
    await store.note(asker.db, {"tenant_id": asker.tenant, "file_id": file_id, "number": number, **facts})


def _may(row: Row, became: str) -> None:
    if not may_become(row["state"], became):
        raise WrongState(f"This file is {row['state']}; it cannot become {became}.", field="state")
