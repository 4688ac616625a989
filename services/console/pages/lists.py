"""A list page: filters, choices, sorting, paging, count and sums, the same for every list, and for its Excel file.

A page declares a `Listing` and adds it to its routes; `routes_of(LISTING)` gives `GET <path>`:

    INVOICES = Listing(
        path="/invoices",
        title="nav.invoices",            # text keys: of the title, the count (.one/.many), the search field
        count="invoices.count",
        find="filter.invoice",
        scope="invoices:read",           # who may open it
        read=invoices.listed,            # (db, Question) -> Found: store/slices.py
        order="due",                     # the column that orders it at first; "-due" is downwards
        choices=(Choice("state", "invoice.status", ("open", "paid", "all"), words="invoices."),),
        columns=(
            Column("number", "invoice", "invoice", itemgetter("number"), sorts=True),
            Column("left", "invoice.left", "money", itemgetter("left"), sorts=True),
        ),
    )

A `Column` says under which key it stands in an address and in a sheet, what it is called, how it is drawn (`kind` is
a macro of `_cells.html`) and what its plain value is: text, Money, date, datetime, whole number or None, which is
what an Excel file writes as a typed cell. `words` are the prefix of the texts of a value that is a code.

Everything stands in the address: `q entity collector profile mine`, the list's own choices, `order`, `page`. Words
that make no sense narrow nothing. An Excel file asks `asked(request, person, listing)` for the same question,
`.whole()` for all of its lines, and the listing for its columns; `shown_by` tells the filters in words for its head.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from libs.common.clock import today
from services.console.pages.asking import Paging, address, chosen_by, in_words, paging
from services.console.pages.guard import PageRoute, may
from services.console.pages.shell import shown
from services.console.pages.web import ZONE, Texts
from services.console.people.lookup import Person
from services.console.room import Room, here
from services.console.store import customers
from services.console.store.ledger import PAGE
from services.console.store.slices import Found, Question, Read

RIGHT = ("money", "owing", "days", "late", "number", "items", "limit", "used")
DOWN_FIRST = (*RIGHT, "ages")
"""Kinds whose heading sorts the largest first when it is pressed."""


Tell = Callable[[Room, Person, Sequence[Any]], Awaitable[None]]


@dataclass(frozen=True)
class Column:
    """One column; see the module. `below` are columns that stand in the same cell of the page, in small print, and
    by themselves in a sheet."""

    key: str
    label: str
    kind: str
    value: Callable[[Any], Any]
    sorts: bool = False
    words: str = ""
    moods: Mapping[str, str] = field(default_factory=dict)
    """What colour a tag's code has: good, care or bad."""
    below: tuple["Column", ...] = ()
    seen: bool = True
    """False: for the sheet only."""
    sheet: bool = True
    """False: for the page only."""

    @property
    def right(self) -> bool:
        return self.kind in RIGHT


@dataclass(frozen=True)
class Choice:
    """A choice of the list's own: the first option stands when the address names none. `words` is the prefix of the
    options' texts."""

    name: str
    label: str
    options: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Listing:
    """A list and how it is shown; see the module."""

    path: str
    title: str
    count: str
    find: str
    scope: str
    read: Read
    columns: tuple[Column, ...]
    order: str
    choices: tuple[Choice, ...] = ()
    none: str = "list.none"
    collectors: bool = True
    profiles: bool = True
    template: str = "list.html"
    sums: str = "list.sum"
    """The text of a sum, with `amount`."""
    key: str = ""
    """What tells its lines apart, where a line opens beside the list."""
    counts_sales: bool = False
    """Whether its count is read from the sales that are kept."""
    tell: Tell | None = None
    """Adds to the lines of one page what only their owner knows."""
    told_whole: bool = False
    """Whether its files say that too."""

    def sheet(self) -> list[Column]:
        """The columns of a file: those of the page, and those that stand below others."""
        return [each for column in self.columns for each in (column, *column.below) if each.sheet]

    @property
    def orders(self) -> tuple[str, ...]:
        """The keys that an address may order by."""
        return tuple(column.key for column in self.columns if column.sorts)


@dataclass(frozen=True)
class Shown:
    """A list as its template shows it."""

    listing: Listing
    question: Question
    found: Found
    paging: Paging
    collectors: Sequence[str]
    address: Callable[..., str] = field(repr=False)
    opened: Any = None
    """The line that is open beside the list, if lines open."""

    def narrowed_to(self, t: Texts, entities: Mapping[UUID, str]) -> list[tuple[str, str]]:
        """The filters in force in words, for paper."""
        return shown_by(t, self.question, self.listing, entities)

    def is_open(self, line: Any) -> bool:
        """Whether this is the line that is open."""
        return line is self.opened

    def heading(self, column: Column) -> str:
        """The address of the list ordered by this column; pressed again, the other way round."""
        first = "-" if column.kind in DOWN_FIRST else ""
        now = ("-" if self.question.down else "") + self.question.order
        other = "" if first else "-"
        return self.address(order=(other if now == first + column.key else first) + column.key, page=None)

    @property
    def ordered(self) -> str:
        """The order that the address names; nothing when it is the list's own."""
        order = ("-" if self.question.down else "") + self.question.order
        return "" if order == self.listing.order else order

    def sorted(self, column: Column) -> str | None:
        """What a heading tells a screen reader."""
        if self.question.order != column.key:
            return None
        return "descending" if self.question.down else "ascending"

    @property
    def export(self) -> str:
        """The address of the same lines as an Excel file."""
        path, _, words = self.address(page=None, line=None).partition("?")
        return f"{path}.xlsx" + (f"?{words}" if words else "")


def asked(request: Request, person: Person, listing: Listing) -> Question:
    """The question that an address puts to a list."""
    words = request.query_params
    picks = {}
    for choice in listing.choices:
        wanted = words.get(choice.name, "")
        picks[choice.name] = wanted if wanted in choice.options else choice.options[0]
    order = words.get("order", "")
    order = order if order.removeprefix("-") in listing.orders else listing.order
    page = int(words["page"]) if words.get("page", "").isdecimal() and len(words["page"]) < 6 else 1
    return Question(
        tenant_id=person.tenant_id,
        day=today(here(request).clock, ZONE),
        chosen=chosen_by(person, words),
        picks=picks,
        order=order.removeprefix("-"),
        down=order.startswith("-"),
        offset=(max(1, page) - 1) * PAGE,
    )


async def looked_up(request: Request, person: Person, listing: Listing) -> Shown:
    """One page of a list."""
    room, question = here(request), asked(request, person, listing)
    async with room.settled(person.tenant_id, question.day, sales=listing.counts_sales) as db:
        found = await listing.read(db, question)
        collectors = await customers.collectors(db, person.tenant_id) if listing.collectors else []
    if listing.tell is not None and found.lines:
        await listing.tell(room, person, found.lines)
    pages, wanted = paging(request, question.offset // PAGE + 1, found.count), request.query_params.get("line", "")
    opened = None
    if listing.key and found.lines:
        opened = next((line for line in found.lines if str(line[listing.key]) == wanted), found.lines[0])
    return Shown(listing, question, found, pages, collectors, lambda **changes: address(request, **changes), opened)


def shown_by(t: Texts, shown: Question, listing: Listing, entities: Mapping[UUID, str]) -> list[tuple[str, str]]:
    """The filters in force in words, for the head of a sheet: (what is narrowed, to what)."""
    told = in_words(t, shown.chosen, entities)
    return told + [(t(each.label), t(each.words + shown.picks[each.name])) for each in listing.choices]


def routes_of(*listings: Listing) -> APIRouter:
    """The routes of lists that need nothing of their own."""
    routes = APIRouter(route_class=PageRoute, include_in_schema=False)
    for listing in listings:
        routes.add_api_route(listing.path, _page(listing), methods=["GET"])
    return routes


def _page(listing: Listing) -> Callable[..., Any]:
    async def page(request: Request, person: Person = Depends(may(listing.scope))) -> Response:  # noqa: B008
        return await shown(request, listing.template, person, list=await looked_up(request, person, listing))

    page.__doc__ = f"The list {listing.path}."
    return page
