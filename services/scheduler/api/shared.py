"""What the routes of all nouns share: who may call, the room, amounts as they are sent and shown."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from pydantic import BaseModel, StringConstraints

from libs.common.auth import Caller, requires
from libs.common.errors import Forbidden
from libs.common.http import Wire, inline
from libs.common.money import Money
from services.scheduler.room import Room, here

Reads = Annotated[Caller, Depends(requires("reminders:read"))]
Writes = Annotated[Caller, Depends(requires("reminders:write"))]
Approves = Annotated[Caller, Depends(requires("notices:approve"))]
In = Annotated[Room, Depends(inline(here))]
MANAGERS = frozenset({"manager", "administrator"})


def only_managers(caller: Caller, act: str) -> None:
    """Raises Forbidden for everybody but managers and administrators; `act` as in "approves a limit"."""
    if not caller.roles & MANAGERS:
        raise Forbidden(f"Only a manager {act}.", remedy="Ask a person with the role manager.")


class AmountIn(Wire):
    """An amount as it is sent: digits with a point, and an ISO 4217 code."""

    amount: Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?$")]
    currency: Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]

    def money(self) -> Money:
        """Raises InvalidAmount or UnknownCurrency."""
        return Money.parse(self.amount, self.currency)


class AmountOut(BaseModel):
    """An amount as it is shown."""

    amount: str
    currency: str


def shown(minor: int | None, currency: str | None) -> AmountOut | None:
    """Minor units → the wire's amount."""
    return None if minor is None or currency is None else AmountOut(**Money(minor, currency).wire())


def amount_of(minor: int, currency: str) -> AmountOut:
    """Minor units → the wire's amount."""
    return AmountOut(**Money(minor, currency).wire())


class AboutCase(BaseModel):
    """The case that something is about."""

    entity_id: UUID
    case_id: UUID
    payer_id: UUID


def about(row: Any) -> dict[str, UUID]:
    """The fields of AboutCase."""
    return {name: row[name] for name in ("entity_id", "case_id", "payer_id")}
