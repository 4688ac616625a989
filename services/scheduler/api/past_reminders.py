"""Past reminders over HTTP: what the system before said, line by line, so that levels go on where it stood."""

from collections import Counter
from datetime import date
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints, ValidationError, model_validator

from libs.common.errors import NotFound, RelanceError
from libs.common.http import Wire, unfit
from libs.common.permits import Scope
from services.scheduler import importing
from services.scheduler.api.shared import In, Writes
from services.scheduler.importing import Channel, Kind, PastReminder, Taken
from services.scheduler.store import zones

routes = APIRouter(prefix="/v1/past-reminders", tags=["past reminders"])
MOST = 2_000
Result = Literal["created", "bounced", "unchanged", "refused"]
RESULTS: tuple[Result, ...] = get_args(Result)


class PastReminderIn(Wire):
    """One reminder of the past, about an invoice by its printed number, or about one instalment by `item_id`."""

    invoice: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    item_id: UUID | None = None
    sent_on: date
    tone: Annotated[int, Field(ge=1, le=5)]
    kind: Kind = "reminder"
    channel: Channel = "email"
    outcome: Literal["delivered", "bounced"] = "delivered"

    @model_validator(mode="after")
    def _named(self) -> "PastReminderIn":
        if (self.invoice is None) == (self.item_id is None):
            raise ValueError("name the invoice or the item, one of the two")
        return self

    def told(self) -> PastReminder:
        """The same without its wire."""
        return PastReminder(
            self.invoice, self.item_id, self.sent_on, self.tone, self.kind, self.channel, self.outcome == "bounced"
        )


class PastReminders(Wire):
    """Reminders that another system sent for one company, at most 2,000 a call. Each line stands alone."""

    entity_id: UUID
    lines: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST)]
    dry_run: bool = False


class LineOut(BaseModel):
    """What became of a line: `created`, `bounced` (it is known, and came back), `unchanged`, or `refused` and why."""

    line: int
    result: Result
    item_ids: list[UUID] = []
    code: str | None = None
    field: str | None = None
    detail: str | None = None
    remedy: str | None = None


class LinesOut(BaseModel):
    """A line for each line, in order, and how many have each result."""

    dry_run: bool
    created: int
    bounced: int
    unchanged: int
    refused: int
    items: list[LineOut]


@routes.post("", status_code=200)
async def import_past_reminders(told: PastReminders, caller: Writes, room: In) -> LinesOut:
    """Take what was said before. The same again changes nothing; what is refused names its field and the remedy."""
    read = [_read(line) for line in told.lines]
    good = [line for line in read if isinstance(line, PastReminder)]
    async with room.asking(caller) as asker:
        if (caller.tenant_id, told.entity_id) not in await zones.calendars(asker.db, {caller.tenant_id}):
            raise NotFound(f"There is no entity {told.entity_id}.", field="entity_id")
        taken = iter(await importing.take(asker, told.entity_id, good, dry_run=told.dry_run) if good else ())
    if good and not told.dry_run:
        await room.stopped(Scope(caller.tenant_id, entity_ids=[told.entity_id]))
    items = [_out(n, line if isinstance(line, RelanceError) else next(taken)) for n, line in enumerate(read, 1)]
    counted = Counter(item.result for item in items)
    return LinesOut(dry_run=told.dry_run, items=items, **{name: counted[name] for name in RESULTS})


def _read(line: dict[str, Any]) -> PastReminder | RelanceError:
    try:
        return PastReminderIn.model_validate(line).told()
    except ValidationError as error:
        return unfit(error.errors(include_url=False, include_input=False, include_context=False))


def _out(number: int, found: Taken | RelanceError) -> LineOut:
    if isinstance(found, Taken):
        return LineOut(line=number, result=found.result, item_ids=list(found.item_ids))
    return LineOut(
        line=number, result="refused", code=found.code, field=found.field, detail=found.detail, remedy=found.remedy_text
    )
