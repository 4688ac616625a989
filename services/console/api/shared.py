"""What the routes of all nouns share: who may call, the room, and the texts they take."""

from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from fastapi import APIRouter, Depends
from pydantic import AfterValidator, StringConstraints

from libs.common.auth import Caller, requires
from libs.common.http import inline
from services.console.room import Room, here

Administrator = Annotated[Caller, Depends(requires("directory:admin"))]
In = Annotated[Room, Depends(inline(here))]


def address(text: str) -> str:
    """The address as it is kept. Raises ValueError."""
    try:
        return validate_email(text, check_deliverability=False, allow_smtputf8=False, test_environment=True).normalized
    except EmailNotValidError as wrong:
        raise ValueError(str(wrong)) from None


Email = Annotated[str, StringConstraints(max_length=254, strip_whitespace=True), AfterValidator(address)]
"""One address, without a display name."""


def routes_of(noun: str) -> APIRouter:
    """The router of one noun."""
    return APIRouter(prefix="/v1/directory", tags=[noun])
