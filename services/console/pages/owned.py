"""Lists that the scheduler keeps: a page of one, all of one for a file, and the names of those that they are about.

What is read here is shown to whoever sees all customers; nothing of it is kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from starlette.requests import Request

from libs.common.money import Money, from_wire
from services.console.pages.asking import address
from services.console.pages.commands import ask
from services.console.people.lookup import Person
from services.console.room import Room
from services.console.store import people
from services.console.tables import read_model as model

OWNER = "scheduler"
PAGE = 100
MOST = 200
"""Lines that the owner tells at once."""
PAGES = 50
"""Calls that one file or one narrowed list is made of, at most."""
Line = dict[str, Any]


async def one_page(
    room: Room, person: Person, path: str, cursor: str = "", **params: Any
) -> tuple[list[Line], str | None]:
    """A page of a list and where the next begins. Raises Unavailable or PeerRefused."""
    asked = {"limit": PAGE, **_said(params)} | ({"cursor": cursor} if cursor else {})
    told = await ask(room, person, OWNER, "GET", path, params=asked)
    return told["items"], told["next"]


async def all_of(room: Room, person: Person, path: str, **params: Any) -> list[Line]:
    """A whole list, up to 10,000 lines. Raises Unavailable or PeerRefused."""
    found: list[Line] = []
    asked = {"limit": MOST, **_said(params)}
    for _ in range(PAGES):
        told = await ask(room, person, OWNER, "GET", path, params=asked)
        found += told["items"]
        if not told.get("next"):
            break
        asked["cursor"] = told["next"]
    return found


def _said(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value not in (None, "")}


async def named(room: Room, person: Person, lines: Iterable[Line], *actors: str) -> Mapping[str, str]:
    """Give lines the `name` and `external_id` of the customer that `payer_id` is, and its id as one; answers what the
    people are called whose ids stand under `actors`."""
    lines = list(lines)
    payers = {UUID(str(line["payer_id"])) for line in lines}
    debtor = model.debtor
    asked = select(debtor.c.debtor_id, debtor.c.name, debtor.c.external_id).where(
        debtor.c.tenant_id == person.tenant_id
    )
    async with room.database.transaction(person.tenant_id) as db:
        rows = list(await db.execute(asked.where(debtor.c.debtor_id.in_(payers)))) if payers else []
        told = {str(line[actor]) for line in lines for actor in actors if line.get(actor)}
        names = await people.names(db, person.tenant_id, told)
    known = {row.debtor_id: row for row in rows}
    for line in lines:
        line["payer_id"] = UUID(str(line["payer_id"]))
        row = known.get(line["payer_id"])
        line["name"], line["external_id"] = (row.name, row.external_id) if row else (None, None)
    return names


def amounts(line: Line, *fields: str) -> Line:
    """The line with its amounts as money; what is missing stays None."""
    for each in fields:
        line[each] = from_wire(line[each]) if line.get(each) else None
    return line


def beside(request: Request, more: str | None) -> dict[str, str | None]:
    """The addresses of the next and the first page of a list that goes on by a cursor."""
    first = address(request, cursor=None) if request.query_params.get("cursor") else None
    return {"more": address(request, cursor=more) if more else None, "first_page": first}


def sums(amounts_: Sequence[Money]) -> list[Money]:
    """What amounts add up to, one a currency."""
    found: dict[str, Money] = {}
    for each in amounts_:
        found[each.currency] = found.get(each.currency, Money.zero(each.currency)) + each
    return [found[currency] for currency in sorted(found)]
