"""Payment providers: the accounts from which they pay out what many paid, and the most that they keep of it."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.errors import NotFound, Refused
from libs.common.events import Amount
from libs.common.http import Line, Wire
from libs.common.money import Money
from services.payment_matching.api.incoming import Iban, bare
from services.payment_matching.api.payments import Here, Reads
from services.payment_matching.api.proposals import Administrator
from services.payment_matching.store import debtors, providers

routes = APIRouter(tags=["payment providers"])
PATH = "/v1/matching/payout-providers"


class ProviderIn(Wire):
    """An account from which a provider pays out, and its fees at most: a share of the sum, and so much an invoice."""

    name: Line
    iban: Iban
    most_percent: Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,2})?$")]
    """At most 10, as `2.50`."""
    most_each: Amount


class ProviderOut(BaseModel):
    """A provider's account."""

    name: str
    iban: str
    most_percent: str
    most_each: Amount
    learned: bool
    """Whether a person's decision told it: the fee of a payout was written off as a provider's."""
    set_by: str
    set_at: datetime


class Providers(BaseModel):
    """Every provider's account; money from any other is somebody's own."""

    providers: list[ProviderOut]


@routes.get(PATH)
async def list_providers(caller: Reads, room: Here) -> Providers:
    """Who pays out what many paid, and what it may keep."""
    async with room.database.transaction(caller.tenant_id) as db:
        rows = await providers.listed(db, caller.tenant_id)
    return Providers(
        providers=[
            ProviderOut(
                name=row.name,
                iban=row.iban,
                most_percent=f"{row.share_bp // 100}.{row.share_bp % 100:02d}",
                most_each=Money(row.each_minor, row.currency),
                learned=row.learned,
                set_by=row.set_by,
                set_at=row.set_at,
            )
            for row in rows
        ]
    )


@routes.put(PATH)
async def set_provider(told: ProviderIn, caller: Administrator, room: Here) -> Providers:
    """Set or change an account; what waits from it is tried again."""
    whole, _, hundredths = told.most_percent.partition(".")
    share, iban = int(whole) * 100 + int(hundredths.ljust(2, "0")), bare(told.iban) or ""
    if share > providers.MOST:
        raise Refused("A provider keeps 10 percent at most.", field="most_percent", remedy="Give the rate of its fees.")
    if told.most_each.minor < 0:
        raise Refused("The amount is zero or more.", field="most_each")
    facts = {"name": told.name, "share_bp": share, "each_minor": told.most_each.minor}
    facts |= {"learned": False, "set_by": caller.subject, "set_at": room.clock.now()}

    async def work(db: AsyncConnection) -> None:
        await providers.keep(db, caller.tenant_id, iban, told.most_each.currency, **facts)
        await debtors.try_again(db, set[tuple[UUID, UUID]](), {(caller.tenant_id, iban)})

    await room.commit(work, caller.tenant_id)
    room.hurry()
    return await list_providers(caller, room)


@routes.delete(f"{PATH}/{{iban}}/{{currency}}", status_code=204)
async def drop_provider(iban: str, currency: str, caller: Administrator, room: Here) -> Response:
    """It is nobody's account any more: its money is somebody's own."""
    async with room.database.transaction(caller.tenant_id) as db:
        if not await providers.drop(db, caller.tenant_id, bare(iban) or "", currency.upper()):
            raise NotFound(f"{iban} is no provider's account in {currency}.")
    return Response(status_code=204)
