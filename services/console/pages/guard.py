"""Who is signed in, and that a form came from a page of ours: its origin and its token, both.

GET changes nothing, ever. Pages without a session lead to the sign-in page, which leads back to a path of ours only.
"""

import hmac
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from libs.common.auth import ROLES
from libs.common.clock import today
from libs.common.errors import Forbidden, RelanceError
from libs.common.http import unfit
from services.console.errors import FromElsewhere
from services.console.pages.web import HOME, ZONE, Web, path_of_ours, web_of
from services.console.people import sessions
from services.console.people.lookup import Person
from services.console.room import here

SCOPE = "scope"
"""The name under which a dependency of `may` tells its scope."""
QUIETLY = "x-relance-act"
"""The header of a form that our script sent: it wants to hear of a refusal where it stands."""


class NotSignedIn(RelanceError):
    """Nobody is signed in."""

    code = "not_signed_in"
    status = 401


class PageRoute(APIRoute):
    """A route that answers people: refusals are pages, and who is not signed in is led to the sign-in page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await inner(request)
            except NotSignedIn:
                return RedirectResponse(sign_in_path(request), 303)
            except RelanceError as error:
                return refused(request, error)
            except RequestValidationError as error:
                return refused(request, unfit(error.errors()))

        return handler


def quiet(request: Request) -> bool:
    """Whether our script sent this form and stays on its page."""
    return request.headers.get(QUIETLY) is not None


def refused(request: Request, error: RelanceError) -> Response:
    """A refusal: at the form that was sent, else as a page of its own that leads back."""
    person = getattr(request.state, "person", None)
    return web_of(request).refusal(request, error, person, back=_before(request), bare=quiet(request))


def _before(request: Request) -> str:
    """The page of ours from which this request came, or home."""
    try:
        back = urlsplit(request.headers.get("referer") or "")
    except ValueError:
        return HOME
    return path_of_ours(back.path + (f"?{back.query}" if back.query else ""))


def sign_in_path(request: Request) -> str:
    """Where somebody signs in who wanted this page."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    known = request.method == "GET" and wanted != HOME
    return f"/login?next={quote(wanted, safe='')}" if known else "/login"


async def who(request: Request) -> Person | None:
    """Whoever is signed in, or nobody; looked up once a request."""
    if not hasattr(request.state, "person"):
        token = request.cookies.get(web_of(request).cookies.session)
        room = here(request)
        request.state.person = await sessions.who(room.database, token, today(room.clock, ZONE))
    found: Person | None = request.state.person
    return found


async def signed_in(request: Request) -> Person:
    """Whoever is signed in. Raises NotSignedIn."""
    found = await who(request)
    if found is None:
        raise NotSignedIn
    return found


def may(scope: str) -> Callable[[Request], Coroutine[Any, Any, Person]]:
    """A dependency: a person one of whose roles has this scope. Raises NotSignedIn or Forbidden."""

    async def allowed(request: Request) -> Person:
        found = await signed_in(request)
        if not allows(found, scope):
            raise Forbidden("Your role does not allow this.", remedy="Ask an administrator.")
        return found

    setattr(allowed, SCOPE, scope)
    return allowed


def allows(person: Person, scope: str) -> bool:
    """Whether one of this person's roles has the scope."""
    return any(scope in ROLES.get(role, ()) for role in person.roles)


async def posted(request: Request) -> AsyncIterator[FormData]:
    """The form that a signed-in person sent from a page of ours. Raises NotSignedIn or FromElsewhere."""
    check_origin(request, web_of(request))
    person = await signed_in(request)
    form = await request.form(max_files=20, max_fields=2_000)
    try:
        shown = str(form.get("csrf") or request.headers.get("x-csrf-token") or "")
        if not hmac.compare_digest(shown.encode(), person.csrf.encode()):
            raise FromElsewhere
        yield form
    finally:
        await form.close()


def check_origin(request: Request, web: Web) -> None:
    """Raises FromElsewhere unless the browser says that the request came from this console."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        raise FromElsewhere
    if origin is None:
        if site == "same-origin":
            return
        raise FromElsewhere
    if origin not in _origins(request, web):
        raise FromElsewhere


def _origins(request: Request, web: Web) -> set[str]:
    public = urlsplit(web.settings.public_url)
    known = {f"{public.scheme}://{public.netloc}"}
    if web.settings.environment == "development":
        known.add(f"http://{request.headers.get('host', '')}")
    return known


Visitor = Annotated[Person | None, Depends(who)]
SignedIn = Annotated[Person, Depends(signed_in)]
Posted = Annotated[FormData, Depends(posted)]
