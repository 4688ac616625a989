"""The timeline: one line for everything that happened, with the ids and amounts that the pages put into words."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.consumer import Handler
from libs.common.events import TYPES, Event
from libs.common.events.debtors import DebtorChanged
from libs.common.events.directory import DirectoryBody
from libs.common.events.envelope import Body
from libs.common.events.payments import FeedAdvanced, InvoiceSettled
from libs.common.money import Money
from services.console.projections.keeping import add
from services.console.projections.tables import ReadModel

SILENT: tuple[type[Body], ...] = (DebtorChanged, FeedAdvanced, InvoiceSettled, DirectoryBody)
"""What is no exchange: changed files, fresh feeds, what another event of the same moment says, the directory."""

_SHOWN = (
    "number",
    "kind",
    "channel",
    "tone",
    "step_key",
    "reason",
    "outcome",
    "how",
    "code",
    "scope",
    "status",
    "source",
    "promised_for",
    "review_on",
    "due_on",
    "value_date",
    "invoice_id",
    "item_id",
    "reminder_id",
    "notice_id",
)
_AMOUNTS = ("payable", "amount", "residual")
_COUNTED = {"lines": "lines", "covers": "lines", "allocations": "allocations"}


def handlers(model: ReadModel) -> dict[type[Body], Handler]:
    """A line for every type that people want to see."""

    async def happened(db: AsyncConnection, events: list[Event]) -> None:
        await add(db, model.activity, [line(event) for event in events])

    return {type_: happened for type_ in TYPES.values() if not issubclass(type_, SILENT)}


def both(first: Handler, second: Handler) -> Handler:
    """One handler after the other, over the same events."""

    async def one_then_other(db: AsyncConnection, events: list[Event]) -> None:
        await first(db, events)
        await second(db, events)

    return one_then_other


def line(event: Event) -> dict[str, Any]:
    """The line of one event."""
    told = vars(event.body)
    amount = next((some for name in _AMOUNTS if isinstance(some := told.get(name), Money)), None)
    facts = {name: _plain(fact) for name in _SHOWN if (fact := told.get(name)) is not None}
    return {
        "tenant_id": event.tenant,
        "event_id": event.id,
        "at": event.time,
        "type": event.type,
        "entity_id": told.get("entity_id"),
        "payer_id": told.get("payer_id"),
        "debtor_id": told.get("debtor_id"),
        "subject_id": event.subject,
        "currency": amount.currency if amount else None,
        "amount": amount.minor if amount else None,
        "facts": facts | {name: len(told[part]) for part, name in _COUNTED.items() if part in told},
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str | bool) else str(value)
