"""Signing in and out, and what one browser prefers: language and theme.

Before anybody is signed in the form's token is bound to a random cookie of the visitor's own.
"""

import hmac
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import update
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.console.errors import CannotSignIn, FromElsewhere
from services.console.pages.guard import PageRoute, Posted, SignedIn, Visitor, check_origin
from services.console.pages.web import LANGUAGES, THEMES, path_of_ours, web_of
from services.console.people import sessions
from services.console.room import here
from services.console.tables import app_user

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
YEAR = 365 * 24 * 3600


@routes.get("/login")
async def login_page(
    request: Request, visitor: Visitor, wanted: Annotated[str, Query(alias="next", max_length=2_000)] = ""
) -> Response:
    """The sign-in page; who is signed in already goes on."""
    if visitor is not None:
        return RedirectResponse(path_of_ours(wanted), 303)
    return _form(request, path_of_ours(wanted))


def _form(request: Request, wanted: str, email: str = "", *, failed: bool = False) -> Response:
    web = web_of(request)
    mine = request.cookies.get(web.cookies.visitor) or secrets.token_urlsafe(24)
    token = sessions.visitor_token(web.settings.service_secret, mine)
    facts = {"next": wanted, "token": token, "email": email, "failed": failed}
    page = web.page(request, "login.html", None, 403 if failed else 200, **facts)
    web.cookies.set(page, web.cookies.visitor, mine)
    return page


async def _visitors_form(request: Request) -> FormData:
    """The form of somebody who is not signed in. Raises FromElsewhere."""
    web = web_of(request)
    check_origin(request, web)
    form = await request.form(max_files=0, max_fields=20)
    mine = request.cookies.get(web.cookies.visitor) or ""
    expected = sessions.visitor_token(web.settings.service_secret, mine)
    if not mine or not hmac.compare_digest(str(form.get("csrf") or "").encode(), expected.encode()):
        raise FromElsewhere
    return form


@routes.post("/login")
async def sign_in(request: Request, form: Annotated[FormData, Depends(_visitors_form)]) -> Response:
    """Sign in: a new session whatever was there before. Every failure answers alike."""
    web, room = web_of(request), here(request)
    email, password = str(form.get("email") or "").strip()[:254], str(form.get("password") or "")[:1_000]
    wanted = path_of_ours(str(form.get("next") or ""))
    try:
        opened = await sessions.sign_in(room.database, room.passwords, email, password, room.clock.now())
    except CannotSignIn:
        return _form(request, wanted, email, failed=True)
    answer = RedirectResponse(wanted, 303)
    web.cookies.set(answer, web.cookies.session, opened.token)
    web.cookies.drop(answer, web.cookies.visitor)
    return answer


@routes.post("/logout")
async def sign_out(request: Request, person: SignedIn, form: Posted) -> Response:
    """End the session here and in the database."""
    web, room = web_of(request), here(request)
    token = request.cookies.get(web.cookies.session, "")
    await sessions.sign_out(room.database, person, token, room.clock.now())
    answer = RedirectResponse("/login", 303)
    web.cookies.drop(answer, web.cookies.session)
    answer.headers["clear-site-data"] = '"cache"'
    return answer


@routes.post("/preferences")
async def prefer(request: Request, person: SignedIn, form: Posted) -> Response:
    """Choose the theme of this browser, or the language of this person and whether single keys do something."""
    web = web_of(request)
    answer = RedirectResponse(path_of_ours(str(form.get("next") or "")), 303)
    if form.get("theme") in THEMES:
        web.cookies.set(answer, web.cookies.theme, str(form["theme"]), age=YEAR)
    if form.get("language") in LANGUAGES:
        web.cookies.set(answer, web.cookies.language, str(form["language"]), age=YEAR)
        async with here(request).database.transaction(person.tenant_id) as db:
            mine = (app_user.c.tenant_id == person.tenant_id, app_user.c.user_id == person.user_id)
            await db.execute(update(app_user).where(*mine).values(language=str(form["language"])))
    if form.get("shortcuts") in ("on", "off"):
        async with here(request).database.transaction(person.tenant_id) as db:
            mine = (app_user.c.tenant_id == person.tenant_id, app_user.c.user_id == person.user_id)
            await db.execute(update(app_user).where(*mine).values(shortcuts=form["shortcuts"] == "on"))
    return answer
