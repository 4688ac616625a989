"""Users and roles: accounts, what each may do, passwords shown once."""

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from libs.common.auth import ROLES
from services.console.api.shared import address
from services.console.pages import forms
from services.console.pages.commands import Told, done
from services.console.pages.excel import Row, excel_of, headed
from services.console.pages.guard import PageRoute, Posted, may
from services.console.pages.shell import shown
from services.console.pages.web import LANGUAGES, web_of
from services.console.people import passwords, users
from services.console.people.lookup import Person
from services.console.people.users import NewUser
from services.console.room import here
from services.console.store import customers

routes = APIRouter(route_class=PageRoute, include_in_schema=False)
Administrator = Annotated[Person, Depends(may("directory:admin"))]
ORDER = ("collector", "sales_owner", "treasurer", "manager", "administrator", "auditor")


@routes.get("/users")
async def user_list(request: Request, person: Administrator) -> Response:
    """The accounts, and what each role may do."""
    async with here(request).database.transaction(person.tenant_id) as db:
        facts: dict[str, Any] = {
            "users": await users.listed(db, person.tenant_id),
            "owners": await customers.collectors(db, person.tenant_id),
        }
    scopes = sorted(set().union(*ROLES.values()))
    return await shown(request, "users.html", person, roles=ORDER, scopes=scopes, rights=ROLES, **facts)


@routes.get("/users.xlsx")
async def users_file(request: Request, person: Administrator) -> Response:
    """The accounts as an Excel file."""
    room, t = here(request), web_of(request).texts_for(request, person)
    async with room.database.transaction(person.tenant_id) as db:
        found = await users.listed(db, person.tenant_id)
    names = (("name", "name"), ("email", "name"), ("roles", "name"), ("portfolio", "text"), ("state", "text"))
    columns = [(t(f"user.{name}"), kind) for name, kind in names] + [(t("user.last"), "moment")]
    sheet = headed(t, t("nav.users"), [], columns, as_of=room.clock.now())

    async def rows() -> AsyncIterator[Sequence[Row]]:
        yield [
            [
                each["name"],
                each["email"],
                ", ".join(t(f"role.{role}") for role in each["roles"]),
                each["portfolio"],
                t("user.active" if each["active"] else "user.closed"),
                each["last_login_at"],
            ]
            for each in found
        ]

    return await excel_of(request).answer(sheet, rows())


@routes.post("/users")
async def add(request: Request, person: Administrator, form: Posted) -> Response:
    """A new account; its first password is on this page and nowhere else."""
    room = here(request)
    email = _address(forms.needed(form, "email", most=254))
    name = forms.needed(form, "name", most=120)
    secret = passwords.new_password()
    kept = await room.passwords.keep(secret)
    language = forms.one_of(form, "language", LANGUAGES)
    wanted = NewUser(email, name, language, _roles(form), forms.text(form, "portfolio", most=120) or None, kept)
    async with room.changing(person.tenant_id, person.actor) as change:
        await users.add(change, wanted)
    return await _once(request, person, name, secret)


def _address(text: str) -> str:
    try:
        return address(text)
    except ValueError:
        raise forms.FieldInvalid("This is no e-mail address.", field="email") from None


def _roles(form: FormData) -> list[str]:
    return [str(role) for role in form.getlist("role")]


async def _once(request: Request, person: Person, name: str, secret: str) -> Response:
    facts: dict[str, Any] = {"kind": "password", "name": name, "secret": secret, "laggards": [], "path": ""}
    return await shown(request, "secret.html", person, **facts)


@routes.post("/users/{user_id}")
async def change(request: Request, person: Administrator, form: Posted, user_id: UUID) -> Response:
    """Other roles, another portfolio; the account's sessions end when its roles change."""
    wanted = {
        "name": forms.needed(form, "name", most=120),
        "roles": _roles(form),
        "portfolio": forms.text(form, "portfolio", most=120) or None,
    }
    async with here(request).changing(person.tenant_id, person.actor) as changing:
        await users.alter(changing, user_id, wanted)
    return done(request, form, Told("done.user.changed", {"name": wanted["name"]}))


@routes.post("/users/{user_id}/password")
async def new_password(request: Request, person: Administrator, form: Posted, user_id: UUID) -> Response:
    """Another password; the sessions of the account end."""
    room = here(request)
    secret = passwords.new_password()
    kept = await room.passwords.keep(secret)
    async with room.changing(person.tenant_id, person.actor) as changing:
        await users.alter(changing, user_id, {"password_hash": kept})
        found = {each["user_id"]: each["name"] for each in await users.listed(changing.db, person.tenant_id)}
    return await _once(request, person, found[user_id], secret)


@routes.post("/users/{user_id}/close")
async def close(request: Request, person: Administrator, form: Posted, user_id: UUID) -> Response:
    """The account cannot sign in any more; its sessions end."""
    async with here(request).changing(person.tenant_id, person.actor) as changing:
        await users.alter(changing, user_id, {"active": False})
    return done(request, form, Told("done.user.closed", undo=f"/users/{user_id}/open"))


@routes.post("/users/{user_id}/open")
async def reopen(request: Request, person: Administrator, form: Posted, user_id: UUID) -> Response:
    """The account may sign in again."""
    async with here(request).changing(person.tenant_id, person.actor) as changing:
        await users.alter(changing, user_id, {"active": True})
    return done(request, form, Told("done.user.opened"))
