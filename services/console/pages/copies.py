"""The page behind the link of a mail: copies of the invoices that it could not carry. No sign-in; the link is the key.

The notifier says which documents a link opens; this is the door that the world reaches.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from libs.common.calls import PeerRefused
from libs.common.errors import NotFound
from libs.common.tables import NOBODY
from services.console.pages.guard import PageRoute
from services.console.pages.invoices import document
from services.console.pages.web import web_of
from services.console.room import here

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Token = Annotated[str, Path(pattern="^[0-9a-z]{30,96}$")]


@routes.get("/copies/{token}")
async def copies_of_a_mail(request: Request, token: Token) -> Response:
    """The list of copies, in the language of the mail."""
    told = await _told(request, token)
    return web_of(request).page(request, "copies.html", None, token=token, **told)


@routes.get("/copies/{token}/{document_id}")
async def one_copy(request: Request, token: Token, document_id: UUID) -> Response:
    """One invoice as it was issued."""
    told = await _told(request, token)
    numbers = [copy["number"] for copy in told["copies"] if copy["document_id"] == str(document_id)]
    if not numbers:
        raise NotFound("This link does not open that document.")
    return await document(here(request).peers, UUID(told["tenant_id"]), document_id, numbers[0])


async def _told(request: Request, token: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = await here(request).peers.get("notifier", f"/internal/v1/copies/{token}", tenant=NOBODY)
    except PeerRefused as refused:
        if refused.answered == NotFound.status:
            raise NotFound(refused.detail) from None
        raise
    return told
