"""The keys of the whole product, and the switch that turns them off for one person."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import navigation, shown
from services.console.pages.web import web_of
from services.console.pages.why import PART
from services.console.people.lookup import Person

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Reader = Annotated[Person, Depends(may("invoices:read"))]

ACTS: Sequence[tuple[str, Sequence[tuple[str, str]]]] = (
    (
        "keys.everywhere",
        (
            ("/", "search.label"),
            ("?", "keys.title"),
            ("j", "keys.next"),
            ("k", "keys.previous"),
            ("z", "done.undo"),
            ("Esc", "form.close"),
        ),
    ),
    ("nav.today", (("a", "today.approve"), ("e", "today.edit"), ("s", "today.postpone"), ("x", "today.reject"))),
    (
        "nav.customers",
        (
            ("c", "acts.call"),
            ("p", "acts.promise"),
            ("l", "acts.plan"),
            ("d", "acts.dispute"),
            ("h", "acts.hold"),
            ("n", "acts.note"),
            ("v", "invoice.document"),
        ),
    ),
    (
        "nav.payments",
        (
            ("↵", "payment.accept"),
            ("s", "payment.split"),
            ("o", "payment.on_account"),
            ("x", "payment.reject"),
            ("u", "payment.take_back"),
            ("r", "payment.retry"),
        ),
    ),
)
"""What a key does, by where: the text of the button that it presses."""


@routes.get("/keys")
async def keys(request: Request, person: Reader) -> Response:
    """Every key, as a page or as the inside of a dialog."""
    pages = [page for _, group in navigation(person) for page in group if page.key]
    facts: dict[str, Any] = {"acts": ACTS, "pages": pages, "bare": request.headers.get(PART) is not None}
    if facts["bare"]:
        return web_of(request).page(request, "_keys.html", person, **facts)
    return await shown(request, "keys.html", person, **facts)
