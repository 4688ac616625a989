"""What an address asks for: filters, order, page and day. Every list can be sent to somebody as a link."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Query
from starlette.requests import Request

from services.console.pages.guard import SignedIn
from services.console.people.lookup import Person
from services.console.store.ledger import PAGE, Chosen

MOST = 100
PROFILES = ("good", "regular", "slow", "strategic", "public_body")
_TYPED = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", re.ASCII)
Words = Annotated[str, Query(max_length=MOST)]
Number = Annotated[int, Query(ge=1, le=100_000)]


def uuid_of(text: str) -> UUID | None:
    """The id that a word is; None when it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def limits(person: Person) -> tuple[str, ...] | None:
    """The sales owners whose customers this person may see; None for all."""
    return person.portfolios if person.limited else None


def chosen_by(person: Person, words: Mapping[str, str]) -> Chosen:
    """The filters that the lists share; what makes no sense narrows nothing.

    Whoever has a portfolio sees that one first: `mine=no`, or another collector's name, shows the others.
    """
    profile, collector = words.get("profile", ""), words.get("collector", "")[:MOST]
    own = not person.limited and not collector and words.get("mine") != "no"
    return Chosen(
        uuid_of(words.get("entity", "")),
        collector,
        profile if profile in PROFILES else "",
        words.get("q", "")[:MOST].strip(),
        person.portfolios if own else (),
        limits(person),
    )


def in_words(t: Callable[[str], str], chosen: Chosen, entities: Mapping[UUID, str]) -> list[tuple[str, str]]:
    """The filters in force, for paper and files: (what is narrowed, to what)."""
    entity = entities.get(chosen.entity, "") if chosen.entity else ""
    profile = t(f"profile.{chosen.profile}") if chosen.profile else ""
    mine = ", ".join(chosen.mine)
    named = (("filter.words", chosen.words), ("filter.entity", entity), ("filter.portfolio", mine))
    told = (*named, ("filter.collector", chosen.collector), ("filter.profile", profile))
    return [(t(label), value) for label, value in told if value]


async def narrowed(request: Request, person: SignedIn) -> Chosen:
    """The filters of this request's address."""
    return chosen_by(person, request.query_params)


Narrowed = Annotated[Chosen, Depends(narrowed)]


def read_day(text: str) -> date:
    """A day as people type it, `23/11/2026`, or as programs do, `2026-11-23`. Raises ValueError."""
    if typed := _TYPED.fullmatch(text.strip()):
        number, month, year = map(int, typed.groups())
        return date(year, month, number)
    return date.fromisoformat(text.strip())


def day_or(text: str, otherwise: date) -> date:
    """The day that an address names, else another."""
    try:
        return read_day(text)
    except ValueError:
        return otherwise


def day_of(text: str, today: date) -> date:
    """The day that an address names, at most today; else today."""
    return min(day_or(text, today), today)


@dataclass(frozen=True)
class Paging:
    """Where in a list somebody is, and the addresses of the pages beside it."""

    page: int
    count: int
    first: int
    last: int
    before: str | None
    after: str | None


def paging(request: Request, page: int, count: int, size: int = PAGE) -> Paging:
    """The pages of a list of `count` lines."""
    last = min(page * size, count)
    before = address(request, page=page - 1 if page > 2 else None) if page > 1 else None
    after = address(request, page=page + 1) if last < count else None
    return Paging(page, count, min((page - 1) * size + 1, count), last, before, after)


def address(request: Request, **changes: Any) -> str:
    """This page's address with some of its words changed; None takes a word away."""
    words = dict(request.query_params.items())
    for name, value in changes.items():
        words.pop(name, None)
        if value is not None and value != "":
            words[name] = str(value)
    return request.url.path + (f"?{urlencode(words)}" if words else "")
