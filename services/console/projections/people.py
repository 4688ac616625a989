"""Debtors as the pages show them."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.consumer import Handler
from libs.common.events import Event
from libs.common.events.debtors import DebtorChanged
from libs.common.events.envelope import Body
from libs.common.events.invoices import DebtorErased
from services.console.projections.keeping import keep
from services.console.projections.tables import ReadModel

_FACTS = (
    "tenant_id",
    "debtor_id",
    "version",
    "entity_id",
    "external_id",
    "name",
    "party_id",
    "payer_id",
    "group_id",
    "siren",
    "vat_number",
    "country",
    "language",
    "profile",
    "collector",
    "sales_owner",
    "phone",
    "consumer",
    "intercompany",
)


def handlers(model: ReadModel) -> dict[type[Body], Handler]:
    """What these tables hear."""

    async def changed(db: AsyncConnection, events: list[Event]) -> None:
        rows = [
            {name: getattr(event.body, name) for name in _FACTS}
            | {"contacts": [contact.model_dump(mode="json") for contact in event.body.contacts]}
            for event in events
        ]
        await keep(db, model.debtor, rows)

    async def erased(db: AsyncConnection, events: list[Event]) -> None:
        await keep(db, model.debtor, [_erased(event) for event in events])
        await _forget(db, model, events)

    return {DebtorChanged: changed, DebtorErased: erased}


def _erased(event: Event) -> dict[str, object]:
    gone = dict.fromkeys(("name", "siren", "vat_number", "phone", "contacts"))
    identity = {"tenant_id": event.tenant, "debtor_id": event.subject, "version": event.body.version}
    return identity | gone | {"erased": True}


async def _forget(db: AsyncConnection, model: ReadModel, events: list[Event]) -> None:
    """Whatever version was kept, its personal data goes."""
    table = model.debtor
    for event in events:
        mine = (table.c.tenant_id == event.tenant, table.c.debtor_id == event.subject)
        gone = dict.fromkeys(("name", "siren", "vat_number", "phone", "contacts"))
        await db.execute(update(table).where(*mine).values(**gone, erased=True))
